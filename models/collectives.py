"""Time of collective operations: latency and bandwidth, inside a domain and between domains.

A group of ``size`` ranks has ``inside`` ranks in each domain. A ring over whole domains uses the network interface of
every rank (``inside`` of them) to cross from domain to domain, so it runs at the smaller of the scale-up rate and
``inside`` times the scale-out rate. All rates are per chip and direction, after efficiency [byte/s]; ``up`` inside the
domain, ``out`` between domains. A group of one rank takes exactly no time.

Gathers and scatters are rings at every size: NCCL has trees for all-reduce alone (github.com/NVIDIA/nccl, issue 1473,
its maintainer), so their latency grows with the ranks.

What the library itself costs are a few numbers (``Library``), the same for every fabric; how they were fitted, and
how far the times are from published measurements, is in docs/collectives.md.

Not modelled: congestion between jobs and stragglers (optimistic with scale), copying by few processor cores (DeepEP
with 20 of them stays at half of what NVLink 5 carries: optimistic), libraries with logarithmic gathers (PAT in NCCL
for one rank per node, NHR in HCCL: pessimistic for many ranks and few bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.inputs import Array

TOPOLOGIES = ("single_tier", "two_tier_ub", "torus", "mesh")
"""Kinds of scale-up fabric."""


@dataclass(frozen=True, slots=True)
class Library:
    """What a collective library adds to the wire.

    ``start`` [s]: what a collective needs to start beyond ``Fabric.start``; ``direct``: start of an all-reduce kernel
    that reads the memory of its peers, over ``Fabric.start``. ``protocol`` [s]: what the protocol for large messages
    costs more than that for small ones, which moves bytes at ``small_rate`` of the rate (NCCL: Simple, which
    synchronises buffers, and LL, which sends a flag with every word). ``copy``: steps of the ring that a rank needs to
    copy or add its own piece. ``exchange``: part of the rate that all-to-all reaches, where every rank sends to all
    others at once. ``switch`` [s]: start per rank of a domain of a reduction in its switches.
    """

    start: float
    direct: float
    protocol: float
    small_rate: float
    copy: float
    exchange: float
    switch: float


LIBRARY: Final = Library(
    start=0.0, direct=0.42, protocol=13.8e-6, small_rate=0.45, copy=0.5, exchange=0.89, switch=8.6e-6
)
"""NCCL, fitted to configs/measurements/collectives.csv (docs/collectives.md)."""

DISPATCH: Final = Library(
    start=5.6e-6, direct=0.42, protocol=0.0, small_rate=1.0, copy=1.0, exchange=0.76, switch=8.6e-6
)
"""Kernels that dispatch and combine the tokens of experts (DeepEP, TensorRT-LLM): one protocol, own tokens moved as
all others are; start and exchange fitted to the same file."""

DIRECT_LIMIT, PAIR_LIMIT = 8e6, 16e6
"""Bytes that the buffers of an all-reduce kernel hold, and those of one for two ranks (TensorRT-LLM,
``max_workspace_size_auto``)."""

START: Final = 7.8e-6
"""Start of a collective of more than one rank where the fabric does not say [s]: the mean of A100, Hopper and
Blackwell."""


@dataclass(frozen=True, slots=True)
class Fabric:
    """Rates [byte/s] and start-up times [s] of the two tiers, per chip and direction, after efficiency.

    ``out_rate`` holds the oversubscription: what a chip gets when all chips send across the core at once.
    ``switch_reduction``: rate at which the switches of the domain reduce, over ``up_rate``; 0 where they do not.
    ``start`` [s]: fixed time of a collective of more than one rank.
    """

    up_rate: Array
    up_latency: Array
    out_rate: Array
    out_latency: Array
    switch_reduction: Array | float = 0.0
    start: Array | float = START


@dataclass(frozen=True, slots=True)
class Group:
    """What the time of a collective depends on, per communication group; made by ``group_of``.

    ``up`` and ``out`` are the parts of a gathered volume that one chip moves through its scale-up links and through
    its network interface; ``up_reduced`` and ``up_exchanged`` those of a volume that is reduced for all or exchanged,
    ``up_once`` that of a volume received once, ``exchange_out`` the part of an exchanged volume that leaves the domain,
    ``gather_out`` that of a ring of gathers.
    ``ring_*`` and ``tree_*`` are the hops of one pass by tier; ``several``: 1, or 0 for one rank;
    ``crosses`` says whether any group of the table leaves its domain.
    """

    size: Array
    inside: Array
    domains: Array
    up: Array
    up_reduced: Array
    up_exchanged: Array
    up_once: Array
    out: Array
    gather_out: Array
    exchange_out: Array
    ring_up: Array
    ring_out: Array
    tree_up: Array
    tree_out: Array
    several: Array
    crosses: bool
    library: Library


def depth(count: Array) -> Array:
    """Levels of a binary tree over ``count`` ranks: log2 rounded up, exact for whole numbers."""
    return np.frexp(count - 1.0)[1].astype(np.float64)


def group_of(size: Array, inside: Array, share: Array | float = 1.0, library: Library = LIBRARY) -> Group:
    """Describe groups of ``size`` ranks with at most ``inside`` of them in a domain.

    ``share``: part of the scale-up rate of a chip that the group can use (``up_share``). A group that cannot fill its
    last domain is spread evenly over its domains.
    """
    size = np.asarray(size, dtype=np.float64)
    inside = np.minimum(inside, size)
    domains = np.ceil(size / inside)
    several = np.where(size > 1.0, 1.0, 0.0)
    once = np.where(inside > 1.0, 1.0, 0.0) / share
    piece = once / size
    return Group(
        size=size,
        inside=inside,
        domains=domains,
        up=(size - 1.0 + library.copy) * piece,
        up_reduced=(2.0 * (size - 1.0) + library.copy) * piece,
        up_exchanged=(size - 1.0 + library.copy) * piece / library.exchange,
        up_once=once,
        out=(domains - 1.0) / size,
        gather_out=np.where(domains > 1.0, (size - 1.0) / (size * inside), 0.0),
        exchange_out=(domains - 1.0) / domains,
        ring_up=several * (size - domains),
        ring_out=domains - 1.0,
        tree_up=inside - 1.0,
        tree_out=depth(domains),
        several=several,
        crosses=bool((domains > 1.0).any()),
        library=library,
    )


def _moved(transfer: Array, group: Group) -> Array:
    """Time to move what takes ``transfer`` [s] at the full rate, with the faster of both protocols [s]."""
    library = group.library
    return np.minimum(transfer / library.small_rate, transfer + library.protocol)


def _start(group: Group, fabric: Fabric) -> Array:
    """Return the fixed start of a collective [s]; 0 for one rank."""
    return group.several * (fabric.start + group.library.start)


def _hops(up: Array, out: Array, group: Group, fabric: Fabric) -> Array:
    """Latency of a pass of ``up`` hops inside domains and ``out`` between them [s]."""
    return up * fabric.up_latency + out * fabric.out_latency if group.crosses else up * fabric.up_latency


def all_gather(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time after which every rank holds all ``volume`` bytes, of which it had 1/size [s].

    Start and ring: ``(n-1) latency + (n-1+c)/n V/B``, c the copy of the own piece; for groups of several domains no
    faster than their interfaces: every link of a ring carries ``(n-1)/n V``, those between domains too, of which there
    are as many rings as ranks in a domain, ``(n-1)/(n m) V/B_out``. The latency is that of ``size - domains`` hops
    inside and ``domains - 1`` between domains. Small messages pay a lower rate, large ones the start of their protocol.
    """
    transfer = group.up / fabric.up_rate
    if group.crosses:
        transfer = np.maximum(transfer, group.gather_out / fabric.out_rate)
    latency = _start(group, fabric) + _hops(group.ring_up, group.ring_out, group, fabric)
    return latency + _moved(volume * transfer, group)


def reduce_scatter(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time after which every rank holds the sum of its 1/size of ``volume`` bytes [s]; as all-gather, reversed."""
    return all_gather(volume, group, fabric)


def all_reduce(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time after which every rank holds the sum of all ``volume`` bytes [s].

    The fastest of a ring, ``2 (n-1) latency + (2(n-1)+c)/n V/B``, a double tree of domains with a chain of ``m`` ranks
    in each (as NCCL builds it), ``2 ((m-1 + log2(d)) latency + V/B)``, and the switches of the domains where they
    reduce: every chip sends and receives the volume once.
    """
    ring, tree = group.up_reduced / fabric.up_rate, 2.0 * group.up_once / fabric.up_rate
    if group.crosses:
        out = 2.0 * group.out / fabric.out_rate
        ring, tree = np.maximum(ring, out), np.maximum(tree, out * group.size / np.maximum(group.size - 1.0, 1.0))
    levels = 2.0 * _hops(group.tree_up, group.tree_out, group, fabric)
    hops = 2.0 * _hops(group.ring_up, group.ring_out, group, fabric)
    time = np.minimum(hops + _moved(volume * ring, group), levels + _moved(volume * tree, group))
    if np.any(fabric.switch_reduction):
        time = np.minimum(time, levels + _switched(volume, group, fabric))
    return _start(group, fabric) + time


def _switched(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time of a reduction in the switches of the domains, latency apart [s]; infinite where there is none.

    Its rate grows with ``(m-1)/m`` of the ``m`` ranks in a domain, as 6, 7 and 8 B200 show.
    """
    others, reduction = group.inside - 1.0, np.asarray(fabric.switch_reduction)
    with np.errstate(divide="ignore", invalid="ignore"):
        transfer = group.inside * group.up_once / (others * fabric.up_rate * reduction)
        if group.crosses:
            transfer = np.maximum(transfer, 2.0 * group.out / fabric.out_rate)
        time = group.inside * group.library.switch + volume * transfer
    return np.where((others > 0.0) & (reduction > 0.0), time, np.inf)


def all_reduce_direct(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time of an all-reduce by a kernel that reads the memory of all peers at once, as inference engines have it [s].

    Inside a domain ``start + latency + (n-1) V/B`` while its buffers hold the volume; where slower, larger, or
    between domains ``all_reduce``.
    """
    plain = all_reduce(volume, group, fabric)
    transfer = (group.size - 1.0) * group.up_once / fabric.up_rate
    direct = group.library.direct * fabric.start + fabric.up_latency + volume * transfer
    limit = np.where(group.size > 2.0, DIRECT_LIMIT, PAIR_LIMIT)
    usable = (volume <= limit) & (group.domains == 1.0) & (group.size > 1.0)
    return np.where(usable, np.minimum(plain, direct), plain)


def broadcast(volume: Array, group: Group, fabric: Fabric) -> Array:
    """Time after which every rank holds the ``volume`` bytes of one rank [s].

    A pipelined tree of domains with a chain in each, ``(m-1 + log2(d)) latency + V/B``, where every domain
    receives the volume once.
    """
    transfer = group.up_once / fabric.up_rate
    if group.crosses:
        transfer = np.maximum(transfer, np.where(group.domains > 1.0, 1.0 / fabric.out_rate, 0.0))
    latency = _start(group, fabric) + _hops(group.tree_up, group.tree_out, group, fabric)
    return latency + _moved(volume * transfer, group)


def all_to_all(volume: Array, group: Group, fabric: Fabric, crossing: Array | float = 1.0) -> Array:
    """Time of an exchange in which every rank sends ``volume`` bytes spread evenly over all ranks [s].

    The part ``(n-1)/n`` leaves the rank and ``(d-1)/d`` the domain. ``crossing`` is the part of the bytes bound for
    other domains that really crosses: a token that several ranks of a domain want crosses once and is handed on
    inside. Both tiers work at the same time; the scale-out rate keeps the exchange below the bisection.
    """
    transfer = group.up_exchanged / fabric.up_rate
    latency = _start(group, fabric) + group.several * fabric.up_latency
    if group.crosses:
        transfer = np.maximum(transfer, crossing * group.exchange_out / fabric.out_rate)
        latency = latency + (group.domains > 1.0) * fabric.out_latency
    return latency + _moved(volume * transfer, group)


def point_to_point(volume: Array, rate: Array, latency: Array) -> Array:
    """Time to send ``volume`` bytes to one other chip [s]: start, latency, and the bytes at the rate."""
    return np.asarray(START + latency + volume / rate)


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
