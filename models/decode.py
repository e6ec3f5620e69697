"""Decode: the time of one iteration that gives every sequence in flight its next token or tokens."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.inputs import Array
from models.kv_cache import cache_bytes, decode_attention_flops
from models.serving_device import Device
from models.serving_pass import (
    EXPERT_IMBALANCE,
    Instance,
    PassTime,
    communication_time,
    experts_time,
    floor_time,
    linear_time,
    overlapped_time,
    product_time,
)
from models.transformer import Transformer

CACHE_EFFICIENCY: Final = 0.70
"""Of memory bandwidth, reading the key-value cache: H100 and H200 decode attention, aiconfigurator-core 0.12.0."""
SEQUENCE_TIME: Final = 17e-6
"""Per sequence of an attention rank and iteration [s]: host bookkeeping. Fit: 13-20 us by framework."""


def iteration_parts(
    device: Device, shape: Transformer, at: Instance, batch: Array, context: Array, cache_element: Array, drafts: int
) -> PassTime:
    """Return the time of one decode iteration by part, run as one batch [s].

    Parameters
    ----------
    batch
        Sequences in flight per attention rank; need not be whole.
    context
        Mean context of a sequence in flight [token].
    cache_element
        Bytes of one cache element [byte].
    drafts
        Draft tokens per iteration; every sequence then has ``drafts + 1`` query tokens.
    """
    tokens = batch * (drafts + 1)
    read = batch * cache_bytes(shape, context, cache_element, at.tensor_parallel)
    flops = tokens * decode_attention_flops(shape, context) / at.tensor_parallel
    cache_rate = device.bandwidth * CACHE_EFFICIENCY
    return PassTime(
        linear=linear_time(device, shape, tokens, tokens, at, drafts),
        attention=product_time(flops, read, device.attention_rate, cache_rate),
        experts=experts_time(device, shape, tokens, at, drafts, EXPERT_IMBALANCE),
        communication=communication_time(device, shape, tokens, at, drafts),
        overhead=floor_time(shape, drafts) + SEQUENCE_TIME * batch,
    )


def iteration_time(
    device: Device, shape: Transformer, at: Instance, batch: Array, context: Array, cache_element: Array, drafts: int
) -> Array:
    """Return the time of one decode iteration [s], as one batch or as two that overlap, whichever is faster.

    Parameters are those of `iteration_parts`.
    """
    whole = iteration_parts(device, shape, at, batch, context, cache_element, drafts)
    half = iteration_parts(device, shape, at, batch / 2, context, cache_element, drafts)
    return overlapped_time(whole, half, at)


def iteration_ladder(
    device: Device, shape: Transformer, at: Instance, batches: Array, context: Array, cache_element: Array, drafts: int
) -> Array:
    """Return `iteration_time` at batches two per octave, with half the arithmetic [s].

    Half a batch is the batch two rungs below.

    Parameters
    ----------
    batches
        Rising by a factor of the square root of two along the third dimension from the end.
    """
    lower = batches[:2] / 2
    every = np.concatenate([lower, batches], axis=0)
    parts = iteration_parts(device, shape, at, every, context, cache_element, drafts)
    return overlapped_time(parts.at_loads(2, None), parts.at_loads(0, -2), at)


def tokens_per_iteration(drafts: int, acceptance: Array) -> Array:
    """Return the mean tokens that one iteration yields: ``1 + a + a^2 + ... + a^drafts``.

    A draft token counts only when all before it were accepted. One draft at 0.7: 1.7 (arXiv:2506.12708, section 5.2).
    """
    total = np.ones_like(acceptance)
    power = np.ones_like(acceptance)
    for _ in range(drafts):
        power = power * acceptance
        total = total + power
    return total
