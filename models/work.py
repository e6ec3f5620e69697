"""What one micro-batch asks of a chip under each mapping: FLOPs, bytes and messages, before any speed is known.

Everything here follows from the shape and the mapping alone, so it is computed once per structural cell. All amounts
are sums over the layers of the whole model for the tensor x context slice of one chip; a stage does its share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.inputs import Array
from models.mapping import Cell, Layout, Mappings
from models.memory import FULL, SELECTIVE, chip_parameters, layer_parameters, layers_per_stage
from models.operators import (
    ACCUMULATE_BYTES,
    ATTENTION_BACKWARD,
    ELEMENT_BYTES,
    GROUPED_EFFICIENCY,
    PERMUTE_BYTES,
    UNFUSED_BACKWARD,
    VECTOR_BACKWARD,
    fused_attention_flops,
    gemm_bytes,
    gemm_flops,
    quantise_bytes,
    unfused_attention_bytes,
    vector_bytes,
)
from models.transformer import (
    Matrix,
    Transformer,
    attended_keys,
    attention_matrices,
    forward_score_flops,
    mlp_matrices,
    mlp_parameters,
    router_parameters,
)

SELECTIVE_VECTOR: Final = 0.3
"""Part of the forward vector work that selective recomputation repeats with fused attention: norms, activation."""

BACKWARD_TENSOR_EXPOSED: Final = 0.5
"""Part of the backward tensor-parallel messages that is exposed: Megatron hides those of the input gradient behind the
product of the weight gradient, and the re-gathers of sequence parallelism entirely."""

REMADE: Final = ("q_up", "kv_up")
"""Products that selective recomputation repeats: the up-projections of latent attention."""


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

    Volumes of gathers are those of the whole gathered array. ``gradient`` and ``weight`` volumes are per step, of the
    fullest stage, for dense and expert parameters.
    """

    dense: tuple[Product, ...]
    routed: tuple[Product, ...]
    head: Product
    score_flops: Array
    score_bytes: Array
    score_passes: Array
    score_again: Array
    vector_bytes: Array
    vector_again_bytes: Array
    tensor_messages: Array
    tensor_volume: Array
    context_messages: Array
    context_volume: Array
    expert_messages: Array
    expert_volume: Array
    expert_crossing: Array
    stage_volume: Array
    dense_parameters: Array
    expert_parameters: Array
    slow_stage: Array
    stage_layers: Array
    full_recompute: Array


def work(cell: Cell, table: Mappings, precision: str) -> Work:
    """Count the work of every mapping of a table at one number format of the matrix products."""
    shape, layout = cell.shape, table.layout
    element = ELEMENT_BYTES[precision]
    tokens = layout.micro_batch * (cell.sequence / layout.context)
    slices = layout.tensor if cell.sequence_parallel else np.ones_like(layout.tensor)
    full = np.where(layout.recompute == FULL, 1.0, 0.0)
    selective = np.where(layout.recompute == SELECTIVE, 1.0, 0.0)
    vector = _vector_bytes(shape, layout, tokens, slices)
    cast = sum(_quantised(cell, layout, tokens, element), np.zeros_like(tokens))
    accumulate = _accumulated(shape, layout)
    permute = shape.moe_layers * PERMUTE_BYTES * tokens / layout.tensor * shape.experts_per_token * shape.hidden
    held = chip_parameters(shape, layout.tensor, layout.pipeline, layout.expert)
    ends = np.where(layout.pipeline > 1.0, np.maximum(held.first, held.last), held.first + held.last)
    tensor_pairs = shape.dense_layers + (1.0 if shape.shared_width else 0.5) * shape.moe_layers
    routed_copies = tokens / layout.tensor * shape.experts_per_token * shape.hidden
    return Work(
        dense=tuple(_dense_products(shape, layout, tokens, element)),
        routed=tuple(_routed_products(shape, layout, tokens * table.groups.spill, element)),
        head=_product(tokens, shape.vocabulary / layout.tensor, _column(layout, shape.hidden), 2.0, 1.0, full * 0.0),
        score_flops=_score_flops(cell, layout),
        score_bytes=_score_bytes(cell, layout),
        score_passes=_column(layout, 1.0 + (ATTENTION_BACKWARD if cell.fused_attention else UNFUSED_BACKWARD)),
        score_again=full if cell.fused_attention else full + selective,
        vector_bytes=(1.0 + VECTOR_BACKWARD) * vector + permute + accumulate + (3.0 + full) * cast,
        vector_again_bytes=vector * (full + (SELECTIVE_VECTOR * selective if cell.fused_attention else 0.0)),
        tensor_messages=4.0 * tensor_pairs * (1.0 + BACKWARD_TENSOR_EXPOSED + full) + 3.0,
        tensor_volume=2.0 * tokens * shape.hidden,
        context_messages=shape.layers * (3.0 + full),
        context_volume=2.0 * tokens * layout.context * _kv_width(shape, layout.tensor),
        expert_messages=shape.moe_layers * (4.0 + 2.0 * full),
        expert_volume=routed_copies * table.groups.spill * (element + 2.0) / 2.0,
        expert_crossing=_crossing(shape, table),
        stage_volume=2.0 * tokens * shape.hidden / slices,
        dense_parameters=held.dense + ends,
        expert_parameters=held.expert,
        slow_stage=layers_per_stage(shape, layout.pipeline) / shape.layers,
        stage_layers=layers_per_stage(shape, layout.pipeline),
        full_recompute=full,
    )


def _column(layout: Layout, value: float) -> Array:
    return np.full_like(layout.tensor, value)


def _product(
    rows: Array, columns: Array, depth: Array, element: float, count: float, again: Array, slowdown: float = 1.0
) -> Product:
    """``count`` products of ``rows x depth`` by ``depth x columns`` per micro-batch."""
    return Product(
        forward_flops=count * slowdown * gemm_flops(rows, columns, depth),
        forward_bytes=count * gemm_bytes(rows, columns, depth, element),
        weight_flops=count * slowdown * gemm_flops(depth, columns, rows),
        weight_bytes=count * gemm_bytes(depth, columns, rows, element),
        again=again,
    )


def _sides(matrix: Matrix, layout: Layout) -> tuple[Array, Array]:
    """Columns and depth of a matrix on one chip."""
    columns, depth = _column(layout, matrix.outputs), _column(layout, matrix.inputs)
    if matrix.split == "outputs":
        return columns / layout.tensor, depth
    return columns, depth / layout.tensor if matrix.split == "inputs" else depth


def _dense_matrices(shape: Transformer) -> Iterator[tuple[Matrix, float]]:
    """Matrices that every token passes through, and how many layers have them."""
    for matrix in attention_matrices(shape):
        yield matrix, float(shape.layers)
    for matrix in mlp_matrices(shape, shape.ffn_hidden) if shape.dense_layers else ():
        yield matrix, float(shape.dense_layers)
    for matrix in mlp_matrices(shape, shape.shared_width) if shape.moe_layers else ():
        yield matrix, float(shape.moe_layers)
    if shape.moe_layers:
        yield Matrix("router", shape.hidden, shape.experts, "none"), float(shape.moe_layers)


def _dense_products(shape: Transformer, layout: Layout, tokens: Array, element: float) -> Iterator[Product]:
    for matrix, count in _dense_matrices(shape):
        columns, depth = _sides(matrix, layout)
        redone = layout.recompute >= (SELECTIVE if matrix.name in REMADE else FULL)
        yield _product(tokens, columns, depth, element, count, redone.astype(np.float64))


def _routed_products(shape: Transformer, layout: Layout, tokens: Array, element: float) -> Iterator[Product]:
    """Products of the routed experts: every rank holds its experts whole (expert tensor parallelism is 1)."""
    if not shape.moe_layers:
        return
    local = np.ceil(shape.experts / layout.expert)
    rows = tokens / layout.tensor * shape.experts_per_token * layout.expert / shape.experts
    again = np.where(layout.recompute == FULL, 1.0, 0.0)
    for matrix in mlp_matrices(shape, shape.expert_ffn_hidden):
        columns, depth = _column(layout, matrix.outputs), _column(layout, matrix.inputs)
        one = _product(rows, columns, depth, element, float(shape.moe_layers), again, 1.0 / GROUPED_EFFICIENCY)
        yield Product(
            one.forward_flops * local,
            one.forward_bytes * local,
            one.weight_flops * local,
            one.weight_bytes * local,
            again,
        )


def _quantised(cell: Cell, layout: Layout, tokens: Array, element: float) -> Iterator[Array]:
    """Bytes of one cast of the factors of every product, per micro-batch."""
    shape = cell.shape
    for matrix, count in _dense_matrices(shape):
        yield count * quantise_bytes(tokens, *_sides(matrix, layout), element)
    if shape.moe_layers:
        copies = tokens / layout.tensor * shape.experts_per_token
        for matrix in mlp_matrices(shape, shape.expert_ffn_hidden):
            sides = _column(layout, matrix.outputs), _column(layout, matrix.inputs)
            yield shape.moe_layers * quantise_bytes(copies, *sides, element)


def _vector_bytes(shape: Transformer, layout: Layout, tokens: Array, slices: Array) -> Array:
    """Bytes of the vector operators of all layers, one pass forward."""
    routed = shape.experts_per_token * shape.expert_ffn_hidden + shape.shared_width
    dense = vector_bytes(tokens, shape.hidden, _column(layout, shape.ffn_hidden), layout.tensor, slices)
    mixed = vector_bytes(tokens, shape.hidden, _column(layout, routed), layout.tensor, slices)
    return shape.dense_layers * dense + shape.moe_layers * mixed


def _accumulated(shape: Transformer, layout: Layout) -> Array:
    """Bytes to add the gradients of one micro-batch into their fp32 sums, all layers."""
    plain = layer_parameters(shape, layout.tensor, shape.ffn_hidden)
    mixed = layer_parameters(shape, layout.tensor, shape.shared_width) + router_parameters(shape)
    mixed = mixed + np.ceil(shape.experts / layout.expert) * mlp_parameters(shape, shape.expert_ffn_hidden)
    return np.asarray(ACCUMULATE_BYTES * (shape.dense_layers * plain + shape.moe_layers * mixed))


def _score_flops(cell: Cell, layout: Layout) -> Array:
    """FLOPs of the attention scores, one pass forward, at the asymptotic rate of fused attention."""
    heads = np.ceil(cell.shape.heads / layout.tensor) / cell.shape.heads
    tokens = layout.micro_batch * (cell.sequence / layout.context)
    executed = forward_score_flops(cell.shape, cell.sequence, causal=cell.fused_attention) * tokens * heads
    if not cell.fused_attention:
        return executed
    width = (cell.shape.qk_width + cell.shape.v_width) / 2
    return fused_attention_flops(executed, np.asarray(float(cell.sequence)), width)


def _score_bytes(cell: Cell, layout: Layout) -> Array:
    """Bytes of the score matrices of unfused attention, one pass forward."""
    if cell.fused_attention:
        return np.zeros_like(layout.tensor)
    heads = np.ceil(cell.shape.heads / layout.tensor)
    queries = layout.micro_batch * (cell.sequence / layout.context)
    return unfused_attention_bytes(heads, queries, np.asarray(attended_keys(cell.shape, cell.sequence)))


def _kv_width(shape: Transformer, tensor: Array) -> Array:
    """Elements of keys and values per token that context-parallel ranks exchange, per tensor rank."""
    if shape.latent_attention:
        return np.full_like(tensor, shape.kv_lora_rank + shape.qk_rope_head_dim)
    return np.ceil(shape.kv_heads / tensor) * (2.0 * shape.head_dim)


def _crossing(shape: Transformer, table: Mappings) -> Array:
    """Part of the expert messages bound for other domains that cross: one per domain and token, not per expert.

    With k experts drawn evenly over d domains a token wants ``d (1 - (1 - 1/d)^k)`` of them.
    """
    domains, chosen = table.groups.expert.domains, max(shape.experts_per_token, 1)
    missed = np.ones_like(domains)
    for _ in range(chosen):
        missed = missed * (1.0 - 1.0 / domains)
    return domains * (1.0 - missed) / chosen
