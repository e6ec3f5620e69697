"""Memory against the numbers that Korthikanti et al. 2022 (arXiv:2205.05198) print in figures 1 and 7."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_facts import DEEPSEEK_V3, LLAMA_405B, MIXTRAL, gpt

from models.memory import (
    FULL,
    GRADIENT_BYTES,
    NONE,
    OPTIMIZER_STATE_BYTES,
    SELECTIVE,
    WEIGHT_BYTES,
    chip_parameters,
    in_flight,
    layer_activations,
    layer_parameters,
    layers_per_stage,
    stage_activations,
)

GIB = 2**30
RUNS = {
    # figure 1 and table 3: shape, tensor, pipeline, virtual, micro-batch
    "22B": (gpt(48, 6144, 64), 8, 1, 1, 4),
    "175B": (gpt(96, 12288, 96), 8, 8, 3, 1),
    "530B": (gpt(105, 20480, 128), 8, 35, 3, 1),
    "1T": (gpt(128, 25600, 160), 8, 64, 1, 1),
}


def activations(name: str, recompute: float, *, sequence_parallel: bool) -> float:
    shape, tensor, pipeline, virtual, micro_batch = RUNS[name]
    one = stage_activations(
        shape,
        np.float64(micro_batch * 2048),
        2048,
        np.float64(tensor),
        np.float64(pipeline),
        np.float64(recompute),
        sequence_parallel=sequence_parallel,
        fused_attention=False,
    )
    return float(one * in_flight(np.float64(pipeline), np.float64(virtual), np.float64(1000 * pipeline)))


@pytest.mark.parametrize(
    ("name", "published"), [("22B", 45.5625), ("175B", 45.5625), ("530B", 31.640625), ("1T", 32.958984375)]
)
def test_weights_gradients_and_optimizer_of_figure_1(name, published):
    # the figure counts 18 bytes for 12 L h^2 matrix weights; biases, norms and 0.25 to 2 % of embedding come on top
    shape, tensor, pipeline, _, _ = RUNS[name]
    held = chip_parameters(shape, np.float64(tensor), np.float64(pipeline), np.float64(1))
    total = float(held.dense * (WEIGHT_BYTES + GRADIENT_BYTES + OPTIMIZER_STATE_BYTES))
    assert total / GIB == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(
    ("name", "published"), [("22B", 59.25), ("175B", 66.84375), ("530B", 114.0234375), ("1T", 131.25)]
)
def test_activations_of_figure_1_without_recomputation(name, published):
    assert activations(name, NONE, sequence_parallel=False) / GIB == pytest.approx(published, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "published"), [("22B", 9.5625), ("175B", 12.3515625), ("530B", 23.076171875), ("1T", 26.5625)]
)
def test_activations_of_figure_1_with_sequence_parallel_and_selective(name, published):
    assert activations(name, SELECTIVE, sequence_parallel=True) / GIB == pytest.approx(published, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "sequence", "selective", "full"),
    [
        ("22B", 66.84, 49.42, 7.64),
        ("175B", 62.04, 56.53, 8.71),
        ("530B", 58.31, 62.04, 9.42),
        ("1T", 58.31, 62.04, 9.42),
    ],
)
def test_shares_of_figure_7(name, sequence, selective, full):
    # percent of the activations without any of the techniques; read from its bars, hence 0.15 points
    base = activations(name, NONE, sequence_parallel=False) / 100
    assert activations(name, NONE, sequence_parallel=True) / base == pytest.approx(sequence, abs=0.15)
    assert activations(name, SELECTIVE, sequence_parallel=False) / base == pytest.approx(selective, abs=0.15)
    assert activations(name, FULL, sequence_parallel=False) / base == pytest.approx(full, abs=0.15)


@pytest.mark.parametrize("shape", [LLAMA_405B, DEEPSEEK_V3, MIXTRAL, gpt(48, 6144, 64)])
@pytest.mark.parametrize("fused", [True, False])
@given(tokens=st.integers(1, 1 << 18), tensor=st.sampled_from([1, 2, 4, 8]), moe=st.booleans())
def test_recomputation_saves_memory_and_tokens_cost_it(shape, fused, tokens, tensor, moe):
    if moe and not shape.experts:
        return

    def kept(count: float, recompute: float) -> float:
        return float(
            layer_activations(
                shape,
                np.float64(count),
                8192,
                np.float64(tensor),
                np.float64(recompute),
                moe=moe,
                sequence_parallel=True,
                fused_attention=fused,
            )
        )

    assert kept(tokens, FULL) < kept(tokens, SELECTIVE) < kept(tokens, NONE)
    assert kept(tokens + 1, NONE) > kept(tokens, NONE)


def test_stages_need_not_be_equal():
    assert layers_per_stage(LLAMA_405B, np.asarray([1.0, 16.0, 126.0])).tolist() == [126, 8, 1]


def test_every_parameter_is_on_some_chip():
    # equal stages: stages x tensor ranks x parameters per chip give back the layers of the model
    held = chip_parameters(LLAMA_405B, np.float64(8), np.float64(18), np.float64(1))
    layers = 405.853e9 - 2 * 128256 * 16384
    assert float(held.dense) * 18 * 8 == pytest.approx(layers, rel=1e-3)


def test_a_rank_holds_one_head_of_keys_and_values_at_least():
    # eight heads on 32 ranks: every rank holds a whole one, weights and activations, not a quarter
    eight, every = LLAMA_405B, replace(LLAMA_405B, kv_heads=32)
    width = 2 * 128

    def of(shape, tensor):
        held = float(layer_parameters(shape, np.float64(tensor), shape.ffn_hidden))
        kinds = {"moe": False, "sequence_parallel": True, "fused_attention": True}
        return held, float(layer_activations(shape, np.float64(1), 8192, np.float64(tensor), np.float64(NONE), **kinds))

    assert of(eight, 32) == of(every, 32)
    for small, large, cost in zip(of(eight, 8), of(every, 8), (16384 * 3 * width, 2 * 3 * width), strict=True):
        assert large - small == cost


def test_narrow_products_keep_their_inputs_in_eight_bits():
    # inputs of one mixture layer of DeepSeek-V3 per token: two norms, latents, eight copies, the activated units
    shape = DEEPSEEK_V3
    elements = 2 * 7168 + (1536 + 512 + 64) + 8 * 7168 + 9 * 2048
    wide, narrow = (
        float(
            layer_activations(
                shape,
                np.float64(1),
                4096,
                np.float64(1),
                np.float64(NONE),
                moe=True,
                sequence_parallel=True,
                fused_attention=True,
                input_bytes=size,
            )
        )
        for size in (2.0, 1.0)
    )
    assert wide - narrow == elements


def test_rounds_that_are_no_multiple_of_the_stages_keep_more():
    # six stages, two chunks: 24 micro-batches in rounds of six, 22 in rounds of eight, seven and seven
    stages, chunks = np.float64(6), np.float64(2)
    assert in_flight(stages, chunks, np.float64(24)) == (6 + 11) / 2
    assert in_flight(stages, chunks, np.float64(22)) == (8 + 11) / 2
    assert in_flight(stages, chunks, np.float64(4)) == 4


@given(stages=st.integers(1, 64), chunks=st.integers(1, 8), batches=st.integers(1, 500))
def test_the_schedule_never_keeps_more_than_the_batch(stages, chunks, batches):
    kept = float(in_flight(np.float64(stages), np.float64(chunks), np.float64(batches)))
    assert 1 <= kept <= batches
    assert kept <= 2 * stages
