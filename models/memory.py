"""Bytes on the fullest chip: weights, gradients, optimizer state, activations, buffers.

Activations follow Korthikanti et al. 2022 (arXiv:2205.05198): one layer of a GPT keeps ``s b h (10 + 24/t + 5 a s/(h
t))`` bytes, ``s b h (34 + 5 a s/h)/t`` with sequence parallelism, without the attention core (5 a s/h) under selective
and ``2 s b h`` under full recomputation. The terms are kept apart here so that gated feed-forward parts, grouped
queries, latent attention, experts and fused attention count as what they are.

Products in 8 bits or less keep their inputs in 8 bits for the gradient of the weights (Transformer Engine;
DeepSeek-V3, arXiv:2412.19437, section 3.3.3); the output of attention, the input of the activation function and the
residuals stay in 16, although that report also narrows the first two (pessimistic by a quarter of a mixture layer).

Not modelled: unbalanced experts (optimistic), formats wider than 16 bits (optimistic), moments of the optimizer in 16
bits (pessimistic), the gradients of activations inside the layer at work (optimistic: 1 % of a stage), fragmentation
beyond ``USABLE``. Growing segments (``expandable_segments`` of PyTorch since 2.1) keep that small; fixed ones lost 15 %
of the memory on average and up to 33 % under recomputation, offloading and sharding (GMLake, arXiv:2401.08156,
abstract: eight models on A100 80 GB), so runs with older allocators need more than is counted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.inputs import Array
from models.transformer import (
    Transformer,
    attention_matrices,
    embedding_parameters,
    head_parameters,
    mlp_parameters,
    norm_parameters,
    prediction_parameters,
    router_parameters,
)

NONE, SELECTIVE, FULL = 0.0, 1.0, 2.0
RECOMPUTE = ("none", "selective", "full")

WEIGHT_BYTES: Final = 2.0
"""One bf16 copy for the matrix products."""

GRADIENT_BYTES: Final = 4.0
"""Gradients are summed in fp32."""

OPTIMIZER_STATE_BYTES: Final = 12.0
"""Adam: fp32 weight, mean and variance. 2 + 4 + 12 = 18 bytes per parameter, as in Korthikanti et al. figure 1."""

RUNTIME_BYTES: Final = 2e9
"""Driver context, communication buffers and workspaces of one chip."""

USABLE: Final = 0.98
"""Part of the memory that an allocator can fill before fragmentation stops it."""


@dataclass(frozen=True, slots=True)
class ChipParameters:
    """Parameters on the fullest chip: ``dense`` are replicated over data x context, ``expert`` over expert replicas.

    ``first`` and ``last``: what the first and last pipeline stage hold on top (embedding, head).
    """

    dense: Array
    expert: Array
    first: Array
    last: Array


def layers_per_stage(shape: Transformer, pipeline: Array) -> Array:
    """Layers of the fullest stage: layers / stages rounded up; stages need not be equal."""
    return np.ceil(shape.layers / pipeline)


def moe_layers_per_stage(shape: Transformer, pipeline: Array) -> Array:
    """Mixture layers of the stage that has most of them."""
    every = np.ceil(layers_per_stage(shape, pipeline) / shape.moe_every)
    return np.minimum(every, shape.moe_layers)


def layer_parameters(shape: Transformer, tensor: Array, width: float) -> Array:
    """Parameters of one layer on a chip, routed experts excluded; ``width`` of its feed-forward part.

    Matrices are cut over tensor-parallel ranks, except the latent down-projections and norms; a rank holds one head of
    keys and values at least.
    """
    matrices = attention_matrices(shape)
    split = sum(matrix.size for matrix in matrices if matrix.split != "none") + mlp_parameters(shape, int(width))
    whole = sum(matrix.size for matrix in matrices if matrix.split == "none") + norm_parameters(shape)
    return np.asarray(split / tensor + whole + _keys(shape) * shape.hidden * _copied(shape, tensor))


def _keys(shape: Transformer) -> float:
    """Width of the keys and values of a token; zero for latent attention, whose ranks share the latent."""
    return 0.0 if shape.latent_attention else 2.0 * shape.kv_heads * shape.head_dim


def _copied(shape: Transformer, tensor: Array) -> Array:
    """Part of the keys and values that a rank holds beyond its share: ranks outnumber the heads, each has one whole."""
    return np.maximum(1.0 / shape.kv_heads - 1.0 / tensor, 0.0)


def chip_parameters(shape: Transformer, tensor: Array, pipeline: Array, expert: Array) -> ChipParameters:
    """Count the parameters of the fullest chip of each kind."""
    layers, moe = layers_per_stage(shape, pipeline), moe_layers_per_stage(shape, pipeline)
    plain = layer_parameters(shape, tensor, shape.ffn_hidden)
    mixed = layer_parameters(shape, tensor, shape.shared_width) + router_parameters(shape)
    local = np.ceil(shape.experts / expert) * mlp_parameters(shape, shape.expert_ffn_hidden)
    own_head = np.where(pipeline > 1.0, 1.0, 0.0 if shape.tied_embeddings else 1.0)
    return ChipParameters(
        dense=(layers - moe) * plain + moe * mixed,
        expert=moe * local,
        first=embedding_parameters(shape) / tensor,
        last=(own_head * head_parameters(shape) + prediction_parameters(shape)) / tensor,
    )


def layer_activations(
    shape: Transformer,
    tokens: Array,
    sequence: float,
    tensor: Array,
    recompute: Array,
    *,
    moe: bool,
    sequence_parallel: bool,
    fused_attention: bool,
    input_bytes: float = 2.0,
) -> Array:
    """Bytes that one layer keeps for the backward pass of one micro-batch on a chip.

    ``tokens``: tokens of the micro-batch on one tensor-parallel group (after context parallelism). ``input_bytes``: of
    one element that a matrix product keeps of its input. With fused attention there is no core to recompute;
    *selective* then drops norm outputs, the output of the activation function and the up-projected heads of latent
    attention, which are cheap to make again.
    """
    hidden = shape.hidden
    shards = tensor if sequence_parallel else np.ones_like(tensor)
    masks = 0.0 if shape.gated_mlp else 2.0 * hidden
    core = 0.0 if fused_attention else 5.0 * shape.heads * sequence
    heads, activation = _heads_kept(shape), input_bytes * _routed_width(shape, moe=moe)
    blocks = 2.0 * input_bytes * hidden
    keep_cheap = np.where((recompute == SELECTIVE) & fused_attention, 0.0, 1.0)
    keep_core = np.where(recompute == NONE, core, 0.0)
    replicated = 4.0 * hidden + masks + keep_cheap * blocks + input_bytes * _latents_kept(shape)
    replicated = replicated + (4.0 * shape.experts if moe else 0.0)
    cut = 2.0 * shape.heads * shape.v_width + _mlp_kept(shape, input_bytes, moe=moe) + keep_core
    heads_kept = heads * (keep_cheap if shape.latent_attention else 1.0)
    kept = tokens * (replicated / shards + (cut + heads_kept + keep_cheap * activation) / tensor)
    kept = kept + tokens * 2.0 * _keys(shape) * _copied(shape, tensor)
    return np.where(recompute == FULL, tokens * 2.0 * hidden / shards, kept)


def _heads_kept(shape: Transformer) -> float:
    """Bytes per token of queries, keys and values of all heads."""
    keys = shape.heads if shape.latent_attention else shape.kv_heads
    return 2.0 * (shape.heads * shape.qk_width + keys * (shape.qk_width + shape.v_width))


def _latents_kept(shape: Transformer) -> float:
    """Elements per token of the latent vectors of MLA, inputs of the up-projections."""
    return float(shape.q_lora_rank + shape.kv_lora_rank + shape.qk_rope_head_dim) if shape.latent_attention else 0.0


def _routed_width(shape: Transformer, *, moe: bool) -> float:
    """Feed-forward units per token of one layer: dense, or routed and shared experts."""
    routed = shape.experts_per_token * shape.expert_ffn_hidden + shape.shared_width
    return float(routed if moe else shape.ffn_hidden)


def _mlp_kept(shape: Transformer, input_bytes: float, *, moe: bool) -> float:
    """Bytes per token of the up-projection, and of the routed copies that a mixture feeds to its experts.

    Expert outputs are not kept: routing weights are applied before the down-projection.
    """
    routed = input_bytes * shape.hidden * shape.experts_per_token if moe else 0.0
    return 2.0 * (shape.mlp_matrices - 1) * _routed_width(shape, moe=moe) + routed


def stage_activations(
    shape: Transformer,
    tokens: Array,
    sequence: float,
    tensor: Array,
    pipeline: Array,
    recompute: Array,
    *,
    sequence_parallel: bool,
    fused_attention: bool,
    input_bytes: float = 2.0,
) -> Array:
    """Bytes that the fullest stage keeps for one micro-batch in flight on a chip."""
    layers, moe_layers = layers_per_stage(shape, pipeline), moe_layers_per_stage(shape, pipeline)

    def of_layer(*, moe: bool) -> Array:
        return layer_activations(
            shape,
            tokens,
            sequence,
            tensor,
            recompute,
            moe=moe,
            sequence_parallel=sequence_parallel,
            fused_attention=fused_attention,
            input_bytes=input_bytes,
        )

    total = (layers - moe_layers) * of_layer(moe=False)
    return total + moe_layers * of_layer(moe=True) if shape.experts else total


def remade_activations(
    shape: Transformer,
    tokens: Array,
    sequence: float,
    tensor: Array,
    recompute: Array,
    *,
    sequence_parallel: bool,
    fused_attention: bool,
    input_bytes: float = 2.0,
) -> Array:
    """Bytes that recomputation brings back for the one layer whose backward pass runs, the larger of the two kinds.

    What the layer would keep without recomputation, less what it keeps; zero without recomputation. Korthikanti et al.
    leave it out of their figures; Calculon (Isaev et al. 2023) counts it as the working block.
    """

    def of_layer(kind: Array, *, moe: bool) -> Array:
        return layer_activations(
            shape,
            tokens,
            sequence,
            tensor,
            kind,
            moe=moe,
            sequence_parallel=sequence_parallel,
            fused_attention=fused_attention,
            input_bytes=input_bytes,
        )

    whole = np.full_like(recompute, NONE)
    kinds = [moe for moe, count in ((False, shape.dense_layers), (True, shape.moe_layers)) if count]
    remade = [of_layer(whole, moe=moe) - of_layer(recompute, moe=moe) for moe in kinds]
    return np.asarray(np.maximum.reduce(remade))


def in_flight(pipeline: Array, virtual: Array, micro_batches: Array) -> Array:
    """Micro-batches whose activations the first stage keeps at once.

    1F1B: ``min(n, p)``. Interleaved with v chunks in rounds of N micro-batches: ``min(n, (N (v-1) + 2p - 1)/v)``, which
    is ``p (1 + (p-1)/(p v))`` for N = p (Korthikanti et al., section 4.2). Where p does not divide n the rounds are
    as even as can be: ``N = ceil(n / floor(n/p))``.
    """
    rounds = np.maximum(np.floor(micro_batches / pipeline), 1.0)
    interleaved = (np.ceil(micro_batches / rounds) * (virtual - 1.0) + 2.0 * pipeline - 1.0) / virtual
    return np.minimum(micro_batches, np.where(virtual > 1.0, interleaved, pipeline))


def head_activations(shape: Transformer, tokens: Array, tensor: Array) -> Array:
    """Bytes of the logits (fp32 and their bf16 gradient) and of the inputs of final norm and head, one micro-batch.

    Every multi-token-prediction module has its own.
    """
    return np.asarray((1.0 + shape.mtp_layers) * tokens * (6.0 * shape.vocabulary + 4.0 * shape.hidden) / tensor)
