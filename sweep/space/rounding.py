"""Rounding by IEEE arithmetic alone, so that the same numbers come out on every processor."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

DIGITS = 12
POWERS = np.array([float(f"1e{exponent}") for exponent in range(-300, 301)])


def round_decimals(x: NDArray[np.float64], decimals: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Return ``x`` rounded to a number of decimals, which may be negative (hundreds) and differ by element.

    The last step is one correctly rounded division (or product), so for up to 22 decimals the result is the float
    that the decimal text denotes.
    """
    places = np.clip(decimals, -300, 300)
    up, down = POWERS[np.maximum(places, 0) + 300], POWERS[np.maximum(-places, 0) + 300]  # one of the two is 1
    rounded: NDArray[np.float64] = np.rint(x * up / down) / up * down
    return rounded


def snap_to_decimals(x: NDArray[np.float64], largest: float) -> NDArray[np.float64]:
    """Return ``x`` with each value that is within rounding error of a 12-digit decimal replaced by that decimal.

    ``largest`` is the largest magnitude that took part in computing ``x``; it sets the digits and the error.
    """
    if largest == 0.0:
        return x
    decimals = DIGITS - math.ceil(math.log10(largest))
    rounded = round_decimals(x, decimals)
    return np.where(np.abs(rounded - x) <= 4 * math.ulp(largest), rounded, x)


def to_significant(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return positive ``x`` rounded to 12 significant digits."""
    exponent = np.searchsorted(POWERS, x, side="right") - 301
    return round_decimals(x, DIGITS - 1 - exponent)
