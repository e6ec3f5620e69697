"""The memory budget of a mapping: what the fullest chip of the fullest stage must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array
from models.memory import (
    GRADIENT_BYTES,
    OPTIMIZER_STATE_BYTES,
    RUNTIME_BYTES,
    WEIGHT_BYTES,
    ChipParameters,
    chip_parameters,
    head_activations,
    in_flight,
    layers_per_stage,
    remade_activations,
    stage_activations,
)
from models.placement import Groups
from models.transformer import Transformer

GATHERED_LAYERS: Final = 2.0
"""Layers whose weights are gathered at once when weights are sharded: one in use, one arriving. Their gradients are
whole before they are reduced, too. Embedding and head stay gathered through the step, as FSDP's root unit does."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes on the fullest chip by kind; ``total`` includes ``RUNTIME_BYTES``."""

    weights: Array
    gradients: Array
    optimizer: Array
    activations: Array
    total: Array


def _held(
    held: ChipParameters, ends: Array, sharded: NDArray[np.bool_], dense_shards: Array, expert_shards: Array
) -> Array:
    """Parameters of a chip after sharding over its replicas where ``sharded`` is true."""
    dense, expert = held.dense + ends, held.expert
    return np.where(sharded, dense / dense_shards + expert / expert_shards, dense + expert)


def budget(
    shape: Transformer,
    sequence: float,
    tensor: Array,
    pipeline: Array,
    virtual: Array,
    context: Array,
    expert: Array,
    micro_batch: Array,
    micro_batches: Array,
    recompute: Array,
    sharding: Array,
    groups: Groups,
    *,
    sequence_parallel: bool,
    fused_attention: bool,
    input_bytes: float,
    trained: bool = True,
    offload: float = 0.0,
    schedule: str = "interleaved",
    gradient_bytes: float = GRADIENT_BYTES,
) -> Budget:
    """Memory of every mapping [byte].

    The fullest chip sits on the first stage (embedding and most micro-batches in flight) or on the last (head, logits
    and one micro-batch), whichever needs more. One layer at a time is remade; the logits are gone by then.
    ``sharding``: ZeRO stage; 1 shards optimizer state, 2 also gradients, 3 also weights, over the ranks of one sharded
    copy. With stages, stage 2 keeps gradients whole until the last micro-batch, as Llama 3 was trained
    (arXiv:2407.21783, section 3.3.2); DeepSpeed refuses stages with either. Frozen weights (not ``trained``) have
    neither gradients nor optimizer state. ``offload``: part of the kept activations that lies on the host. DualPipe
    holds two chunks, so twice the weights, and ``p + 1`` micro-batches in flight (DeepSeek-V3, arXiv:2412.19437, table
    2); gradients of the second chunk are left out (optimistic), so are moments of 16 bits and activations of 8
    (pessimistic; section 3.3.3).
    """
    held = chip_parameters(shape, tensor, pipeline, expert)
    ends = np.where(pipeline > 1.0, np.maximum(held.first, held.last), held.first + held.last)
    shards = (groups.shards.size, groups.expert_shards.size)
    learns, copies = (1.0 if trained else 0.0), (2.0 if schedule == "dualpipe" else 1.0)
    whole = GATHERED_LAYERS * (held.dense + held.expert) / layers_per_stage(shape, pipeline) + ends
    gathered = np.where(sharding >= 3.0, whole, 0.0)
    weights = copies * WEIGHT_BYTES * (_held(held, ends, sharding >= 3.0, *shards) + gathered)
    alone = (sharding >= 3.0) | ((sharding == 2.0) & (pipeline == 1.0))
    gradients = learns * gradient_bytes * (_held(held, ends, alone, *shards) + gathered)
    optimizer = learns * OPTIMIZER_STATE_BYTES * _held(held, ends, sharding >= 1.0, *shards)
    tokens = micro_batch * (sequence / context)
    kinds = {"sequence_parallel": sequence_parallel, "fused_attention": fused_attention}
    per_micro_batch = stage_activations(
        shape, tokens, sequence, tensor, pipeline, recompute, **kinds, input_bytes=input_bytes
    )
    remade = remade_activations(shape, tokens, sequence, tensor, recompute, **kinds, input_bytes=input_bytes)
    with_head = np.maximum(head_activations(shape, tokens, tensor), remade)
    flying = in_flight(pipeline, virtual, micro_batches)
    if schedule == "dualpipe":
        flying = np.minimum(pipeline + 1.0, np.maximum(micro_batches, flying))
    per_micro_batch = per_micro_batch * (1.0 - offload)
    kept = per_micro_batch * flying
    staged = np.maximum(kept + remade, per_micro_batch + with_head)
    activations = np.where(pipeline > 1.0, staged, kept + with_head)
    return Budget(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=activations,
        total=weights + gradients + optimizer + activations + RUNTIME_BYTES,
    )
