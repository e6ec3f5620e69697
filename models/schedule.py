"""Pipeline schedules: what of a step they idle."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.inputs import Array

SCHEDULES: Final = ("interleaved", "zero_bubble", "dualpipe")
"""Pipeline schedules; one forward, one backward (1F1B) is the interleaved one with one chunk per stage."""


def round_gaps(micro_batches: Array, stages: Array, virtual: Array) -> Array:
    """Slots that an interleaved schedule idles because it has fewer micro-batches than stages.

    A round of n micro-batches passes all p stages chunk by chunk. With n < p the first is not through its chunk when
    the last has begun, and every stage waits: ``max(p - n, 0)(v - 1)/v``, so that n = 1 takes p slots in sequence
    however many chunks there are. From n = p on, rounds of p to 2p - 1 leave no gap; what the larger rounds cost is
    memory (``models.memory.in_flight``). Such rounds are ``microbatch_group_size_per_vp_stage`` of Megatron-Core;
    before it had them, n had to be a multiple of p (Narayanan et al. 2021, arXiv:2104.04473, section 2.2).
    """
    return np.asarray(np.maximum(stages - micro_batches, 0.0) * (virtual - 1.0) / virtual)


def schedule_idle(schedule: str, stages: Array) -> Array:
    """Part of the bubble of one forward, one backward that a schedule leaves, for stages of equal length.

    With a forward pass F, a backward B = 2F of which the weight gradients are W = F: zero bubble (Qi et al. 2023,
    arXiv:2401.10241) idles ``(p-1)(F + B - 2W)`` = a third of ``(p-1)(F + B)``; DualPipe (DeepSeek-V3,
    arXiv:2412.19437, table 2) ``(p/2-1)(F&B + B - 3W)`` = ``(p-2)/(3(p-1))`` of it. Interleaving divides by its chunks
    elsewhere.
    """
    if schedule == "zero_bubble":
        return np.full_like(stages, 1.0 / 3.0)
    if schedule == "dualpipe":
        return np.asarray(np.maximum(stages - 2.0, 0.0) / (3.0 * np.maximum(stages - 1.0, 1.0)))
    return np.ones_like(stages)
