"""Roots of a function that is evaluated in blocks: first on a grid, then by halving down to neighbouring numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
POINTS = 33
"""Values per call while a bracket is narrowed."""
LEVEL = 1e-9
FARTHEST = 1e4
"""How many times the scale a search without an upper end goes out."""


@dataclass(frozen=True, slots=True)
class Searched:
    """Where a function changes its sign, ascending: ``(low, high, sign before, sign after)``, low = high at a root.

    ``sign`` is that of the whole range when it never changes, ``level`` whether it is zero throughout; ``ends`` are
    its values at both ends of the grid, ``undecided`` the stretches of the grid on which it is within the band.
    """

    changes: tuple[tuple[float, float, int, int], ...]
    sign: int
    level: bool
    ends: tuple[float, float]
    undecided: tuple[tuple[float, float], ...]


def searched(function: Function, span: tuple[float, float], scale: float, band: float) -> Searched:
    """Return the changes of sign of a function over a range; those between two points of the grid are not seen.

    NaN is where the function is not known: a change of sign around it is reported as lying between its edges.
    """
    low, high = span
    if math.isinf(high):
        grid = np.concatenate([[low], low + scale * np.geomspace(1e-3, FARTHEST, 4 * POINTS)])
    else:
        grid = np.linspace(low, high, 4 * POINTS)
    heights = function(grid)
    known = np.flatnonzero(np.isfinite(heights))
    signs = np.where(np.abs(heights) <= LEVEL, 0, np.sign(heights))
    unequal = [index for index in known.tolist() if signs[index]]
    changes = [
        (*_narrowed(function, float(grid[i]), float(grid[j])), int(signs[i]), int(signs[j]))
        for i, j in pairwise(unequal)
        if signs[i] != signs[j]
    ]
    inside = np.abs(np.where(np.isnan(heights), np.inf, heights)) <= band
    return Searched(
        changes=tuple(changes),
        sign=int(signs[unequal[0]]) if unequal else 0,
        level=bool(known.size) and not unequal,
        ends=(float(heights[0]), float(heights[-1])),
        undecided=_runs(grid, inside),
    )


def _narrowed(function: Function, low: float, high: float) -> tuple[float, float]:
    """Return the two ends of a change of sign, one value where they are neighbouring numbers."""
    while True:
        grid = np.unique(np.linspace(low, high, POINTS))
        signs = np.sign(function(grid))
        known = [index for index in range(grid.size) if np.isfinite(signs[index])]
        i, j = next((i, j) for i, j in pairwise(known) if signs[i] != signs[j])
        if signs[j] == 0:
            return float(grid[j]), float(grid[j])
        if j > i + 1:  # not known in between
            return float(grid[i]), float(grid[j])
        if grid.size <= 3 or (grid[i] == low and grid[j] == high):
            return float(grid[j]), float(grid[j])
        low, high = float(grid[i]), float(grid[j])


def _runs(grid: Array, inside: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int))).tolist()
    return tuple(
        (float(grid[start]), float(grid[stop - 1])) for start, stop in zip(edges[::2], edges[1::2], strict=True)
    )
