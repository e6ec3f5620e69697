"""Work of one micro-batch under each mapping: the counted amounts with the calibrated coefficients put to them.

All amounts are sums over the layers of the whole model for the tensor x context slice of one chip; a stage does its
share. Computed once per structural cell, before any speed is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.amounts import Amounts, Sides
from models.coefficients import Coefficients
from models.curves import AttentionCurve, GemmCurve, attention_penalty, penalty
from models.inputs import Array
from models.operators import UNFUSED_BACKWARD


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
    kernels; ``tails`` counts others whose launch time nothing hides; ``expert_tails`` those of single experts in eager
    execution; ``dispatch`` and ``router`` [s] are host and small-kernel times of all layers. Parameters are those of
    the fullest stage; ``reduced`` is 1 where they have gradients, 0 where they are frozen. ``offloaded``: bytes moved
    to the host.
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
    end_parameters: Array
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
    forward, alone, beside, open_part = _tensor_messages(amounts)
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
        tensor_messages=by.tensor_exposed * (amounts.tensor_pairs * (forward * (1.0 + full) + alone) + 3.0),
        tensor_beside=by.tensor_exposed * amounts.tensor_pairs * beside,
        tensor_hidden=by.tensor_overlap * (1.0 - open_part),
        tensor_volume=amounts.tensor_volume,
        context_messages=by.context_exposed * amounts.layers * (3.0 + full),
        context_volume=amounts.context_volume,
        expert_messages=by.expert_exposed * amounts.moe_layers * (4.0 + 2.0 * full),
        expert_volume=amounts.expert_volume,
        expert_crossing=amounts.expert_crossing,
        stage_volume=amounts.stage_volume,
        dense_parameters=amounts.dense_parameters,
        end_parameters=amounts.end_parameters,
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
        expert_tails=by.expert_kernels * amounts.local_experts * ((2.0 + trained + full) / 3.0),
        offloaded=amounts.offloaded,
        router=by.router_time * amounts.moe_layers * (1.0 + full / 3.0),
    )


def _tensor_messages(amounts: Amounts) -> tuple[Array, Array, Array, Array]:
    """Tensor-parallel messages of a layer: forward, backward alone, backward beside a product; the part never hidden.

    A message is a gather of two bytes per element; a scatter is as much, an all-reduce both. Forward there are two
    gathers and two scatters. Backward the sums of the two input gradients go beside the weight gradients; with sequence
    parallelism they are scatters, a second gather of each input goes beside the input gradient, and the gathers of the
    two output gradients have nothing to go beside (arXiv:2205.05198, section 4.2.2). Gathers move what the products
    read: one byte where these are in 8 bits (``_LayerNormLinear`` and ``grad_output_preprocess`` of Transformer
    Engine), less in 4. Frozen weights have no weight gradient: nothing needs the input again, and the sums stand alone.

    Where software overlaps messages with products, all but these hide in part: beside frozen weights the gather before
    the attention projections, whose input their adapters need whole and wide, and the sums of the input gradients
    (scripts of MLPerf Training 4.0: ``tp_comm_overlap_rs_dgrad`` off; later ones overlap one of the two sums).
    """
    sequence, trained, full = amounts.sequence_parallel > 0.0, amounts.trained > 0.0, amounts.full
    narrow = np.where(sequence & (amounts.element_bytes <= 1.0), amounts.element_bytes / 2.0, 1.0)
    adapted = np.where(trained, narrow, 1.0)
    forward = 2.0 + narrow + adapted
    alone = np.where(trained, np.where(sequence, 2.0 * narrow, 0.0), 2.0 + 2.0 * narrow)
    beside = np.where(trained, np.where(sequence, 2.0 + 2.0 * narrow, 4.0), 0.0)
    never = np.where(trained, 0.0, adapted * (1.0 + full) + 2.0)
    return forward, alone, beside, never / (forward * (1.0 + full) + alone + beside)


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
