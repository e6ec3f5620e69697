"""Work of one micro-batch under each mapping: the counted amounts with the calibrated coefficients put to them.

All amounts are sums over the layers of the whole model for the tensor x context slice of one chip; a stage does its
share. Computed once per structural cell, before any speed is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.amounts import Amounts, Sides
from models.coefficients import Coefficients
from models.curves import AttentionCurve, GemmCurve, attention_penalty, penalty
from models.inputs import Array
from models.operators import UNFUSED_BACKWARD

FROZEN_FORWARD: Final = 3.0 / 4.0
"""Part of the forward tensor-parallel messages that software hides behind products where adapters are trained beside
frozen weights: all but the gather before the attention projections, whose input the adapter needs whole."""

FROZEN_BACKWARD: Final = 1.0 / 2.0
"""The same backward: the two gathers. The two reductions hide behind the weight gradient, which frozen weights lack."""


@dataclass(frozen=True, slots=True)
class Curves:
    """The kernel curves of a chip at one number format: products of the layers, of the head, and attention."""

    product: GemmCurve
    head: GemmCurve
    attention: AttentionCurve


@dataclass(frozen=True, slots=True)
class Product:
    """A class of matrix products: FLOPs with their shape penalty, and bytes, per micro-batch and chip.

    ``forward_*`` is one pass forward, and the same again for the input gradient; ``weight_*`` the weight gradient.
    ``again``: how often the forward pass is repeated for recomputation.
    """

    forward_flops: Array
    forward_bytes: Array
    weight_flops: Array
    weight_bytes: Array
    again: Array


@dataclass(frozen=True, slots=True)
class Work:
    """The columns of work per mapping and micro-batch; bytes, FLOPs, message counts, and the bytes of one message.

    Volumes of gathers are those of the whole gathered array. ``tensor_hidden``: part of the tensor-parallel messages
    that software hides where it overlaps them with products. ``launches`` [s]: fixed times of product and attention
    kernels; ``tails`` counts others whose launch time nothing hides; ``dispatch``, ``router`` and ``expert_tails`` [s]
    are host and small-kernel times of all layers. Parameters are those of the fullest stage; ``reduced`` is 1 where
    they have gradients, 0 where they are frozen. ``offloaded``: bytes moved to the host.
    """

    dense: tuple[Product, ...]
    routed: tuple[Product, ...]
    head: Product
    logit_bytes: Array
    score_flops: Array
    score_bytes: Array
    score_passes: Array
    score_again: Array
    vector_bytes: Array
    vector_again_bytes: Array
    permute_bytes: Array
    tensor_messages: Array
    tensor_beside: Array
    tensor_hidden: Array
    tensor_volume: Array
    context_messages: Array
    context_volume: Array
    expert_messages: Array
    expert_volume: Array
    expert_crossing: Array
    stage_volume: Array
    dense_parameters: Array
    expert_parameters: Array
    reduced: Array
    gathered_bytes: Array
    reduced_bytes: Array
    overlapping: Array
    exchanging: Array
    slow_stage: Array
    levelled: Array
    gather_pieces: Array
    gather_slowdown: Array
    launches: Array
    tails: Array
    dispatch: Array
    mixture_dispatch: Array
    expert_tails: Array
    router: Array
    offloaded: Array


def charge(amounts: Amounts, curves: Curves, by: Coefficients) -> Work:
    """Put the coefficients and the kernel curves of the chip to the amounts."""
    full, selective, fused = amounts.full, amounts.selective, amounts.fused
    vector = by.norm_bytes * amounts.norm_units + by.wide_bytes * amounts.wide_units + by.ffn_bytes * amounts.ffn_units
    cast = by.quantise_bytes * amounts.cast_elements
    trained = amounts.trained
    backward = np.where(fused > 0.0, by.attention_backward, UNFUSED_BACKWARD)
    alone, beside = _backward_messages(amounts)
    covered = np.where(trained > 0.0, 1.0, (FROZEN_FORWARD * (1.0 + full) + FROZEN_BACKWARD) / (2.0 + full))
    slow = attention_penalty(amounts.queries, amounts.sequence, amounts.width, curves.attention)
    launches = sum(
        (_launches(sides, curves.product, trained) for sides in (*amounts.dense, *amounts.routed)), 0.0 * full
    )
    attention = fused * amounts.layers * (2.0 + full) * curves.attention.launch
    return Work(
        dense=tuple(_product(sides, amounts.element_bytes, curves.product, trained) for sides in amounts.dense),
        routed=tuple(
            _product(sides, amounts.element_bytes, curves.product, trained, 1.0 / by.grouped_rate)
            for sides in amounts.routed
        ),
        head=_product(amounts.head, np.full_like(trained, 2.0), curves.head, trained),
        logit_bytes=by.logit_bytes * amounts.logits,
        score_flops=amounts.score_flops * np.where(fused > 0.0, slow, 1.0 + by.unaligned_heads * amounts.unaligned),
        score_bytes=(2.0 * by.unfused_passes) * amounts.score_elements,
        score_passes=1.0 + backward,
        score_again=full + selective * (1.0 - fused),
        vector_bytes=(1.0 + by.vector_backward) * vector
        + by.accumulate_bytes * amounts.accumulated
        + (1.0 + 0.5 * full) * cast
        + by.adapter_bytes * amounts.adapter_elements,
        vector_again_bytes=vector * (full + by.selective_vector * selective * fused),
        permute_bytes=by.permute_bytes * amounts.copy_units,
        tensor_messages=by.tensor_exposed * (amounts.tensor_pairs * (4.0 + 4.0 * full + alone) + 3.0),
        tensor_beside=by.tensor_exposed * amounts.tensor_pairs * beside,
        tensor_hidden=by.tensor_overlap * covered,
        tensor_volume=amounts.tensor_volume,
        context_messages=by.context_exposed * amounts.layers * (3.0 + full),
        context_volume=amounts.context_volume,
        expert_messages=by.expert_exposed * amounts.moe_layers * (4.0 + 2.0 * full),
        expert_volume=amounts.expert_volume,
        expert_crossing=amounts.expert_crossing,
        stage_volume=amounts.stage_volume,
        dense_parameters=amounts.dense_parameters,
        expert_parameters=amounts.expert_parameters,
        reduced=trained,
        gathered_bytes=amounts.gathered_bytes,
        reduced_bytes=amounts.reduced_bytes,
        overlapping=amounts.overlapping,
        exchanging=amounts.exchanging,
        gather_pieces=amounts.gather_pieces,
        gather_slowdown=1.0 + (by.sharded_ring - 1.0) * amounts.gather_units,
        slow_stage=amounts.stage_layers / amounts.layers,
        levelled=amounts.levelled,
        launches=launches + attention,
        tails=by.kernel_tails * amounts.layers * (1.0 + full / 3.0),
        dispatch=by.layer_dispatch * amounts.layers * (1.0 + full / 3.0),
        mixture_dispatch=by.mixture_layer_dispatch * amounts.moe_layers * (1.0 + full / 3.0),
        expert_tails=by.expert_tail * amounts.local_experts * (1.0 + full / 3.0),
        offloaded=amounts.offloaded,
        router=by.router_time * amounts.moe_layers * (1.0 + full / 3.0),
    )


def _backward_messages(amounts: Amounts) -> tuple[Array, Array]:
    """Tensor-parallel messages backward of a layer: those alone, and those beside a product.

    A message is a gather or a scatter; an all-reduce is two. Without sequence parallelism the sum of the input gradient
    goes beside the weight gradient. With it so do the scatter of that sum and, beside the input gradient, a second
    gather of the input; the gather of the output gradient has nothing to go beside (arXiv:2205.05198, section 4.2.2).
    Frozen weights have no weight gradient: nothing needs the input again, and the sum stands alone.
    """
    sequence, trained = amounts.sequence_parallel > 0.0, amounts.trained > 0.0
    alone = np.where(trained, np.where(sequence, 2.0, 0.0), 4.0)
    return alone, np.where(trained, 4.0, 0.0)


def _product(sides: Sides, element: Array, curve: GemmCurve, trained: Array, slowdown: float = 1.0) -> Product:
    """Charge a class of products; frozen weights have no gradient.

    Bytes are both factors at ``element`` and the result at two, times what kernels move beyond the least.
    """
    rows, columns, depth, factors = sides.rows, sides.columns, sides.depth, sides.factors
    flops = sides.count * slowdown * 2.0 * rows * columns * depth
    forward = (rows + factors * columns) * depth * element + 2.0 * rows * columns
    weight = rows * (columns + depth) * element + 2.0 * factors * columns * depth
    moved = sides.count * curve.traffic
    return Product(
        forward_flops=flops * penalty(rows, columns, depth, curve),
        forward_bytes=moved * forward,
        weight_flops=trained * flops * penalty(factors * depth, columns, rows / factors, curve),
        weight_bytes=trained * moved * weight,
        again=sides.again,
    )


def _launches(sides: Sides, curve: GemmCurve, trained: Array) -> Array:
    """Return the fixed time of the kernels of a class of products [s]."""
    return np.asarray(sides.count * (2.0 + trained + sides.again) * curve.launch)
