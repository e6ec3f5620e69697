"""Power capping: no cap changes nothing, a cap slows what computes and leaves what waits for memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluate import evaluate
from models.power_cap import capped, capped_draw, clock_fraction
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


def test_a_cap_clips_what_runs_at_design_power_and_stretches_it() -> None:
    """0.76 of design power is 11/15 of the time at 1 and 4/15 at the idle 0.1.

    At 0.8 and the cube law those 11/15 take 0.79, so the whole 1.0566, and draw 0.8 instead of 1.
    """
    known = {"power_cap": 0.8, "power_cap_exponent": 1 / 3, "idle_power_fraction": 0.1}
    assert capped_draw(known, np.asarray(0.76)) == pytest.approx((0.7900 * 0.8 + 0.4 / 15) / 1.0566, abs=1e-4)


fractions = st.floats(0, 1)
caps = st.floats(0.2, 1)


@given(cap=caps, exponent=fractions, idle=fractions, mean=fractions)
def test_energy_at_the_cap_is_that_of_the_two_parts(cap: float, exponent: float, idle: float, mean: float) -> None:
    """Draw times the longer time: what ran at 1 draws ``c`` for ``c^-e`` as long, the rest as before or the cap."""
    known = {"power_cap": cap, "power_cap_exponent": exponent, "idle_power_fraction": idle}
    rest = min(idle, mean)
    part = (mean - rest) / (1 - rest) if rest < 1 else 0.0
    longer = part * cap**-exponent + 1 - part
    energy = part * cap ** (1 - exponent) + (1 - part) * min(rest, cap)
    assert capped_draw(known, np.asarray(mean)) * longer == pytest.approx(energy, abs=1e-9)


@given(low=caps, high=caps, exponent=fractions, idle=fractions, mean=fractions)
def test_a_lower_cap_never_draws_more(low: float, high: float, exponent: float, idle: float, mean: float) -> None:
    low, high = sorted((low, high))
    known = {"power_cap": np.asarray([low, high, 1.0]), "power_cap_exponent": exponent, "idle_power_fraction": idle}
    draw = np.broadcast_to(capped_draw(known, np.asarray(mean)), 3)
    assert draw[2] == mean
    assert (np.diff(draw) >= -1e-12).all()
    assert (draw <= known["power_cap"] + 1e-12).all()
    assert (draw >= known["power_cap"] * mean - 1e-12).all()


def test_a_cap_above_the_mean_draw_still_clips_but_not_in_proportion() -> None:
    """At 0.8 a chip that draws 0.76 on average keeps more than 0.8 of that, and takes less than 1 / 0.8 of the time."""
    known = SMALL | {"power_cap": np.asarray([1.0, 0.8]), "power_cap_exponent": 1 / 3, "idle_power_fraction": 0.114}
    draw, time = capped_draw(known, np.asarray(0.76)), evaluate(known)["step_time"]
    assert 0.8 * 0.76 < draw[1] < 0.76
    assert 1 < time[1] / time[0] < 0.8 ** (-1 / 3)
    assert draw[1] * time[1] < draw[0] * time[0]


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
