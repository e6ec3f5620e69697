"""Time of one optimizer step under each mapping: the pipeline schedule, the gradients, the optimizer.

A micro-batch takes one *slot* per stage (``models.slot``). A step is

``n slot_slow + (sum of slots - slot_slow)/v + gaps + exposed transfers + gradients + optimizer + overhead``

with n micro-batches on the fullest replica, v chunks per stage, and the slowest stage deciding the pace. Interleaved
schedules run the micro-batches in rounds of at least as many as there are stages; ``gaps`` is what a single smaller
round lacks. The output head is spread over the stages, as balanced recipes do. Square roots are the only other
function used, so a mapping gets the same bits in any block.

Not modelled: zero-bubble and DualPipe schedules (pessimistic: their bubble is smaller; interleaving stands in),
multi-token prediction (optimistic: one layer and one head more, 4 % of the FLOPs of DeepSeek-V3),
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

SHARDED_PASSES: Final = 3.0
"""Collectives of a layer with sharded weights per micro-batch: a gather forward, another backward, a reduction."""

SHARDED_RING: Final = 2.3
"""Time of per-layer weight gathers over a ring at full rate and least latency: short messages, the protocol for large
ones (three times the latency), and compute units shared with the matrix products. Step-time fit: 18.6 bytes per
parameter and micro-batch at the full rate, of which 8 are counted. Published FSDP runs of 2025 on NVL72 and H100 give
-15 to +18 % with it; DeepSpeed of 2021 is slower still (-8 to -47 %, one interface per node)."""

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


def _gather(table: Mappings, work: Work, machine: Machine, bytes_per_parameter: float, pieces: Array | float) -> Array:
    """Time to gather, or reduce and scatter, the parameters of the fullest stage over their replicas in pieces [s]."""
    volume = bytes_per_parameter * work.dense_parameters / pieces
    time = all_gather(volume, table.groups.replicas, machine.fabric)
    if work.routed:
        volume = bytes_per_parameter * work.expert_parameters / pieces
        time = time + all_gather(volume, table.groups.expert_replicas, machine.fabric)
    return pieces * time


def _data_time(table: Mappings, work: Work, machine: Machine, free: Array) -> Array:
    """Exposed gradient reduction and weight gathering of a step [s].

    ``free``: the part of a slot in which the links are idle. Sharded optimizer (ZeRO 1, 2, and 3 with stages):
    gradients are reduced behind the last backward, weights gathered behind the first forward pass, in buckets so large
    that one start is paid. Unsharded: an all-reduce behind the last backward. Sharded weights (ZeRO 3 without stages):
    per micro-batch and layer two gathers and a reduction, ``(free^4 + traffic^4)^(1/4) + 0.1 traffic - free`` of it
    exposed. ``data_overlap`` is the part of the software that overlaps at all.
    """
    layout, overlap = table.layout, machine.data_overlap
    gather = _gather(table, work, machine, WEIGHT_GATHER_BYTES, 1.0)
    reduce = gather * (GRADIENT_REDUCE_BYTES / WEIGHT_GATHER_BYTES)
    back = np.where(layout.sharding > 0.0, reduce, 2.0 * reduce)
    front = np.where(layout.sharding > 0.0, gather, 0.0)
    hidden = np.minimum(back, free * (2.0 / 3.0)) + np.minimum(front, free * (1.0 / 3.0))
    exposed = back + front - overlap * hidden
    sharded = (layout.sharding >= 3.0) & (layout.pipeline == 1.0)
    if not sharded.any():
        return np.asarray(exposed)
    moved = 2.0 * WEIGHT_GATHER_BYTES + GRADIENT_REDUCE_BYTES
    traffic = SHARDED_RING * _gather(table, work, machine, moved / SHARDED_PASSES, work.stage_layers) * SHARDED_PASSES
    square, other = free * free, traffic * traffic
    mixed = np.sqrt(np.sqrt(square * square + other * other)) + SHARDED_EXPOSED * traffic - free
    return np.where(sharded, layout.micro_batches * (overlap * mixed + (1.0 - overlap) * traffic), exposed)


def _neighbour_times(work: Work, table: Mappings, machine: Machine) -> tuple[Array, Array]:
    """Time of one transfer to the next stage, at the worst boundary, and summed over all boundaries [s]."""
    groups, fabric = table.groups, machine.fabric
    near = point_to_point(work.stage_volume, fabric.up_rate * groups.neighbour_share, fabric.up_latency)
    far = point_to_point(work.stage_volume, fabric.out_rate, fabric.out_latency)
    near, far = near * (groups.hops_inside > 0.0), far * (groups.hops_between > 0.0)
    return np.maximum(near, far), groups.hops_inside * near + groups.hops_between * far


def round_gaps(micro_batches: Array, stages: Array, virtual: Array) -> Array:
    """Slots that an interleaved schedule idles because it has fewer micro-batches than stages.

    A round of n micro-batches passes all p stages chunk by chunk. With n < p the first is not through its chunk when
    the last has begun, and every stage waits: ``max(p - n, 0)(v - 1)/v``, so that n = 1 takes p slots in sequence
    however many chunks there are. From n = p on, rounds of p to 2p - 1 leave no gap; what the larger rounds cost is
    memory (``models.memory.in_flight``). Such rounds are ``microbatch_group_size_per_vp_stage`` of Megatron-Core;
    before it had them, n had to be a multiple of p (Narayanan et al. 2021, arXiv:2104.04473, section 2.2).
    """
    return np.asarray(np.maximum(stages - micro_batches, 0.0) * (virtual - 1.0) / virtual)


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
    idle = (whole - slow) / layout.virtual + round_gaps(micro_batches, stages, layout.virtual) * slow
    bubble = idle + micro_batches * (slow - whole / stages)
    pipeline = micro_batches * (pace - slow) + 2.0 * route
    free = pace - (slot.tensor + slot.context + slot.expert) * work.slow_stage
    data = _data_time(table, work, machine, free)
    optimizer = _optimizer_time(table, work, machine)
    total = micro_batches * pace + idle + 2.0 * route + data + optimizer + STEP_OVERHEAD
    return Step(total, pace, pipeline, bubble, data, optimizer)
