"""Small rules that every stage keeps: neutral values, division, whole counts; unknown values are passed on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array, Known

ROUNDING = 1e-9  # relative; 392 GB/s over 28 GB/s must be 14 ports, whatever the last bit of the quotient


def number_or(known: Known, name: str, neutral: float) -> Array:
    """Return the value of a quantity [SI], or ``neutral`` when nothing was said of it.

    For effects that are off unless asked for: ``neutral`` is the value that changes nothing, such as no duty (0) or no
    oversubscription (1). A fact that cannot be left out goes by ``number`` or ``number_or_nan``.
    """
    value = known.get(name)
    return np.asarray(neutral if value is None else value, dtype=np.float64)


def ratio(numerator: Array, denominator: Array) -> Array:
    """Return ``numerator / denominator``, and NaN where the denominator is zero, negative or unknown.

    A design that makes no token has no cost per token; it has neither an infinite nor a zero one.
    """
    return np.asarray(numerator / np.where(denominator > 0, denominator, np.nan), dtype=np.float64)


def round_up(value: Array) -> Array:
    """Return the least whole number not below ``value``, forgiving a relative excess of 1e-9."""
    return np.asarray(np.ceil(value * (1 - ROUNDING)), dtype=np.float64)


def whole(value: Array) -> NDArray[Any]:
    """Return counts as int64; as float64 with NaN when some of them are unknown, for integers know no NaN."""
    counts = np.asarray(value, dtype=np.float64)
    return counts if np.isnan(counts).any() else counts.astype(np.int64)
