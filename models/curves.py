"""Efficiency curves of kernels: what a matrix product or fused attention costs beyond its FLOPs at the full rate.

The constants of a curve are facts of a chip and a number format; ``sweep.calibration.kernels`` fits them to measured
kernels, and ``docs/kernels.md`` holds them with their errors. Only + - * / sqrt max ceil: the same bits in any block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.inputs import Array

ATTENTION_WIDTH: Final = 128.0
"""Head width at which the efficiency of attention is stated."""

EXPERT_TILE: Final = 128.0
"""Rows of one expert that a grouped kernel computes at once: every expert is rounded up to a multiple."""

Number = float | Array


@dataclass(frozen=True, slots=True)
class GemmCurve:
    """Matrix products of one number format on one chip; every field is a scalar or broadcasts with the sides.

    ``efficiency``: fraction of the peak that a product with no short side reaches. ``wave``: elements of the result
    that cost as much as the last, partly filled wave of tiles. ``depth``: inner elements that cost as much as starting
    and ending a tile. ``traffic``: bytes moved over the least possible. ``quantise``: bytes moved per element of the
    first factor to cast it to the format. ``launch``: fixed time of the kernels [s].
    """

    efficiency: Number
    wave: Number
    depth: Number
    traffic: Number
    quantise: Number
    launch: Number


@dataclass(frozen=True, slots=True)
class AttentionCurve:
    """Fused causal attention, forward; every field is a scalar or broadcasts with the sides.

    ``efficiency``: fraction of the peak at head width 128 and a long sequence. ``start``: tokens of sequence at which
    half of it is reached. ``fill``: query rows (of all heads and sequences) that cost as much as the last, partly
    filled wave. ``softmax``: head width whose products take as long as the exponentials. ``launch``: fixed time [s].
    """

    efficiency: Number
    start: Number
    fill: Number
    softmax: Number
    launch: Number


@dataclass(frozen=True, slots=True)
class GroupedCurve:
    """Expert products that one kernel runs for all experts of a chip, beside the dense curve of the same format.

    ``efficiency``: rate over that of one dense product of as many rows. ``permute``: bytes moved per routed copy of a
    token and hidden unit around the products. ``combine``: bytes per token of the group and hidden unit, routed here or
    not. ``launch``: fixed time of routing, products, activation and combination [s].
    """

    efficiency: Number
    permute: Number
    combine: Number
    launch: Number


def overlap(one: Number, other: Number) -> Array:
    """Time of two things that overlap almost completely: ``(one^4 + other^4)^(1/4)``.

    At least the longer and at most 1.19 times it, where both are equal.
    """
    squares = np.square(np.square(one)) + np.square(np.square(other))
    return np.asarray(np.sqrt(np.sqrt(squares)))


def penalty(rows: Number, columns: Number, depth: Number, curve: GemmCurve) -> Array:
    """Arithmetic time of a product of ``rows x depth`` by ``depth x columns`` over that at ``curve.efficiency``.

    ``(1 + wave / (rows columns)) (1 + depth0 / depth)``: above 1, falls with every side, tends to 1.
    """
    return np.asarray((1.0 + curve.wave / (np.asarray(rows) * columns)) * (1.0 + curve.depth / np.asarray(depth)))


def gemm_time(
    rows: Number, columns: Number, depth: Number, element_bytes: float, peak: Number, stream: Number, curve: GemmCurve
) -> Array:
    """Time of one product of two-byte results [s].

    ``element_bytes`` of both factors, ``peak`` of the format [FLOP/s], ``stream``: memory bandwidth times the fraction
    of it that a streaming kernel reaches [byte/s].
    """
    rows, columns, depth = np.asarray(rows), np.asarray(columns), np.asarray(depth)
    arithmetic = 2.0 * rows * columns * depth * penalty(rows, columns, depth, curve) / (peak * curve.efficiency)
    least = (rows + columns) * depth * element_bytes + 2.0 * rows * columns
    cast = curve.quantise * rows * depth / stream
    return np.asarray(curve.launch + cast + overlap(arithmetic, curve.traffic * least / stream))


def narrow(width: Number, softmax: Number) -> Array:
    """Time of attention per FLOP over that at head width 128: ``(1 + softmax/width) / (1 + softmax/128)``, at least 1.

    The exponentials cost the same whatever the width; heads wider than 128 are not faster.
    """
    return np.maximum((1.0 + softmax / np.asarray(width)) / (1.0 + np.asarray(softmax) / ATTENTION_WIDTH), 1.0)


def attention_penalty(queries: Number, sequence: Number, width: Number, curve: AttentionCurve) -> Array:
    """Time of causal attention over that at ``curve.efficiency``: at least 1, falls with every argument, tends to 1.

    ``queries``: query rows of the kernel, sequences x heads x tokens. ``sequence``: tokens. ``width``: of one head.
    """
    started = 1.0 + curve.start / np.asarray(sequence)
    return np.asarray(started * (1.0 + curve.fill / np.asarray(queries)) * narrow(width, curve.softmax))


def attention_time(
    sequences: Number, heads: Number, tokens: Number, width: Number, peak: Number, curve: AttentionCurve
) -> Array:
    """Time of causal attention over ``tokens``, forward [s]: ``2 sequences heads tokens^2 width`` FLOP (half a square).

    ``width``: mean of the widths of keys and values. ``peak`` of bf16 [FLOP/s]. The curve is stated at width 128, so
    latent attention (192 and 128) has a curve of its own.
    """
    queries = np.asarray(sequences) * heads * tokens
    flops = 2.0 * queries * tokens * width
    return np.asarray(
        curve.launch + flops * attention_penalty(queries, tokens, width, curve) / (peak * curve.efficiency)
    )


def grouped_time(
    experts: Number,
    rows: Number,
    hidden: Number,
    units: Number,
    element_bytes: float,
    peak: Number,
    stream: Number,
    dense: GemmCurve,
    grouped: GroupedCurve,
    *,
    copies: Number,
    gates: Number,
) -> Array:
    """Time of the routed part of one mixture layer on one chip, forward, without exchange [s].

    ``experts`` of the chip with ``rows`` tokens each; every expert multiplies ``hidden`` by ``gates x units`` and
    ``units`` back. ``copies``: experts chosen per token times the share of all experts that the chip holds, so that
    ``experts rows / copies`` is the tokens of the whole group. ``peak``, ``stream``, ``element_bytes`` as in
    ``gemm_time``. The rows of every expert are rounded up to a tile of 128.
    """
    tiles = np.asarray(experts) * np.ceil(np.asarray(rows) / EXPERT_TILE) * EXPERT_TILE
    routed = np.asarray(experts) * rows
    total = grouped.launch + (grouped.permute + grouped.combine / copies) * routed * hidden / stream
    for columns, depth in ((np.asarray(gates) * units, hidden), (hidden, units)):
        work = 2.0 * tiles * columns * depth * penalty(tiles, columns, depth, dense)
        least = (routed + experts * columns) * depth * element_bytes + 2.0 * routed * columns
        arithmetic = work / (peak * dense.efficiency * grouped.efficiency)
        total = total + overlap(arithmetic, dense.traffic * least / stream)
    return np.asarray(total)
