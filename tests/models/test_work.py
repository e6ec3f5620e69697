"""Work charged to counted amounts: products, attention and vector operators against papers and by hand."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from counting_cases import counted
from hypothesis import given
from hypothesis import strategies as st
from training_facts import DEEPSEEK_V3, HAND, LLAMA_8B, MIXTRAL, gpt

from models.coefficients import prior_coefficients
from models.curves import AttentionCurve, GemmCurve
from models.operators import UNFUSED_BACKWARD
from models.work import Curves, Work, charge

PRODUCT = GemmCurve(1.0, 170e3, 150.0, 1.05, 0.0, 3e-6)
HEAD = GemmCurve(1.0, 90e3, 100.0, 1.2, 0.0, 2e-6)
ATTENTION = AttentionCurve(1.0, 1000.0, 13000.0, 64.0, 12e-6)
CURVES = Curves(PRODUCT, HEAD, ATTENTION)
GPT = gpt(4, 1024, 16, vocabulary=8192)
TOKENS = 2048
EMBEDDING = (8192 + 2048) * 1024  # words and positions
A100_STREAM = 2039e9 * 0.85


def charged(shape: Any = GPT, by: Any = HAND, **changes: Any) -> Work:
    return charge(counted(shape, **changes), CURVES, by)


def penalty(rows: float, columns: float, depth: float, curve: GemmCurve = PRODUCT) -> float:
    return (1 + curve.wave / (rows * columns)) * (1 + curve.depth / depth)


def test_a_product_costs_its_flops_and_the_bytes_of_three_matrices():
    up = charged().dense[2]  # 1,024 to 4,096
    flops = 4 * 2.0 * TOKENS * 4096 * 1024
    assert up.forward_flops.item() == pytest.approx(flops * penalty(TOKENS, 4096, 1024))
    assert up.weight_flops.item() == pytest.approx(flops * penalty(1024, 4096, TOKENS))
    moved = 4 * 1.05 * 2.0 * (TOKENS * 1024 + 1024 * 4096 + TOKENS * 4096)
    assert up.forward_bytes.item() == up.weight_bytes.item() == pytest.approx(moved)


def test_narrow_products_read_narrow_factors_and_write_wide_results():
    wide, narrow = charged().dense[2], charged(precision="fp8").dense[2]
    factors = 4 * 1.05 * (TOKENS * 1024 + 1024 * 4096)
    assert wide.forward_bytes.item() - narrow.forward_bytes.item() == pytest.approx(factors)
    assert charged(precision="fp8").head.forward_bytes.item() == charged().head.forward_bytes.item()


def test_the_head_has_a_curve_of_its_own():
    head = charged().head
    flops = 2.0 * TOKENS * 8192 * 1024
    assert head.forward_flops.item() == pytest.approx(flops * penalty(TOKENS, 8192, 1024, HEAD))
    assert head.forward_bytes.item() == pytest.approx(2.4 * (TOKENS * 1024 + 1024 * 8192 + TOKENS * 8192))


def test_experts_share_the_rows_and_read_every_weight():
    # 4,096 tokens, two of eight experts: 8,192 rows, 1,024 for each
    up = charged(MIXTRAL, sequence=4096).routed[0]
    rows, columns, depth, slow = 8192, 2 * 14336, 4096, 1 / HAND.grouped_rate
    flops = 32 * 2.0 * rows * columns * depth * slow
    assert up.forward_flops.item() == pytest.approx(flops * penalty(rows, columns, depth))
    assert up.weight_flops.item() == pytest.approx(flops * penalty(8 * depth, columns, 1024))
    forward = 32 * 1.05 * 2.0 * (rows * depth + 8 * columns * depth + rows * columns)
    assert up.forward_bytes.item() == up.weight_bytes.item() == pytest.approx(forward)


@pytest.mark.parametrize("shape", [GPT, LLAMA_8B, DEEPSEEK_V3])
def test_frozen_weights_have_no_gradients(shape):
    frozen, trained = charged(shape, trained=False), charged(shape)
    for part, whole in zip((*frozen.dense, *frozen.routed), (*trained.dense, *trained.routed), strict=True):
        assert part.weight_flops.item() == part.weight_bytes.item() == 0.0
        assert part.forward_flops.item() == whole.forward_flops.item() > 0.0
    assert (frozen.reduced.item(), trained.reduced.item()) == (0.0, 1.0)
    assert frozen.launches.item() < trained.launches.item()


def test_fused_scores_pay_for_short_sequences_few_queries_and_narrow_heads():
    work, scores = charged(), 4 * 2.0 * TOKENS**2 * 1024
    slow = (1 + 1000 / TOKENS) * (1 + 13000 / (16 * TOKENS)) * (1 + 64 / 64) / (1 + 64 / 128)
    assert work.score_flops.item() == pytest.approx(scores * slow)
    assert work.score_bytes.item() == 0.0
    assert work.score_passes.item() == 1 + HAND.attention_backward
    packed = charged(packed=256.0)
    slow = (1 + 1000 / 256) * (1 + 13000 / (16 * TOKENS)) * (1 + 64 / 64) / (1 + 64 / 128)
    assert packed.score_flops.item() == pytest.approx(scores / 8 * slow)


def test_unfused_scores_go_through_memory_and_leave_the_matrix_units_when_unaligned():
    aligned, unaligned = (charged(gpt(2, 8 * width, 8), fused_attention=False) for width in (64, 60))
    assert aligned.score_flops.item() == 2 * 4.0 * TOKENS**2 * 512
    assert unaligned.score_flops.item() == pytest.approx(2 * 4.0 * TOKENS**2 * 480 * (1 + HAND.unaligned_heads))
    assert aligned.score_bytes.item() == pytest.approx(HAND.unfused_passes * 2 * 2 * 8 * TOKENS**2)
    assert aligned.score_passes.item() == 1 + UNFUSED_BACKWARD


def test_recomputation_repeats_scores_and_vector_work():
    kinds = ("none", "selective", "full")
    fused = [charged(recompute=kind) for kind in kinds]
    bare = [charged(recompute=kind, fused_attention=False) for kind in kinds]
    assert [work.score_again.item() for work in fused] == [0, 0, 1]
    assert [work.score_again.item() for work in bare] == [0, 1, 1]
    once = TOKENS * 4 * 1024 * (HAND.norm_bytes + HAND.wide_bytes + 4 * HAND.ffn_bytes)
    assert [work.vector_again_bytes.item() for work in fused] == pytest.approx([0, HAND.selective_vector * once, once])
    assert [work.vector_again_bytes.item() for work in bare] == pytest.approx([0, 0, once])


def test_vector_work_casts_and_sums_gradients():
    # weights with offsets of the feed-forward part and norms, and the embedding, which is the head as well
    units, weights = 4 * TOKENS * 1024, 4 * (12 * 1024**2 + 9 * 1024) + EMBEDDING
    once = units * (HAND.norm_bytes + HAND.wide_bytes + 4 * HAND.ffn_bytes)
    plain = (1 + HAND.vector_backward) * once + HAND.accumulate_bytes * weights
    assert charged().vector_bytes.item() == pytest.approx(plain)
    # inputs (h, h, h, 4h) once forward, gradients of outputs (3h, h, 4h, h) once backward, both layouts in one pass;
    # recomputation casts the inputs again, which count as half of the elements
    cast = HAND.quantise_bytes * 16 * units
    assert charged(precision="fp8").vector_bytes.item() == pytest.approx(plain + cast)
    assert charged(precision="fp8", recompute="full").vector_bytes.item() == pytest.approx(plain + 1.5 * cast)
    frozen = (1 + HAND.vector_backward) * once + HAND.adapter_bytes * 6 * units
    assert charged(precision="fp8", trained=False).vector_bytes.item() == pytest.approx(frozen + cast)


def test_unfused_attention_core_of_the_22b_layer():
    # Korthikanti et al. 2022, table 4: recomputing the attention core adds 1.3 ms (13.2 - 11.9 backward), A100,
    # tensor parallel 8, micro-batch 4, s = 2048, 64 heads; nothing is fitted here
    layer = {"tensor": 8, "micro_batch": 4, "fused_attention": False}
    work = charged(gpt(1, 6144, 64), prior_coefficients(), **layer)
    time = work.score_bytes.item() / A100_STREAM + work.score_flops.item() / (312e12 * 0.49)
    assert time == pytest.approx(1.3e-3, rel=0.15)


def test_sequence_parallelism_saves_half_a_millisecond_of_the_22b_layer():
    # Korthikanti et al. 2022, table 4: forward 7.7 ms without, 7.2 ms with sequence parallelism
    by = prior_coefficients()
    layer = {"tensor": 8, "micro_batch": 4, "fused_attention": False}
    without, shared = (
        charged(gpt(1, 6144, 64), by, sequence_parallel=choice, **layer).vector_bytes.item() for choice in (False, True)
    )
    assert (without - shared) / (1 + by.vector_backward) / A100_STREAM == pytest.approx(0.5e-3, rel=0.15)


def columns_of(work: Work) -> dict[str, float]:
    """Every number of the work of one mapping by its name."""
    found: dict[str, float] = {}
    for field in fields(Work):
        value = getattr(work, field.name)
        parts = {field.name: value} if isinstance(value, np.ndarray) else {}
        products = value if isinstance(value, tuple) else (value,) if not parts else ()
        for place, product in enumerate(products):
            parts |= {f"{field.name}{place}.{part.name}": getattr(product, part.name) for part in fields(product)}
        found |= {name: column.item() for name, column in parts.items()}
    return found


@given(
    shape=st.sampled_from([GPT, LLAMA_8B, MIXTRAL, DEEPSEEK_V3]),
    tensor=st.sampled_from([1, 2, 8]),
    recompute=st.sampled_from(["none", "selective", "full"]),
    fused=st.booleans(),
    size=st.integers(1, 8),
)
def test_no_work_falls_with_the_micro_batch(shape, tensor, recompute, fused, size):
    kinds = {"tensor": tensor, "recompute": recompute, "fused_attention": fused, "precision": "fp8"}
    small, large = (columns_of(charged(shape, micro_batch=batch, **kinds)) for batch in (size, size + 1))
    assert small.keys() == large.keys()
    assert all(small[name] <= large[name] * (1 + 1e-12) for name in small)


def test_twice_the_layers_are_twice_the_work():
    four, eight = columns_of(charged()), columns_of(charged(replace(GPT, layers=8)))
    summed = ("score_flops", "launches", "tails", "dispatch", "context_messages")
    summed += tuple(name for name in four if name.startswith("dense") and name.endswith(("flops", "bytes")))
    for name in summed:
        assert eight[name] == pytest.approx(2 * four[name]), name
        assert four[name] > 0, name
    ends = HAND.accumulate_bytes * EMBEDDING
    assert eight["vector_bytes"] - ends == pytest.approx(2 * (four["vector_bytes"] - ends))
    for name in ("head0.forward_flops", "logit_bytes", "tensor_volume", "context_volume", "stage_volume"):
        assert eight[name] == four[name] > 0, name
