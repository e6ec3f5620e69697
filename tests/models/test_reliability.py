"""Failures and goodput against Meta's published projections, Young's formula and the laws of both."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reasons import Reason
from models.reliability import (
    effective_training_time_ratio,
    optimal_checkpoint_interval,
    reliability_stage,
    spares_suffice,
)

HOUR, DAY, YEAR = 3600.0, 86400.0, 365 * 86400.0
RSC1 = 6.50 / 1000 / DAY  # failures per second of one node of 8 chips: Kokolis et al. 2024, arXiv:2410.21680
LLAMA3 = 419 / (2048 * 54) / DAY  # 419 unexpected interruptions of 2,048 nodes in 54 days: arXiv:2407.21783, table 5
NODES: dict[str, Any] = {
    "phase": "train",
    "chips": 16384,
    "chips_used": 16384,
    "chips_per_node": 8,
    "scale_up_size": 8,
    "domains": 2048,
    "chip_failure_rate": 0.0,
    "host_failure_rate": RSC1,
    "transceiver_failure_rate": 0.0,
    "scale_up_transceivers": 0,
    "scale_out_transceivers": 0,
    "checkpoint_write_time": 10.0,
    "restart_time": 600.0,
    "repair_time": 0.0,
    "spare_fraction": 0.0,
    "training_tokens": 1e12,
    "tokens_per_second": 1e6,
}


def cluster(chips: int, **others: Any) -> dict[str, Any]:
    return NODES | {"chips": chips, "chips_used": chips, "domains": chips // 8} | others


@pytest.mark.parametrize(
    ("chips", "hours", "tolerance"),
    [(16_384, 1.8029, 5e-5), (131_072, 0.2254, 5e-5), (1_024, 28.85, 5e-3)],
)
def test_meta_projection_of_time_between_failures(chips: int, hours: float, tolerance: float) -> None:
    """Printed as 1.8 h and 0.23 h. At 1,024 chips 7.9 h were measured: small jobs fail for other reasons too."""
    metrics = reliability_stage(cluster(chips))
    assert metrics["mean_time_between_failures"] / HOUR == pytest.approx(hours, abs=tolerance)


def test_llama3_interruptions() -> None:
    """54 x 1,440 / 419 min; 3.789 per 1,000 node-days."""
    metrics = reliability_stage(cluster(16_384, host_failure_rate=LLAMA3))
    assert metrics["mean_time_between_failures"] / 60 == pytest.approx(185.6, abs=0.05)
    assert metrics["failures_per_day"] * DAY / 2.048 == pytest.approx(3.789, abs=5e-4)


def test_llama3_causes_add_to_its_total() -> None:
    """220 of the 419 are GPU and HBM, 9.08 % per chip-year: with the rest on hosts the total is the same."""
    per_chip = 220 / (16_384 * 54 * DAY)
    rest = 199 / (2048 * 54 * DAY)
    metrics = reliability_stage(cluster(16_384, chip_failure_rate=per_chip, host_failure_rate=rest))
    assert per_chip * YEAR == pytest.approx(0.0908, abs=5e-5)
    assert metrics["failures_per_day"] * DAY == pytest.approx(419 / 54)


@pytest.mark.parametrize(
    ("chips", "rate", "write", "restart", "interval", "goodput"),
    [
        (12_000, RSC1, 10, 300, 421, 0.9205),
        (12_000, RSC1, 10, 600, 421, 0.8875),
        (16_384, LLAMA3, 10, 600, 471.9, 0.9057),
        (16_384, LLAMA3, 300, 600, 2584.8, 0.7437),
    ],
)
def test_meta_effective_training_time_ratio(
    chips: int, rate: float, write: float, restart: float, interval: float, goodput: float
) -> None:
    """The paper says that 0.9 at 12,000 GPUs needs checkpoints of about 10 s; its w and u are not published."""
    known = cluster(chips, host_failure_rate=rate, checkpoint_write_time=write, restart_time=restart)
    metrics = reliability_stage(known)
    assert metrics["checkpoint_interval"] == pytest.approx(interval, rel=1e-3)
    assert metrics["goodput"] == pytest.approx(goodput, abs=5e-5)


def test_young_interval_and_dalys_low_order_form() -> None:
    """w = 300 s, M = 185.6 min: 43.08 min; less w, 38.08 min."""
    interval = optimal_checkpoint_interval(np.asarray(1 / (185.6 * 60)), np.asarray(300.0))
    assert interval / 60 == pytest.approx(43.08, abs=0.01)
    assert (interval - 300) / 60 == pytest.approx(38.08, abs=0.01)


def test_the_young_interval_loses_least() -> None:
    rate, write, restart = 1e-4, 60.0, 300.0
    best = optimal_checkpoint_interval(np.asarray(rate), np.asarray(write))
    at_best = effective_training_time_ratio(np.asarray(rate), np.asarray(write), np.asarray(restart))
    assert at_best == pytest.approx((1 - rate * (restart + best / 2)) / (1 + write / best), rel=1e-12)
    for other in (0.5 * best, 2 * best):
        assert at_best > (1 - rate * (restart + other / 2)) / (1 + write / other)


@pytest.mark.parametrize(
    ("modules", "hours_each", "hours"),
    [(100_000, 43_800, 26.28 / 60), (6_912, 1e6, 144.7), (6_912, 5e5, 72.3), (6_912, 43_800, 6.34)],
)
def test_optical_modules_alone(modules: int, hours_each: float, hours: float) -> None:
    """A five-year module in 100,000 fails every 26.28 min (SemiAnalysis); 6,912 modules of CloudMatrix 384."""
    known = cluster(384, host_failure_rate=0.0, transceiver_failure_rate=1 / (hours_each * HOUR))
    metrics = reliability_stage(known | {"scale_up_transceivers": modules - 1536, "scale_out_transceivers": 1536})
    if modules == 100_000:
        metrics = reliability_stage(known | {"scale_up_transceivers": 0, "scale_out_transceivers": modules})
    assert metrics["mean_time_between_failures"] / HOUR == pytest.approx(hours, rel=1e-3)


def test_opt_175b_lost_an_eighth_of_its_time() -> None:
    """178,000 of 992 x 24 x 61 GPU-hours were lost (12.26 %): the time to train stretches by the inverse."""
    lost = 178_000 / (992 * 24 * 61)
    assert lost == pytest.approx(0.1226, abs=5e-5)
    known = cluster(992, host_failure_rate=lost / 600 / 124, checkpoint_write_time=0.0)
    metrics = reliability_stage(known)
    assert metrics["goodput"] == pytest.approx(1 - lost)
    assert metrics["time_to_train"] == pytest.approx(1e6 / (1 - lost))


def test_no_failures_no_loss() -> None:
    metrics = reliability_stage(cluster(16_384, host_failure_rate=0.0))
    assert metrics["goodput"] == 1.0
    assert metrics["time_to_train"] == 1e6
    assert metrics["checkpoint_interval"] == metrics["mean_time_between_failures"] == np.inf


def test_failing_faster_than_restarting_makes_no_progress() -> None:
    known = cluster(1_000_000, host_failure_rate=np.asarray([RSC1 / 100, 100 * RSC1]))
    metrics = reliability_stage(known | {"status": 0, "reason": 0})
    assert metrics["goodput"][1] == 0
    assert np.isnan(metrics["time_to_train"][1])
    assert metrics["failures_per_day"][1] > 0
    assert metrics["status"].tolist() == [0, 1]
    assert metrics["reason"].tolist() == [Reason.NONE, Reason.FAILURES]


def test_a_design_without_progress_keeps_the_reason_it_has() -> None:
    known = cluster(1_000_000, host_failure_rate=100 * RSC1) | {"status": 1, "reason": Reason.BATCH}
    assert reliability_stage(known)["reason"] == Reason.BATCH


def test_unknown_rate_is_unknown_goodput() -> None:
    known = {name: value for name, value in NODES.items() if name != "host_failure_rate"}
    metrics = reliability_stage(known)
    assert np.isnan(metrics["goodput"])
    assert np.isnan(metrics["mean_time_between_failures"])
    assert np.isnan(metrics["checkpoint_interval"])


def test_only_used_chips_and_their_modules_stop_the_job() -> None:
    known = NODES | {"scale_out_transceivers": 8000, "transceiver_failure_rate": 1e-9}
    half = reliability_stage(known | {"chips_used": 8192})
    assert half["failures_per_day"] == pytest.approx(reliability_stage(known)["failures_per_day"] / 2)


@pytest.mark.parametrize(("broken", "spares"), [(2.0, 3), (0.5, 0), (30.0, 45), (900.0, 1000)])
def test_spares_follow_the_poisson_distribution(broken: float, spares: int) -> None:
    direct = math.fsum(math.exp(k * math.log(broken) - broken - math.lgamma(k + 1)) for k in range(spares + 1))
    assert spares_suffice(np.asarray(broken), np.asarray(float(spares))) == pytest.approx(direct, rel=1e-12)


def test_poisson_is_near_the_binomial_google_plans_with() -> None:
    """130 of 144 cubes usable 95 % of the time (Zu et al., NSDI 2024): the Poisson limit is on the safe side of it."""
    out = 0.0652  # share of cubes out at which the binomial gives the published 95 %
    binomial = math.fsum(math.comb(144, k) * out**k * (1 - out) ** (144 - k) for k in range(15))
    assert binomial == pytest.approx(0.95, abs=2e-3)
    assert binomial - 0.01 < spares_suffice(np.asarray(144 * out), np.asarray(14.0)) < binomial


def test_without_spares_the_job_waits_for_repair() -> None:
    slow = NODES | {"repair_time": np.asarray([0.0, 24 * HOUR])}
    without = reliability_stage(slow)["goodput"]
    with_spares = reliability_stage(slow | {"spare_fraction": 0.05})["goodput"]
    assert without[1] < 0.001 < without[0]
    assert with_spares[1] == pytest.approx(without[0], rel=1e-6)


def test_serving_loses_the_domain_that_failed() -> None:
    known = NODES | {"phase": "serve", "repair_time": 24 * HOUR}
    up = 1 / (1 + RSC1 * (600 + 24 * HOUR))
    assert reliability_stage(known)["goodput"] == pytest.approx(up)
    assert reliability_stage(known | {"spare_fraction": 0.02})["goodput"] == 1
    assert "time_to_train" not in reliability_stage(known)


RATES = st.just(0.0) | st.floats(1e-18, 1e-6)


@given(rates=st.lists(RATES, min_size=2, max_size=6), write=st.floats(0, 600), restart=st.floats(0, 1200))
def test_goodput_is_a_fraction_and_falls_with_the_failure_rate(
    rates: list[float], write: float, restart: float
) -> None:
    known = NODES | {"host_failure_rate": np.sort(rates), "checkpoint_write_time": write, "restart_time": restart}
    goodput = reliability_stage(known)["goodput"]
    assert ((goodput >= 0) & (goodput <= 1)).all()
    assert (np.diff(goodput) <= 0).all()


@given(broken=st.lists(st.floats(0, 60), min_size=1, max_size=6), spares=st.lists(st.integers(0, 80), min_size=1))
def test_spares_of_a_block_are_those_of_each_element_to_the_bit(broken: list[float], spares: list[int]) -> None:
    mesh = spares_suffice(np.asarray(broken)[:, None], np.asarray(spares, dtype=float)[None, :])
    for i, mean in enumerate(broken):
        for j, held in enumerate(spares):
            assert mesh[i, j] == spares_suffice(np.asarray(mean), np.asarray(float(held)))
