"""Closed forms of the parts of a slot and a step, one effect at a time, for coefficients made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from training_facts import (
    ALONE,
    DEEPSEEK_V3,
    DGX_H100,
    FREE_LINKS,
    HAND,
    KERNELS,
    LLAMA_8B,
    LLAMA_405B,
    MIXTRAL,
    NVL72,
    exchanged,
    gathered,
    gpt,
    job,
    moved,
    part,
)

from models.collectives import DISPATCH, LIBRARY, START, Fabric, all_reduce, group_of
from models.training import training_stage
from models.transformer import (
    Transformer,
    active_parameters,
    forward_matrix_flops,
    forward_score_flops,
    head_parameters,
    parameters,
)

ONE = ALONE | {"coefficients": HAND}
UP = 900e9 * 0.816  # rate of the links of NVL72 in a domain
FAST_MEMORY = {"hbm_bandwidth": 1e18}


def penalty(rows: float, columns: float, depth: float) -> float:
    """Shape penalty of a bf16 product."""
    return (1 + KERNELS["gemm_wave_bf16"] / (rows * columns)) * (1 + KERNELS["gemm_depth_bf16"] / depth)


def test_time_of_one_chip_is_flops_with_their_shape_penalty():
    # one layer of a plain transformer, fast memory: 6 x weights x tokens, each product with the penalty of its sides
    shape = gpt(1, 8192, 64, vocabulary=8192)
    inputs = job(DGX_H100 | ONE, shape, domains=1, global_batch=1, sequence_length=8192) | FAST_MEMORY
    sides = ((3 * 8192, 8192), (8192, 8192), (4 * 8192, 8192), (8192, 4 * 8192), (8192, 8192))  # the last is the head
    products = 0.0
    for columns, depth in sides:
        flops = 2 * 8192.0 * columns * depth
        products += flops * (2 * penalty(8192, columns, depth) + penalty(depth, columns, 8192))
    scores = 2 * 8192.0**3 * (1 + 1000 / 8192) * (1 + 13000 / (64 * 8192)) * (1 + HAND.attention_backward)
    expected = products / (989e12 * 0.75 * HAND.product_rate) + scores / (989e12 * 0.62 * HAND.score_rate)
    assert part("compute_time", inputs) == pytest.approx(expected, rel=1e-7)  # and the logits through fast memory


def test_latent_attention_has_a_curve_of_its_own():
    # heads of 192 and 128 in one dense layer: 4,096 tokens see half of themselves
    shape = replace(DEEPSEEK_V3, layers=1, experts=0, experts_per_token=0, mtp_layers=0)
    inputs = job(DGX_H100 | ONE, shape, domains=1, global_batch=1, sequence_length=4096)
    short, long = (part("compute_time", inputs | {"latent_attention_start": start}) for start in (700.0, 1700.0))
    scores = 2 * 128 * (192 + 128) * 4096**2 / 2 * (1 + HAND.attention_backward) * (1 + 17000 / (128 * 4096))
    assert long - short == pytest.approx(scores * 1000 / 4096 / (989e12 * 0.62 * HAND.score_rate), rel=1e-9)
    assert part("compute_time", inputs | {"attention_start": 1700.0}) == short


def test_products_and_their_bytes_overlap_almost_completely():
    # infinite arithmetic and a head far larger than the layer: twice its forward bytes, those of the weight gradient,
    # and what the loss moves
    shape = gpt(1, 64, 1, vocabulary=1 << 20)
    inputs = job(DGX_H100 | ONE, shape, domains=1, global_batch=1, sequence_length=256, peak_bf16=1e24)
    words, tokens, hidden = 1 << 20, 256, 64
    forward = 2 * ((tokens + words) * hidden + tokens * words)
    weight = 2 * (tokens * (words + hidden) + words * hidden)
    expected = (1.05 * (2 * forward + weight) + HAND.logit_bytes * tokens * words) / (3350e9 * 0.926)
    assert part("compute_time", inputs) == pytest.approx(expected, rel=0.01)  # the layer is tiny


def test_optimizer_moves_its_bytes():
    inputs = job(DGX_H100 | ONE, LLAMA_8B, domains=1, global_batch=1)
    stream = parameters(LLAMA_8B) / (3350e9 * 0.926)
    assert part("optimizer_time", inputs) == pytest.approx(HAND.optimizer_bytes * stream, rel=1e-5)  # final norm


def test_a_tiny_model_is_bound_by_its_host():
    shape = gpt(24, 128, 2, vocabulary=128)
    inputs = job(DGX_H100 | ONE, shape, domains=1, global_batch=10, sequence_length=128, captured_graphs=0.0)
    expected = 10 * 24 * HAND.layer_dispatch + HAND.step_overhead
    assert part("step_time", inputs) == pytest.approx(expected, rel=1e-3)  # head and optimizer
    recomputed = part("step_time", inputs | {"recompute": "full"})
    assert recomputed - HAND.step_overhead == pytest.approx(4 / 3 * (expected - HAND.step_overhead), rel=1e-3)


def test_captured_graphs_lower_the_host_floor():
    shape = gpt(24, 128, 2, vocabulary=128)
    inputs = job(DGX_H100 | ONE, shape, domains=1, global_batch=10, sequence_length=128)
    slow = inputs | {"coefficients": replace(HAND, layer_dispatch=0.1)}  # what graphs leave is still the floor
    eager, some, whole = (part("step_time", slow | {"captured_graphs": share}) for share in (0.0, 0.5, 1.0))
    saved = 10 * 24 * 0.1 * HAND.graph_saving
    assert eager - some == pytest.approx(saved / 2, rel=1e-9)
    assert eager - whole == pytest.approx(saved, rel=1e-9)


def test_a_large_layer_does_not_wait_for_its_host():
    inputs = job(DGX_H100 | ONE, LLAMA_8B, domains=1, global_batch=1)
    assert part("step_time", inputs) == part("step_time", inputs | {"captured_graphs": 0.5})


def test_a_mixture_layer_waits_for_its_host():
    small = job(DGX_H100 | ONE, MIXTRAL, domains=1, global_batch=1, sequence_length=128, captured_graphs=0.0)
    few, many = (
        part("step_time", small | {"coefficients": replace(HAND, mixture_layer_dispatch=seconds)})
        for seconds in (0.1, 0.3)
    )
    assert many - few == pytest.approx(32 * 0.2, rel=1e-9)
    aged = part(
        "step_time", small | {"coefficients": replace(HAND, mixture_layer_dispatch=0.1), "software_date": 2025.5}
    )
    assert aged - few == pytest.approx(32 * 0.1 * 2 * HAND.mixture_drift, rel=1e-9)


def test_launches_and_tails_add_to_a_layer():
    # four products, their gradients and two attention kernels per layer; the head is one product that nothing waits for
    inputs = job(DGX_H100 | ONE, gpt(8, 4096, 32), domains=1, global_batch=3, sequence_length=2048)
    once = 8 * (4 * 3 * 3e-6 + 2 * 12e-6 + HAND.kernel_tails * 3.5e-6)
    assert part("overhead_time", inputs) == pytest.approx(3 * once + HAND.step_overhead, rel=1e-9)
    twice = 8 * (4 * 4 * 3e-6 + 3 * 12e-6 + HAND.kernel_tails * 4 / 3 * 3.5e-6)
    full = part("overhead_time", inputs | {"recompute": "full"})
    assert full == pytest.approx(3 * twice + HAND.step_overhead, rel=1e-9)


def routed_time(rows: float, experts: int, rate: float) -> float:
    """Time of the routed products of Mixtral on one chip forward and backward with fast memory [s]."""
    total, padded = 0.0, rows * experts
    for columns, depth in ((2 * 14336, 4096), (4096, 14336)):
        forward = penalty(padded, columns, depth)
        weight = penalty(experts * depth, columns, rows)
        total += 32 * 2.0 * padded * columns * depth * (2 * forward + weight)
    return total / (rate * HAND.grouped_rate)


def test_imbalance_slows_the_experts_and_nothing_else():
    # two of eight experts per token: 1,024 rows each, whole tiles
    inputs = job(DGX_H100 | ONE, MIXTRAL, domains=1, global_batch=1, sequence_length=4096) | FAST_MEMORY
    even, uneven = (training_stage(inputs | {"expert_imbalance": load}) for load in (1.0, 1.5))
    experts = routed_time(1024, 8, 989e12 * 0.75 * HAND.product_rate)
    difference = {name: float(uneven[name]) - float(even[name]) for name in ("compute_time", "step_time")}
    assert difference["compute_time"] == pytest.approx(0.5 * experts, rel=1e-9)
    assert difference["step_time"] == pytest.approx(0.5 * experts, rel=1e-9)


def test_older_software_slows_the_experts_and_their_permutation_not_their_exchange():
    dense = job(DGX_H100 | ONE, LLAMA_8B, domains=1, global_batch=1)
    assert part("step_time", dense | {"software_date": 2020.0}) == part("step_time", dense)
    older = 5 * HAND.mixture_drift  # two and a half years in half-years
    inputs = job(DGX_H100 | ONE, MIXTRAL, domains=1, global_batch=1, sequence_length=4096)
    today, old = (training_stage(inputs | FAST_MEMORY | {"software_date": date}) for date in (2026.5, 2024.0))
    experts = routed_time(1024, 8, 989e12 * 0.75 * HAND.product_rate)
    assert float(old["compute_time"]) - float(today["compute_time"]) == pytest.approx(older * experts, rel=1e-9)
    today, old = (part("vector_time", inputs | {"software_date": date}) for date in (2026.5, 2024.0))
    permuted = HAND.permute_bytes * 4096 * 2 * 4096 / (3350e9 * 0.926)
    assert old - today == pytest.approx(older * 32 * (permuted + HAND.router_time), rel=1e-9)
    exchange = expert_job(overlap_experts=0.0)
    today, old, young = (training_stage(exchange | {"software_date": date}) for date in (2026.5, 2024.0, 2030.0))
    assert float(old["expert_parallel_time"]) == float(today["expert_parallel_time"]) > 0
    assert float(young["step_time"]) == float(today["step_time"])


def test_offload_costs_only_what_outlasts_computation():
    # a plain layer without fused attention keeps s b h (34 + 5 a s/h) bytes (Korthikanti et al. 2022, equation 1)
    shape = gpt(8, 4096, 32, vocabulary=64)
    inputs = job(DGX_H100 | ONE, shape, domains=1, global_batch=1, sequence_length=2048, attention_kernel="unfused")
    plain = training_stage(inputs)
    busy = float(plain["compute_time"]) + float(plain["vector_time"])
    kept = 8 * 2048 * 4096 * (34 + 5 * 32 * 2048 / 4096)
    offloaded = inputs | {"activation_offload": 0.5}
    for rate, exposed in ((1.01 * kept / busy, 0.0), (0.5 * kept / busy, busy), (0.1 * kept / busy, 9 * busy)):
        step = part("step_time", offloaded | {"host_bandwidth": rate})
        assert step - float(plain["step_time"]) == pytest.approx(exposed, rel=2e-3)  # the head is not waited for
    half = part("step_time", offloaded | {"host_bandwidth": 0.1 * kept / busy})
    whole = part("step_time", inputs | {"activation_offload": 1.0, "host_bandwidth": 0.1 * kept / busy})
    assert whole - half == pytest.approx(10 * busy, rel=1e-9)


def test_tensor_parallel_messages_of_a_layer():
    # sequence parallelism: a gather and a scatter around attention and around the feed-forward part. Backward as many;
    # the two gathers of output gradients stand alone, the two scatters and two more gathers, of the inputs, go beside
    # products. Three messages for embedding and head.
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_405B, domains=1, global_batch=1) | {"tensor_parallel": 8}
    message = HAND.tensor_exposed * gathered(2 * 8192 * 16384, 8, UP)
    beside = 4 * HAND.tensor_backward
    time = part("tensor_parallel_time", inputs)
    assert time == pytest.approx((126 * (4 + 2 + beside) + 3) * message, rel=1e-9)
    again = part("tensor_parallel_time", inputs | {"recompute": "full"})
    assert again - time == pytest.approx(126 * 4 * message, rel=1e-9)
    # without sequence parallelism two all-reduces, of a gather and a scatter each; backward beside products
    whole = part("tensor_parallel_time", inputs | {"sequence_parallel": 0})
    assert whole == pytest.approx((126 * (4 + beside) + 3) * message, rel=1e-9)
    hidden = part("tensor_parallel_time", inputs | {"overlap_tensor": 0.5})
    assert hidden == pytest.approx(time * (1 - 0.5 * HAND.tensor_overlap), rel=1e-9)
    # a host that waits for every kernel leaves nothing beside anything, nor does software that sends between products
    for alone in ({"blocking_launches": 1, "overlap_tensor": 1}, {"overlap_input_gradients": 0}):
        assert part("tensor_parallel_time", inputs | alone) == pytest.approx((126 * 10 + 3) * message, rel=1e-9)


@pytest.mark.parametrize(("precision", "size"), [("fp8", 0.5), ("fp4", 0.25)])
def test_gathers_move_what_narrow_products_read(precision, size):
    # forward two gathers and two scatters, backward two gathers alone, two scatters and two gathers beside products
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_405B, domains=1, global_batch=1) | {"tensor_parallel": 8}
    message = HAND.tensor_exposed * gathered(2 * 8192 * 16384, 8, UP)
    kernels = {"peak_fp4": 1e16, "gemm_efficiency_fp4": 0.5} | {
        f"gemm_{name}_fp4": NVL72[f"gemm_{name}_fp8"] for name in ("wave", "depth", "traffic", "launch")
    }
    narrow, whole = kernels | inputs | {"precision": precision}, {"sequence_parallel": 0}
    layer = 2 + 2 * size + 2 * size + (2 + 2 * size) * HAND.tensor_backward
    assert part("tensor_parallel_time", narrow) == pytest.approx((126 * layer + 3) * message, rel=1e-9)
    # sums of all ranks are wide
    assert part("tensor_parallel_time", narrow | whole) == part("tensor_parallel_time", inputs | whole)
    # an adapter needs its input whole, and wide: of the other three gathers and four scatters two scatters stay as well
    frozen = narrow | {"trained_weights": "adapters"}
    time = part("tensor_parallel_time", frozen)
    assert time == pytest.approx((126 * (4 + 1 + 3 * size) + 3) * message, rel=1e-9)
    hidden = part("tensor_parallel_time", frozen | {"overlap_tensor": 1})
    share = (2 + 3 * size) / (5 + 3 * size)
    assert hidden == pytest.approx(time * (1 - HAND.tensor_overlap * share), rel=1e-9)


@pytest.mark.parametrize("sequence", [0, 1])
def test_tensor_parallel_messages_beside_frozen_weights(sequence):
    # no weight gradient: nothing to sum the input gradient beside, and no second gather of the input. Where software
    # overlaps, one of four messages forward and two of four backward stay: adapted projections, sums of gradients
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_405B, domains=1, global_batch=1) | {
        "tensor_parallel": 8,
        "trained_weights": "adapters",
        "sequence_parallel": sequence,
    }
    message = HAND.tensor_exposed * gathered(2 * 8192 * 16384, 8, UP)
    time = part("tensor_parallel_time", inputs)
    assert time == pytest.approx((126 * 8 + 3) * message, rel=1e-9)
    hidden = part("tensor_parallel_time", inputs | {"overlap_tensor": 1})
    assert hidden == pytest.approx(time * (1 - HAND.tensor_overlap * 5 / 8), rel=1e-9)
    again = part("tensor_parallel_time", inputs | {"recompute": "full", "overlap_tensor": 1})
    assert again == pytest.approx((126 * 12 + 3) * message * (1 - HAND.tensor_overlap * 8 / 12), rel=1e-9)


def test_context_parallel_messages_of_a_layer():
    # keys and values forward and backward, and their gradients: three messages per layer
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_405B, domains=1, global_batch=1) | {"context_parallel": 8}
    message = gathered(2 * 8192 * 2 * 8 * 128, 8, UP)
    assert part("context_parallel_time", inputs) == pytest.approx(HAND.context_exposed * 126 * 3 * message, rel=1e-9)


def expert_job(**inputs: Any) -> dict[str, Any]:
    """DeepSeek-V3 on one domain: 58 layers with experts, and that of the module that predicts one token more."""
    fixed = {"data_parallel": 64, "expert_parallel": 64}
    default = {"shape": DEEPSEEK_V3, "domains": 1, "global_batch": 64, "sequence_length": 4096, "precision": "bf16"}
    return NVL72 | ONE | FREE_LINKS | fixed | default | inputs


def test_dispatch_and_combine_run_forward_and_backward():
    out = part("expert_parallel_time", expert_job(overlap_experts=0.0))
    copies = 64 * (1 - (63 / 64) ** 8)  # of the ranks that eight experts are on
    message = exchanged(4096 * copies * 7168 * 2, 64, UP)
    assert out == pytest.approx(HAND.expert_exposed * 59 * 4 * message, rel=1e-9)
    # products in eight bits change nothing: copies travel in sixteen, both ways
    assert part("expert_parallel_time", expert_job(overlap_experts=0.0, precision="fp8")) == pytest.approx(out)
    # 72 ranks for 64 experts: the tokens of all arrive on the 64 that hold them
    spilt = part("expert_parallel_time", expert_job(overlap_experts=0.0, data_parallel=72, global_batch=72))
    message = exchanged(4096 * copies * 7168 * 2 * 72 / 64, 64, UP)
    assert spilt == pytest.approx(HAND.expert_exposed * 59 * 4 * message, rel=1e-9)
    again = part("expert_parallel_time", expert_job(overlap_experts=0.0, recompute="full"))
    assert again == pytest.approx(1.5 * out, rel=1e-9)


def test_computation_hides_no_more_communication_than_it_lasts():
    # links a thousand times slower: the hidden part is that of the computation of the layers
    slow = expert_job(scale_up_bandwidth=900e6, shape=replace(DEEPSEEK_V3, vocabulary=64))
    bare, half, hidden = (part("expert_parallel_time", slow | {"overlap_experts": part_}) for part_ in (0.0, 0.5, 1.0))
    out = training_stage(slow)
    busy = sum(float(out[name]) for name in ("compute_time", "vector_time", "recompute_time"))
    assert bare - hidden == pytest.approx(HAND.expert_overlap * busy, rel=1e-3)  # less the head
    assert bare - half == pytest.approx((bare - hidden) / 2, rel=1e-9)


def test_all_of_a_short_exchange_but_a_part_hides():
    bare, hidden = (part("expert_parallel_time", expert_job(overlap_experts=share)) for share in (0.0, 1.0))
    assert hidden == pytest.approx((1 - HAND.expert_overlap) * bare, rel=1e-9)


@pytest.mark.parametrize(
    ("dispatch", "library", "copies"),
    # eight choices over two domains: once per token 1 - 2^-8 of the tokens go to the other, once per expert four copies
    [("fused", DISPATCH, 1 - 0.5**8), ("alltoall", LIBRARY, 4.0)],
)
def test_a_token_crosses_to_a_domain_once_or_once_per_expert(dispatch, library, copies):
    inputs = expert_job(domains=2, scale_up_size=32, overlap_experts=0.0, scale_up_bandwidth=1e18)
    message = START + library.start + moved(4096 * 7168 * 2 * copies / (50e9 * 0.861), library)
    time = part("expert_parallel_time", inputs | {"mixture_dispatch": dispatch})
    assert time == pytest.approx(HAND.expert_exposed * 59 * 4 * message, rel=1e-9)


def staged_job(batch: int, rate: float, **inputs: Any) -> dict[str, Any]:
    """Two stages of 63 layers, ``rate`` [byte/s] of the links between them, one micro-batch per sequence."""
    fixed = {"pipeline_parallel": 2, "scale_up_bandwidth": rate / 0.816, "scale_up_latency": 0.0}
    return job(NVL72 | ONE, LLAMA_405B, domains=1, global_batch=batch) | fixed | inputs


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize(
    ("schedule", "chunks", "waiting"),
    # one forward, one backward sends and receives between two slots; the others do so beside a slot
    [("interleaved", 1, 2), ("interleaved", 3, 0), ("zero_bubble", 1, 0), ("dualpipe", 1, 0), ("dualpipe", 2, 0)],
)
def test_transfers_between_stages_delay_every_slot_of_one_forward_one_backward(batch, schedule, chunks, waiting):
    inputs = staged_job(batch, 1e9, virtual_pipeline=chunks, pipeline_schedule=schedule)
    transfer = START + 2 * 8192 * 16384 / 1e9
    # and one forward and one backward fill and drain the pipeline under every schedule
    assert part("pipeline_time", inputs) == pytest.approx((batch * waiting + 2) * transfer, rel=1e-9)


def test_products_compute_on_the_cores_that_the_exchange_leaves():
    # DeepSeek-V3 (arXiv:2412.19437, section 3.2.2): 20 of 132 cores move tokens between nodes
    shape = replace(DEEPSEEK_V3, vocabulary=1)  # the head, on the last stage alone, computes on all cores
    fixed = {"data_parallel": 32, "expert_parallel": 32, "pipeline_parallel": 2, "pipeline_schedule": "dualpipe"}
    inputs = expert_job(shape=shape, scale_up_size=8, domains=8) | fixed
    free, half, busy = (part("compute_time", inputs | {"overlap_experts": share}) for share in (0.0, 0.5, 1.0))
    assert busy == pytest.approx(132 / 112 * free, rel=1e-3)  # launches of kernels take as long
    assert half == pytest.approx(132 / 122 * free, rel=1e-3)
    inside = part("compute_time", expert_job(shape=shape) | fixed)
    assert inside == pytest.approx(free, rel=1e-9)


def test_transfers_that_outlast_the_slots_of_several_chunks_set_the_pace():
    # every micro-batch passes the boundary forward and backward once per chunk; 63 layers take less
    inputs = staged_job(5, 1e6, virtual_pipeline=3) | {"shape": replace(LLAMA_405B, vocabulary=1)}  # stages are equal
    transfer = START + 2 * 8192 * 16384 / 1e6
    out = training_stage(inputs)
    stages = ("compute_time", "vector_time", "overhead_time")
    slots = sum(float(out[name]) for name in stages) - HAND.step_overhead
    assert float(out["pipeline_time"]) == pytest.approx((5 * 2 * 3 + 2) * transfer - slots, rel=1e-6)


@pytest.mark.parametrize(
    ("schedule", "left"),
    # 16 equal stages: zero bubble leaves a third, DualPipe (p - 2)/(3 (p - 1)), two chunks half
    [("interleaved", 1), ("zero_bubble", 1 / 3), ("dualpipe", 14 / 45)],
)
@pytest.mark.parametrize("chunks", [1, 2])
def test_schedules_leave_their_part_of_the_bubble(schedule, left, chunks):
    fixed = {"tensor_parallel": 8, "pipeline_parallel": 16, "virtual_pipeline": chunks, "pipeline_schedule": schedule}
    shape = gpt(96, 12288, 96, vocabulary=1)
    mean, plain = slot_and_bubble(shape, tensor_parallel=8, pipeline_parallel=16, virtual_pipeline=1)
    slow = (plain + 48 * mean) / 63  # of 64 micro-batches and 15 slots, one of which is the slow one
    assert slow == pytest.approx(mean, rel=2e-3)  # a vocabulary of one leaves a narrow head
    _, bubble = slot_and_bubble(shape, **fixed)
    assert bubble == pytest.approx(64 * (slow - mean) + (16 * mean - slow) * left / chunks, rel=1e-9)


def test_the_other_stages_wait_for_the_head_of_the_last():
    """The head is what the vocabulary adds; 64 micro-batches wait for it, and the bubble is that of longer slots."""
    fixed = {"tensor_parallel": 8, "pipeline_parallel": 16, "virtual_pipeline": 1}
    layers, _ = slot_and_bubble(gpt(96, 12288, 96, vocabulary=1), **fixed)
    mean, bubble = slot_and_bubble(gpt(96, 12288, 96), **fixed)
    slow = layers + 16 * (mean - layers)
    assert slow > 1.03 * mean
    assert bubble == pytest.approx(64 * (slow - mean) + 16 * mean - slow, rel=1e-2)


def test_stages_of_which_the_last_has_fewer_layers_are_taken_to_be_balanced():
    fixed = {"tensor_parallel": 8, "pipeline_parallel": 16, "virtual_pipeline": 1}
    mean, bubble = slot_and_bubble(gpt(94, 12288, 96), **fixed)
    layers, _ = slot_and_bubble(gpt(94, 12288, 96, vocabulary=1), **fixed)
    slow = max(layers * 16 * 6 / 94, mean)
    assert bubble == pytest.approx(64 * (slow - mean) + 16 * mean - slow, rel=1e-2)


def slot_and_bubble(shape: Transformer, **fixed: Any) -> tuple[float, float]:
    """Return the mean slot of the stages and the bubble of 64 micro-batches [s]."""
    out = training_stage(job(DGX_H100 | ONE, shape, domains=16, global_batch=64) | fixed)
    whole = ("compute_time", "vector_time", "recompute_time", "tensor_parallel_time", "overhead_time")
    return (sum(float(out[name]) for name in whole) - HAND.step_overhead) / 64, float(out["bubble_time"])


def test_blocking_launches_add_the_time_of_the_host():
    """The host is otherwise ahead of a chip that is busy for longer."""
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8, data_parallel=8, recompute="none")
    inputs["captured_graphs"] = 0.0
    free, half, blocked = (part("step_time", inputs | {"blocking_launches": share}) for share in (0, 0.5, 1))
    host = 32 * HAND.layer_dispatch  # one micro-batch
    assert blocked - free == pytest.approx(host, rel=1e-6)
    assert half - free == pytest.approx(host / 2, rel=1e-6)


def test_gradients_without_sharding_are_all_reduced():
    # no overlap: twice 4 bytes per parameter around the ring; with a sharded optimizer 4 + 2
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8, overlap_gradients=0.0)
    gather = gathered(2 * parameters(LLAMA_8B), 8, UP)
    for sharding, gathers in ((0, 4), (1, 3)):
        out = part("data_parallel_time", inputs | {"data_parallel": 8, "optimizer_sharding": sharding})
        assert out == pytest.approx(gathers * gather, rel=1e-5)  # final norm


def test_pipelines_of_deepspeed_give_every_replica_all_gradients():
    # its engine all-reduces 4 bytes per parameter although the optimizer is sharded, and gathers 2 after the update
    fixed = {"data_parallel": 8, "optimizer_sharding": 1, "gradient_reduction": "all_reduce"}
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8, overlap_gradients=0.0)
    out = part("data_parallel_time", inputs | fixed)
    assert out == pytest.approx((4 + 1) * gathered(2 * parameters(LLAMA_8B), 8, UP), rel=1e-5)  # final norm


def test_gradients_of_two_bytes_take_half_the_time():
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8, overlap_gradients=0.0)
    gather = gathered(2 * parameters(LLAMA_8B), 8, UP)
    fixed = {"data_parallel": 8, "optimizer_sharding": 1, "gradient_bytes": 2.0}
    out = training_stage(inputs | fixed)
    assert float(out["data_parallel_time"]) == pytest.approx((1 + 1) * gather, rel=1e-5)
    whole = training_stage(inputs | fixed | {"gradient_bytes": 4.0})
    assert float(whole["memory_gradients"]) == 2 * float(out["memory_gradients"])


def test_weights_of_one_byte_count_where_products_are_narrow():
    fixed = {"data_parallel": 8, "optimizer_sharding": 3, "precision": "bf16"}
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8, overlap_gradients=0.0) | fixed
    assert part("step_time", inputs | {"weight_gather_bytes": 1.0}) == part("step_time", inputs)


@pytest.mark.parametrize("sharding", [0, 1, 3])
def test_weights_of_one_byte_are_never_slower(sharding):
    # latencies of real links; without a sharded optimizer nothing is gathered, and embedding and head stay wide
    fixed = {"data_parallel": 72, "optimizer_sharding": sharding, "precision": "fp8", "overlap_gradients": 0.0}
    inputs = job(NVL72 | ONE, LLAMA_8B, domains=1, global_batch=72) | fixed
    whole, half = (part("data_parallel_time", inputs | {"weight_gather_bytes": size}) for size in (2.0, 1.0))
    ends = 2 * 128256 * 4096  # parameters
    saved = gathered(parameters(LLAMA_8B) - ends, 72, UP)
    slower = HAND.sharded_ring if sharding == 3 else 1.0  # gathers beside computation
    assert whole - half == pytest.approx({0: 0, 1: 1, 3: 2}[sharding] * slower * saved, rel=0.03, abs=1e-12)


@pytest.mark.parametrize(("captured", "left"), [(0.0, 1.0), (0.5, 1.0), (1.0, 1 - HAND.graph_saving)])
@pytest.mark.parametrize("ranks", [8, 64])
@pytest.mark.parametrize("changes", [{}, {"recompute": "full"}])
def test_kernels_of_single_experts_leave_the_chip_idle(captured, left, ranks, changes):
    # 256 experts over the ranks in 59 layers; graphs of parts of a layer hold no experts; a third more with all again
    inputs = expert_job(expert_parallel=ranks, captured_graphs=captured, overlap_gradients=0.0, **changes)
    by = replace(HAND, mixture_layer_dispatch=0.0, layer_dispatch=0.0)  # no layer waits for its host
    none, some = (
        part("step_time", inputs | {"coefficients": replace(by, expert_kernels=kernels)}) for kernels in (0.0, 30.0)
    )
    again = 4 / 3 if changes else 1.0
    assert some - none == pytest.approx(again * left * 59 * (256 / ranks) * 30 * inputs["kernel_launch_time"], rel=1e-6)


def test_sharded_gradients_are_reduced_once_per_micro_batch():
    # ZeRO-2 without stages keeps a shard of a micro-batch's gradients; with stages they wait for the last
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=32, overlap_gradients=0.0)
    gather = gathered(2 * parameters(LLAMA_8B), 8, UP)
    out = training_stage(inputs | {"data_parallel": 8, "optimizer_sharding": 2})
    assert float(out["data_parallel_time"]) == pytest.approx((4 * 2 + 1) * gather, rel=1e-5)
    staged = {"data_parallel": 8, "pipeline_parallel": 2, "virtual_pipeline": 1}
    first, second = (training_stage(inputs | staged | {"optimizer_sharding": stage}) for stage in (1, 2))
    for name in ("data_parallel_time", "memory_gradients"):
        assert float(first[name]) == float(second[name])


def test_a_part_of_the_gradients_stays_exposed_whatever_computation_lasts():
    fixed = {"data_parallel": 8, "optimizer_sharding": 1}
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8) | fixed
    bare, some, hidden = (part("data_parallel_time", inputs | {"overlap_gradients": share}) for share in (0, 0.5, 1))
    assert hidden == pytest.approx(HAND.gradient_exposed * bare, rel=1e-9)
    assert some == pytest.approx((bare + hidden) / 2, rel=1e-9)


def test_traffic_hides_behind_computation_not_behind_other_traffic():
    # the gradients can move only while the tensor-parallel messages leave the links idle
    fixed = {"tensor_parallel": 8, "data_parallel": 8, "optimizer_sharding": 1}
    inputs = job(NVL72 | ONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8, sequence_length=512) | fixed
    slow = {"scale_up_bandwidth": 5e9}
    bare = part("data_parallel_time", inputs | slow | {"overlap_gradients": 0.0})
    out = training_stage(inputs | slow)
    busy = sum(float(out[name]) for name in ("compute_time", "vector_time", "overhead_time")) - HAND.step_overhead
    assert bare - float(out["data_parallel_time"]) == pytest.approx((1 - HAND.gradient_exposed) * busy, rel=1e-9)


def sharded_job(**inputs: Any) -> dict[str, Any]:
    fixed = {"data_parallel": 0, "optimizer_sharding": 3, "overlap_gradients": 0.0}
    default = {"domains": 1, "global_batch": 8, "sequence_length": 4096}
    return job(DGX_H100 | ONE, gpt(8, 4096, 32), **default) | FREE_LINKS | fixed | inputs


@pytest.mark.parametrize(("gathers", "pieces"), [("layer", 8), ("tensor", 8 * 12)])
def test_sharded_weights_are_gathered_layer_by_layer_or_tensor_by_tensor(gathers, pieces):
    # per piece two gathers of 2 bytes and a reduction of 4; final norm and attention biases are not counted
    volume = 8 / 3 * parameters(gpt(8, 4096, 32)) / pieces
    expected = HAND.sharded_ring * 3 * pieces * gathered(volume, 8, 450e9 * 0.816)
    assert part("data_parallel_time", sharded_job(sharded_gathers=gathers)) == pytest.approx(expected, rel=2e-3)


def test_every_piece_of_sharded_weights_pays_the_latency_of_its_ring():
    bare, hops = (part("data_parallel_time", sharded_job(scale_up_latency=latency)) for latency in (0.0, 1e-6))
    assert hops - bare == pytest.approx(HAND.sharded_ring * 3 * 8 * 7 * 1e-6, rel=1e-6)


def test_overlapped_gathers_are_exposed_where_they_outlast_computation():
    bare, hidden = (training_stage(sharded_job(overlap_gradients=share)) for share in (0.0, 1.0))
    traffic = float(bare["data_parallel_time"])
    names = ("compute_time", "vector_time", "overhead_time")
    free = sum(float(bare[name]) for name in names) - HAND.step_overhead
    expected = (free**4 + traffic**4) ** 0.25 + HAND.sharded_exposed * traffic - free
    assert float(hidden["data_parallel_time"]) == pytest.approx(expected, rel=1e-9)
    assert expected < traffic


def test_hybrid_sharding_gathers_inside_a_group_and_sums_over_the_groups():
    # two domains of eight: gathers stay inside one, the gradients of a shard are summed over both once a step
    two = {"domains": 2, "global_batch": 64, "scale_out_bandwidth": 5e9}
    whole, hybrid, large = (part("data_parallel_time", sharded_job(**two, sharding_group=size)) for size in (0, 8, 16))
    weights = parameters(gpt(8, 4096, 32))
    inside = HAND.sharded_ring * 3 * 8 * gathered(8 / 3 * weights / 8, 8, 450e9 * 0.816)
    mirrors = all_reduce(4 * weights / 8, group_of(2, 1), Fabric(450e9 * 0.816, 0.0, 5e9 * 0.861, 0.0))
    assert hybrid == pytest.approx(4 * inside + float(mirrors), rel=2e-3)  # four micro-batches; as above
    assert large == whole
    assert hybrid < whole


def test_frozen_sharded_weights_are_gathered_twice_and_never_reduced():
    # two gathers of 2 bytes a layer, whatever the groups: no gradient is summed inside one or over them
    weights, frozen = parameters(gpt(8, 4096, 32)), {"trained_weights": "adapters"}
    gathers = HAND.sharded_ring * 2 * 8 * gathered(2 * weights / 8, 8, 450e9 * 0.816)
    assert part("data_parallel_time", sharded_job(**frozen)) == pytest.approx(gathers, rel=2e-3)
    hybrid = sharded_job(domains=2, global_batch=64, scale_out_bandwidth=5e9, sharding_group=8, **frozen)
    assert part("data_parallel_time", hybrid) == pytest.approx(4 * gathers, rel=2e-3)


def test_frozen_weights_have_no_gradients():
    fixed = {"data_parallel": 8, "optimizer_sharding": 1, "overlap_gradients": 0.0, "trained_weights": "adapters"}
    shape = gpt(8, 4096, 32, vocabulary=64)
    inputs = job(NVL72 | ONE | FREE_LINKS, shape, domains=1, global_batch=8, sequence_length=2048) | fixed
    out, full = training_stage(inputs), training_stage(inputs | {"trained_weights": "all"})
    assert float(out["data_parallel_time"]) == 0.0
    assert float(out["optimizer_time"]) == 0.0
    fast = inputs | FAST_MEMORY
    weights = 0.0
    for columns, depth in ((3 * 4096, 4096), (4096, 4096), (4 * 4096, 4096), (4096, 4 * 4096), (64, 4096)):
        weights += (8 if columns > 64 else 1) * 2.0 * 2048 * columns * depth * penalty(depth, columns, 2048)
    saved = part("compute_time", fast | {"trained_weights": "all"}) - part("compute_time", fast)
    assert saved == pytest.approx(weights / (2500e12 * 0.63 * HAND.product_rate), rel=1e-9)
    # adapters read and write the inputs and outputs of attention, h + 3h and h + h; sums of gradients are saved
    stream = 8000e9 * 0.925
    added = HAND.adapter_bytes * 8 * 2048 * 6 * 4096 / stream
    spared = HAND.accumulate_bytes * (8 * (12 * 4096**2 + 9 * 4096) + (64 + 2048) * 4096) / stream
    assert float(out["vector_time"]) - float(full["vector_time"]) == pytest.approx(added - spared, rel=1e-9)


def test_frozen_weights_count_no_gradient_as_model_flops():
    inputs = job(NVL72 | ONE, LLAMA_8B, domains=1, global_batch=1, trained_weights="adapters", recompute="none")
    out = training_stage(inputs)
    scores = forward_score_flops(LLAMA_8B, 8192, causal=True)
    model = 2 * forward_matrix_flops(LLAMA_8B) + 3 * scores
    expected = model * 8192 / float(out["step_time"]) / 2500e12
    assert float(out["model_flops_utilisation"]) == pytest.approx(expected, rel=1e-9)
    assert float(out["hardware_flops_utilisation"]) == pytest.approx(expected, rel=1e-9)


def test_recomputation_counts_as_hardware_flops_only():
    inputs = job(NVL72 | ONE, LLAMA_8B, domains=1, global_batch=1)
    for recompute, passes in (("none", 3), ("full", 4)):
        out = training_stage(inputs | {"recompute": recompute})
        layers = forward_matrix_flops(LLAMA_8B) - 2 * head_parameters(LLAMA_8B)
        scores = forward_score_flops(LLAMA_8B, 8192, causal=True)
        executed = passes * (layers + scores) + 3 * 2 * head_parameters(LLAMA_8B)
        model = 3 * (layers + scores + 2 * head_parameters(LLAMA_8B))
        ratio = float(out["hardware_flops_utilisation"]) / float(out["model_flops_utilisation"])
        assert ratio == pytest.approx(executed / model, rel=1e-9)
        assert float(out["model_flops_utilisation"]) == pytest.approx(
            model * 8192 / float(out["step_time"]) / 2500e12, rel=1e-9
        )


def test_utilisation_follows_the_active_parameters():
    out = training_stage(expert_job())
    head = DEEPSEEK_V3.vocabulary * DEEPSEEK_V3.hidden
    flops = 6 * (active_parameters(DEEPSEEK_V3) - head) + 3 * forward_score_flops(DEEPSEEK_V3, 4096, causal=True)
    per_chip = 4096 / float(out["step_time"])
    assert float(out["model_flops_utilisation"]) == pytest.approx(per_chip * flops / 2500e12, rel=1e-3)


def test_routed_copies_move_bytes():
    # four choices more per token: bytes per copy and unit to permute, and of the activation that reads gate and up
    few = training_stage(expert_job(shape=replace(DEEPSEEK_V3, experts_per_token=4)))
    many = training_stage(expert_job())
    activation = (1 + HAND.vector_backward) * HAND.ffn_bytes * 2 * 2048
    copied = 59 * 4096 * 4 * (HAND.permute_bytes * 7168 + activation) / (8000e9 * 0.925)
    assert float(many["vector_time"]) - float(few["vector_time"]) == pytest.approx(copied, rel=1e-9)
