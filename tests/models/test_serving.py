"""The serving stage: published operating points, laws and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_facts import ASCEND_910C, DEEPSEEK, GB200, GPT_OSS, H20, H100, LLAMA_70B, LLAMA_405B, serve

from models.inputs import ModelInputError
from models.quantities import quantities
from models.reasons import REASONS, Reason
from models.transformer import parameters

DESIGNS = [
    (ASCEND_910C, DEEPSEEK, "int8", 1),
    (GB200, DEEPSEEK, "fp4", 1),
    (H100, DEEPSEEK, "fp8", 8),
    (H20, DEEPSEEK, "fp8", 4),
    (ASCEND_910C, LLAMA_405B, "int8", 1),
    (GB200, LLAMA_405B, "fp8", 2),
    (H100, LLAMA_405B, "fp8", 1),
    (H20, LLAMA_70B, "fp8", 1),
    (GB200, GPT_OSS, "fp4", 1),
]
designs = st.sampled_from(DESIGNS)
factors = st.floats(1.0, 4.0)
TOKEN_TIME, FIRST_TIME = "time_per_output_token", "time_to_first_token"
ROUNDING = 1 + 2e-3  # time to the first token is interpolated between rungs of the batch ladder


def rate(out):
    return np.nan_to_num(out["tokens_per_second"])


@pytest.mark.parametrize(("system", "shape", "precision", "domains"), DESIGNS)
def test_named_systems_serve_within_their_limits(system, shape, precision, domains):
    out = serve(system, shape, precision, domains=domains)
    assert out["status"] == 0
    assert out["reason"] == Reason.NONE
    assert out["time_per_output_token"] <= 0.05 * (1 + 1e-9)
    assert out["time_to_first_token"] <= 2 * (1 + 1e-9)
    assert out["memory_per_chip"] <= system["hbm_capacity"]
    assert 0 < out["model_flops_utilisation"] < 1
    assert out["prefill_chips"] + out["decode_chips"] == out["chips_used"] <= domains * system["scale_up_size"]
    assert out["input_tokens_per_second"] == pytest.approx(4 * out["tokens_per_second"])


def test_outputs_are_in_the_quantity_table():
    assert set(serve(GB200, DEEPSEEK, "fp8")) <= set(quantities())


def test_decode_of_a_supernode_is_of_the_published_order():
    """CloudMatrix-Infer: 1,943 tokens/s per decode chip at 4,096 tokens of context and 50 ms (arXiv:2506.12708)."""
    out = serve(ASCEND_910C, DEEPSEEK, "int8", speculative_tokens=1, output_tokens=256)
    assert out["tokens_per_second"] / out["decode_chips"] == pytest.approx(1943, rel=0.25)


@settings(max_examples=40, deadline=None)
@given(
    designs, st.sampled_from(["hbm_bandwidth", "hbm_capacity", "scale_up_bandwidth", "scale_out_bandwidth"]), factors
)
def test_more_of_a_resource_never_serves_less(design, name, factor):
    system, shape, precision, domains = design
    better = system | {name: system[name] * factor}
    before, after = (serve(each, shape, precision, domains=domains) for each in (system, better))
    assert rate(after) * ROUNDING >= rate(before)


@settings(max_examples=40, deadline=None)
@given(designs, st.sampled_from(["time_per_output_token_limit", "time_to_first_token_limit"]), st.floats(0.1, 1.0))
def test_tighter_service_level_never_serves_more(design, name, factor):
    system, shape, precision, domains = design
    loose = {"time_per_output_token_limit": 0.05, "time_to_first_token_limit": 2.0}
    tight = loose | {name: loose[name] * factor}
    before, after = (serve(system, shape, precision, domains=domains, **limits) for limits in (loose, tight))
    assert rate(after) <= rate(before) * (1 + 1e-12)


@pytest.mark.parametrize(("system", "shape", "precision", "domains"), DESIGNS)
def test_buying_more_never_serves_less(system, shape, precision, domains):
    rates = [rate(serve(system, shape, precision, domains=domains + more)) for more in range(4)]
    assert rates == sorted(rates)


def test_cached_prompts_and_accepted_drafts_help():
    assert rate(serve(GB200, DEEPSEEK, "fp8", prefix_cache_hit=0.5)) > rate(serve(GB200, DEEPSEEK, "fp8"))
    accepted = [rate(serve(GB200, DEEPSEEK, "fp8", speculative_tokens=1, speculative_acceptance=a)) for a in (0.2, 0.9)]
    assert accepted[1] > accepted[0]


MESH = (2, 3, 4, 2)


def mesh():
    """Return axes that change the length of the batch ladder, the times, the limits and the split."""
    return {
        "hbm_capacity": np.array([100.0, 400.0]).reshape(2, 1, 1, 1) * 1e9,
        "hbm_bandwidth": np.array([1.0, 2.0, 3.2]).reshape(1, 3, 1, 1) * 1e12,
        "time_per_output_token_limit": np.array([0.01, 0.02, 0.05, 0.1]).reshape(1, 1, 4, 1),
        "prefix_cache_hit": np.array([0.0, 0.6]).reshape(1, 1, 1, 2),
    }


@pytest.mark.parametrize(("shape", "precision"), [(DEEPSEEK, "int8"), (LLAMA_70B, "bf16")])
def test_block_equals_scalar_loop_to_the_bit(shape, precision):
    axes = mesh()
    block = serve(ASCEND_910C, shape, precision, **axes)
    for index in np.ndindex(MESH):
        point = {name: values.ravel()[at] for (name, values), at in zip(axes.items(), index, strict=True)}
        one = serve(ASCEND_910C, shape, precision, **point)
        for name, values in block.items():
            np.testing.assert_array_equal(np.broadcast_to(values, MESH)[index], one[name], err_msg=name)


def test_tiles_give_the_same_bits():
    axes = mesh()
    block = serve(ASCEND_910C, DEEPSEEK, "int8", **axes)
    tile = serve(ASCEND_910C, DEEPSEEK, "int8", **axes | {"hbm_capacity": axes["hbm_capacity"][:1]})
    for name, values in block.items():
        part = np.broadcast_to(values, MESH)[:1]
        np.testing.assert_array_equal(part, np.broadcast_to(tile[name], part.shape), err_msg=name)


@settings(max_examples=60, deadline=None)
@given(designs, st.floats(0.0005, 0.2), st.floats(0.01, 20), st.floats(0.05, 4), st.integers(16, 100_000))
def test_every_design_is_finite_or_names_its_limit(design, output_limit, first_limit, memory, prompt):
    system, shape, precision, domains = design
    system = system | {"hbm_capacity": system["hbm_capacity"] * memory}
    limits = {"time_per_output_token_limit": output_limit, "time_to_first_token_limit": first_limit}
    out = serve(system, shape, precision, domains=domains, input_tokens=prompt, **limits)
    numbers = [value for value in out.values() if value.dtype.kind == "f"]
    if out["status"]:
        assert REASONS[int(out["reason"])]
        assert out["chips_used"] == out["legal_mappings"] == 0
        assert out["mapping"] == ""
    else:
        assert all(np.isfinite(value) for value in numbers)
        assert out["near_optimal_mappings"] >= 1


@pytest.mark.parametrize(
    ("system", "shape", "precision", "changes", "reason", "limited"),
    [
        (ASCEND_910C, DEEPSEEK, "fp8", {}, Reason.PRECISION, None),
        (H100, DEEPSEEK, "fp8", {}, Reason.SERVING_MEMORY, "memory_per_chip"),
        (GB200, DEEPSEEK, "fp8", {"time_per_output_token_limit": 0.001}, Reason.SERVING_OUTPUT_TOKEN, TOKEN_TIME),
        (GB200, DEEPSEEK, "fp8", {"time_to_first_token_limit": 0.001}, Reason.SERVING_FIRST_TOKEN, FIRST_TIME),
    ],
)  # fmt: skip
def test_refusals_name_the_limit_and_by_how_much(system, shape, precision, changes, reason, limited):
    out = serve(system, shape, precision, **changes)
    assert out["status"] == 1
    assert out["reason"] == reason
    allowed = {"memory_per_chip": system["hbm_capacity"]} | {
        name.removesuffix("_limit"): value for name, value in changes.items()
    }
    if limited:
        assert out[limited] > allowed[limited]


def test_one_instance_serves_both_phases_where_two_do_not_fit():
    out = serve(H100, LLAMA_405B, "fp8")
    assert str(out["mapping"]) == "shared:tp8"
    assert out["prefill_chips"] > 0  # the share of time, in chips
    assert out["prefill_chips"] + out["decode_chips"] == 8


def test_memory_is_of_the_whole_chip():
    out = serve(ASCEND_910C, LLAMA_405B, "int8")
    devices_per_chip, width = 2, float(out["tensor_parallel"])
    tables = 2 * 128256 * 16384  # embedding and head, one byte more each than the layers
    assert out["memory_weights"] == pytest.approx(
        (parameters(LLAMA_405B) + tables) * devices_per_chip / width, rel=1e-3
    )


def test_nonsense_is_refused():
    with pytest.raises(ModelInputError, match="precision"):
        serve(H100, LLAMA_70B, "fp7")


def test_attention_takes_fp16_where_there_is_no_bf16_and_needs_one_of_them():
    without = {name: value for name, value in H100.items() if name != "peak_bf16"}
    bf16 = serve(H100, LLAMA_70B, "fp8")
    fp16 = serve(without | {"peak_fp16": H100["peak_bf16"]}, LLAMA_70B, "fp8")
    assert fp16["tokens_per_second"] == bf16["tokens_per_second"]
    neither = serve(without, LLAMA_70B, "fp8")
    assert neither["reason"] == Reason.PRECISION
    assert np.isnan(neither["tokens_per_second"])
