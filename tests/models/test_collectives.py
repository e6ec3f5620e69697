"""Closed forms, limits, laws, and measured bus bandwidths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.collectives import (
    DISPATCH,
    LIBRARY,
    START,
    Fabric,
    all_gather,
    all_reduce,
    all_reduce_direct,
    all_to_all,
    broadcast,
    depth,
    group_of,
    point_to_point,
    reduce_scatter,
    up_share,
)

SLOW_NUMBERS = (np.float64(400e9), np.float64(1e-6), np.float64(50e9), np.float64(5e-6))
SLOW = Fabric(*SLOW_NUMBERS)
SWITCHED = Fabric(*SLOW_NUMBERS, np.float64(0.8))
KINDS = (all_gather, reduce_scatter, all_reduce, all_reduce_direct, broadcast, all_to_all)
FABRICS = pytest.mark.parametrize("links", [SLOW, SWITCHED], ids=["ring", "switched"])
sizes = st.integers(2, 4096)
volumes = st.floats(1e3, 1e11)


def fabric(up: float, up_latency: float, out: float, out_latency: float) -> Fabric:
    return Fabric(np.float64(up), np.float64(up_latency), np.float64(out), np.float64(out_latency))


def group(size: int, inside: int, library=LIBRARY):
    return group_of(np.asarray([float(size)]), np.asarray([float(inside)]), library=library)


def of_large(time: float) -> float:
    """What is left of the time of a large message without start and protocol."""
    return time - START - LIBRARY.protocol


@FABRICS
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("library", [LIBRARY, DISPATCH])
def test_one_rank_takes_exactly_no_time(kind, links, library):
    assert kind(np.float64(1e9), group(1, 8, library), links).item() == 0.0


@FABRICS
@pytest.mark.parametrize("kind", KINDS)
@given(size=sizes, inside=sizes, volume=volumes, factor=st.floats(1.001, 100))
def test_more_bytes_take_longer_and_more_speed_less(kind, links, size, inside, volume, factor):
    ranks = group(size, inside)
    time = kind(np.float64(volume), ranks, links).item()
    assert kind(np.float64(volume * factor), ranks, links).item() > time
    for name in ("up_rate", "out_rate"):
        assert kind(np.float64(volume), ranks, replace(links, **{name: getattr(links, name) * factor})).item() <= time
    for name in ("up_latency", "out_latency", "start"):
        assert kind(np.float64(volume), ranks, replace(links, **{name: getattr(links, name) / factor})).item() <= time


@pytest.mark.parametrize("kind", [all_gather, reduce_scatter, all_to_all])
@pytest.mark.parametrize("library", [LIBRARY, DISPATCH])
@given(size=sizes, volume=volumes)
def test_no_chip_receives_faster_than_its_links(kind, library, size, volume):
    # whatever the algorithm, (n-1)/n of the volume arrives from others
    time = kind(np.float64(volume), group(size, size, library), SLOW).item()
    assert time >= (size - 1) / size * volume / 400e9


@pytest.mark.parametrize("kind", [all_reduce, all_reduce_direct])
@given(size=sizes, volume=volumes)
def test_all_reduce_obeys_the_bandwidth_bound(kind, size, volume):
    # without switches that add, no algorithm moves less than 2 (n-1)/n V through every chip
    time = kind(np.float64(volume), group(size, size), SLOW).item()
    assert time >= 2 * (size - 1) / size * volume / 400e9


@given(size=sizes, volume=volumes)
def test_switches_that_add_never_hurt_and_still_send_the_volume_once(size, volume):
    ranks = group(size, size)
    time = all_reduce(np.float64(volume), ranks, SWITCHED).item()
    assert volume / 400e9 <= time <= all_reduce(np.float64(volume), ranks, SLOW).item()


def test_large_all_reduce_is_a_ring():
    # infinitely fast hops leave 2 (n-1)/n V/B, and half a step to add the own piece
    time = all_reduce(np.float64(8e9), group(8, 8), fabric(300e9, 0.0, 25e9, 0.0)).item()
    assert of_large(time) == pytest.approx((2 * 7 + LIBRARY.copy) / 8 * 8e9 / 300e9, rel=1e-12)


def test_small_messages_move_at_a_lower_rate_without_the_start_of_the_large_protocol():
    time = all_gather(np.float64(1e5), group(8, 8), fabric(300e9, 0.0, 25e9, 0.0)).item()
    assert time - START == pytest.approx((7 + LIBRARY.copy) / 8 * 1e5 / 300e9 / LIBRARY.small_rate, rel=1e-12)


def test_a_small_all_reduce_over_many_domains_is_a_tree_of_chains():
    # 64 domains of 8: seven hops along a chain and six levels between domains, up and down, instead of 511 hops
    time = all_reduce(np.float64(1.0), group(512, 8), SLOW).item()
    assert time - START == pytest.approx(2 * (7 * 1e-6 + 6 * 5e-6), rel=1e-3)


def test_a_large_all_reduce_in_switches_sends_the_volume_once():
    # 8 ranks: 8/7 of the volume at 0.8 of the rate
    time = all_reduce(np.float64(8e9), group(8, 8), replace(SWITCHED, up_latency=np.float64(0.0))).item()
    assert time - START - 8 * LIBRARY.switch == pytest.approx(8 / 7 * 8e9 / (0.8 * 400e9), rel=1e-12)


def test_switches_that_do_not_add_are_left_out_design_by_design():
    mixed = replace(SLOW, switch_reduction=np.asarray([[0.0], [0.8]]))
    times = all_reduce(np.asarray([0.0, 8e9]), group(8, 8), mixed)
    for row, links in enumerate((SLOW, SWITCHED)):
        assert times[row].tolist() == all_reduce(np.asarray([0.0, 8e9]), group(8, 8), links).tolist()


@pytest.mark.parametrize(("ranks", "volume", "direct"), [(8, 1e5, True), (8, 8.1e6, False), (2, 8.1e6, True)])
def test_a_direct_all_reduce_reads_all_peers_while_its_buffers_hold_the_volume(ranks, volume, direct):
    time = all_reduce_direct(np.float64(volume), group(ranks, ranks), SLOW).item()
    if direct:
        expected = LIBRARY.direct * START + 1e-6 + (ranks - 1) * volume / 400e9
        assert time == pytest.approx(expected, rel=1e-12)
    else:
        assert time == all_reduce(np.float64(volume), group(ranks, ranks), SLOW).item()


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
    time = all_gather(np.float64(1e9), group(128, 8), quiet).item()
    assert of_large(time) == pytest.approx(
        127 / 128 * 1e9 / (8 * 50e9), rel=1e-9
    )  # eight rings, each through all nodes
    lone = all_gather(np.float64(1e9), group(16, 1), quiet).item()
    assert of_large(lone) == pytest.approx(15 / 16 * 1e9 / 50e9, rel=1e-9)


def test_an_exchange_sends_most_bytes_out_of_the_domain():
    quiet = fabric(1e15, 0.0, 50e9, 0.0)
    time = of_large(all_to_all(np.float64(1e9), group(64, 8), quiet).item())
    assert time == pytest.approx(7 / 8 * 1e9 / 50e9, rel=1e-9)
    half = of_large(all_to_all(np.float64(1e9), group(64, 8), quiet, 0.5).item())
    assert half == pytest.approx(time / 2, rel=1e-9)


def test_a_dispatch_moves_its_own_tokens_too():
    time = all_to_all(np.float64(1e9), group(8, 8, DISPATCH), fabric(400e9, 0.0, 50e9, 0.0)).item()
    assert time - START - DISPATCH.start == pytest.approx(1e9 / (DISPATCH.exchange * 400e9), rel=1e-12)


@given(size=st.integers(2, 512), domain=st.sampled_from([8, 64, 72, 384]), volume=volumes)
def test_an_exchange_stays_below_the_bisection(size, domain, volume):
    # each half of the ranks sends half of its bytes across the middle
    ranks = group(size, min(domain, size))
    time = all_to_all(np.float64(volume), ranks, SLOW).item()
    if size > domain:
        crossing = size / 2 * volume * max(size - domain, 0) / size / 2
        assert time >= crossing / (size / 2 * 50e9)


A100 = Fabric(*(np.float64(x) for x in (300e9 * 0.783, 1.03e-6, 25e9, 3.7e-6)), 0.0, 10.3e-6)
H200 = Fabric(*(np.float64(x) for x in (450e9 * 0.816, 0.96e-6, 43e9, 3.7e-6)), 0.854, 5e-6)
NVL72 = Fabric(*(np.float64(x) for x in (900e9 * 0.758, 1.27e-6, 43e9, 3.7e-6)), 0.63, 8.1e-6)


@pytest.mark.parametrize(
    ("kind", "links", "ranks", "volume", "measured"),
    [
        # stas00/ml-engineering @744d01e: nccl-tests on 8 A100, 234.9 GB/s; NCCL 2.27 on 8 H200 with and without NVLS
        (all_reduce, A100, 8, 17179869184, 127.997e-3),
        (all_reduce, H200, 8, 17179869184, 62.6e-3),
        (all_reduce, replace(H200, switch_reduction=0.0), 8, 17179869184, 81.9e-3),
        # coreweave/nccl-tests @cb86553: GB200 NVL72, NCCL 2.26
        (all_reduce, NVL72, 72, 1073741824, 3.1088e-3),
        # ai-dynamo/aiconfigurator @095f58a: NCCL 2.27 on A100, 2.29 on H200 and GB200
        (all_gather, A100, 2, 536870912, 1.7898e-3),
        (all_gather, H200, 8, 536870912, 1.39497e-3),
        (all_gather, H200, 8, 1048576, 16.96e-6),
        (reduce_scatter, NVL72, 4, 536870912, 0.7333e-3),
        (all_to_all, A100, 8, 536870912, 2.3135e-3),
        # the same: TensorRT-LLM's own kernel
        (all_reduce_direct, H200, 2, 1048576, 5.966e-6),
        (all_reduce_direct, NVL72, 4, 1048576, 9.468e-6),
    ],
)
def test_published_times(kind, links, ranks, volume, measured):
    assert kind(np.float64(volume), group(ranks, ranks), links).item() == pytest.approx(measured, rel=0.13)


@given(volume=volumes)
def test_point_to_point(volume):
    assert point_to_point(np.float64(volume), np.float64(50e9), np.float64(5e-6)) == START + 5e-6 + volume / 50e9


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
