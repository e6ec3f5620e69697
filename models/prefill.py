"""Prefill: the time of one pass over prompts, and what it keeps waiting."""

from __future__ import annotations

from typing import Final

from models.inputs import Array
from models.kv_cache import prefill_attention_flops
from models.serving_device import Device
from models.serving_pass import (
    Instance,
    PassTime,
    communication_time,
    experts_time,
    floor_time,
    linear_time,
    overlapped_time,
)
from models.transformer import Transformer

PREFILL_IMBALANCE: Final = 1.18
"""Load of the fullest device over the mean in prefill: 6,688 / 5,655 on the 910C and 7,417 / 6,288 on the H100, default
over ideally balanced experts (arXiv:2506.12708, table 2)."""
ACTIVATION_PASSES: Final = 30
"""16-bit reads and writes of the hidden state per token and layer by norms, quantisation, rotary and permutations."""


def pass_parts(device: Device, shape: Transformer, at: Instance, prompts: Array, new: Array, cached: Array) -> PassTime:
    """Return the time of one prefill pass by part, run as one batch [s].

    Parameters
    ----------
    prompts
        Prompts per attention rank.
    new, cached
        Tokens of one prompt to compute, and tokens whose keys and values were found in a cache [token].
    """
    tokens = prompts * new
    flops = prompts * prefill_attention_flops(shape, new, cached) / at.tensor_parallel
    moved = 2.0 * ACTIVATION_PASSES * shape.layers * shape.hidden * tokens / at.tensor_parallel
    return PassTime(
        linear=linear_time(device, shape, tokens, prompts, at, 0),
        attention=flops / device.attention_rate,
        experts=experts_time(device, shape, tokens, at, 0, PREFILL_IMBALANCE),
        communication=communication_time(device, shape, tokens, at, 0),
        overhead=floor_time(shape, 0) + moved / device.memory_rate,
    )


def pass_time(device: Device, shape: Transformer, at: Instance, prompts: Array, new: Array, cached: Array) -> Array:
    """Return the time of one prefill pass [s], as one batch or as two that overlap, whichever is faster.

    Parameters are those of `pass_parts`.
    """
    whole = pass_parts(device, shape, at, prompts, new, cached)
    half = pass_parts(device, shape, at, prompts / 2, new, cached)
    return overlapped_time(whole, half, at)
