"""What one micro-batch asks of a chip under each mapping, by counting alone: sides of products, elements, messages.

Nothing here is measured or fitted: it follows from the shape, the sequence and the mapping. ``models.work`` puts the
calibrated coefficients to it. All amounts are sums over the layers of the whole model for the tensor x context slice of
one chip; a stage does its share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.curves import EXPERT_TILE
from models.inputs import Array
from models.mapping import Cell, Layout, Mappings
from models.memory import FULL, SELECTIVE, chip_parameters, layer_parameters, layers_per_stage, stage_activations
from models.operators import ELEMENT_BYTES
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

TENSORS: Final = 12.0
"""Tensors of a plain transformer layer: four matrices with their offsets, two norms with theirs."""

ALIGNMENT: Final = 8
"""Elements of 16 bits to which matrix units need sides aligned (Nvidia, Deep Learning Performance Guide); fused
attention pads its heads, unfused products of other widths leave the matrix units."""

EXCHANGE_CORES: Final = 20.0 / 132.0
"""Part of a chip's cores that exchanges tokens between domains while the others compute: 20 of the 132 of an H800
(DeepSeek-V3, arXiv:2412.19437, section 3.2.2; the default of DeepEP in Megatron-Core as well). Inside a domain 16 to 32
of a chip's cores are usual, too; they are left out (optimistic)."""

REMADE: Final = ("q_up", "kv_up")
"""Products that selective recomputation repeats: the up-projections of latent attention."""


@dataclass(frozen=True, slots=True)
class Sides:
    """``count`` matrix products of ``rows x depth`` by ``depth x columns`` per micro-batch and chip, forward.

    Grouped products share the rows among ``factors`` second factors (the experts of a chip). The input gradient is the
    same again with ``depth`` and ``columns`` changed, the weight gradient with ``depth`` and ``rows``. ``again``: how
    often the forward product is repeated for recomputation.
    """

    rows: Array
    columns: Array
    depth: Array
    factors: Array
    count: Array
    again: Array


@dataclass(frozen=True, slots=True)
class Amounts:
    """The counted columns of every mapping, per micro-batch and chip.

    ``logits`` of all heads. ``score_flops`` of attention, one pass forward: causal half where ``fused``, else the
    square; ``score_elements`` of the score matrices, zero where fused; ``queries`` of all heads of a layer, ``width``
    of a head. ``norm_units``, ``wide_units``, ``ffn_units``: tokens x hidden units that only sequence parallelism
    shards, that tensor parallelism shards, and tokens x feed-forward units. ``copy_units``: routed copies x hidden
    units. ``local_experts``: experts on one rank, of all layers. ``cast_elements``: inputs and outputs of the products
    in formats of 8 bits or less; ``adapter_elements``: of the attention projections where adapters are trained beside
    frozen weights. ``accumulated``: parameters whose gradients are summed, by what a sum moves. ``trained``: 0 where
    the weights are frozen. ``offloaded``: bytes of activations that go to the host. ``gather_units``: 1 where gathers
    of sharded weights take compute units from products, 0 where engines of their own move them (the torus of a TPU).
    Volumes [byte] of gathers are those of the whole gathered array. Parameters are those of the fullest stage;
    ``levelled``: 1 where a recipe gives stages unequal numbers of layers. ``overlapping``: 1 where another micro-batch
    computes while experts exchange tokens; ``exchanging``: part of the cores that this takes. ``reduced_bytes``: of a
    gradient on its way, twice its size where it is all-reduced. ``stage_volume``: every tensor-parallel rank sends its
    share to the next stage (Narayanan et al. 2021, arXiv:2104.04473, section 4.1; DeepSpeed partitions it as well);
    what gathers it there over the scale-up links is left out (optimistic without sequence parallelism).
    """

    dense: tuple[Sides, ...]
    routed: tuple[Sides, ...]
    head: Sides
    logits: Array
    element_bytes: Array
    layers: Array
    moe_layers: Array
    score_flops: Array
    score_elements: Array
    sequence: Array
    queries: Array
    width: Array
    fused: Array
    full: Array
    selective: Array
    norm_units: Array
    wide_units: Array
    ffn_units: Array
    copy_units: Array
    local_experts: Array
    cast_elements: Array
    adapter_elements: Array
    accumulated: Array
    trained: Array
    tensor_pairs: Array
    sequence_parallel: Array
    tensor_volume: Array
    context_volume: Array
    expert_volume: Array
    expert_crossing: Array
    gathered_bytes: Array
    reduced_bytes: Array
    gather_pieces: Array
    gather_units: Array
    unaligned: Array
    stage_volume: Array
    dense_parameters: Array
    end_parameters: Array
    expert_parameters: Array
    stage_layers: Array
    levelled: Array
    overlapping: Array
    exchanging: Array
    offloaded: Array


def count(cell: Cell, table: Mappings, precision: str) -> Amounts:
    """Count the amounts of every mapping of a table at one number format of the matrix products."""
    shape, layout = cell.shape, table.layout
    element = ELEMENT_BYTES[precision]
    tokens = layout.micro_batch * (cell.sequence / layout.context)
    slices = layout.tensor if cell.sequence_parallel else np.ones_like(layout.tensor)
    full = np.where(layout.recompute == FULL, 1.0, 0.0)
    held = chip_parameters(shape, layout.tensor, layout.pipeline, layout.expert)
    ends = np.where(layout.pipeline > 1.0, np.maximum(held.first, held.last), held.first + held.last)
    copies = tokens / layout.tensor * shape.experts_per_token
    heads = 1.0 + shape.mtp_layers
    stage_layers = layers_per_stage(shape, layout.pipeline)
    overlapping = _overlapping(cell, layout)
    every = float(max(shape.experts_per_token, 1))
    ranks = _wanted(shape, table.groups.expert.size) if cell.fused_dispatch else np.full_like(layout.tensor, every)

    def same(value: float) -> Array:
        return np.full_like(layout.tensor, value)

    return Amounts(
        dense=tuple(_dense(shape, layout, tokens)),
        routed=tuple(_routed(shape, layout, tokens * table.groups.spill)),
        head=Sides(tokens, shape.vocabulary / layout.tensor, same(shape.hidden), same(1.0), same(heads), full * 0.0),
        logits=heads * tokens * shape.vocabulary / layout.tensor,
        element_bytes=same(element),
        layers=same(shape.layers),
        moe_layers=same(shape.moe_layers),
        score_flops=_score_flops(cell, layout),
        score_elements=_score_elements(cell, layout),
        sequence=same(cell.packed or cell.sequence),
        queries=layout.micro_batch * (cell.sequence / layout.context) * np.ceil(shape.heads / layout.tensor),
        width=same((shape.qk_width + shape.v_width) / 2),
        fused=same(float(cell.fused_attention)),
        full=full,
        selective=np.where(layout.recompute == SELECTIVE, 1.0, 0.0),
        norm_units=shape.layers * tokens * shape.hidden / slices,
        wide_units=shape.layers * tokens * shape.hidden / layout.tensor,
        ffn_units=tokens / layout.tensor * _ffn_width(shape) * (shape.mlp_matrices - 1),
        local_experts=shape.moe_layers * np.ceil(shape.experts / layout.expert),
        copy_units=shape.moe_layers * copies * shape.hidden,
        cast_elements=_cast_elements(shape, layout, tokens) if element <= 1.0 else same(0.0),
        adapter_elements=same(0.0) if cell.trained else _adapter_elements(shape, layout, tokens),
        accumulated=_accumulated(shape, table) * _summing(cell, layout) if cell.trained else same(0.0),
        trained=same(float(cell.trained)),
        tensor_pairs=same(shape.dense_layers + (1.0 if shape.shared_width else 0.5) * shape.moe_layers),
        sequence_parallel=same(float(cell.sequence_parallel)),
        tensor_volume=2.0 * tokens * shape.hidden,
        context_volume=2.0 * tokens * layout.context * _kv_width(shape, layout.tensor),
        expert_volume=2.0 * copies * shape.hidden * table.groups.spill * (ranks / every),
        expert_crossing=_wanted(shape, table.groups.expert.domains) / ranks if cell.fused_dispatch else same(1.0),
        gathered_bytes=same(cell.gathered_bytes),
        reduced_bytes=cell.gradient_bytes * np.where((layout.sharding > 0.0) & cell.scattered, 1.0, 2.0),
        gather_pieces=stage_layers * (1.0 if cell.bucketed else TENSORS),
        gather_units=same(0.0 if cell.topology == "torus" else 1.0),
        unaligned=same(float(shape.qk_width % ALIGNMENT > 0) * (1.0 - float(cell.fused_attention))),
        stage_volume=2.0 * tokens * shape.hidden / layout.tensor,
        dense_parameters=held.dense + ends,
        end_parameters=ends,
        expert_parameters=held.expert,
        stage_layers=stage_layers,
        levelled=np.where((stage_layers * layout.pipeline > shape.layers) | (shape.mtp_layers > 0), 1.0, 0.0),
        overlapping=overlapping,
        exchanging=EXCHANGE_CORES * overlapping * (table.groups.expert.domains > 1.0) * (shape.moe_layers > 0),
        offloaded=_offloaded(cell, layout, tokens) if cell.offload else same(0.0),
    )


def dense_matrices(shape: Transformer) -> Iterator[tuple[Matrix, float]]:
    """Yield the matrices that every token passes through, and how many layers have them."""
    for matrix in attention_matrices(shape):
        yield matrix, float(shape.layers)
    for matrix in mlp_matrices(shape, shape.ffn_hidden) if shape.dense_layers else ():
        yield matrix, float(shape.dense_layers)
    for matrix in mlp_matrices(shape, shape.shared_width) if shape.moe_layers else ():
        yield matrix, float(shape.moe_layers)
    if shape.moe_layers:
        yield Matrix("router", shape.hidden, shape.experts, "none"), float(shape.moe_layers)
    if shape.mtp_layers:
        yield Matrix("prediction", 2 * shape.hidden, shape.hidden, "outputs"), float(shape.mtp_layers)


def _sides(matrix: Matrix, layout: Layout) -> tuple[Array, Array]:
    """Columns and depth of a matrix on one chip."""
    columns, depth = np.full_like(layout.tensor, matrix.outputs), np.full_like(layout.tensor, matrix.inputs)
    if matrix.split == "outputs":
        return columns / layout.tensor, depth
    return columns, depth / layout.tensor if matrix.split == "inputs" else depth


def _whole_heads(shape: Transformer, matrix: Matrix, layout: Layout) -> tuple[Array, Array]:
    """Columns and depth of a matrix on one chip, which has whole heads, and of keys and values at least one."""
    columns, depth = _sides(matrix, layout)
    heads = np.ceil(shape.heads / layout.tensor)
    if matrix.name == "qkv":
        columns = (heads + 2.0 * np.ceil(shape.kv_heads / layout.tensor)) * shape.head_dim
    elif matrix.name in {"q", "q_up"}:
        columns = heads * float(shape.qk_width)
    elif matrix.name == "kv_up":
        columns = heads * float(shape.qk_nope_head_dim + shape.v_head_dim)
    elif matrix.name == "attention_out":
        depth = heads * float(shape.v_width)
    return columns, depth


def _dense(shape: Transformer, layout: Layout, tokens: Array) -> Iterator[Sides]:
    """Products of every layer that all tokens pass through."""
    for matrix, layers in dense_matrices(shape):
        columns, depth = _whole_heads(shape, matrix, layout)
        again = layout.recompute >= (SELECTIVE if matrix.name in REMADE else FULL)
        one = np.ones_like(tokens)
        yield Sides(tokens, columns, depth, one, layers * one, again.astype(np.float64))


def _routed(shape: Transformer, layout: Layout, tokens: Array) -> Iterator[Sides]:
    """Products of the routed experts: every rank holds its experts whole (expert tensor parallelism is 1).

    The rows of every expert are rounded up to a tile of the grouped kernel.
    """
    if not shape.moe_layers:
        return
    local = np.ceil(shape.experts / layout.expert)
    rows = tokens / layout.tensor * shape.experts_per_token * layout.expert / shape.experts
    again = np.where(layout.recompute == FULL, 1.0, 0.0)
    tiles = local * np.ceil(rows / EXPERT_TILE) * EXPERT_TILE
    for matrix in mlp_matrices(shape, shape.expert_ffn_hidden):
        columns, depth = np.full_like(rows, matrix.outputs), np.full_like(rows, matrix.inputs)
        yield Sides(tiles, columns, depth, local, np.full_like(rows, shape.moe_layers), again)


def _cast_elements(shape: Transformer, layout: Layout, tokens: Array) -> Array:
    """Input and output elements of every product but the router's, which stays wide, forward, per micro-batch."""
    total = np.zeros_like(tokens)
    for matrix, layers in dense_matrices(shape):
        columns, depth = _sides(matrix, layout)
        total = total + (matrix.name != "router") * layers * tokens * (columns + depth)
    copies = tokens / layout.tensor * shape.experts_per_token
    for matrix in mlp_matrices(shape, shape.expert_ffn_hidden) if shape.moe_layers else ():
        total = total + shape.moe_layers * copies * float(matrix.inputs + matrix.outputs)
    return total


def _adapter_elements(shape: Transformer, layout: Layout, tokens: Array) -> Array:
    """Input and output elements of the adapted products, those of attention (LoRA, arXiv:2106.09685, section 4.2)."""
    total = np.zeros_like(tokens)
    for matrix in attention_matrices(shape):
        columns, depth = _sides(matrix, layout)
        total = total + shape.layers * tokens * (columns + depth)
    return total


def _offloaded(cell: Cell, layout: Layout, tokens: Array) -> Array:
    """Bytes of activations of all layers that go to the host, and come back, per micro-batch."""
    kept = stage_activations(
        cell.shape,
        tokens,
        cell.sequence,
        layout.tensor,
        np.ones_like(tokens),
        layout.recompute,
        sequence_parallel=cell.sequence_parallel,
        fused_attention=cell.fused_attention,
        input_bytes=cell.input_bytes,
    )
    return cell.offload * kept


def _ffn_width(shape: Transformer) -> float:
    """Feed-forward units that a token passes through in all layers."""
    routed = shape.experts_per_token * shape.expert_ffn_hidden + shape.shared_width
    return float(shape.dense_layers * shape.ffn_hidden + shape.moe_layers * routed)


def _summing(cell: Cell, layout: Layout) -> Array:
    """Bytes of adding a gradient of two bytes into its sum, over those of a sum in fp32: 2 + 4 + 4.

    A sum of 16 bits moves 2 + 2 + 2. DeepSpeed's ``BF16_Optimizer``, which alone gives every replica all gradients of a
    sharded optimizer, first writes the gradient in fp32: 2 + 4, then 4 + 4 + 4 (``update_hp_grads`` of
    deepspeed/runtime/bf16_optimizer.py). Products that add into the sum themselves move less (pessimistic for them).
    """
    plain = (2.0 + 2.0 * cell.gradient_bytes) / 10.0
    if cell.scattered or cell.gradient_bytes <= 2.0:
        return np.full_like(layout.sharding, plain)
    return np.where((layout.sharding == 1.0) | (layout.sharding == 2.0), 1.8, plain)


def _accumulated(shape: Transformer, table: Mappings) -> Array:
    """Parameters of all layers on one chip whose gradients are added into their fp32 sums: sharded ones its shard.

    Embedding and head count where there is one stage; of several stages the ends are left out (optimistic).
    """
    layout, groups = table.layout, table.groups
    sharded = layout.fully_sharded
    dense, routed = np.where(sharded, groups.shards.size, 1.0), np.where(sharded, groups.expert_shards.size, 1.0)
    plain = layer_parameters(shape, layout.tensor, shape.ffn_hidden)
    mixed = layer_parameters(shape, layout.tensor, shape.shared_width) + router_parameters(shape)
    experts = np.ceil(shape.experts / layout.expert) * mlp_parameters(shape, shape.expert_ffn_hidden)
    held = chip_parameters(shape, layout.tensor, layout.pipeline, layout.expert)
    ends = np.where(layout.pipeline == 1.0, held.first + held.last, 0.0)
    layers = shape.dense_layers * plain + shape.moe_layers * mixed
    return np.asarray((layers + ends) / dense + shape.moe_layers * experts / routed)


def _score_flops(cell: Cell, layout: Layout) -> Array:
    """FLOPs of the attention scores, one pass forward; a packed sequence attends inside its documents only."""
    heads = np.ceil(cell.shape.heads / layout.tensor) / cell.shape.heads
    tokens = layout.micro_batch * (cell.sequence / layout.context)
    seen = float(cell.packed or cell.sequence)
    return forward_score_flops(cell.shape, seen, causal=cell.fused_attention) * tokens * heads


def _score_elements(cell: Cell, layout: Layout) -> Array:
    """Elements of the score matrices of unfused attention, all layers."""
    if cell.fused_attention:
        return np.zeros_like(layout.tensor)
    heads = np.ceil(cell.shape.heads / layout.tensor)
    queries = layout.micro_batch * (cell.sequence / layout.context)
    return np.asarray(heads * queries * attended_keys(cell.shape, cell.packed or cell.sequence))


def _kv_width(shape: Transformer, tensor: Array) -> Array:
    """Elements of keys and values per token that context-parallel ranks exchange, per tensor rank.

    Latent attention exchanges the keys and values of all heads: Megatron-Core projects them up before the attention
    that context parallelism splits (megatron/core/transformer/multi_latent_attention.py).
    """
    if shape.latent_attention:
        return np.ceil(shape.heads / tensor) * float(shape.qk_width + shape.v_width)
    return np.ceil(shape.kv_heads / tensor) * (2.0 * shape.head_dim)


def _overlapping(cell: Cell, layout: Layout) -> Array:
    """Whether another micro-batch computes while experts exchange tokens: 1, else 0.

    Stages need two micro-batches in work at a time, those of several chunks or of DualPipe (Megatron-Core asserts
    that overlap has a virtual pipeline, and no full recomputation, which would exchange again in the way).
    """
    staged = (layout.pipeline > 1.0) & (layout.virtual == 1.0) & (cell.schedule == "interleaved")
    return np.where(staged | (layout.recompute == FULL), 0.0, 1.0)


def _wanted(shape: Transformer, places: Array) -> Array:
    """Return how many of ``places`` ranks, or domains, a token goes to.

    With k experts drawn evenly over n places it wants ``n (1 - (1 - 1/n)^k)`` of them.
    """
    missed = np.ones_like(places)
    for _ in range(max(shape.experts_per_token, 1)):
        missed = missed * (1.0 - 1.0 / places)
    return places * (1.0 - missed)
