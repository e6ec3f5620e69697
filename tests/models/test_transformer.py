"""Counts against published totals and closed forms."""

from __future__ import annotations

import pytest
from training_facts import DEEPSEEK_V3, LLAMA_8B, LLAMA_405B, MIXTRAL, gpt

from models.transformer import (
    Transformer,
    active_parameters,
    forward_matrix_flops,
    forward_score_flops,
    kv_bytes_per_token,
    model_flops_per_token,
    mtp_parameters,
    parameters,
    score_flops_at,
)

LLAMA_2_7B = Transformer(32, 4096, 11008, 32, 32, 128, 32000)
LLAMA_2_70B = Transformer(80, 8192, 28672, 64, 8, 128, 32000)
QWEN3_235B = Transformer(94, 4096, 12288, 64, 4, 128, 151936, experts=128, experts_per_token=8, expert_ffn_hidden=1536)
GPT_OSS_120B = Transformer(
    36, 2880, 2880, 64, 8, 64, 201088, experts=128, experts_per_token=4, expert_ffn_hidden=2880, sliding_window=128
)
GPT_3 = gpt(96, 12288, 96, vocabulary=50257)


@pytest.mark.parametrize(
    ("shape", "published"),
    [
        (LLAMA_405B, 405.85e9),  # model card of Llama 3.1
        (LLAMA_8B, 8.03e9),  # model card of Llama 3.1
        (LLAMA_2_7B, 6.74e9),  # model card of Llama 2
        (LLAMA_2_70B, 68.98e9),  # model card of Llama 2
        (DEEPSEEK_V3, 671e9),  # arXiv:2412.19437, abstract
        (QWEN3_235B, 235e9),  # arXiv:2505.09388, table 2
        (MIXTRAL, 46.7e9),  # arXiv:2401.04088, section 2
        (GPT_3, 174.6e9),  # arXiv:2005.14165, table D.1
    ],
)
def test_total_parameters_match_the_publisher(shape, published):
    assert parameters(shape) == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(
    ("shape", "published", "tolerance"),
    [
        (DEEPSEEK_V3, 37e9, 0.02),  # printed as 37B, so known to half a billion
        (QWEN3_235B, 22e9, 0.02),  # printed as 22B
        (MIXTRAL, 12.9e9, 0.005),
        (LLAMA_8B, 8.03e9, 0.005),
    ],
)
def test_active_parameters_match_the_publisher(shape, published, tolerance):
    assert active_parameters(shape) == pytest.approx(published, rel=tolerance)


def test_multi_token_prediction_of_deepseek_v3_holds_14_billion_with_its_head():
    # model card of DeepSeek-V3: 685B on disk = 671B + 14B for the module, which repeats embedding and head
    with_head = mtp_parameters(DEEPSEEK_V3) + 2 * DEEPSEEK_V3.vocabulary * DEEPSEEK_V3.hidden
    assert with_head == pytest.approx(14e9, rel=0.05)
    assert mtp_parameters(LLAMA_8B) == 0


def test_model_flops_follow_the_megatron_formula():
    # Korthikanti et al. 2022, equation 7: 72 B L s h^2 (1 + s/6h + v/12hL) per iteration, full square of the scores
    shape, sequence = gpt(48, 6144, 64), 2048
    layers, hidden, words = shape.layers, shape.hidden, shape.vocabulary
    expected = 72 * layers * hidden**2 * (1 + sequence / (6 * hidden) + words / (12 * hidden * layers))
    full = 3 * (forward_matrix_flops(shape) + forward_score_flops(shape, sequence, causal=False))
    assert full == pytest.approx(expected, rel=1e-12)
    causal = model_flops_per_token(shape, sequence)
    assert full - causal == pytest.approx(3 * forward_score_flops(shape, sequence, causal=True), rel=1e-9)


def test_model_flops_are_six_per_active_parameter_without_the_embedding():
    matrices = active_parameters(LLAMA_405B) - LLAMA_405B.vocabulary * LLAMA_405B.hidden
    assert forward_matrix_flops(LLAMA_405B) * 3 == pytest.approx(6 * matrices, rel=1e-4)


def test_cache_of_deepseek_v3_is_its_latent():
    # arXiv:2412.19437: 576 elements per token and layer; DeepSeek prints 70.272 kB per token in bf16
    assert kv_bytes_per_token(DEEPSEEK_V3, 2) == pytest.approx(70272)
    assert kv_bytes_per_token(LLAMA_405B, 2) == 126 * 2 * 8 * 128 * 2


def test_a_sliding_window_bounds_every_second_layer():
    assert score_flops_at(GPT_OSS_120B, 128) == pytest.approx(2 * 64 * 128 * 36 * 128)
    assert score_flops_at(GPT_OSS_120B, 1000) == pytest.approx(2 * 64 * 128 * 18 * (1000 + 128))
    short = forward_score_flops(GPT_OSS_120B, 128, causal=True)
    assert short == pytest.approx(128 * 64 * 128 * 36)
    long = forward_score_flops(GPT_OSS_120B, 131072, causal=True)
    assert long == pytest.approx(131072 * 64 * 128 * 18, rel=0.005)


def test_moe_every_second_layer():
    maverick = Transformer(
        48,
        5120,
        16384,
        40,
        8,
        128,
        202048,
        experts=128,
        experts_per_token=1,
        expert_ffn_hidden=8192,
        shared_experts=1,
        moe_every=2,
    )
    assert maverick.moe_layers == 24
    assert parameters(maverick) == pytest.approx(400e9, rel=0.01)  # model card of Llama 4
    assert active_parameters(maverick) == pytest.approx(17e9, rel=0.03)
