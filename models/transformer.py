"""The shape of a transformer and what follows from it by counting: parameters, FLOPs, bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transformer:
    """The shape of a decoder-only transformer.

    Zero means "does not have": no experts, no latent attention, no multi-token prediction. ``shared_experts`` counts
    experts of width ``expert_ffn_hidden`` that see every token; ``shared_ffn_hidden`` replaces their joint width when
    a model states it. Every ``moe_every``-th layer after the first ``first_dense_layers`` is a mixture of experts.
    Multi-head latent attention (MLA) is on when ``kv_lora_rank`` is positive.
    """

    layers: int
    hidden: int
    ffn_hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    gated_mlp: bool = True
    tied_embeddings: bool = False
    experts: int = 0
    experts_per_token: int = 0
    expert_ffn_hidden: int = 0
    shared_experts: int = 0
    shared_ffn_hidden: int = 0
    first_dense_layers: int = 0
    moe_every: int = 1
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    qk_nope_head_dim: int = 0
    qk_rope_head_dim: int = 0
    v_head_dim: int = 0
    mtp_layers: int = 0
    sliding_window: int = 0
    learned_positions: int = 0
    attention_bias: bool = False
