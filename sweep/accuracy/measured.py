"""How long a step of a measured run took, from whatever the source prints."""

from __future__ import annotations

import re
from typing import Final

from models.transformer import Transformer, forward_matrix_flops, forward_score_flops
from sweep.accuracy.machines import Machine
from sweep.accuracy.table import LeftOutError, Row

CAUSAL_SINCE: Final = 2025.5
"""From mid-2025 the frameworks that print a rate count the causal half of the attention scores (MaxText since its pull
request 1988, Megatron-Core likewise); before, the full square. Used where the row does not say which."""

NARAYANAN: Final = re.compile(r"\b96\b")
"""The hardware formula of Narayanan et al. (arXiv:2104.04473, equation 3) begins with the coefficient 96."""


def step_seconds(row: Row, shape: Transformer, machine: Machine, batch: int, sequence: int) -> float:
    """Measured time of a step [s]: printed, from tokens per second, or from the rate or utilisation that is printed.

    Raises ``LeftOutError`` when none is stated, or the rate counts nobody knows what.
    """
    if seconds := row.number("measured_step_time_s"):
        return seconds
    if tokens := row.number("measured_tokens_per_s_per_chip"):
        return batch * sequence / (tokens * machine.chips)
    rate = 1e12 * (row.number("measured_tflops_per_chip") or 0.0)
    if not rate and "peak not printed" in row.text("mfu_convention").lower():
        raise LeftOutError("peak behind the printed utilisation not stated")
    if not rate:
        rate = (row.number("measured_mfu") or 0.0) * machine.peak("bf16")
    if not rate:
        raise LeftOutError("neither step time nor rate stated")
    return printed_flops(row, shape, batch, sequence) / (rate * machine.chips)


def printed_flops(row: Row, shape: Transformer, batch: int, sequence: int) -> float:
    """FLOPs of a step as the source of a row counts them, by the words of its convention.

    Model FLOPs: three forward passes of matrix products and scores, the scores in full or by their causal half.
    Hardware FLOPs count a recomputed forward pass as well; the coefficient 96 means the formula of Narayanan et al.
    """
    words = row.text("mfu_convention").lower()
    if "recompute" in words and "not stated" in words:
        raise LeftOutError("not stated whether the printed rate counts recomputation")
    recomputed = row.text("recompute") == "full"
    if NARAYANAN.search(words):
        return _narayanan(shape, batch, sequence, recomputed=recomputed)
    full = "non-causal" in words or "full attention" in words or "full square" in words
    causal = not full and ("causal" in words or row.year >= CAUSAL_SINCE)
    passes = 4.0 if "hardware" in words and recomputed else 3.0
    forward = forward_matrix_flops(shape) + forward_score_flops(shape, sequence, causal=causal)
    return passes * forward * batch * sequence


def _narayanan(shape: Transformer, batch: int, sequence: int, *, recomputed: bool) -> float:
    """Hardware FLOPs of a GPT: 96 B s l h^2 (1 + s/6h + V/16lh); without recomputation 72 and V/12lh."""
    coefficient = 96.0 if recomputed else 72.0
    layers, hidden = shape.layers, shape.hidden
    extra = 1 + sequence / (6 * hidden) + shape.vocabulary / (coefficient / 6 * layers * hidden)
    return coefficient * batch * sequence * layers * hidden**2 * extra


def peak_share(shape: Transformer, machine: Machine, batch: int, sequence: int, seconds: float, peak: float) -> float:
    """Share of the peak that a run implies by the FLOPs that no implementation can avoid; above 1 is impossible.

    Three forward passes with the causal half of the scores; recomputation, which may be partial, is left out.
    """
    forward = forward_matrix_flops(shape) + forward_score_flops(shape, sequence, causal=True)
    return 3.0 * forward * batch * sequence / (seconds * machine.chips * peak)
