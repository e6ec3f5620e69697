"""Time of one optimizer step under each mapping: the pipeline schedule, the gradients, the optimizer.

A micro-batch takes one *slot* per stage (``models.slot``). A step is

``n slot_slow + (sum of slots - slot_slow)/v + exposed transfers + gradients + optimizer + overhead``

with n micro-batches on the fullest replica, v chunks per stage, and the slowest stage deciding the pace. The output
head is spread over the stages, as balanced recipes do. Square roots are the only other function used, so a mapping
gets the same bits in any block.

Not modelled: zero-bubble and DualPipe schedules (pessimistic: their bubble is smaller; interleaving stands in),
stragglers and congestion at scale (optimistic), data loading (optimistic when it binds), wider formats that low-bit
recipes keep in some layers (optimistic for fp4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.collectives import all_gather, point_to_point
from models.inputs import Array
from models.mapping import Mappings
from models.operators import OPTIMIZER_BYTES
from models.slot import Machine, Slot
from models.work import Work

STEP_OVERHEAD: Final = 0.05
"""Fixed time of a step [s]: gradient norm, loss reduction, scaler, host work (step-time fit)."""

GRADIENT_REDUCE_BYTES: Final = 4.0
"""Gradients are reduced in fp32."""

WEIGHT_GATHER_BYTES: Final = 2.0
"""Weights are gathered in bf16."""

SHARDED_RING: Final = 3.1
"""Time of per-layer weight gathers over a ring at full rate: short messages, and compute units shared with the
matrix products (step-time fit; the volume count alone is 1)."""

SHARDED_EXPOSED: Final = 0.1
"""Part of the sharded weight traffic that no overlap hides (step-time fit)."""


@dataclass(frozen=True, slots=True)
class Step:
    """Time of a step [s] and the parts of it that are not work of a micro-batch; ``pace`` is the slowest slot."""

    total: Array
    pace: Array
    pipeline: Array
    bubble: Array
    data: Array
    optimizer: Array


def _gather(table: Mappings, work: Work, machine: Machine, bytes_per_parameter: float) -> Array:
    """Time to gather, or reduce and scatter, the parameters of the fullest stage over their replicas [s]."""
    dense = all_gather(bytes_per_parameter * work.dense_parameters, table.groups.replicas, machine.fabric)
    if not work.routed:
        return dense
    volume = bytes_per_parameter * work.expert_parameters
    return dense + all_gather(volume, table.groups.expert_replicas, machine.fabric)


def _data_time(table: Mappings, work: Work, machine: Machine, slot: Array) -> Array:
    """Exposed gradient reduction and weight gathering of a step [s].

    Sharded optimizer (ZeRO 1, 2, and 3 with stages): gradients are reduced behind the last backward, weights gathered
    behind the first forward pass. Unsharded: an all-reduce behind the last backward. Sharded weights (ZeRO 3 without
    stages): two gathers and a reduction per micro-batch, ``(slot^4 + gathers^4)^(1/4) + 0.1 gathers - slot`` each.
    """
    layout = table.layout
    gather = _gather(table, work, machine, WEIGHT_GATHER_BYTES)
    reduce = gather * (GRADIENT_REDUCE_BYTES / WEIGHT_GATHER_BYTES)
    back = np.where(layout.sharding > 0.0, reduce, 2.0 * reduce)
    front = np.where(layout.sharding > 0.0, gather, 0.0)
    hidden = np.minimum(back, slot * (2.0 / 3.0)) + np.minimum(front, slot * (1.0 / 3.0))
    exposed = back + front - machine.data_overlap * hidden
    sharded = (layout.sharding >= 3.0) & (layout.pipeline == 1.0)
    if not sharded.any():
        return np.asarray(exposed)
    traffic = 3.0 * SHARDED_RING * gather
    square, other = slot * slot, traffic * traffic
    mixed = np.sqrt(np.sqrt(square * square + other * other)) + SHARDED_EXPOSED * traffic
    return np.where(sharded, layout.micro_batches * (mixed - slot), exposed)


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
    dense = work.dense_parameters / np.where(sharded, groups.replicas.size, 1.0)
    expert = work.expert_parameters / np.where(sharded, groups.expert_replicas.size, 1.0)
    return OPTIMIZER_BYTES * (dense + expert) / machine.memory_rate


def step(table: Mappings, work: Work, slot: Slot, machine: Machine) -> Step:
    """Time of one step for every mapping [s]; the mapping axis is last.

    The slowest stage has ``ceil(layers / stages)`` layers. Transfers between stages hide behind the slot they follow
    unless two of them per chunk are longer; while the pipeline fills and drains they are exposed.
    """
    layout = table.layout
    stages, micro_batches = layout.pipeline, layout.micro_batches
    head = slot.head / stages
    slow = slot.body * work.slow_stage + head
    whole = slot.body + slot.head
    worst, route = _neighbour_times(work, table, machine)
    pace = np.maximum(slow, 2.0 * layout.virtual * worst)
    bubble = (whole - slow) / layout.virtual + micro_batches * (slow - whole / stages)
    pipeline = micro_batches * (pace - slow) + 2.0 * route
    data = _data_time(table, work, machine, pace)
    optimizer = _optimizer_time(table, work, machine)
    total = micro_batches * pace + (whole - slow) / layout.virtual + 2.0 * route + data + optimizer + STEP_OVERHEAD
    return Step(total, pace, pipeline, bubble, data, optimizer)
