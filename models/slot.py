"""Time of one micro-batch under each mapping: the work of all layers for the slice of one chip.

Matrix products, attention, vector work and the communication that computation does not hide. A stage does its share of
it (``models.step``). Every formula uses only + - x / max min, so a mapping gets the same bits in any block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.collectives import Fabric, all_gather, all_to_all
from models.inputs import Array
from models.mapping import Mappings
from models.operators import roofline
from models.transformer import Transformer
from models.work import Product, Work

LAUNCHES_PER_LAYER: Final = 120.0
"""Kernels of one dense layer and micro-batch, forward and backward; a layer is never faster than their launches."""

CONTEXT_EXPOSED: Final = 0.79
"""Part of the context-parallel exchange that attention does not hide (step-time fit)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The speeds of a design: rates after efficiency; every field has the mapping axis last, of length 1.

    ``matrix_peak`` before efficiency; ``matrix_rate``, ``head_rate``, ``score_rate`` [FLOP/s]; ``memory_rate``
    [byte/s]; ``launch`` and ``moe_floor`` [s]. The overlaps are the parts of a communication that computation can
    hide; ``imbalance`` the load of the fullest expert rank.
    """

    matrix_peak: Array
    matrix_rate: Array
    head_rate: Array
    score_rate: Array
    memory_rate: Array
    launch: Array
    moe_floor: Array
    fabric: Fabric
    tensor_overlap: Array
    expert_overlap: Array
    data_overlap: Array
    imbalance: Array


@dataclass(frozen=True, slots=True)
class Slot:
    """Time of one micro-batch over all layers [s], by part; ``body`` is the sum of the layers, at least their floor."""

    compute: Array
    recompute: Array
    vector: Array
    tensor: Array
    context: Array
    expert: Array
    floor: Array
    body: Array
    head: Array


def _products(products: tuple[Product, ...], rate: Array, memory: Array) -> tuple[Array | float, Array | float]:
    """Time of classes of products: forward and backward, and what recomputation adds [s]."""
    once: Array | float = 0.0
    again: Array | float = 0.0
    for product in products:
        forward = roofline(product.forward_flops, rate, product.forward_bytes, memory)
        once = once + (2.0 * forward + roofline(product.weight_flops, rate, product.weight_bytes, memory))
        again = again + product.again * forward
    return once, again


def _expert_time(work: Work, table: Mappings, machine: Machine, compute: Array) -> Array:
    """Exposed dispatch and combine of one micro-batch [s]: what ``expert_overlap`` of the computation does not hide."""
    volume = work.expert_volume * machine.imbalance
    messages = work.expert_messages * all_to_all(volume, table.groups.expert, machine.fabric, work.expert_crossing)
    return messages - machine.expert_overlap * np.minimum(messages, compute)


def slot(shape: Transformer, table: Mappings, work: Work, machine: Machine) -> Slot:
    """Time of one micro-batch over all layers for every mapping [s]; the mapping axis is last.

    ``floor`` is what launches and host synchronisation add when the layers are shorter than them.
    """
    memory, fabric = machine.memory_rate, machine.fabric
    dense, dense_again = _products(work.dense, machine.matrix_rate, memory)
    routed, routed_again = _products(work.routed, machine.matrix_rate, memory)
    head, _ = _products((work.head,), machine.head_rate, memory)
    score = work.score_flops / machine.score_rate + work.score_bytes / memory
    compute = dense + routed * machine.imbalance + work.score_passes * score
    again = dense_again + routed_again * machine.imbalance + work.score_again * score
    again = again + work.vector_again_bytes / memory
    vector = work.vector_bytes / memory
    busy = compute + again + vector
    tensor = work.tensor_messages * all_gather(work.tensor_volume, table.groups.tensor, fabric)
    tensor = tensor * (1.0 - machine.tensor_overlap)
    context = work.context_messages * all_gather(work.context_volume, table.groups.context, fabric)
    context = CONTEXT_EXPOSED * context
    layers = busy + tensor + context
    expert = _expert_time(work, table, machine, busy) if work.routed else np.zeros(())
    layers = layers + expert
    launches = shape.layers * LAUNCHES_PER_LAYER * (1.0 + work.full_recompute / 3.0) * machine.launch
    body = np.maximum(layers, launches + shape.moe_layers * machine.moe_floor)
    return Slot(compute, again, vector, tensor, context, expert, body - layers, body, np.asarray(head))
