"""A mapping chosen at other values than it runs at, and times that turn out longer than predicted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluate import evaluate
from models.training_report import RATES, TIMES
from models.transformer import Transformer

LLAMA = Transformer(80, 8192, 28672, 64, 8, 128, 128256)
INPUTS = {
    "shape": LLAMA, "phase": "train", "precision": "bf16", "sequence_length": 8192, "global_batch": 1024,
    "domains": 4, "scale_up_size": 72, "peak_bf16": 2.5e15, "hbm_capacity": 186e9, "hbm_bandwidth": 8e12,
    "gemm_efficiency_bf16": 0.63, "attention_efficiency": 0.58, "hbm_efficiency": 0.9, "kernel_launch_time": 4e-6,
    "scale_up_bandwidth": 900e9, "scale_up_latency": 1e-6, "scale_up_efficiency": 0.8,
    "scale_out_bandwidth": 50e9, "scale_out_latency": 5e-6, "scale_out_efficiency": 0.8,
}  # fmt: skip
LINKS = np.array([20e9, 100e9, 300e9, 900e9])


def same(first, second):
    return all(np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f") for name in first)


def test_deciding_at_the_values_themselves_changes_nothing():
    alone = evaluate({**INPUTS, "scale_up_bandwidth": LINKS})
    assert same(alone, evaluate({**INPUTS, "scale_up_bandwidth": LINKS, "decided_at": {"scale_up_bandwidth": LINKS}}))


@settings(deadline=None, max_examples=10)
@given(st.sampled_from(LINKS.tolist()))
def test_a_mapping_decided_elsewhere_is_that_mapping_and_never_faster(link):
    best = evaluate({**INPUTS, "scale_up_bandwidth": LINKS})
    settled = evaluate({**INPUTS, "scale_up_bandwidth": LINKS, "decided_at": {"scale_up_bandwidth": np.array(link)}})
    there = evaluate({**INPUTS, "scale_up_bandwidth": np.array(link)})
    assert np.unique(settled["mapping"]).tolist() == [str(there["mapping"])]
    assert (settled["step_time"] >= best["step_time"]).all()
    place = LINKS.tolist().index(link)
    assert settled["step_time"][place] == best["step_time"][place]


def test_a_mapping_that_memory_no_longer_holds_is_infeasible():
    memory = np.array([186e9, 20e9])
    settled = evaluate({**INPUTS, "hbm_capacity": memory, "decided_at": {"hbm_capacity": np.array(186e9)}})
    assert settled["status"].tolist() == [0, 1]
    assert np.isnan(settled["step_time"]).tolist() == [False, True]


@given(st.floats(0.5, 2))
@settings(deadline=None, max_examples=10)
def test_longer_times_are_longer_by_the_factor(factor):
    before, after = evaluate(INPUTS), evaluate({**INPUTS, "step_time_factor": np.array(factor)})
    for name in TIMES:
        assert after[name] == pytest.approx(before[name] * factor, rel=1e-12)
    for name in RATES:
        assert after[name] == pytest.approx(before[name] / factor, rel=1e-12)
    assert str(after["mapping"]) == str(before["mapping"])
