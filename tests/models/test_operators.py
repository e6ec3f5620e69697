"""Limits of the operator times, and the one operator table that a paper prints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.operators import (
    fused_attention_flops,
    gemm_bytes,
    gemm_flops,
    gemm_penalty,
    narrow_heads,
    quantise_bytes,
    roofline,
    unfused_attention_bytes,
    vector_bytes,
)

sides = st.floats(1, 1e6)


@given(sides, sides, sides)
def test_a_product_never_beats_its_asymptote(rows, columns, depth):
    assert gemm_penalty(rows, columns, depth) > 1
    assert gemm_flops(rows, columns, depth) > 2 * rows * columns * depth


@given(sides, sides, sides, st.floats(1.01, 100))
def test_larger_products_are_more_efficient_but_not_faster(rows, columns, depth, factor):
    assert gemm_penalty(rows * factor, columns, depth) < gemm_penalty(rows, columns, depth)
    assert gemm_flops(rows, columns, depth * factor) > gemm_flops(rows, columns, depth)


@pytest.mark.parametrize(
    ("peak", "bandwidth", "rows", "columns", "depth", "milliseconds"),
    [
        # bf16 kernels measured with aiconfigurator-core 0.12.0: A100 (TensorRT-LLM 1.0.0), H100 (1.3.0rc20)
        (312e12 * 0.80, 2039e9 * 0.85, 8192, 16384, 256, 0.3522),
        (312e12 * 0.80, 2039e9 * 0.85, 8192, 12288, 512, 0.4556),
        (312e12 * 0.80, 2039e9 * 0.85, 8192, 65536, 5120, 21.226),
        (989e12 * 0.75, 3350e9 * 0.926, 4096, 65536, 256, 0.2865),
        (989e12 * 0.75, 3350e9 * 0.926, 8192, 10240, 1536, 0.3411),
    ],
)
def test_measured_products(peak, bandwidth, rows, columns, depth, milliseconds):
    moved = gemm_bytes(rows, columns, depth, 2.0)
    time = roofline(gemm_flops(rows, columns, depth), peak, moved, bandwidth)
    assert time * 1e3 == pytest.approx(milliseconds, rel=0.18)


def test_a_huge_product_reaches_the_asymptote():
    assert gemm_penalty(1e9, 1e9, 1e9) == pytest.approx(1, abs=1e-6)


def test_penalty_is_symmetric_in_no_two_sides():
    # rows, columns and depth saturate differently: swapping them must be visible
    one = [float(gemm_penalty(*order)) for order in ((256, 512, 1024), (512, 256, 1024), (256, 1024, 512))]
    assert len(set(one)) == 3


def test_a_product_with_one_row_is_bound_by_its_weights():
    rows, columns, depth = 1.0, 8192.0, 8192.0
    moved = gemm_bytes(rows, columns, depth, 2.0)
    assert moved == pytest.approx(2 * columns * depth, rel=1e-3)
    assert roofline(gemm_flops(rows, columns, depth), 989e12, moved, 3.35e12) == moved / 3.35e12


def test_roofline_is_the_larger_of_both_times():
    assert roofline(10.0, 2.0, 3.0, 1.0) == 5.0
    assert roofline(10.0, 2.0, 30.0, 1.0) == 30.0


def test_only_narrow_formats_are_quantised():
    assert quantise_bytes(4096, 4096, 4096, 2.0) == 0
    assert quantise_bytes(4096, 4096, 4096, 1.0) > 0
    assert quantise_bytes(4096, 4096, 4096, 0.5) == quantise_bytes(4096, 4096, 4096, 1.0)


def test_unfused_attention_core_of_the_22b_layer():
    # Korthikanti et al. 2022, table 4: recomputing the attention core adds 1.3 ms (13.2 - 11.9 backward), A100,
    # tensor parallel 8, micro-batch 4, s = 2048, 64 heads; fused scores cost (4 b s^2 h / 8) FLOPs on top
    moved = unfused_attention_bytes(64 / 8, 4 * 2048, 2048)
    flops = 4 * 4 * 2048**2 * 6144 / 8
    time = moved / (2039e9 * 0.85) + flops / (312e12 * 0.49)
    assert time == pytest.approx(1.3e-3, rel=0.15)


def test_sequence_parallelism_saves_half_a_millisecond_of_the_22b_layer():
    # Korthikanti et al. 2022, table 4: forward 7.7 ms without, 7.2 ms with sequence parallelism
    without = vector_bytes(8192.0, 6144.0, 24576.0, np.float64(8), np.float64(1))
    with_it = vector_bytes(8192.0, 6144.0, 24576.0, np.float64(8), np.float64(8))
    assert (without - with_it) / (2039e9 * 0.85) == pytest.approx(0.5e-3, rel=0.15)


def test_attention_reaches_its_rate_on_long_sequences():
    assert fused_attention_flops(1.0, 1e7, 128) == pytest.approx(1, abs=1e-3)
    assert fused_attention_flops(1.0, 600.0, 128) == pytest.approx(2)


def test_narrow_heads_pay_for_their_exponentials_and_wide_ones_gain_nothing():
    # aiconfigurator-core 0.12.0, attention tables: width 64 takes 1.3 to 1.65 times the time of width 128 per FLOP
    assert 1.3 <= narrow_heads(64) <= 1.65
    assert narrow_heads(128) == narrow_heads(192) == 1
    assert fused_attention_flops(1.0, 1e9, 64) == pytest.approx(narrow_heads(64), rel=1e-6)
