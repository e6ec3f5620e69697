"""Where two cost curves over one swept input cross.

At a fixed design every cost of the model is affine in a price (power, staff, chips), and the cheapest of several
designs is therefore piecewise affine. Between two neighbouring values of a sweep the crossing is found on the straight
line: exact when neither system changes its design in between. Beyond the sweep the last segment is continued, and the
result says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """One crossing, or the reason why there is none.

    ``value`` is the input at which both cost the same [unit of the input]; None with ``kind`` ``never``.
    ``cheaper_below`` says which of the two (0 or 1) is cheaper at smaller inputs, or everywhere without a crossing.
    """

    kind: Literal["inside", "extrapolated", "never"]
    value: float | None
    cheaper_below: int


def break_even(inputs: Array, first: Array, second: Array) -> BreakEven:
    """Return where the costs of two systems are equal.

    Parameters
    ----------
    inputs
        Swept values of the input, ascending, shape (n,), n >= 2.
    first, second
        Cost of the two systems at each value [same unit], shape (n,). Points where either is NaN are left out.

    Returns
    -------
    BreakEven
        The smallest crossing inside the sweep; else the crossing of the continued last (or first) segments if it lies
        at a non-negative input; else never.
    """
    known = np.isfinite(first) & np.isfinite(second)
    x, gap = inputs[known], (first - second)[known]
    if x.size == 0:
        return BreakEven("never", None, 0)
    cheaper = int(gap[0] > 0)
    if x.size == 1:
        return BreakEven("never", None, cheaper)
    signs = np.sign(gap)
    changes = np.flatnonzero(signs[:-1] * signs[1:] <= 0)
    for i in changes:
        if gap[i] != gap[i + 1]:
            return BreakEven("inside", float(x[i] + (x[i + 1] - x[i]) * gap[i] / (gap[i] - gap[i + 1])), cheaper)
    candidates = [_continued(x[-2:], gap[-2:]), _continued(x[:2], gap[:2])]
    for value, beyond in zip(candidates, (lambda v: v > x[-1], lambda v: 0 <= v < x[0]), strict=True):
        if value is not None and beyond(value):
            return BreakEven("extrapolated", value, cheaper if value > x[-1] else 1 - cheaper)
    return BreakEven("never", None, cheaper)


def _continued(x: Array, gap: Array) -> float | None:
    slope = gap[1] - gap[0]
    return None if slope == 0 else float(x[0] - gap[0] * (x[1] - x[0]) / slope)
