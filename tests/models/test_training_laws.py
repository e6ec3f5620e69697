"""Laws that hold for every design, and results that do not depend on how a block is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_facts import (
    ALONE,
    CLOUDMATRIX,
    DEEPSEEK_V3,
    DGX_H100,
    HAND,
    LLAMA_8B,
    LLAMA_405B,
    MIXTRAL,
    NVL72,
    gpt,
    job,
)

from models import training
from models.coefficients import Coefficients, priors
from models.training import training_stage

RESOURCES = ("peak_bf16", "hbm_capacity", "hbm_bandwidth", "scale_up_bandwidth", "scale_out_bandwidth")
LATENCIES = ("scale_up_latency", "scale_out_latency", "kernel_launch_time")
JOBS = [
    job(NVL72, LLAMA_405B),
    job(CLOUDMATRIX, DEEPSEEK_V3, domains=2, sequence_length=4096),
    job(DGX_H100, LLAMA_8B, domains=16, global_batch=200),
]
jobs = st.sampled_from(JOBS)
coefficients = st.builds(
    Coefficients, **{name: st.floats(prior.minimum, prior.maximum) for name, prior in priors().items()}
)

FIXED = [
    # one mapping each, between them every kind of group, recomputation, sharding, schedule and dispatch
    job(NVL72 | ALONE, LLAMA_405B, domains=2, global_batch=32)
    | {"tensor_parallel": 8, "pipeline_parallel": 6, "virtual_pipeline": 3, "data_parallel": 2, "micro_batch": 2},
    job(NVL72 | ALONE, LLAMA_8B, domains=1, global_batch=32)
    | {"tensor_parallel": 4, "context_parallel": 2, "data_parallel": 8, "optimizer_sharding": 1, "recompute": "full"}
    | {"overlap_tensor": 1.0},
    job(NVL72 | ALONE, DEEPSEEK_V3, domains=2, global_batch=256, sequence_length=4096, precision="fp8")
    | {"pipeline_parallel": 2, "data_parallel": 64, "expert_parallel": 64, "pipeline_schedule": "dualpipe"}
    | {"recompute": "selective", "optimizer_sharding": 1},
    job(DGX_H100 | ALONE, MIXTRAL, domains=2, global_batch=64, sequence_length=4096, mixture_dispatch="alltoall")
    | {"tensor_parallel": 2, "data_parallel": 8, "expert_parallel": 8, "overlap_experts": 0.0, "captured_graphs": 0.0},
    job(DGX_H100 | ALONE, LLAMA_8B, domains=4, global_batch=64, sharded_gathers="tensor", sharding_group=8)
    | {"data_parallel": 32, "optimizer_sharding": 3, "activation_offload": 0.5},
    job(DGX_H100 | ALONE, gpt(24, 2048, 16), domains=1, global_batch=64, sequence_length=2048)
    | {"attention_kernel": "unfused", "sequence_parallel": 0, "tensor_parallel": 2, "pipeline_parallel": 4}
    | {"recompute": "selective", "pipeline_schedule": "zero_bubble", "overlap_gradients": 0.0},
    job(NVL72 | ALONE, LLAMA_8B, domains=1, global_batch=16, trained_weights="adapters", packed_length=600.0)
    | {"tensor_parallel": 2, "data_parallel": 4},
]
fixed_jobs = st.sampled_from([inputs | {"coefficients": HAND} for inputs in FIXED])
RATES = ("hbm_bandwidth", "scale_up_bandwidth", "scale_out_bandwidth", "host_bandwidth", "gemm_efficiency_bf16")
RATES += ("gemm_efficiency_fp8", "attention_efficiency", "peak_bf16", "peak_fp8")
SWITCHES = ("overlap_tensor", "overlap_experts", "overlap_gradients", "overlap_input_gradients", "captured_graphs")


def step_time(inputs: dict[str, Any]) -> float:
    """Step time, infinite where the design is infeasible."""
    out = training_stage(inputs)
    return float(out["step_time"]) if int(out["status"]) == 0 else np.inf


@settings(max_examples=60)
@given(inputs=jobs, name=st.sampled_from(RESOURCES), low=st.floats(0.2, 3), factor=st.floats(1, 10))
def test_more_of_a_resource_never_slows_the_best_mapping(inputs, name, low, factor):
    less, more = inputs[name] * low, inputs[name] * low * factor
    # 1e-12: sums of rounded parts
    assert step_time(inputs | {name: more}) <= step_time(inputs | {name: less}) * (1 + 1e-12)


@settings(max_examples=40)
@given(inputs=jobs, name=st.sampled_from(LATENCIES), factor=st.floats(1, 100))
def test_less_latency_never_slows_the_best_mapping(inputs, name, factor):
    assert step_time(inputs) <= step_time(inputs | {name: inputs[name] * factor}) * (1 + 1e-12)


@settings(max_examples=150)
@given(inputs=fixed_jobs, by=coefficients, name=st.sampled_from(RATES), low=st.floats(0.05, 1), factor=st.floats(1, 20))
def test_a_faster_rate_never_slows_a_mapping(inputs, by, name, low, factor):
    known = {"host_bandwidth": 64e9} | inputs | {"coefficients": by}
    times = [step_time(known | {name: known[name] * low * times}) for times in (1.0, factor)]
    assert np.isfinite(times).all()
    assert times[1] <= times[0] * (1 + 1e-12)


@settings(max_examples=100)
@given(inputs=fixed_jobs, by=coefficients, name=st.sampled_from(SWITCHES), shares=st.tuples(*[st.floats(0, 1)] * 2))
def test_software_that_overlaps_or_captures_more_is_never_slower(inputs, by, name, shares):
    less, more = (step_time(inputs | {"coefficients": by, name: share}) for share in sorted(shares))
    assert more <= less * (1 + 1e-12)


@settings(max_examples=60)
@given(inputs=fixed_jobs, by=coefficients, dates=st.tuples(*[st.floats(2018, 2030)] * 2), load=st.floats(1, 4))
def test_older_software_and_uneven_experts_are_never_faster(inputs, by, dates, load):
    old, new = (step_time(inputs | {"coefficients": by, "software_date": date}) for date in sorted(dates))
    assert new <= old * (1 + 1e-12)
    assert new <= step_time(inputs | {"coefficients": by, "software_date": max(dates), "expert_imbalance": load}) * (
        1 + 1e-12
    )


@settings(max_examples=100)
@given(inputs=fixed_jobs, by=coefficients, size=st.integers(1, 6), longer=st.integers(1, 3))
def test_more_tokens_in_a_micro_batch_take_longer(inputs, by, size, longer):
    # as many micro-batches, larger: the batch grows with them
    def time(micro_batch: int, sequence: int) -> float:
        batch = inputs["global_batch"] // inputs["micro_batch"] * micro_batch
        grown = {"micro_batch": micro_batch, "global_batch": batch, "sequence_length": sequence}
        return step_time(inputs | grown | {"coefficients": by})

    sequence = inputs["sequence_length"]
    assert time(size, sequence) <= time(size + 1, sequence) * (1 + 1e-12)
    assert time(size, sequence) <= time(size, sequence * longer) * (1 + 1e-12)


@settings(max_examples=100)
@given(inputs=fixed_jobs, by=coefficients)
def test_no_mapping_beats_the_peak_at_its_kernels(inputs, by):
    # adapters leave out a third of what counts as model FLOPs, packed documents most of the scores
    if inputs.get("trained_weights") == "adapters":
        return
    out = training_stage(inputs | {"coefficients": by})
    eight = inputs["precision"] == "fp8"
    rate = inputs["gemm_efficiency_fp8"] * by.narrow_rate if eight else inputs["gemm_efficiency_bf16"] * by.product_rate
    limit = max(min(rate, 1.0) * max(by.grouped_rate, 1.0), inputs["attention_efficiency"] * by.score_rate)
    assert 0 < float(out["model_flops_utilisation"]) < limit
    assert float(out["model_flops_utilisation"]) <= float(out["hardware_flops_utilisation"])


@settings(max_examples=40)
@given(by=coefficients, shape=st.sampled_from([gpt(4, 1024, 8), LLAMA_8B, MIXTRAL]), size=st.integers(1, 4))
def test_one_rank_has_no_communication_whatever_the_coefficients(by, shape, size):
    one = job(DGX_H100 | ALONE, shape, domains=1, global_batch=4 * size, sequence_length=1024, coefficients=by)
    out = training_stage(one | {"micro_batch": size, "expert_parallel": 1})
    quiet = ("tensor_parallel_time", "context_parallel_time", "expert_parallel_time", "pipeline_time", "bubble_time")
    assert all(float(out[name]) == 0.0 for name in quiet)
    assert float(out["data_parallel_time"]) == 0.0


@settings(max_examples=60)
@given(
    inputs=jobs,
    few=st.integers(1, 48),
    more=st.integers(1, 48),
    speed=st.sampled_from([0.2, 0.5, 1.0, 10.0]),
    batch=st.sampled_from([64, 200, 512, 2048]),
)
def test_buying_more_domains_never_hurts(inputs, few, more, speed, batch):
    scaled = inputs | {"scale_out_bandwidth": inputs["scale_out_bandwidth"] * speed, "global_batch": batch}
    small, large = (step_time(scaled | {"domains": count}) for count in (few, few + more))
    # With experts and slow links the best width may lie between those that the search tries: 3.7 % seen in 4,000 cells.
    slack = 0.05 if inputs["shape"].experts and speed < 1 else 1e-12
    assert large <= small * (1 + slack)


def test_chips_idle_where_the_network_would_eat_what_they_gain():
    # 5 MB/s per chip between domains: the second and later domains may only help, and do not while they do not
    slow = JOBS[2] | {"scale_out_bandwidth": 5e6}
    times = [step_time(slow | {"domains": count}) for count in (1, 2, 4, 8, 16)]
    assert times == sorted(times, reverse=True)
    assert int(training_stage(slow | {"domains": 16})["chips_used"]) < 16 * 8


@settings(max_examples=60)
@given(inputs=jobs, factors=st.tuples(*[st.floats(0.3, 3)] * 5))
def test_no_design_beats_the_roofline(inputs, factors):
    scaled = inputs | {name: inputs[name] * factor for name, factor in zip(RESOURCES, factors, strict=True)}
    out = training_stage(scaled)
    if int(out["status"]):
        assert np.isnan(float(out["step_time"]))
        assert int(out["reason"]) > 0
        return
    limit = max(  # of the coefficients before any fit, which these jobs use
        scaled["gemm_efficiency_bf16"] * priors()["product_rate"].value * max(priors()["grouped_rate"].value, 1.0),
        scaled["attention_efficiency"] * priors()["score_rate"].value,
    )
    assert 0 < float(out["model_flops_utilisation"]) < limit
    assert float(out["model_flops_utilisation"]) <= float(out["hardware_flops_utilisation"]) < limit
    assert float(out["memory_per_chip"]) <= scaled["hbm_capacity"]


def mesh(inputs: dict[str, Any]) -> dict[str, Any]:
    """An open mesh of four axes over memory, peak and both links."""
    return inputs | {
        "hbm_capacity": inputs["hbm_capacity"] * np.asarray([0.3, 1.0, 2.0]).reshape(3, 1, 1, 1),
        "peak_bf16": inputs["peak_bf16"] * np.asarray([1.0, np.nan]).reshape(1, 2, 1, 1),
        "scale_up_bandwidth": inputs["scale_up_bandwidth"] * np.asarray([0.25, 1.0]).reshape(1, 1, 2, 1),
        "scale_out_bandwidth": inputs["scale_out_bandwidth"] * np.asarray([0.1, 1.0, 4.0]).reshape(1, 1, 1, 3),
    }


def same(one: Any, other: Any) -> bool:
    """Equal bits; NaN equals NaN, text equals text whatever its width."""
    one, other = np.asarray(one), np.asarray(other)
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


@pytest.mark.parametrize("inputs", JOBS)
def test_a_block_equals_its_designs_one_by_one_to_the_last_bit(inputs):
    block = mesh(inputs)
    whole = training_stage(block)
    axes = ("hbm_capacity", "peak_bf16", "scale_up_bandwidth", "scale_out_bandwidth")
    for index in np.ndindex(3, 2, 2, 3):
        single = inputs | {name: block[name].reshape(-1)[place] for name, place in zip(axes, index, strict=True)}
        alone = training_stage(single)
        for name, value in whole.items():
            got = np.broadcast_to(value, (3, 2, 2, 3))[index]
            assert same(got, alone[name]), (name, index)


SOFTWARE = {
    "software_date": [2022.0, 2025.0],
    "captured_graphs": [0.0, 1.0],
    "expert_imbalance": [1.0, 1.7],
    "overlap_experts": [0.0, 1.0],
    "host_bandwidth": [16e9, 64e9],
}


@pytest.mark.parametrize("inputs", FIXED)
def test_software_as_axes_equals_its_settings_one_by_one_to_the_last_bit(inputs):
    shapes = [tuple(2 if place == axis else 1 for place in range(len(SOFTWARE))) for axis in range(len(SOFTWARE))]
    axes = {name: np.reshape(values, shape) for (name, values), shape in zip(SOFTWARE.items(), shapes, strict=True)}
    whole = training_stage(inputs | axes)
    for index in np.ndindex((2,) * len(SOFTWARE)):
        chosen = {name: values[place] for (name, values), place in zip(SOFTWARE.items(), index, strict=True)}
        for name, value in training_stage(inputs | chosen).items():
            got = np.broadcast_to(whole[name], (2,) * len(SOFTWARE))[index]
            assert same(got, value), (name, index)


@pytest.mark.parametrize(("tile", "slab"), [(1, 1 << 22), (1000, 1 << 22), (65536, 1), (65536, 5000)])
def test_tiles_and_slabs_change_no_bit(monkeypatch, tile, slab):
    block = mesh(JOBS[1])
    reference = training_stage(block)
    monkeypatch.setattr(training, "TILE", tile)
    monkeypatch.setattr(training, "SLAB", slab)
    for name, value in training_stage(block).items():
        assert same(value, reference[name]), name


def test_every_metric_is_finite_or_its_design_has_a_reason():
    out = training_stage(mesh(JOBS[0]))
    shape = np.broadcast_shapes(*(np.shape(value) for value in out.values()))
    fine = np.broadcast_to(out["status"], shape) == 0
    assert fine.any()
    assert not fine.all()
    for name, value in out.items():
        array = np.broadcast_to(value, shape)
        if array.dtype.kind == "f":
            assert np.isfinite(array[fine]).all(), name
    assert (np.broadcast_to(out["reason"], shape)[~fine] > 0).all()


@settings(max_examples=25)
@given(micro_batch=st.integers(1, 8), stages=st.sampled_from([8, 16]))
def test_memory_grows_with_the_micro_batch(micro_batch, stages):
    fixed = {
        "tensor_parallel": 8,
        "pipeline_parallel": stages,
        "virtual_pipeline": 1,
        "data_parallel": 1,
        "recompute": "none",
        "optimizer_sharding": 1,
        "hbm_capacity": 1e15,
    }
    needed = [
        float(training_stage(job(NVL72, LLAMA_405B) | fixed | {"micro_batch": size})["memory_per_chip"])
        for size in (micro_batch, micro_batch + 1)
    ]
    assert needed[1] > needed[0]
