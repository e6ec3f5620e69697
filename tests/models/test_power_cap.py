"""Power capping: no cap changes nothing, a cap slows what computes and leaves what waits for memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluate import evaluate
from models.power_cap import capped, clock_fraction
from models.transformer import Transformer

SMALL: dict[str, Any] = {
    "shape": Transformer(32, 4096, 14336, 32, 8, 128, 128256),
    "phase": "train",
    "precision": "bf16",
    "sequence_length": 4096,
    "global_batch": 64,
    "domains": 1,
    "scale_up_size": 8,
    "peak_bf16": 989.5e12,
    "hbm_capacity": 80e9,
    "hbm_bandwidth": 3.35e12,
    "gemm_efficiency_bf16": 0.7,
    "attention_efficiency": 0.55,
    "hbm_efficiency": 0.9,
    "kernel_launch_time": 4e-6,
    "scale_up_bandwidth": 450e9,
    "scale_up_latency": 1e-6,
    "scale_up_efficiency": 0.8,
    "scale_out_bandwidth": 50e9,
    "scale_out_latency": 5e-6,
    "scale_out_efficiency": 0.8,
}


@pytest.mark.parametrize(("exponent", "loss"), [(0.6831, 0.10), (1.0543, 0.15)])
def test_six_hundred_of_seven_hundred_watts_cost_an_h100_10_to_15_percent(exponent: float, loss: float) -> None:
    """Step times in bf16 (factryze.ai/scale-atlas/power/power-capping): the exponents of the catalogue give them."""
    assert clock_fraction({"power_cap": 600 / 700, "power_cap_exponent": exponent}) == pytest.approx(1 - loss, abs=1e-4)


@given(exponent=st.floats(0, 3))
def test_no_cap_is_no_effect(exponent: float) -> None:
    known = SMALL | {"power_cap": 1.0, "power_cap_exponent": exponent}
    assert capped(known) is known
    assert clock_fraction(known) == 1


@given(caps=st.lists(st.floats(0.2, 1), min_size=2, max_size=5), exponent=st.floats(0, 3))
def test_a_lower_cap_is_never_faster(caps: list[float], exponent: float) -> None:
    clock = clock_fraction({"power_cap": np.sort(caps), "power_cap_exponent": exponent})
    assert (np.diff(clock) >= 0).all()
    assert ((clock > 0) & (clock <= 1)).all()


def test_a_cap_slows_a_training_step_by_no_more_than_the_clock() -> None:
    """Memory and links keep their speed; the utilisation of the data sheet's peak falls with the step."""
    free = evaluate(SMALL)
    held = evaluate(SMALL | {"power_cap": np.asarray([1.0, 0.7]), "power_cap_exponent": 1.0})
    assert held["step_time"][0] == free["step_time"]
    assert free["step_time"] < held["step_time"][1] < free["step_time"] / 0.7
    for name in ("model_flops_utilisation", "hardware_flops_utilisation"):
        slowed = free[name] * free["step_time"] / held["step_time"][1]
        assert held[name][1] == pytest.approx(slowed), name


def test_caps_of_a_block_are_those_of_each_element() -> None:
    caps = np.asarray([1.0, 0.8, 0.5])
    block = evaluate(SMALL | {"power_cap": caps})
    for place, cap in enumerate(caps.tolist()):
        assert evaluate(SMALL | {"power_cap": cap})["step_time"] == block["step_time"][place]
