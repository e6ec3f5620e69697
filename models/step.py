"""Time of one optimizer step under each mapping: the pipeline schedule, the gradients, the optimizer.

A micro-batch takes one *slot* per stage (``models.slot``). A step is

``n slot_slow + i (sum of slots - slot_slow)/v + gaps + exposed transfers + gradients + sites + optimizer + overhead``

with n micro-batches on the fullest replica, v chunks per stage, i the part of the bubble that the schedule leaves, and
the slowest stage deciding the pace. Interleaved schedules run the micro-batches in rounds of at least as many as there
are stages; ``gaps`` is what a single smaller round lacks. The output head is work of the last stage. Where the layers
do not divide by the stages, a recipe has evened that out: the last stage has fewer layers; so it has where modules that
predict further tokens follow (published layouts of DeepSeek-V3 give them and the loss one layer's place). Square roots
are the only other function used, so a mapping gets the same bits in any block.

Not modelled: stragglers and congestion at scale (optimistic), data loading (optimistic when it binds), wider formats
that low-bit recipes keep in some layers (optimistic for fp4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.collectives import Group, all_gather, all_reduce, point_to_point
from models.fleet import BACKWARD, exposed_time
from models.inputs import Array
from models.mapping import Mappings
from models.memory import WEIGHT_BYTES
from models.schedule import round_gaps
from models.slot import Machine, Slot
from models.work import Work


@dataclass(frozen=True, slots=True)
class Step:
    """Time of a step [s] and the parts of it that are not work of a micro-batch; ``pace`` is the slowest slot."""

    total: Array
    pace: Array
    pipeline: Array
    bubble: Array
    data: Array
    sites: Array
    optimizer: Array


def _gather(
    work: Work,
    machine: Machine,
    groups: tuple[Group, Group],
    size: Array | float,
    wide: Array | float,
    pieces: Array | float,
) -> Array:
    """Time to gather, or reduce and scatter, the parameters of the fullest stage in pieces [s].

    ``groups`` hold the same dense weights, and the same experts. ``size``: bytes of a parameter; ``wide``: of one of
    embedding and head, which no format narrows.
    """
    volume = (size * (work.dense_parameters - work.end_parameters) + wide * work.end_parameters) / pieces
    time = all_gather(volume, groups[0], machine.fabric)
    if work.routed:
        volume = size * work.expert_parameters / pieces
        gathered = all_gather(volume, groups[1], machine.fabric)
        time = time + np.where(work.expert_parameters > 0.0, gathered, 0.0)
    return pieces * time


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is gathered and summed in a step [s].

    ``exposed``: what computation does not hide of it; ``reduced``: what is summed behind the last backward pass;
    ``window``: that pass as far as its links are idle.
    """

    exposed: Array
    reduced: Array
    window: Array


def _data_time(table: Mappings, work: Work, machine: Machine, free: Array) -> Reduction:
    """Gradient reduction and weight gathering of a step, and what of it computation does not hide [s].

    ``free``: the part of a slot in which the links are idle. Sharded optimizer (ZeRO 1, 2, and 3 with stages):
    gradients are reduced behind the last backward, weights gathered behind the first forward pass, in buckets so large
    that one start is paid. Unsharded, or in software that gives every replica all gradients: an all-reduce. Sharded
    weights (ZeRO 3): per micro-batch and layer (tensor by tensor in early software) two gathers and a
    reduction, of which ``(free^4 + traffic^4)^(1/4) - free`` and the part ``sharded_exposed`` are exposed; with several
    sharded copies each shard is summed over them once a step, behind what that traffic leaves of the last backward
    pass. Frozen weights have no gradients.
    """
    layout, by, overlap = table.layout, machine.coefficients, machine.overlap_gradients
    hideable = _hideable(machine)
    whole = (table.groups.replicas, table.groups.expert_replicas)
    gather = _gather(work, machine, whole, WEIGHT_BYTES, WEIGHT_BYTES, 1.0) * work.reduced
    back = gather * (work.reduced_bytes / WEIGHT_BYTES)
    if (work.gathered_bytes < WEIGHT_BYTES).any():
        gather = _gather(work, machine, whole, work.gathered_bytes, WEIGHT_BYTES, 1.0) * work.reduced
    front = np.where(layout.sharding > 0.0, gather, 0.0)
    window = free * BACKWARD
    rounds = np.where((layout.sharding == 2.0) & (layout.pipeline == 1.0), layout.micro_batches, 1.0)
    hidden = rounds * np.minimum(back, window) + np.minimum(front, free * (1.0 / 3.0))
    exposed = rounds * back + front - hideable * hidden
    sharded = layout.fully_sharded
    if not sharded.any():
        return Reduction(np.asarray(exposed), back, window)
    passes = 2.0 + work.reduced
    moved, wide = (
        (2.0 * size + work.reduced_bytes * work.reduced) / passes for size in (work.gathered_bytes, WEIGHT_BYTES)
    )
    copy = (table.groups.shards, table.groups.expert_shards)
    traffic = _gather(work, machine, copy, moved, wide, work.gather_pieces) * passes * work.gather_slowdown
    square, other = free * free, traffic * traffic
    mixed = np.sqrt(np.sqrt(square * square + other * other)) + by.sharded_exposed * traffic - free
    shard = work.dense_parameters / copy[0].size + work.expert_parameters / copy[1].size
    shard = work.reduced_bytes * work.reduced * shard
    mirrored = all_reduce(shard, table.groups.mirrors, machine.fabric)
    each = overlap * mixed + (1.0 - overlap) * traffic
    left = np.maximum(free - traffic, 0.0) * BACKWARD
    every = layout.micro_batches * each + mirrored - hideable * np.minimum(mirrored, left)
    either = np.where(sharded, every, exposed)
    if machine.wide is None:  # nothing else hides there
        return Reduction(either, back, window)
    return Reduction(either, np.where(sharded, mirrored, back), np.where(sharded, left, window))


def _hideable(machine: Machine) -> Array:
    """Part of a reduction that can hide behind the last backward pass; the rest is its last bucket."""
    return np.asarray(machine.overlap_gradients * (1.0 - machine.coefficients.gradient_exposed))


def _neighbour_times(work: Work, table: Mappings, machine: Machine) -> tuple[Array, Array]:
    """Time of one transfer to the next stage, at the worst boundary, and summed over all boundaries [s]."""
    groups, fabric = table.groups, machine.fabric
    near = point_to_point(work.stage_volume, fabric.up_rate * groups.neighbour_share, fabric.up_latency)
    far = point_to_point(work.stage_volume, fabric.out_rate, fabric.out_latency)
    near, far = near * (groups.hops_inside > 0.0), far * (groups.hops_between > 0.0)
    return np.maximum(near, far), groups.hops_inside * near + groups.hops_between * far


def _optimizer_time(table: Mappings, work: Work, machine: Machine) -> Array:
    """Time of the optimizer update on the fullest chip [s]; the state is sharded from ZeRO 1 on."""
    sharded, groups = table.layout.sharding > 0.0, table.groups
    dense = work.dense_parameters / np.where(sharded, groups.shards.size, 1.0)
    expert = work.expert_parameters / np.where(sharded, groups.expert_shards.size, 1.0)
    return machine.coefficients.optimizer_bytes * work.reduced * (dense + expert) / machine.memory_rate


def _site_time(machine: Machine, inside: Reduction) -> Array:
    """Exposed exchange with other sites per step [s]; it follows the reduction ``inside`` the site."""
    if machine.wide is None:
        return np.zeros(1)
    return exposed_time(machine.wide, inside.reduced, inside.window, _hideable(machine))


def step(table: Mappings, work: Work, slot: Slot, machine: Machine) -> Step:
    """Time of one step for every mapping [s]; the mapping axis is last.

    The slowest stage has ``layers / stages`` layers and the head; where that is no whole number, or the model predicts
    several tokens, a recipe levels the stages: the fullest has ``ceil(layers / stages)``, or all are equal if that
    takes longer. With several chunks per stage, transfers hide
    behind the slot they follow unless two of them per chunk are longer; one forward, one backward waits for both
    (Megatron-Core overlaps them in the interleaved schedule only). Filling and draining the pipeline exposes them.
    """
    layout = table.layout
    stages, micro_batches = layout.pipeline, layout.micro_batches
    whole = slot.body + slot.head
    layers = slot.body * work.slow_stage
    slow = np.where(work.levelled > 0.0, np.maximum(layers, whole / stages), layers + slot.head)
    worst, route = _neighbour_times(work, table, machine)
    several = layout.virtual > 1.0
    pace = np.where(several, np.maximum(slow, 2.0 * layout.virtual * worst), slow + table.waits * 2.0 * worst)
    idle = (whole - slow) * table.idle / layout.virtual + round_gaps(micro_batches, stages, layout.virtual) * slow
    bubble = idle + micro_batches * (slow - whole / stages)
    pipeline = micro_batches * (pace - slow) + 2.0 * route
    free = pace - (slot.tensor + slot.context + slot.expert) * work.slow_stage
    data = _data_time(table, work, machine, free)
    sites = _site_time(machine, data)
    optimizer = _optimizer_time(table, work, machine)
    total = (
        micro_batches * pace
        + idle
        + 2.0 * route
        + data.exposed
        + sites
        + optimizer
        + machine.coefficients.step_overhead
    )
    return Step(total, pace, pipeline, bubble, data.exposed, sites, optimizer)
