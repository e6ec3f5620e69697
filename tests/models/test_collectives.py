"""Closed forms, limits, laws, and measured bus bandwidths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.collectives import (
    START,
    Fabric,
    all_gather,
    all_reduce,
    all_to_all,
    broadcast,
    depth,
    group_of,
    point_to_point,
    reduce_scatter,
    up_share,
)

SLOW = Fabric(np.float64(400e9), np.float64(1e-6), np.float64(50e9), np.float64(5e-6))
KINDS = (all_gather, reduce_scatter, all_reduce, broadcast, all_to_all)
sizes = st.integers(2, 4096)
volumes = st.floats(1e3, 1e11)


def fabric(up: float, up_latency: float, out: float, out_latency: float) -> Fabric:
    return Fabric(np.float64(up), np.float64(up_latency), np.float64(out), np.float64(out_latency))


def group(size: int, inside: int):
    return group_of(np.asarray([float(size)]), np.asarray([float(inside)]))


@pytest.mark.parametrize("kind", KINDS)
def test_one_rank_takes_exactly_no_time(kind):
    assert kind(np.float64(1e9), group(1, 8), SLOW).item() == 0.0


@pytest.mark.parametrize("kind", KINDS)
@given(size=sizes, inside=sizes, volume=volumes, factor=st.floats(1.001, 100))
def test_more_bytes_take_longer_and_more_speed_less(kind, size, inside, volume, factor):
    ranks = group(size, inside)
    time = kind(np.float64(volume), ranks, SLOW).item()
    assert kind(np.float64(volume * factor), ranks, SLOW).item() > time
    assert kind(np.float64(volume), ranks, fabric(400e9 * factor, 1e-6, 50e9, 5e-6)).item() <= time
    assert kind(np.float64(volume), ranks, fabric(400e9, 1e-6, 50e9 * factor, 5e-6)).item() <= time
    assert kind(np.float64(volume), ranks, fabric(400e9, 1e-6 / factor, 50e9, 5e-6)).item() <= time
    assert kind(np.float64(volume), ranks, fabric(400e9, 1e-6, 50e9, 5e-6 / factor)).item() <= time


@given(size=st.sampled_from([2, 4, 8, 64, 512]), volume=volumes)
def test_all_reduce_obeys_the_bandwidth_bound(size, volume):
    # no algorithm moves less than 2 (n-1)/n V through every chip
    time = all_reduce(np.float64(volume), group(size, size), SLOW).item()
    assert time >= 2 * (size - 1) / size * volume / 400e9


def test_large_all_reduce_is_a_ring():
    # infinitely fast start-ups leave 2 (n-1)/n V/B
    time = all_reduce(np.float64(8e9), group(8, 8), fabric(300e9, 0.0, 25e9, 0.0)).item()
    assert time - 2 * START == pytest.approx(2 * 7 / 8 * 8e9 / 300e9, rel=1e-12)


def test_a_small_all_reduce_over_many_ranks_is_a_tree():
    # 512 ranks: 9 levels up and down instead of 511 hops
    time = all_reduce(np.float64(1.0), group(512, 512), SLOW).item()
    assert time - 2 * START == pytest.approx(2 * 9 * 1e-6, rel=1e-3)


@pytest.mark.parametrize("kind", [all_gather, reduce_scatter])
def test_a_small_gather_pays_every_hop_of_the_ring(kind):
    # 64 domains of 8: seven hops in each, and 63 from domain to domain
    time = kind(np.float64(1.0), group(512, 8), SLOW).item()
    assert time - START == pytest.approx(448 * 1e-6 + 63 * 5e-6, rel=1e-6)


@given(inside=st.sampled_from([1, 8, 72]), domains=st.integers(2, 64), volume=volumes)
def test_a_gather_stays_below_the_interfaces_of_a_domain(inside, domains, volume):
    # every domain must receive what it does not hold through its interfaces
    time = all_gather(np.float64(volume), group(inside * domains, inside), SLOW).item()
    assert time >= volume * (domains - 1) / domains / (inside * 50e9)


def test_a_ring_over_domains_uses_all_network_interfaces():
    # 16 nodes of 8: the slower of 400 GB/s inside and 8 x 50 GB/s between
    quiet = fabric(1e15, 0.0, 50e9, 0.0)
    time = all_gather(np.float64(1e9), group(128, 8), quiet).item() - START
    assert time == pytest.approx(15 / 16 * 1e9 / (8 * 50e9), rel=1e-9)
    lone = all_gather(np.float64(1e9), group(16, 1), quiet).item() - START
    assert lone == pytest.approx(15 / 16 * 1e9 / 50e9, rel=1e-9)


def test_an_exchange_sends_most_bytes_out_of_the_domain():
    quiet = fabric(1e15, 0.0, 50e9, 0.0)
    time = all_to_all(np.float64(1e9), group(64, 8), quiet).item() - START
    assert time == pytest.approx(7 / 8 * 1e9 / 50e9, rel=1e-9)
    half = all_to_all(np.float64(1e9), group(64, 8), quiet, 0.5).item() - START
    assert half == pytest.approx(time / 2, rel=1e-9)


@given(size=st.integers(2, 512), domain=st.sampled_from([8, 64, 72, 384]), volume=volumes)
def test_an_exchange_stays_below_the_bisection(size, domain, volume):
    # each half of the ranks sends half of its bytes across the middle
    ranks = group(size, min(domain, size))
    time = all_to_all(np.float64(volume), ranks, SLOW).item()
    if size > domain:
        crossing = size / 2 * volume * max(size - domain, 0) / size / 2
        assert time >= crossing / (size / 2 * 50e9)


@pytest.mark.parametrize(
    ("ranks", "bytes_moved", "rate", "measured"),
    [
        (8, 17.2e9, 300e9 * 0.783, 234.9e9),  # 8 x A100, nccl-tests, ml-engineering @744d01e
        (72, 8e9, 900e9 * 0.93, 835e9),  # GB200 NVL72, coreweave/nccl-tests @cb86553
    ],
)
def test_bus_bandwidth_of_large_all_reduces(ranks, bytes_moved, rate, measured):
    # large messages reach the measured rate: latencies must not eat more than 3 %
    time = all_reduce(np.float64(bytes_moved), group(ranks, ranks), fabric(rate, 1e-6, 50e9, 5e-6)).item()
    assert 2 * (ranks - 1) / ranks * bytes_moved / time == pytest.approx(measured, rel=0.03)


def test_point_to_point():
    assert point_to_point(np.float64(1e9), np.float64(50e9), np.float64(5e-6)) == pytest.approx(0.020005)


def test_a_mesh_gives_a_pair_one_link():
    assert up_share("mesh", np.asarray([2.0]), 8).item() == pytest.approx(1 / 7)
    assert up_share("mesh", np.asarray([8.0]), 8).item() == 1
    assert up_share("single_tier", np.asarray([2.0]), 8).item() == 1


def test_a_torus_gives_a_line_a_third_of_the_links():
    shares = up_share("torus", np.asarray([4.0, 16.0, 64.0]), 64)
    assert shares.tolist() == pytest.approx([1 / 3, 2 / 3, 1])


@given(st.integers(1, 1 << 20))
def test_tree_depth_is_exact(count):
    assert depth(np.float64(count)) == (count - 1).bit_length()
