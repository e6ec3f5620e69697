"""Time of the operators of one chip: matrix products, attention, vector work, optimizer.

Every operator costs the larger of its arithmetic time and its memory time. The arithmetic time is its FLOPs times a
shape penalty over ``peak x efficiency``, where the efficiency is what a very large product reaches on the chip. The
constants below hold for every chip, precision and workload.

Not modelled: wave quantisation of small products (optimistic by up to 10 % below 20 GFLOP), clocks that throttle with
the data (part of the measured efficiency), and the exchange between the dies of a package, which counts as one rank
(optimistic where a die pair is slower than its memory).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.inputs import Array

# (1 + a/M)(1 + b/N)(1 + c/K): fitted to 900 published training steps, and within the range of measured A100 and H100
# kernel tables (aiconfigurator 0.12): M 38-141, N 38-102, K 154-192 per matrix side.
GEMM_ROWS: Final = 0.78 * 128
GEMM_COLUMNS: Final = 0.37 * 128
GEMM_DEPTH: Final = 0.96 * 128

GROUPED_EFFICIENCY: Final = 0.55
"""Grouped expert products over one dense product of the same shape (fit to published mixture-of-experts steps)."""

ATTENTION_START: Final = 600.0
"""Tokens of sequence at which fused attention reaches half of its long-sequence rate (A100 kernel tables)."""

ATTENTION_SOFTMAX: Final = 64.0
"""Head width whose products take as long as the exponentials of the scores: half of 128 (FlashAttention-3,
arXiv:2407.08608, section 3: at width 128 the exponentials take half of the time of the products)."""

ATTENTION_WIDTH: Final = 128.0
"""Head width at which ``attention_efficiency`` is measured."""

ATTENTION_BACKWARD: Final = 2.9
"""Backward over forward time of fused attention: five products instead of two, at a lower rate (step-time fit)."""

UNFUSED_BACKWARD: Final = 2.0
"""Backward over forward time of unfused attention: four products instead of two, twice the trips through memory
(Korthikanti et al. 2022 table 4: a layer of 11.9 ms backward, 7.7 ms forward)."""

UNFUSED_PASSES: Final = 6.0
"""Trips of the score matrix through memory, forward, when attention is not fused: write, scale and mask, softmax,
dropout, read. Agrees with Korthikanti et al. 2022 table 4: 1.3 ms for the attention core of a 22B layer."""

VECTOR_BYTES_SEQUENCE: Final = 20.0
"""Bytes per token and hidden unit of norms, dropout and residual adds, forward: the part that only sequence
parallelism shards (Korthikanti table 4: 0.5 ms of a 7.7 ms layer at tensor parallel 8)."""

VECTOR_BYTES_TENSOR: Final = 58.0
"""Bytes per token and hidden unit of the other vector operators, forward (rotary, bias, transposes, casts); with the
part above 78 bytes, the step-time fit."""

VECTOR_BYTES_FFN: Final = 4.0
"""Bytes per token and feed-forward unit of the activation function, forward."""

VECTOR_BACKWARD: Final = 1.5
"""Backward over forward bytes of the vector operators."""

PERMUTE_BYTES: Final = 17.0
"""Bytes per routed token copy and hidden unit of the expert permutation, forward and backward."""

OPTIMIZER_BYTES: Final = 52.0
"""Bytes per parameter of one Adam step in mixed precision: 28 are needed, unfused kernels move about twice that."""

ACCUMULATE_BYTES: Final = 12.5
"""Bytes per local parameter and micro-batch to add a gradient into its fp32 sum."""

QUANTISE_BYTES: Final = 3.5
"""Bytes per element of input and output of a product in 8- or 4-bit formats: scale search, cast, transpose."""

ELEMENT_BYTES: Final = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}
"""Bytes of one element of the matrix products by number format."""


def gemm_penalty(rows: Array, columns: Array, depth: Array) -> Array:
    """Time of a product of ``rows x depth`` by ``depth x columns`` over its time at the asymptotic efficiency.

    ``(1 + 100/M)(1 + 47/N)(1 + 123/K)``, at least 1; tends to 1 as all three sides grow.
    """
    return np.asarray((1.0 + GEMM_ROWS / rows) * (1.0 + GEMM_COLUMNS / columns) * (1.0 + GEMM_DEPTH / depth))


def gemm_flops(rows: Array, columns: Array, depth: Array) -> Array:
    """FLOPs of a product times its shape penalty [FLOP]: divide by ``peak x efficiency`` for its time."""
    return np.asarray(2.0 * rows * columns * depth * gemm_penalty(rows, columns, depth))


def gemm_bytes(rows: Array, columns: Array, depth: Array, element_bytes: float) -> Array:
    """Least memory traffic of a product [byte]: both factors at ``element_bytes``, the result at two bytes."""
    return np.asarray((rows * depth + depth * columns) * element_bytes + 2.0 * rows * columns)


def quantise_bytes(rows: Array, columns: Array, depth: Array, element_bytes: float) -> Array:
    """Memory traffic of casting the factors of a product to 8 or 4 bits [byte]; zero for wider formats."""
    if element_bytes > 1.0:
        return np.zeros(())
    return np.asarray(QUANTISE_BYTES * rows * (depth + columns))


def roofline(flops: Array, rate: Array, moved: Array, bandwidth: Array) -> Array:
    """Time of an operator [s]: ``max(flops / rate, bytes / bandwidth)``, from FLOP, FLOP/s, byte, byte/s."""
    return np.maximum(flops / rate, moved / bandwidth)


def narrow_heads(width: float) -> float:
    """Time of fused attention per FLOP over that at head width 128: ``(1 + 64/width)/(1 + 64/128)``, at least 1.

    The exponentials cost the same whatever the width. 1.33 at width 64, where kernel tables (aiconfigurator-core
    0.12.0) show 1.3 to 1.65. Wider heads are not taken to be faster.
    """
    return max((1.0 + ATTENTION_SOFTMAX / width) / (1.0 + ATTENTION_SOFTMAX / ATTENTION_WIDTH), 1.0)


def fused_attention_flops(causal_flops: Array, sequence: Array, width: float) -> Array:
    """FLOPs of fused (flash) causal attention times its penalties, ``1 + 600/s`` and ``narrow_heads`` [FLOP].

    ``causal_flops``: half of the square. ``sequence``: tokens of the sequence. ``width``: of one head.
    """
    return np.asarray(causal_flops * ((1.0 + ATTENTION_START / sequence) * narrow_heads(width)))


def unfused_attention_bytes(heads: Array, queries: Array, keys: Array) -> Array:
    """Memory traffic of the score matrix of unfused attention, forward [byte]: 6 trips of two-byte elements."""
    return np.asarray(UNFUSED_PASSES * 2.0 * heads * queries * keys)


def vector_bytes(tokens: Array, hidden: float, ffn: Array, tensor: Array, sequence_shards: Array) -> Array:
    """Memory traffic of the vector operators of one layer, forward, per chip [byte].

    ``tokens``: tokens of the micro-batch of one tensor-parallel group. ``ffn``: feed-forward units per token.
    ``tensor``: tensor-parallel ranks. ``sequence_shards``: the same with sequence parallelism, else 1.
    """
    sharded = VECTOR_BYTES_TENSOR * hidden + VECTOR_BYTES_FFN * ffn
    return np.asarray(tokens * (VECTOR_BYTES_SEQUENCE * hidden / sequence_shards + sharded / tensor))
