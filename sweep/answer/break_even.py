"""Where two curves over one swept input cross, and where they are too close to tell apart.

At a fixed design every cost of the model is affine in a price (power, staff, chips), and the cheapest of several
designs is therefore piecewise affine. Between two neighbouring values of a sweep the crossing is found on the straight
line: exact when neither system changes its design in between. Beyond the sweep the last segment is continued, and the
result says so. A time changes in steps, as another design becomes affordable: there only the two values of the sweep
between which the order changes are known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PARALLEL = 1e-9
"""Change of a gap between two values, over the gap itself, that is taken for rounding error."""
Kind = Literal["inside", "between", "extrapolated", "never", "equal", "unknown"]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """One crossing, or the reason why there is none.

    ``low`` and ``high`` enclose the input at which both are equal [unit of the input]: they are the same number except
    for ``between``, and None for ``never``, ``equal`` (everywhere) and ``unknown`` (fewer than two values at which both
    have a design). ``below`` and ``above`` say which curve (0 or 1) is lower on either side of it; without a crossing
    they name the curve that is lower throughout. ``crossings`` counts all of the sweep, of which this is the first.
    """

    kind: Kind
    low: float | None = None
    high: float | None = None
    below: int = 0
    above: int = 0
    crossings: int = 0


def break_even(inputs: Array, first: Array, second: Array, *, affine: bool = True, most: float = math.inf) -> BreakEven:
    """Return where two curves are equal.

    Parameters
    ----------
    inputs
        Swept values of the input, ascending, shape (n,).
    first, second
        Values of the two curves there [same unit], shape (n,). Points where either is NaN are left out.
    affine
        Whether the curves are straight between neighbouring values; otherwise they are steps.
    most
        Largest value that the input may have: the last segments are continued no further.

    Returns
    -------
    BreakEven
        The smallest crossing inside the sweep; else, if affine, the crossing of the continued last (or first) segments
        if it lies at a non-negative input of at most ``most``; else never.
    """
    known = np.isfinite(first) & np.isfinite(second)
    x, gap = inputs[known], (first - second)[known]
    if x.size < 2:
        return BreakEven("unknown")
    lower = (gap > 0).astype(int).tolist()
    unequal = np.flatnonzero(gap).tolist()
    if not unequal:
        return BreakEven("equal")
    changes = [(i, j) for i, j in pairwise(unequal) if lower[i] != lower[j]]
    if changes:
        i, j = changes[0]
        low, high = (float(x[i]), float(x[j])) if not affine else (_zero(x, gap, i, j),) * 2
        return BreakEven("inside" if affine else "between", low, high, lower[i], lower[j], len(changes))
    same = lower[unequal[0]]
    if affine:
        right, left = _continued(x[-2:], gap[-2:]), _continued(x[:2], gap[:2])
        if right is not None and x[-1] <= right <= most:
            return BreakEven("extrapolated" if right > x[-1] else "inside", right, right, same, 1 - same, 1)
        if left is not None and 0 <= left <= x[0]:
            return BreakEven("extrapolated" if left < x[0] else "inside", left, left, 1 - same, same, 1)
    return BreakEven("never", below=same, above=same)


def undecided(
    inputs: Array, first: Array, second: Array, error: float, *, affine: bool = True
) -> tuple[float, float] | None:
    """Return the smallest and largest input of the sweep at which the ratio of two curves is within ``1 + error``.

    Arguments are those of ``break_even``; ``error`` is a fraction. None when no input of the sweep is.
    """
    known = np.isfinite(first) & np.isfinite(second)
    x, edges = inputs[known], [(first - (1 + error) * second)[known], (second - (1 + error) * first)[known]]
    found = x[(edges[0] <= 0) & (edges[1] <= 0)].tolist()
    if affine:
        for edge in edges:
            for i in np.flatnonzero(edge[:-1] * edge[1:] < 0).tolist():
                found.append(_zero(x, edge, i, i + 1))
    return (min(found), max(found)) if found else None


def _zero(x: Array, gap: Array, i: int, j: int) -> float:
    """Return where the straight line between two points of opposite sign is zero; between them lie only zeros."""
    if j > i + 1:
        return float(x[i + 1])
    return float(x[i] + (x[j] - x[i]) * (gap[i] / (gap[i] - gap[j])))


def _continued(x: Array, gap: Array) -> float | None:
    slope = gap[1] - gap[0]
    return None if abs(slope) <= PARALLEL * abs(gap[0]) else float(x[0] - gap[0] * (x[1] - x[0]) / slope)
