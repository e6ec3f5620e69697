"""The range that the model's error puts around times and costs of training."""

from __future__ import annotations

import numpy as np
from training_facts import LLAMA_8B, NVL72, job

from models.evaluate import evaluate
from models.intervals import interval_stage

JOB = job(NVL72, LLAMA_8B, phase="train", training_tokens=1e12, global_batch=256, sequence_length=8192)


def test_ends_are_the_value_over_and_times_one_plus_the_error():
    errors = np.array([0.0, 0.1, 0.25])
    out = interval_stage({"step_time": 4.0, "time_to_train": np.array([10.0]), "step_time_error": errors})
    np.testing.assert_array_equal(out["step_time_low"], 4.0 / (1 + errors))
    np.testing.assert_array_equal(out["step_time_high"], 4.0 * (1 + errors))
    np.testing.assert_array_equal(out["time_to_train_high"], 10.0 * (1 + errors))
    assert set(out) == {"step_time_low", "step_time_high", "time_to_train_low", "time_to_train_high"}


def test_an_unknown_error_makes_the_ends_unknown_and_nothing_else():
    out = evaluate(JOB)
    assert np.isfinite(out["step_time"])
    assert np.isnan(out["step_time_low"])
    assert np.isnan(out["step_time_high"])


def test_an_infeasible_design_has_no_range():
    out = evaluate(JOB | {"hbm_capacity": 1e9, "step_time_error": 0.1})
    assert np.isnan(out["step_time_low"])
    assert np.isnan(out["step_time_high"])


def test_nothing_is_trained_in_serving():
    assert interval_stage({"time_per_output_token": 0.02, "step_time_error": 0.1}) == {}
