"""Closed forms of the parts of a slot and a step, one effect at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from training_facts import DEEPSEEK_V3, DGX_H100, LLAMA_8B, LLAMA_405B, MIXTRAL, NVL72, gpt, job

from models.collectives import START
from models.operators import OPTIMIZER_BYTES, gemm_penalty
from models.slot import CONTEXT_EXPOSED, LAUNCHES_PER_LAYER
from models.speeds import machine_of
from models.step import STEP_OVERHEAD
from models.training import training_stage
from models.transformer import active_parameters, forward_matrix_flops, forward_score_flops, head_parameters, parameters

ALONE: dict[str, Any] = {
    "tensor_parallel": 1,
    "pipeline_parallel": 1,
    "virtual_pipeline": 1,
    "data_parallel": 1,
    "context_parallel": 1,
    "micro_batch": 1,
    "recompute": "none",
    "optimizer_sharding": 0,
    "hbm_capacity": 1e15,
}
FREE_LINKS = {"scale_up_latency": 0.0, "scale_out_latency": 0.0}


def part(name: str, inputs: dict[str, Any]) -> float:
    return float(training_stage(inputs)[name])


def test_time_of_one_chip_is_flops_with_their_shape_penalty():
    # one layer of a plain transformer, fast memory: 6 x weights x tokens, each product with the penalty of its sides
    shape = gpt(1, 8192, 64, vocabulary=8192)
    inputs = job(DGX_H100 | ALONE, shape, domains=1, global_batch=1, sequence_length=8192, hbm_bandwidth=1e18)
    sides = ((3 * 8192, 8192), (8192, 8192), (4 * 8192, 8192), (8192, 4 * 8192), (8192, 8192))  # the last is the head
    products = 0.0
    for columns, depth in sides:
        flops = 2 * 8192.0 * columns * depth
        products += flops * (2 * gemm_penalty(8192, columns, depth) + gemm_penalty(depth, columns, 8192)).item()
    scores = forward_score_flops(shape, 8192, causal=True) * 8192 * (1 + 600 / 8192) * 3.9
    expected = products / (989e12 * 0.75) + scores / (989e12 * 0.62)
    assert part("compute_time", inputs) == pytest.approx(expected, rel=1e-9)


def test_optimizer_moves_its_bytes():
    inputs = job(DGX_H100 | ALONE, LLAMA_8B, domains=1, global_batch=1)
    stream = parameters(LLAMA_8B) / (3350e9 * 0.926)
    assert part("optimizer_time", inputs) == pytest.approx(OPTIMIZER_BYTES * stream, rel=1e-3)
    # Adam cannot do with less: reads a gradient, three fp32 states and writes them and a bf16 weight
    assert part("optimizer_time", inputs) > 28 * stream


def test_a_tiny_model_is_bound_by_its_launches():
    shape = gpt(24, 128, 2, vocabulary=128)
    inputs = job(DGX_H100 | ALONE, shape, domains=1, global_batch=10, sequence_length=128)
    launches = 24 * LAUNCHES_PER_LAYER * 3.5e-6
    assert part("step_time", inputs) == pytest.approx(10 * launches + STEP_OVERHEAD, rel=0.02)


def test_a_mixture_layer_has_a_floor():
    inputs = job(DGX_H100 | ALONE, MIXTRAL, domains=1, global_batch=1, sequence_length=128, moe_layer_floor=0.1)
    assert part("overhead_time", inputs) > 0.8 * 32 * 0.1


def test_imbalance_slows_the_experts_and_nothing_else():
    inputs = job(DGX_H100 | ALONE, MIXTRAL, domains=1, global_batch=1, sequence_length=4096, hbm_bandwidth=1e18)
    even, uneven = (part("compute_time", inputs | {"expert_imbalance": load}) for load in (1.0, 1.5))
    experts = 6 * 4096 * 32 * 2 * 3 * 4096 * 14336 / (989e12 * 0.75 * 0.55)
    assert uneven - even == pytest.approx(0.5 * experts, rel=0.15)  # shape penalties


def test_tensor_parallel_messages_of_a_layer():
    # sequence parallelism: a gather and a scatter around attention and around the feed-forward part, forward exposed
    # and backward half hidden: 4 x 1.5 per layer, and 3 for embedding and head
    inputs = job(NVL72 | ALONE | FREE_LINKS, LLAMA_405B, domains=1, global_batch=1) | {"tensor_parallel": 8}
    message = START + 2 * 8192 * 16384 * 7 / 8 / (900e9 * 0.816)
    assert part("tensor_parallel_time", inputs) == pytest.approx((126 * 6 + 3) * message, rel=1e-9)


def test_context_parallel_messages_of_a_layer():
    # keys and values forward and backward, and their gradients: three messages per layer
    inputs = job(NVL72 | ALONE | FREE_LINKS, LLAMA_405B, domains=1, global_batch=1) | {"context_parallel": 8}
    message = START + 2 * 8192 * 2 * 8 * 128 * 7 / 8 / (900e9 * 0.816)
    assert part("context_parallel_time", inputs) == pytest.approx(CONTEXT_EXPOSED * 126 * 3 * message, rel=1e-9)


def expert_job(**inputs: Any) -> dict[str, Any]:
    fixed = {"data_parallel": 64, "expert_parallel": 64}
    default = {"shape": DEEPSEEK_V3, "domains": 1, "global_batch": 64, "sequence_length": 4096, "precision": "bf16"}
    return NVL72 | ALONE | FREE_LINKS | fixed | default | inputs


def test_dispatch_and_combine_run_forward_and_backward():
    out = part("expert_parallel_time", expert_job(expert_parallel_overlap=0.0))
    message = START + 4096 * 8 * 7168 * 2 * 63 / 64 / (900e9 * 0.816)
    assert out == pytest.approx(58 * 4 * message, rel=1e-9)


def test_computation_hides_no_more_communication_than_it_lasts():
    # links a thousand times slower: the hidden part is that of the computation
    slow = expert_job(scale_up_bandwidth=900e6)
    bare, hidden = (part("expert_parallel_time", slow | {"expert_parallel_overlap": part_}) for part_ in (0.0, 1.0))
    out = training_stage(slow)
    busy = sum(float(out[name]) for name in ("compute_time", "vector_time", "recompute_time"))
    assert 0.5 * busy < bare - hidden < 1.01 * busy


def test_a_token_crosses_to_a_domain_once():
    # eight choices over two domains: 1 - 2^-8 of the tokens go to the other, not four copies
    inputs = expert_job(domains=2, scale_up_size=32, expert_parallel_overlap=0.0, scale_up_bandwidth=1e18)
    message = START + 4096 * 7168 * 2 * (1 - 0.5**8) / (50e9 * 0.861)
    assert part("expert_parallel_time", inputs) == pytest.approx(58 * 4 * message, rel=1e-9)


def test_oversubscription_divides_the_interfaces():
    plain, thin = (machine_of(NVL72 | {"oversubscription": factor}, "bf16").fabric for factor in (1.0, 4.0))
    assert thin.out_rate.item() == plain.out_rate.item() / 4
    assert thin.up_rate.item() == plain.up_rate.item()


def test_scores_and_head_run_in_the_wide_format():
    machine = machine_of(NVL72, "fp8")
    assert machine.matrix_rate.item() == pytest.approx(5000e12 * 0.55)
    assert machine.head_rate.item() == pytest.approx(2500e12 * 0.63)
    assert machine.score_rate.item() == pytest.approx(2500e12 * 0.62)


def test_transfers_between_stages_fill_and_drain_the_pipeline():
    fixed = {"pipeline_parallel": 2, "scale_up_bandwidth": 1e9, "scale_up_latency": 0.0}
    inputs = job(NVL72 | ALONE, LLAMA_405B, domains=1, global_batch=1) | fixed
    assert part("pipeline_time", inputs) == pytest.approx(2 * 2 * 8192 * 16384 / (1e9 * 0.816), rel=1e-6)


def test_gradients_without_sharding_are_all_reduced():
    # no overlap: twice 4 bytes per parameter around the ring; with a sharded optimizer 4 + 2
    inputs = job(NVL72 | ALONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8, data_parallel_overlap=0.0)
    ring = parameters(LLAMA_8B) * 7 / 8 / (900e9 * 0.816)
    for sharding, moved in ((0, 8), (1, 6)):
        out = part("data_parallel_time", inputs | {"data_parallel": 8, "optimizer_sharding": sharding})
        assert out == pytest.approx(moved * ring, rel=1e-3)  # starts, final norm


def test_traffic_hides_behind_computation_not_behind_other_traffic():
    # the gradients can move only while the tensor-parallel messages leave the links idle
    fixed = {"tensor_parallel": 8, "data_parallel": 8, "optimizer_sharding": 1}
    inputs = job(NVL72 | ALONE | FREE_LINKS, LLAMA_8B, domains=1, global_batch=8, sequence_length=512) | fixed
    slow = {"scale_up_bandwidth": 5e9}
    bare = part("data_parallel_time", inputs | slow | {"data_parallel_overlap": 0.0})
    out = training_stage(inputs | slow)
    busy = sum(float(out[name]) for name in ("compute_time", "vector_time", "overhead_time"))
    assert bare - float(out["data_parallel_time"]) <= busy


def test_recomputation_counts_as_hardware_flops_only():
    inputs = job(NVL72 | ALONE, LLAMA_8B, domains=1, global_batch=1)
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
    # four choices more per token: 17 bytes per copy and unit to permute, 2.5 x 4 bytes per unit of the wider layer
    few = training_stage(expert_job(shape=replace(DEEPSEEK_V3, experts_per_token=4)))
    many = training_stage(expert_job())
    moved = 58 * 4096 * 4 * (17 * 7168 + 2.5 * 4 * 2048) / (8000e9 * 0.925)
    assert float(many["vector_time"]) - float(few["vector_time"]) == pytest.approx(moved, rel=1e-9)
