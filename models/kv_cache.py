"""The key-value cache: what one sequence keeps in memory and what one decode step reads of it."""

from __future__ import annotations

import numpy as np

from models.inputs import Array
from models.transformer import Transformer, kv_elements_per_token


def tokens_seen(shape: Transformer, context: Array) -> Array:
    """Return the tokens that are kept and read, mean over the layers [token].

    Every second layer of a model with a sliding window keeps at most that many.
    """
    if not shape.sliding_window:
        return context
    windowed = (shape.layers // 2) / shape.layers
    return (1 - windowed) * context + windowed * np.minimum(context, shape.sliding_window)


def cache_share(shape: Transformer, tensor_parallel: Array) -> Array:
    """Return the fraction of the cache that each device of a tensor-parallel group keeps.

    Key-value heads are divided until one is left per device and replicated beyond. A latent has no heads to divide:
    every device of the group keeps all of it.

    Parameters
    ----------
    tensor_parallel
        Devices that share the attention of one sequence, any shape.
    """
    if shape.latent_attention:
        return np.ones_like(tensor_parallel)
    return 1 / np.minimum(tensor_parallel, shape.kv_heads)


def cache_bytes(shape: Transformer, tokens: Array, element_bytes: Array, tensor_parallel: Array) -> Array:
    """Return what one sequence of ``tokens`` keeps on each device of its group [byte].

    Parameters
    ----------
    tokens
        Tokens of context [token].
    element_bytes
        Bytes of one cache element [byte].
    tensor_parallel
        Devices that share the attention of one sequence.

    Examples
    --------
    DeepSeek-R1: 61 layers x 576 elements x 2 bytes = 70,272 bytes per token.
    """
    elements = kv_elements_per_token(shape) * tokens_seen(shape, tokens)
    return elements * element_bytes * cache_share(shape, tensor_parallel)


def decode_attention_flops(shape: Transformer, context: Array) -> Array:
    """Return the FLOPs of the attention core for one query token against ``context`` tokens, all layers [FLOP].

    Grouped-query attention: scores and weighted sum, ``4 heads head_dim`` per context token. Latent attention with the
    up-projections absorbed into query and output works on the latent itself:
    ``2 heads (2 kv_lora_rank + qk_rope_head_dim)`` per context token (FlashMLA).
    """
    if shape.latent_attention:
        per_token = 2 * shape.heads * (2 * shape.kv_lora_rank + shape.qk_rope_head_dim)
    else:
        per_token = 4 * shape.heads * shape.head_dim
    return shape.layers * per_token * tokens_seen(shape, context)


def prefill_attention_flops(shape: Transformer, new_tokens: Array, cached_tokens: Array) -> Array:
    """Return the FLOPs of the causal attention core of one prompt, all layers [FLOP].

    Each new token attends to every cached token and to half of the new ones on average. Latent attention runs
    decompressed in prefill: query and key of ``qk_nope + qk_rope``, value of ``v_head_dim`` per head.

    Parameters
    ----------
    new_tokens, cached_tokens
        Prompt tokens to compute and prompt tokens whose keys and values were found in a cache [token].
    """
    per_pair = 2 * shape.heads * (shape.qk_width + shape.v_width)
    return shape.layers * per_pair * new_tokens * tokens_seen(shape, cached_tokens + new_tokens / 2)
