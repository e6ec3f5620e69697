"""Failures by component, checkpoints, spares and goodput, and the laws of all of them.

Published projections are in test_worked_examples_machine.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from money_cases import DAY, HOUR, NODES, RSC1, cluster

from models.power import YEAR
from models.reasons import Reason
from models.reliability import (
    effective_training_time_ratio,
    optimal_checkpoint_interval,
    reliability_stage,
    spares_suffice,
)


def test_the_young_interval_loses_least() -> None:
    rate, write, restart = 1e-4, 60.0, 300.0
    best = optimal_checkpoint_interval(np.asarray(rate), np.asarray(write))
    at_best = effective_training_time_ratio(np.asarray(rate), np.asarray(write), np.asarray(restart))
    assert at_best == pytest.approx((1 - rate * (restart + best / 2)) / (1 + write / best), rel=1e-12)
    for other in (0.5 * best, 2 * best):
        assert at_best > (1 - rate * (restart + other / 2)) / (1 + write / other)


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


COMPONENTS = ("chip", "host", "nic", "switch", "transceiver")


def test_failures_of_the_components_add_to_those_of_the_job() -> None:
    """419 interruptions of Llama 3 in 54 days: 268 of chips, 109 of hosts, 7 of network interfaces, 35 of the network.

    With its 16,384 interfaces and four optical modules a chip; arXiv:2407.21783, table 5, counts of causes.
    """
    year = 365 / 54 / YEAR
    rates = {
        "chip_failure_rate": 268 / 16_384 * year,
        "host_failure_rate": 109 / 2_048 * year,
        "nic_failure_rate": 7 / 16_384 * year,
        "transceiver_failure_rate": 35 / 65_536 * year,
    }
    metrics = reliability_stage(NODES | rates | {"nics": 16_384, "scale_out_transceivers": 65_536})
    counts = [metrics[f"{name}_failures"] * 54 * DAY for name in COMPONENTS]
    assert counts == pytest.approx([268, 109, 7, 0, 35])
    assert sum(counts) == pytest.approx(metrics["failures_per_day"] * 54 * DAY) == pytest.approx(419)
    run = reliability_stage(NODES | rates | {"nics": 16_384, "scale_out_transceivers": 65_536, "training_tokens": 1e12})
    assert run["failures_to_train"] == pytest.approx(run["failures_per_day"] * run["time_to_train"])


def test_switch_chips_of_both_fabrics_fail_where_a_rate_is_given() -> None:
    switches = {"scale_up_switch_chips": 336, "scale_up_spine_chips": 112, "scale_out_switches": 18}
    known = NODES | {"host_failure_rate": 0.0} | switches
    assert reliability_stage(known)["switch_failures"] == 0
    assert reliability_stage(known | {"switch_failure_rate": 0.1 / YEAR})["switch_failures"] == pytest.approx(
        46.6 / YEAR
    )


def test_an_unknown_count_matters_only_where_its_rate_is_not_zero() -> None:
    known = NODES | {"scale_up_switch_chips": np.nan, "nics": np.nan}
    assert reliability_stage(known)["goodput"] > 0
    assert np.isnan(reliability_stage(known | {"switch_failure_rate": 1e-9})["goodput"])
    assert np.isnan(reliability_stage(known | {"nic_failure_rate": 1e-9})["goodput"])


@pytest.mark.parametrize(("out", "domains", "spares"), [(0.5, 4, 3), (0.1, 5, 0), (0.3, 100, 45), (0.01, 5000, 70)])
def test_spares_follow_the_binomial_distribution(out: float, domains: int, spares: int) -> None:
    direct = math.fsum(math.comb(domains, k) * out**k * (1 - out) ** (domains - k) for k in range(spares + 1))
    assert spares_suffice(np.asarray(out), np.asarray(domains), np.asarray(spares)) == pytest.approx(direct, rel=1e-10)


@given(out=st.floats(0, 1), domains=st.integers(1, 200), spares=st.integers(0, 200))
def test_spares_suffice_with_a_probability_that_grows_with_them(out: float, domains: int, spares: int) -> None:
    held = np.arange(0, spares + 1)
    probability = spares_suffice(np.asarray(out), np.asarray(domains), held)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert (np.diff(probability) >= -1e-15).all()
    if spares >= domains:
        assert probability[-1] == pytest.approx(1, rel=1e-9)


@given(outs=st.lists(st.floats(0, 1), min_size=1, max_size=6), spares=st.lists(st.integers(0, 80), min_size=1))
def test_spares_of_a_block_are_those_of_each_element_to_the_bit(outs: list[float], spares: list[int]) -> None:
    many = np.asarray(60.0)
    mesh = spares_suffice(np.asarray(outs)[:, None], many, np.asarray(spares, dtype=float)[None, :])
    for i, out in enumerate(outs):
        for j, held in enumerate(spares):
            assert mesh[i, j] == spares_suffice(np.asarray(out), many, np.asarray(float(held)))


def test_few_failures_among_many_domains_are_nearly_poisson() -> None:
    mean, spares = 2.0, 3
    poisson = math.fsum(mean**k * math.exp(-mean) / math.factorial(k) for k in range(spares + 1))
    assert spares_suffice(np.asarray(mean / 1e6), np.asarray(1e6), np.asarray(3.0)) == pytest.approx(poisson, rel=1e-5)
