"""Runs over several sites: limits with published or hand-made numbers, and laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_facts import CLOUDMATRIX, DGX_H100, LLAMA_8B, LLAMA_405B, NVL72, job

from models.evaluate import performance_stage
from models.fabric import fabric_stage
from models.fleet import WideArea, exchange_time, exposed_time
from models.inputs import ModelInputError
from models.reasons import Reason
from models.training import training_stage
from models.training_report import TIMES
from models.transformer import parameters

FAST: dict[str, Any] = {"site_bandwidth": 1e30, "site_latency": 0.0}
WIDE: dict[str, Any] = {"site_bandwidth": 50e9, "site_latency": 5e-3}
JOBS = [
    job(NVL72, LLAMA_405B, domains=16, global_batch=512),
    job(CLOUDMATRIX, LLAMA_405B, domains=4, global_batch=512),
    job(DGX_H100, LLAMA_8B, domains=16, global_batch=256),
]
jobs = st.sampled_from(JOBS)
sites = st.sampled_from([2, 4])
MEMORY_CLUSTER = {"scale_out_switch_radix": 64, "scale_out_link_rate": 50e9, "chips_per_node": 8, "scale_up_planes": 4}


def seconds(known: dict[str, Any], **others: Any) -> np.ndarray:
    return np.asarray(training_stage(known | others)["step_time"])


def test_exchange_of_two_sites_by_hand() -> None:
    """Two sites send each other 100 GB at 10 GB/s as a ring: each half goes and comes back, 10 s, and two latencies."""
    assert exchange_time(100e9, 2, np.asarray(10e9), np.asarray(0.05)) == pytest.approx(10.0 + 2 * 0.05)


def test_a_ring_wins_large_exchanges_and_a_tree_small_ones() -> None:
    """Of 40 sites: 78 latencies and 39/40 of twice the volume, or 12 latencies and twice the volume."""
    large = exchange_time(1e15, 40, np.asarray(1e9), np.asarray(0.01))
    assert large == pytest.approx(78 * 0.01 + 2e6 * 39 / 40)
    small = exchange_time(1.0, 40, np.asarray(1e9), np.asarray(0.01))
    assert small == pytest.approx(12 * 0.01)


def test_the_exchange_hides_behind_what_the_reduction_inside_leaves_or_is_spread_over_outer_steps() -> None:
    """8 s after 2 s inside: of 3 s of backward pass 1 s is left, of 20 s all; nine tenths of that hide."""
    wide = WideArea(np.asarray([8.0]), np.asarray([[1.0], [1.0], [1.0], [4.0]]))
    reduced, window = np.asarray([[2.0], [2.0], [5.0], [2.0]]), np.asarray([[3.0], [20.0], [4.0], [20.0]])
    found = exposed_time(wide, reduced, window, np.asarray(0.9))
    assert found.ravel() == pytest.approx([8 - 0.9 * 1, 8 - 0.9 * 8, 8, 2])


@pytest.mark.parametrize("known", JOBS)
def test_one_site_changes_no_bit(known: dict[str, Any]) -> None:
    plain, one = training_stage(known), training_stage(known | WIDE | {"sites": 1, "outer_steps": 7})
    assert plain["cross_site_time"] == plain["site_exchange_time"] == 0
    for name, value in plain.items():
        assert np.array_equal(value, one[name], equal_nan=np.asarray(value).dtype.kind == "f"), name


@settings(deadline=None, max_examples=10)
@given(known=jobs, count=sites)
def test_an_exchange_is_no_faster_than_the_interfaces_of_a_site(known: dict[str, Any], count: int) -> None:
    chips = known["domains"] // count * known["scale_up_size"]
    rate = chips * known["scale_out_bandwidth"] * known["scale_out_efficiency"]
    volume = 4 * parameters(known["shape"]) * 2 * (count - 1) / count
    found = training_stage(known | FAST | {"sites": count})
    assert found["site_exchange_time"] == pytest.approx(volume / rate)


@settings(deadline=None, max_examples=30)
@given(
    known=jobs,
    count=sites,
    bandwidth=st.floats(1e9, 1e15),
    latency=st.floats(0, 0.1),
    outer=st.sampled_from([1, 10, 1000]),
    fixed=st.sampled_from([{}, {"optimizer_sharding": 3}, {"pipeline_parallel": 4}, {"overlap_gradients": 0.0}]),
)
def test_one_place_is_never_slower_than_several(
    known: dict[str, Any], count: int, bandwidth: float, latency: float, outer: int, fixed: dict[str, Any]
) -> None:
    wide = {"site_bandwidth": bandwidth, "site_latency": latency, "outer_steps": outer}
    together, apart = training_stage(known | fixed), training_stage(known | fixed | wide | {"sites": count})
    assert together["step_time"] <= apart["step_time"]
    assert together["tokens_per_second"] >= apart["tokens_per_second"] * (1 - 1e-12)  # rounding
    assert sum(float(apart[name]) for name in TIMES[1:]) == pytest.approx(float(apart["step_time"]))


def test_forty_supernodes_apart_are_no_faster_than_in_one_place() -> None:
    """Links of 8 Tbit/s and 20 ms, an exchange every step."""
    known = job(CLOUDMATRIX, LLAMA_405B, domains=40, global_batch=3840)
    wide = {"site_bandwidth": 1e12, "site_latency": 0.02}
    times = [float(seconds(known, sites=count, **(wide if count > 1 else {}))) for count in (1, 2, 20, 40)]
    assert min(times) == times[0]
    assert times[3] > times[0]


@settings(deadline=None, max_examples=10)
@given(known=jobs, count=sites, low=st.floats(1e6, 1e12), factor=st.floats(1, 1e6), outer=st.sampled_from([1, 10]))
def test_more_bandwidth_or_less_latency_never_slows(
    known: dict[str, Any], count: int, low: float, factor: float, outer: int
) -> None:
    mesh = {"site_bandwidth": np.asarray([[low, low * factor]]), "site_latency": np.asarray([[0.01], [0.01 / factor]])}
    times = seconds(known, sites=count, outer_steps=outer, **mesh)
    assert (np.diff(times, axis=1) <= 0).all()
    assert (np.diff(times, axis=0) <= 0).all()


@settings(deadline=None, max_examples=10)
@given(known=jobs, count=sites, few=st.integers(2, 50), factor=st.integers(1, 50))
def test_rarer_exchanges_never_slow_local_training(known: dict[str, Any], count: int, few: int, factor: int) -> None:
    outer = np.asarray([float(few), float(few * factor)])
    assert np.diff(seconds(known, sites=count, outer_steps=outer, **WIDE)) <= 0


@given(
    volume=st.floats(1, 1e15),
    count=st.integers(1, 1000),
    bandwidth=st.floats(1e3, 1e15),
    latency=st.floats(0, 10),
    factor=st.floats(1e-3, 1e3),
)
def test_exchange_is_homogeneous(volume: float, count: int, bandwidth: float, latency: float, factor: float) -> None:
    """Twice the bytes over twice the bandwidth take as long; half the speed and twice the latency twice as long."""
    once = exchange_time(volume, count, np.asarray(bandwidth), np.asarray(latency))
    same = exchange_time(volume * factor, count, np.asarray(bandwidth * factor), np.asarray(latency))
    scaled = exchange_time(volume, count, np.asarray(bandwidth / factor), np.asarray(latency * factor))
    assert same == pytest.approx(once)
    assert scaled == pytest.approx(once * factor)


def test_exchange_is_never_faster_than_its_bytes() -> None:
    """A site sends and receives at least ``2 (S-1)/S`` of the gradients: the lower bound of any all-reduce."""
    known = JOBS[0] | WIDE
    found = training_stage(known | {"sites": 4})
    assert found["site_exchange_time"] >= 2 * 3 / 4 * 4 * parameters(LLAMA_405B) / 50e9


def test_parts_add_up_and_counts_are_those_of_all_sites() -> None:
    known = JOBS[0] | WIDE | {"sites": 4}
    found, site = training_stage(known), training_stage(JOBS[0] | {"domains": 4, "global_batch": 128})
    assert sum(float(found[name]) for name in TIMES[1:]) == pytest.approx(float(found["step_time"]))
    assert found["chips_used"] % 4 == found["data_parallel"] % 4 == 0
    assert str(found["mapping"]).endswith(".sites4")
    assert found["tokens_per_second"] == pytest.approx(512 * 8192 / float(found["step_time"]))
    assert found["cross_site_time"] > 0
    assert site["cross_site_time"] == 0


def test_slow_sites_move_the_choice_of_mapping_only_where_it_pays() -> None:
    """The mapping is chosen with the exchange in sight: fixing that of a lone site is never faster."""
    known = JOBS[2] | WIDE | {"sites": 4, "site_bandwidth": 5e9}
    lone = training_stage(JOBS[2] | {"domains": 4, "global_batch": 64})
    names = ("tensor_parallel", "pipeline_parallel", "micro_batch", "context_parallel")
    fixed = {name: int(lone[name]) for name in names}
    assert seconds(known) <= seconds(known, **fixed)


def test_a_batch_that_does_not_divide_waits_for_the_fullest_site() -> None:
    known = JOBS[2] | FAST | {"sites": 4}
    assert seconds(known, global_batch=253) == seconds(known, global_batch=256)
    uneven, even = training_stage(known | {"global_batch": 253}), training_stage(known)
    share = uneven["model_flops_utilisation"] / even["model_flops_utilisation"]
    assert share == pytest.approx(253 / 256)
    assert uneven["tokens_per_second"] / even["tokens_per_second"] == pytest.approx(253 / 256)


def test_every_site_has_a_tree_of_its_own() -> None:
    """3 sites of 8 nodes with 8 ports of 50 GB/s need one 64-port switch each; 24 nodes together a tree of two."""
    known = DGX_H100 | MEMORY_CLUSTER | {"domains": 24, "scale_up_switch_ports": 64, "scale_up_link_rate": 25e9}
    together, apart = fabric_stage(known), fabric_stage(known | WIDE | {"sites": 3})
    assert (together["scale_out_layers"], apart["scale_out_layers"]) == (2, 1)
    assert apart["scale_out_switches"] == 3
    assert apart["nics"] == together["nics"] == 192
    assert apart["bisection_bandwidth"] == 50e9
    uneven = fabric_stage(known | WIDE | {"sites": 3, "domains": 25})
    assert (uneven["chips"], uneven["scale_out_switches"]) == (200, 2 + 5)


@pytest.mark.parametrize(
    ("others", "reason"), [({"sites": 32}, Reason.SITES), ({"sites": 8, "global_batch": 4}, Reason.BATCH)]
)
def test_more_sites_than_work_are_infeasible(others: dict[str, Any], reason: Reason) -> None:
    assert training_stage(JOBS[2] | WIDE | others)["reason"] == reason


@pytest.mark.parametrize(
    ("others", "word"),
    [
        ({"site_latency": 1e-3}, "site_bandwidth"),
        ({"site_bandwidth": 1e9}, "site_latency"),
        ({**WIDE, "site_bandwidth": 0.0}, "site_bandwidth"),
        ({**WIDE, "outer_steps": 0}, "outer_steps"),
        ({**WIDE, "data_parallel": 3}, "data_parallel"),
    ],
)
def test_what_several_sites_need(others: dict[str, Any], word: str) -> None:
    with pytest.raises(ModelInputError, match=word):
        training_stage(JOBS[2] | {"sites": 2} | others)


def test_sites_are_for_training() -> None:
    with pytest.raises(ModelInputError, match="serve"):
        performance_stage({"phase": "serve", "sites": 2})
