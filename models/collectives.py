"""Time of collective operations: latency and bandwidth, inside a domain and between domains.

A group of ``size`` ranks has ``inside`` ranks in each domain. A ring over whole domains uses the network interface of
every rank (``inside`` of them) to cross from domain to domain, so it runs at the smaller of the scale-up rate and
``inside`` times the scale-out rate. All rates are per chip and direction, after efficiency [byte/s]; ``up`` inside the
domain, ``out`` between domains. A group of one rank takes exactly no time.

Gathers and scatters are rings at every size: NCCL has trees for all-reduce alone (github.com/NVIDIA/nccl, issue 1473,
its maintainer), so their latency grows with the ranks.

Not modelled: congestion between jobs and stragglers (optimistic with scale), the reduction inside switches (pessimistic
by up to 1.6 on NVLink SHARP for all-reduce), libraries with logarithmic gathers (PAT in NCCL for one rank per node, NHR
in HCCL: pessimistic for many ranks and few bytes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.inputs import Array

TOPOLOGIES = ("single_tier", "two_tier_ub", "torus", "mesh")
"""Kinds of scale-up fabric."""


START = 10e-6
"""Fixed start of a collective of more than one rank [s]: NCCL fits extrapolated to no hops give 9.7 to 12 us on A100,
H100 and GB200 (measurements in aiconfigurator-core 0.12.0)."""


@dataclass(frozen=True, slots=True)
class Fabric:
    """Rates [byte/s] and start-up times [s] of the two tiers, per chip and direction, after efficiency.

    ``out_rate`` holds the oversubscription: what a chip gets when all chips send across the core at once.
    """

    up_rate: Array
    up_latency: Array
    out_rate: Array
    out_latency: Array


@dataclass(frozen=True, slots=True)
class Group:
    """What the time of a collective depends on, per communication group; made by ``group_of``.

    ``up`` and ``out`` are the parts of a gathered volume that one chip receives through its scale-up links and through
    its network interface; ``exchange_out`` the part of an exchanged volume that leaves the domain; ``ring_*`` and
    ``tree_*`` the hops of one pass by tier; ``start`` [s] the fixed start; ``crosses`` says whether any group of the
    table leaves its domain.
    """

    size: Array
    inside: Array
    domains: Array
    up: Array
    out: Array
    exchange_out: Array
    ring_up: Array
    ring_out: Array
    tree_up: Array
    tree_out: Array
    tree_volume: Array
    start: Array
    crosses: bool


def depth(count: Array) -> Array:
    """Levels of a binary tree over ``count`` ranks: log2 rounded up, exact for whole numbers."""
    return np.frexp(count - 1.0)[1].astype(np.float64)


def group_of(size: Array, inside: Array, share: Array | float = 1.0) -> Group:
    """Describe groups of ``size`` ranks with at most ``inside`` of them in a domain.

    ``share``: part of the scale-up rate of a chip that the group can use (``up_share``). A group that cannot fill its
    last domain is spread evenly over its domains.
    """
    size = np.asarray(size, dtype=np.float64)
    inside = np.minimum(inside, size)
    domains = np.ceil(size / inside)
    several = size > 1.0
    gathered = (size - 1.0) / size
    return Group(
        size=size,
        inside=inside,
        domains=domains,
        up=np.where(inside > 1.0, gathered, 0.0) / share,
        out=(domains - 1.0) / size,
        exchange_out=(domains - 1.0) / domains,
        ring_up=np.where(several, size - domains, 0.0),
        ring_out=domains - 1.0,
        tree_up=depth(inside),
        tree_out=depth(domains),
        tree_volume=np.where(several, 1.0 / np.where(several, gathered, 1.0), 1.0),
        start=np.where(several, START, 0.0),
        crosses=bool((domains > 1.0).any()),
    )


def _transfer(group: Group, fabric: Fabric) -> Array:
    """Seconds per gathered byte: the slower of what a chip receives by its scale-up links and its interface."""
    transfer = group.up / fabric.up_rate
    return np.maximum(transfer, group.out / fabric.out_rate) if group.crosses else transfer


def _hops(up: Array, out: Array, group: Group, fabric: Fabric) -> Array:
    """Latency of a pass of ``up`` hops inside domains and ``out`` between them [s]."""
    return up * fabric.up_latency + out * fabric.out_latency if group.crosses else up * fabric.up_latency


def all_gather(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time after which every rank holds all ``volume`` bytes, of which it had 1/size [s].

    Start and ring: ``(n-1) latency + (n-1)/n V/B`` with ``B = min(scale-up rate, inside x scale-out rate)`` for groups
    of several domains. The latency is that of ``size - domains`` hops inside and ``domains - 1`` between domains.
    """
    latency = group.start + _hops(group.ring_up, group.ring_out, group, fabric)
    return latency + volume * _transfer(group, fabric)


def reduce_scatter(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time after which every rank holds the sum of its 1/size of ``volume`` bytes [s]; as all-gather, reversed."""
    return all_gather(volume, group, fabric)


def all_reduce(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time after which every rank holds the sum of all ``volume`` bytes [s].

    The faster of a ring, ``2 ((n-1) latency + (n-1)/n V/B)``, and a double tree, ``2 (log2(n) latency + V/B)``.
    """
    transfer = volume * _transfer(group, fabric)
    ring = _hops(group.ring_up, group.ring_out, group, fabric) + transfer
    tree = _hops(group.tree_up, group.tree_out, group, fabric) + transfer * group.tree_volume
    return 2.0 * (group.start + np.minimum(ring, tree))


def broadcast(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time after which every rank holds the ``volume`` bytes of one rank [s]: a pipelined tree.

    ``log2(n) latency + V/B``, where every domain receives the volume once.
    """
    transfer = np.where(group.up > 0.0, volume / fabric.up_rate, 0.0)
    latency = group.start + group.tree_up * fabric.up_latency + group.tree_out * fabric.out_latency
    return latency + np.maximum(transfer, np.where(group.domains > 1.0, volume / fabric.out_rate, 0.0))


def all_to_all(volume: Array, group: Group, fabric: Fabric, crossing: Array | float = 1.0) -> Array:
    """Time of an exchange in which every rank sends ``volume`` bytes spread evenly over all ranks [s].

    The part ``(n-1)/n`` leaves the rank and ``(d-1)/d`` the domain. ``crossing`` is the part of the bytes bound for
    other domains that really crosses: a token that several ranks of a domain want crosses once and is handed on
    inside. Both tiers work at the same time; the scale-out rate keeps the exchange below the bisection.
    """
    transfer = group.up / fabric.up_rate
    latency = group.start + (group.size > 1.0) * fabric.up_latency
    if group.crosses:
        transfer = np.maximum(transfer, crossing * group.exchange_out / fabric.out_rate)
        latency = latency + (group.domains > 1.0) * fabric.out_latency
    return latency + volume * transfer


def point_to_point(volume: Array, rate: Array, latency: Array) -> Array:
    """Time to send ``volume`` bytes to one other chip [s]."""
    return np.asarray(latency + volume / rate)


def up_share(topology: str, size: Array, domain: float) -> Array:
    """Share of the scale-up rate of a chip that a group of ``size`` ranks inside a domain can use.

    Switched domains (``single_tier``, ``two_tier_ub``): all of it. A full ``mesh`` has one link to each of the other
    ``domain - 1`` chips: ``(size - 1)/(domain - 1)``. A ``torus`` of three dimensions gives a line of chips a third of
    the links, a plane two thirds; an exchange over the whole torus, whose bisection is narrower still, counts as a
    ring (optimistic for expert parallelism on large tori).
    """
    size = np.asarray(size, dtype=np.float64)
    if topology == "mesh":
        return np.minimum(np.maximum(size - 1.0, 1.0) / max(domain - 1.0, 1.0), 1.0)
    if topology == "torus":
        side = round(domain ** (1.0 / 3.0))
        return np.where(size <= side, 1.0 / 3.0, np.where(size <= side * side, 2.0 / 3.0, 1.0))
    return np.ones_like(size)
