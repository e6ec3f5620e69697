"""Counts of a micro-batch against the rules that papers print, and against counting by hand."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from counting_cases import counted, multiplied
from hypothesis import given
from hypothesis import strategies as st
from training_facts import DEEPSEEK_V3, LLAMA_8B, LLAMA_405B, MIXTRAL, gpt

from models.amounts import Amounts, Sides
from models.curves import EXPERT_TILE
from models.transformer import Transformer, active_parameters, mtp_parameters, parameters, with_predictions

GPT = gpt(4, 1024, 16, vocabulary=8192)
SEQUENCE = 2048


def sides(shape: Transformer, **changes: object) -> set[tuple[float, float, float]]:
    """Columns, depth and layers of the products that every token passes."""
    dense = counted(shape, **changes).dense
    return {(part.columns.item(), part.depth.item(), part.count.item()) for part in dense}


@pytest.mark.parametrize("tensor", [1, 2, 8])
@pytest.mark.parametrize("micro_batch", [1, 4])
def test_a_gpt_multiplies_24_b_s_h_h_per_layer(tensor, micro_batch):
    # Narayanan et al. 2021 (2104.04473), appendix: 24 b s h^2 + 4 b s^2 h per layer forward, 2 b s h V of the head
    layers, hidden, words = 4, 1024, 8192
    tokens = micro_batch * SEQUENCE
    bare = counted(GPT, tensor=tensor, micro_batch=micro_batch, fused_attention=False)
    assert multiplied(bare.dense) * tensor == 24 * tokens * hidden**2 * layers
    assert bare.score_flops.item() * tensor == 4 * tokens * SEQUENCE * hidden * layers
    assert multiplied((bare.head,)) * tensor == 2 * tokens * hidden * words
    fused = counted(GPT, tensor=tensor, micro_batch=micro_batch)
    assert fused.score_flops.item() * 2 == bare.score_flops.item()  # the causal half


@pytest.mark.parametrize("sharding", [0, 1, 2, 3])
@pytest.mark.parametrize(("scattered", "size", "moved"), [(True, 4, 10), (True, 2, 6), (False, 4, 18), (False, 2, 6)])
def test_sums_of_gradients_count_by_what_they_move(sharding, scattered, size, moved):
    # in fp32 2 + 4 + 4 bytes, in 16 bits 2 + 2 + 2; DeepSpeed's BF16_Optimizer shards states and casts first: 6 + 12
    plain = counted(GPT, sharding=sharding).accumulated.item()
    changes = {"sharding": sharding, "scattered": scattered, "gradient_bytes": float(size)}
    expected = moved if scattered or sharding in (1, 2) else 10 if size == 4 else 6
    assert counted(GPT, **changes).accumulated.item() == pytest.approx(plain * expected / 10)


def test_unfused_scores_are_a_square_per_head():
    # 5 a s / h of Korthikanti et al. 2022: a heads of b s^2 elements per layer, cut over the tensor-parallel ranks
    assert counted(GPT, tensor=4, micro_batch=2, fused_attention=False).score_elements.item() == 4 * 4 * 2 * SEQUENCE**2
    assert counted(GPT).score_elements.item() == 0


@pytest.mark.parametrize("shape", [LLAMA_8B, MIXTRAL, replace(DEEPSEEK_V3, mtp_layers=0), GPT])
def test_a_token_multiplies_its_active_parameters_twice(shape):
    # every weight but those of embedding, norms and offsets; 4,096 tokens fill the tiles of all experts
    amounts = counted(shape, 4096)
    flops = multiplied((*amounts.dense, *amounts.routed, amounts.head))
    looked_up = (shape.vocabulary + shape.learned_positions) * shape.hidden
    shared = shape.vocabulary * shape.hidden if shape.tied_embeddings else 0
    assert flops / 4096 == pytest.approx(2 * (active_parameters(shape) - looked_up + shared), rel=1e-3)


def test_predicting_one_token_more_multiplies_its_module_and_the_head_again():
    # DeepSeek-V3 (2412.19437, section 2.2): a projection of two hidden states, a layer, the shared head once more; of
    # the 256 routed experts of the layer a token uses eight
    main, more = (counted(shape, 4096) for shape in (replace(DEEPSEEK_V3, mtp_layers=0), with_predictions(DEEPSEEK_V3)))
    flops = [multiplied((*amounts.dense, *amounts.routed, amounts.head)) for amounts in (main, more)]
    idle = (256 - 8) * 3 * 7168 * 2048
    module = mtp_parameters(DEEPSEEK_V3) - idle + 129280 * 7168
    assert (flops[1] - flops[0]) / 4096 == pytest.approx(2 * module, rel=1e-3)
    assert main.levelled.item() == 0
    assert more.levelled.item() == 1


def test_ranks_of_grouped_query_attention_have_whole_heads():
    # 128 heads of queries and eight of keys and values: a rank has one of these at least
    for tensor, queries, keys in ((1, 128, 8), (8, 16, 1), (16, 8, 1), (32, 4, 1)):
        assert ((queries + 2 * keys) * 128, 16384, 126) in sides(LLAMA_405B, tensor=tensor)
        assert (16384, 16384 / tensor, 126) in sides(LLAMA_405B, tensor=tensor)


def test_heads_that_do_not_divide_fill_the_largest_rank():
    # twenty heads on eight ranks: three on the fullest
    shape = Transformer(2, 1280, 5120, 20, 20, 64, 1000)
    amounts = counted(shape, tensor=8)
    assert {(3 * 3 * 64, 1280, 2), (1280, 3 * 64, 2)} <= sides(shape, tensor=8)
    assert amounts.queries.item() == SEQUENCE * 3
    assert amounts.score_flops.item() == pytest.approx(counted(shape).score_flops.item() * 3 / 20)


def test_latent_attention_cuts_its_up_projections_only():
    # DeepSeek-V3 (arXiv:2412.19437), section 4.2: latents of 1536 and 512 + 64, heads of 128 + 64 and 128
    expected = {
        (1536, 7168, 61),
        (576, 7168, 61),
        (128 * 192 / 8, 1536, 61),
        (128 * 256 / 8, 512, 61),
        (7168, 128 * 128 / 8, 61),
        (2 * 18432 / 8, 7168, 3),
        (7168, 18432 / 8, 3),
        (2 * 2048 / 8, 7168, 58),
        (7168, 2048 / 8, 58),
        (256, 7168, 58),
    }
    assert sides(replace(DEEPSEEK_V3, mtp_layers=0), tensor=8) == expected
    # 43 of 128 heads on the fullest of three ranks, in every product that they enter or leave
    assert {(43 * 192, 1536, 61), (43 * 256, 512, 61), (7168, 43 * 128, 61)} <= sides(DEEPSEEK_V3, tensor=3)
    assert (43 * 192, 7168, 61) in sides(replace(DEEPSEEK_V3, q_lora_rank=0), tensor=3)
    assert counted(DEEPSEEK_V3).width.item() == (192 + 128) / 2


def test_context_parallel_ranks_share_queries_and_fetch_keys():
    whole, part = counted(LLAMA_405B, 8192), counted(LLAMA_405B, 8192, context=4)
    assert part.dense[0].rows.item() == 8192 / 4
    assert part.score_flops.item() == whole.score_flops.item() / 4
    assert part.queries.item() == whole.queries.item() / 4
    assert part.context_volume.item() == 8192 * 2 * (2 * 8 * 128)  # keys and values of all tokens at two bytes
    latent = counted(DEEPSEEK_V3, 8192, context=4, tensor=8)
    # keys of 128 + 64 and values of 128 of the 16 heads of a rank, projected up before they are exchanged
    assert latent.context_volume.item() == 8192 * 2 * 16 * (128 + 64 + 128)


def test_every_head_makes_its_logits():
    assert counted(LLAMA_8B, 8192, tensor=8, micro_batch=2).logits.item() == 2 * 8192 * 128256 / 8
    assert counted(with_predictions(DEEPSEEK_V3), 4096).logits.item() == 2 * 4096 * 129280


def test_copies_of_a_token_go_to_its_experts():
    # 64 ranks of four experts; each rank has 4,096 tokens, so 64 x 4,096 x 8 copies over 256 experts
    amounts = counted(DEEPSEEK_V3, 4096, data=64, expert=64)
    for part in amounts.routed:
        assert (part.factors.item(), part.rows.item(), part.count.item()) == (4, 4 * 64 * 4096 * 8 / 256, 58)
    assert {(part.columns.item(), part.depth.item()) for part in amounts.routed} == {(4096, 7168), (7168, 2048)}
    assert amounts.copy_units.item() == 58 * 4096 * 8 * 7168
    plain = counted(DEEPSEEK_V3, 4096, data=64, expert=64, fused_dispatch=False)
    assert plain.expert_volume.item() == 4096 * 8 * 7168 * 2
    for narrow in ("fp8", "fp4"):  # the dispatchers of Megatron-Core refuse products of eight bits
        same = counted(DEEPSEEK_V3, 4096, narrow, data=64, expert=64).expert_volume.item()
        assert same == amounts.expert_volume.item()
    cut = counted(DEEPSEEK_V3, 4096, data=8, tensor=8, expert=64)
    assert cut.copy_units.item() == 58 * 4096 / 8 * 8 * 7168
    assert cut.expert_volume.item() == pytest.approx(amounts.expert_volume.item() / 8)


def test_experts_receive_the_copies_of_ranks_that_hold_none():
    # 14 x 8 ranks, 64 of them with experts: what all 112 send arrives on the 64
    amounts = counted(DEEPSEEK_V3, 4096, data=14, tensor=8, expert=64)
    copies = 14 * 4096 * 8
    alone = counted(DEEPSEEK_V3, 4096, data=8, tensor=8, expert=64)
    assert amounts.expert_volume.item() == pytest.approx(alone.expert_volume.item() * 14 * 8 / 64)
    assert sum(part.rows.item() for part in amounts.routed) == 2 * 4 * EXPERT_TILE * np.ceil(copies / 256 / EXPERT_TILE)


@given(sequence=st.integers(1, 4096), expert=st.sampled_from([1, 2, 3, 8, 64, 256]))
def test_rows_of_an_expert_are_rounded_up_to_whole_tiles(sequence, expert):
    amounts = counted(DEEPSEEK_V3, sequence, data=expert, expert=expert)
    local = np.ceil(256 / expert)
    each = sequence * 8 * expert / 256  # copies that an expert receives
    for part in amounts.routed:
        assert part.factors.item() == local
        tiles = part.rows.item() / local / EXPERT_TILE
        assert tiles == int(tiles)
        assert each <= tiles * EXPERT_TILE < each + EXPERT_TILE


def again(amounts: Amounts) -> list[float]:
    """Repeats of every product."""
    return [part.again.item() for part in (*amounts.dense, *amounts.routed)]


def test_recomputation_repeats_what_its_kind_says():
    for shape in (GPT, LLAMA_8B, MIXTRAL):
        assert set(again(counted(shape, recompute="none"))) == {0.0}
        assert set(again(counted(shape, recompute="selective"))) == {0.0}
        assert set(again(counted(shape, recompute="full"))) == {1.0}
    assert counted(GPT, recompute="full").head.again.item() == 0.0
    kinds = {kind: counted(GPT, recompute=kind) for kind in ("none", "selective", "full")}
    assert [(kind.full.item(), kind.selective.item()) for kind in kinds.values()] == [(0, 0), (0, 1), (1, 0)]


def test_selective_recomputation_makes_the_heads_of_latent_attention_again():
    amounts = counted(DEEPSEEK_V3, recompute="selective")
    remade = {(part.columns.item(), part.depth.item()) for part in amounts.dense if part.again.item()}
    assert remade == {(128 * 192, 1536), (128 * 256, 512)}


def test_vector_work_is_sharded_by_tensor_and_sequence_parallelism():
    tokens, hidden, layers = SEQUENCE, 1024, 4
    both, alone = counted(GPT, tensor=8), counted(GPT, tensor=8, sequence_parallel=False)
    assert (both.norm_units.item(), alone.norm_units.item()) == (layers * tokens * hidden / 8, layers * tokens * hidden)
    assert both.wide_units.item() == alone.wide_units.item() == layers * tokens * hidden / 8
    assert both.ffn_units.item() == layers * tokens * 4 * hidden / 8
    assert both.stage_volume.item() == alone.stage_volume.item() == 2 * tokens * hidden / 8
    assert both.tensor_volume.item() == 2 * tokens * hidden
    mixture = counted(DEEPSEEK_V3)  # three dense layers; eight experts and a shared one in the others
    assert mixture.ffn_units.item() == 2 * SEQUENCE * (3 * 18432 + 58 * 9 * 2048)  # a gated one reads gate and up
    assert counted(LLAMA_8B, tensor=8).ffn_units.item() == 2 * 32 * SEQUENCE * 14336 / 8


def test_layers_without_a_part_shared_by_all_tokens_have_half_of_the_messages():
    # attention and feed-forward part are a pair of tensor-parallel blocks; experts of Mixtral are not cut
    assert counted(LLAMA_8B).tensor_pairs.item() == 32
    assert counted(DEEPSEEK_V3).tensor_pairs.item() == 61
    assert counted(MIXTRAL).tensor_pairs.item() == 16


def test_narrow_products_cast_inputs_and_outputs():
    # h to 3h, h to h, h to 4h, 4h to h: 16 h per token and layer
    assert counted(GPT, precision="fp8").cast_elements.item() == 4 * SEQUENCE * 16 * 1024
    assert counted(GPT, precision="fp4").cast_elements.item() == 4 * SEQUENCE * 16 * 1024
    assert counted(GPT).cast_elements.item() == 0
    assert [counted(GPT, precision=name).element_bytes.item() for name in ("bf16", "fp8", "fp4")] == [2, 1, 0.5]
    # Mixtral: 32 heads and twice eight of 128; two copies to gate and up and from 14,336 back; its router stays wide
    attention, expert = (4096 + 48 * 128) + (4096 + 4096), (4096 + 2 * 14336) + (14336 + 4096)
    assert counted(MIXTRAL, precision="fp8").cast_elements.item() == 32 * SEQUENCE * (attention + 2 * expert)


def test_gradients_of_all_weights_are_summed():
    layers = parameters(LLAMA_8B) - 2 * 128256 * 4096 - 4096  # embedding, head and the last norm
    assert counted(LLAMA_8B).accumulated.item() == layers + 2 * 128256 * 4096
    assert counted(LLAMA_8B, pipeline=2).accumulated.item() == layers  # of all stages together, the ends left out
    mixture = counted(DEEPSEEK_V3, data=64, expert=64).accumulated.item()
    experts = 58 * 256 * 3 * 7168 * 2048
    assert counted(DEEPSEEK_V3).accumulated.item() - mixture == experts * 63 / 64


def test_gradients_of_sharded_weights_are_summed_shard_by_shard():
    ends = 2 * 128256 * 4096
    whole = parameters(LLAMA_8B) - 4096  # the last norm is left out
    for shards, changes in ((8, {}), (4, {"sharding_group": 4}), (1, {"sharding": 2}), (8, {"pipeline": 2})):
        summed = counted(LLAMA_8B, **{"sharding": 3, "data": 8} | changes).accumulated.item()
        assert summed == pytest.approx((whole - ends * ("pipeline" in changes)) / shards), changes
    # 64 ranks, eight of which hold the same 32 experts
    experts = 58 * 256 * 3 * 7168 * 2048
    rest = parameters(DEEPSEEK_V3) - experts - 7168
    assert counted(
        replace(DEEPSEEK_V3, mtp_layers=0), sharding=3, data=64, expert=8
    ).accumulated.item() == pytest.approx(rest / 64 + experts / 8 / 8)


def test_adapters_are_small_products_beside_attention_and_nothing_else_learns():
    all_weights, adapters = counted(GPT), counted(GPT, trained=False)
    assert (all_weights.trained.item(), adapters.trained.item()) == (1, 0)
    assert adapters.accumulated.item() == 0
    assert all_weights.adapter_elements.item() == 0
    # h in and 3h out of the joint projection, h in and h out of the other (arXiv:2106.09685, section 4.2)
    assert adapters.adapter_elements.item() == 4 * SEQUENCE * 6 * 1024
    assert multiplied(adapters.dense) == multiplied(all_weights.dense)


def test_a_packed_sequence_attends_inside_its_documents():
    whole, packed = counted(LLAMA_8B, 8192), counted(LLAMA_8B, 8192, packed=512.0)
    assert packed.score_flops.item() == pytest.approx(whole.score_flops.item() / 16)
    assert (whole.sequence.item(), packed.sequence.item()) == (8192, 512)
    same = {field.name for field in fields(Amounts)} - {"score_flops", "sequence"}
    assert all(columns_of(getattr(whole, name)) == columns_of(getattr(packed, name)) for name in same)


def columns_of(value: object) -> list[float]:
    """Numbers of a column or of a tuple of tables."""
    if isinstance(value, np.ndarray):
        return [float(item) for item in value]
    parts = value if isinstance(value, tuple) else (value,)
    return [getattr(part, field.name).item() for part in parts for field in fields(Sides)]


@pytest.mark.parametrize(
    ("recompute", "per_unit"),
    # bytes per token and hidden unit of a layer: Korthikanti et al. 2022, table 2, with sequence parallelism
    [("none", 34 + 5 * 16 * SEQUENCE / 1024), ("selective", 34), ("full", 2)],
)
def test_offload_moves_its_part_of_the_activations(recompute, per_unit):
    kinds = {"recompute": recompute, "fused_attention": False, "micro_batch": 2}
    for tensor, part in ((1, 0.25), (8, 1.0)):
        amounts = counted(GPT, tensor=tensor, offload=part, **kinds)
        assert amounts.offloaded.item() == pytest.approx(part * 4 * 2 * SEQUENCE * 1024 * per_unit / tensor)
    assert counted(GPT, **kinds).offloaded.item() == 0


def test_offload_of_all_layers_does_not_depend_on_the_stages():
    one, four = (counted(LLAMA_8B, offload=1.0, pipeline=stages) for stages in (1, 4))
    assert one.offloaded.item() == four.offloaded.item()


def test_sharded_weights_are_gathered_by_layer_or_by_tensor():
    # a GPT layer: four matrices with offsets, two norms with theirs
    shape = gpt(8, 1024, 16)
    assert counted(shape, sharding=3, data=8).gather_pieces.item() == 8
    assert counted(shape, sharding=3, data=8, bucketed=False).gather_pieces.item() == 8 * (4 * 2 + 2 * 2)


@pytest.mark.parametrize(("width", "unaligned"), [(64, 0), (72, 0), (100, 1), (60, 1)])
def test_only_unfused_heads_can_be_unaligned(width, unaligned):
    # matrix units take sixteen bytes at a time: eight elements of two bytes
    shape = gpt(2, 8 * width, 8)
    assert counted(shape, fused_attention=False).unaligned.item() == unaligned
    assert counted(shape).unaligned.item() == 0


@pytest.mark.parametrize(("domains", "chosen"), [(2, 1), (2, 3), (3, 3), (4, 2)])
def test_fused_dispatch_crosses_once_per_domain(domains, chosen):
    # all ways to draw the domains, or the 64 ranks, of the chosen experts, equally likely: one copy for each
    def distinct(places):
        draws = list(product(range(places), repeat=chosen))
        return sum(len(set(draw)) for draw in draws) / len(draws)

    shape = replace(MIXTRAL, experts=64, experts_per_token=chosen)
    spread = {"data": 64, "expert": 64, "domain": 64 // domains if domains != 3 else 22}
    fused, plain = counted(shape, **spread), counted(shape, **spread, fused_dispatch=False)
    assert fused.expert_volume.item() == pytest.approx(plain.expert_volume.item() * distinct(64) / chosen)
    assert fused.expert_crossing.item() == pytest.approx(distinct(domains) / distinct(64))
    assert plain.expert_crossing.item() == 1.0


@pytest.mark.parametrize(
    ("changes", "hides"),
    # Megatron-Core overlaps with several chunks per stage only, and not with full recomputation
    [({}, 1), ({"pipeline": 4, "virtual": 2}, 1), ({"pipeline": 4}, 0), ({"recompute": "full"}, 0)],
)
def test_exchanges_hide_behind_another_micro_batch(changes, hides):
    amounts = counted(DEEPSEEK_V3, 4096, data=64, expert=64, domain=8, **changes)
    assert amounts.overlapping.item() == hides
    assert amounts.exchanging.item() == pytest.approx(hides * 20 / 132)  # eight domains
    inside = counted(DEEPSEEK_V3, 4096, data=64, expert=64, domain=64, **changes)
    assert inside.exchanging.item() == 0
    assert counted(LLAMA_8B, data=64, domain=8, **changes).exchanging.item() == 0


def test_parameters_are_those_of_the_fullest_stage():
    layer = (parameters(LLAMA_8B) - 2 * 128256 * 4096 - 4096) / 32
    ends = 128256 * 4096
    assert counted(LLAMA_8B).dense_parameters.item() == 32 * layer + 2 * ends
    assert counted(LLAMA_8B, pipeline=3).dense_parameters.item() == 11 * layer + ends
    assert counted(LLAMA_8B, pipeline=3).stage_layers.item() == 11
    assert counted(DEEPSEEK_V3, data=64, expert=64).expert_parameters.item() == 58 * 4 * 3 * 7168 * 2048


GROWING = ("norm_units", "wide_units", "ffn_units", "copy_units", "tensor_volume", "stage_volume", "score_flops")
GROWING += ("queries", "cast_elements", "expert_volume", "offloaded")


@given(
    shape=st.sampled_from([GPT, LLAMA_8B, MIXTRAL, DEEPSEEK_V3]),
    tensor=st.sampled_from([1, 2, 3, 8]),
    recompute=st.sampled_from(["none", "selective", "full"]),
    size=st.integers(1, 7),
    fused=st.booleans(),
)
def test_no_amount_falls_with_the_micro_batch(shape, tensor, recompute, size, fused):
    kinds = {"tensor": tensor, "recompute": recompute, "fused_attention": fused, "offload": 0.5}
    small, large = (counted(shape, 1024, "fp8", micro_batch=batch, **kinds) for batch in (size, size + 1))
    for name in GROWING:
        assert getattr(small, name).item() <= getattr(large, name).item(), name
    for few, many in zip((*small.dense, *small.routed), (*large.dense, *large.routed), strict=True):
        assert few.rows.item() <= many.rows.item()
        assert (few.columns.item(), few.depth.item(), few.count.item()) == (
            many.columns.item(),
            many.depth.item(),
            many.count.item(),
        )


@given(
    shape=st.sampled_from([GPT, LLAMA_8B, LLAMA_405B, MIXTRAL, DEEPSEEK_V3]),
    tensor=st.sampled_from([1, 2, 3, 5, 8, 16]),
    context=st.sampled_from([1, 2, 4]),
)
def test_ranks_together_do_at_least_the_work_of_one(shape, tensor, context):
    one = counted(shape, 1024)
    each = counted(shape, 1024, tensor=tensor, context=context)
    ranks = tensor * context
    assert ranks * multiplied(each.dense) >= multiplied(one.dense) * (1 - 1e-12)
    assert ranks * each.score_flops.item() >= one.score_flops.item() * (1 - 1e-12)
    assert ranks * multiplied((each.head,)) == pytest.approx(multiplied((one.head,)))
