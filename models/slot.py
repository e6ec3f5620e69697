"""Time of one micro-batch under each mapping: the work of all layers for the slice of one chip.

Matrix products, attention, vector work and the communication that computation does not hide. A stage does its share of
it (``models.step``). Every formula uses only + - x / max min sqrt, so a mapping gets the same bits in any block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.coefficients import Coefficients
from models.collectives import Fabric, all_gather, all_to_all
from models.curves import overlap
from models.fleet import WideArea
from models.inputs import Array
from models.mapping import Mappings
from models.work import Product, Work


@dataclass(frozen=True, slots=True)
class Machine:
    """The speeds of a design: rates after efficiency; every array has the mapping axis last.

    ``matrix_peak`` before efficiency; ``matrix_rate``, ``head_rate``, ``score_rate`` [FLOP/s]; ``memory_rate``
    [byte/s], ``host_rate`` to the host; ``launch`` [s] of one kernel. ``mixture_age`` is how much slower what a mixture
    layer adds is in the software of the design, ``eager`` the part of the host time that captured graphs leave,
    ``eager_experts`` that of the kernels of experts, which only graphs of whole layers hold; ``blocking`` the part of
    the host time that the chip waits for, ``waiting`` the part of the messages beside a product that is not. The
    overlaps are switches of the software, 0 to 1. ``imbalance`` is the load of the fullest expert rank. ``wide`` is the
    exchange with other sites; None where there are none.
    """

    matrix_peak: Array
    matrix_rate: Array
    head_rate: Array
    score_rate: Array
    memory_rate: Array
    host_rate: Array
    launch: Array
    mixture_age: Array
    eager: Array
    eager_experts: Array
    blocking: Array
    waiting: Array
    fabric: Fabric
    overlap_tensor: Array
    overlap_experts: Array
    overlap_gradients: Array
    imbalance: Array
    coefficients: Coefficients
    wide: WideArea | None = None


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
        forward = overlap(product.forward_flops / rate, product.forward_bytes / memory)
        once = once + (2.0 * forward + overlap(product.weight_flops / rate, product.weight_bytes / memory))
        again = again + product.again * forward
    return once, again


def _expert_time(work: Work, table: Mappings, machine: Machine, compute: Array) -> Array:
    """Exposed dispatch and combine of one micro-batch [s]: what overlapped computation does not hide."""
    volume = work.expert_volume * machine.imbalance
    messages = work.expert_messages * all_to_all(volume, table.groups.expert, machine.fabric, work.expert_crossing)
    hidden = work.overlapping * machine.overlap_experts * machine.coefficients.expert_overlap
    return messages - hidden * np.minimum(messages, compute)


def _offload_time(work: Work, machine: Machine, compute: Array) -> Array:
    """Return what computation does not hide of the activations that go to the host and come back [s]."""
    if not work.offloaded.any():
        return np.zeros(())
    moved = np.where(work.offloaded > 0.0, 2.0 * work.offloaded / machine.host_rate, 0.0)
    return np.maximum(moved - compute, 0.0)


def slot(table: Mappings, work: Work, machine: Machine) -> Slot:
    """Time of one micro-batch over all layers for every mapping [s]; the mapping axis is last.

    ``floor`` is what launches, transfers to the host and host synchronisation add: the host runs ahead
    of the chip unless its launches block, and then nothing of a message hides behind the product beside it.
    """
    memory, fabric, by = machine.memory_rate, machine.fabric, machine.coefficients
    computing = 1.0 - work.exchanging * machine.overlap_experts if work.exchanging.any() else np.ones(())
    matrix_rate = machine.matrix_rate * computing
    dense, dense_again = _products(work.dense, matrix_rate, memory)
    head, _ = _products((work.head,), machine.head_rate, memory)
    head = head + work.logit_bytes / memory
    score = work.score_flops / (machine.score_rate * computing) + work.score_bytes / memory
    compute = dense + work.score_passes * score
    again = dense_again + work.score_again * score + work.vector_again_bytes / memory
    vector = work.vector_bytes / memory
    if work.routed:
        routed, routed_again = _products(work.routed, matrix_rate, memory)
        aged = machine.imbalance * machine.mixture_age
        compute, again = compute + routed * aged, again + routed_again * aged
        vector = vector + machine.mixture_age * (work.permute_bytes / memory + work.router)
    busy = compute + again + vector
    messages = work.tensor_messages + work.tensor_beside * np.maximum(by.tensor_backward, machine.waiting)
    tensor = messages * all_gather(work.tensor_volume, table.groups.tensor, fabric)
    tensor = tensor * (1.0 - work.tensor_hidden * (machine.overlap_tensor * (1.0 - machine.blocking)))
    context = work.context_messages * all_gather(work.context_volume, table.groups.context, fabric)
    expert = _expert_time(work, table, machine, busy) if work.routed else np.zeros(())
    layers = busy + tensor + context + expert
    host = work.dispatch + work.mixture_dispatch * machine.mixture_age
    tails = work.launches + work.tails * machine.launch + _offload_time(work, machine, busy)
    if work.routed:
        tails = tails + work.expert_tails * (machine.launch * machine.mixture_age * machine.eager_experts)
    host = host * machine.eager
    waits = host * machine.blocking if machine.blocking.any() else np.zeros(())
    body = np.maximum(layers + (tails + waits), host)
    return Slot(compute, again, vector, tensor, context, expert, body - layers, body, np.asarray(head))
