"""Roots of a function that is evaluated in blocks: first on a grid, then by halving down to neighbouring numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sweep.compare.lines import overlap

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
Change = tuple[float, float, int, int]
POINTS = 33
"""Values per call while a bracket is narrowed."""
LEVEL = 1e-9
FARTHEST = 1e4
"""How many times the scale a search without an upper end goes out."""


@dataclass(frozen=True, slots=True)
class Searched:
    """Where a function changes its sign, ascending: ``(low, high, sign before, sign after)``, low = high at a root.

    ``sign`` is that of the whole range when it never changes, ``level`` whether it is zero throughout; ``ends`` are
    its values at both ends of the grid, ``undecided`` the stretches on which it is within the band.
    """

    changes: tuple[Change, ...]
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
    changes, signs = _changes(function, grid, heights)
    unequal = signs[np.isfinite(signs) & (signs != 0)]
    return Searched(
        changes=changes,
        sign=int(unequal[0]) if unequal.size else 0,
        level=bool(np.isfinite(heights).any()) and not unequal.size,
        ends=(float(heights[0]), float(heights[-1])),
        undecided=_within(function, grid, heights, band),
    )


def _changes(function: Function, grid: Array, heights: Array) -> tuple[tuple[Change, ...], Array]:
    """Return the changes of sign between points of a grid, and the signs there (0: level, NaN: not known)."""
    signs = np.where(np.abs(heights) <= LEVEL, 0, np.sign(heights))
    unequal = np.flatnonzero(np.isfinite(signs) & (signs != 0)).tolist()
    found = tuple(
        (*_narrowed(function, float(grid[i]), float(grid[j])), int(signs[i]), int(signs[j]))
        for i, j in pairwise(unequal)
        if signs[i] != signs[j]
    )
    return found, signs


def _within(function: Function, grid: Array, heights: Array, band: float) -> tuple[tuple[float, float], ...]:
    """Return the stretches on which a function is within a band around zero."""
    edges = {float(grid[0]), float(grid[-1])}
    for shift in (-band, band):
        found, _ = _changes(partial(_shifted, function, shift), grid, heights + shift)
        edges |= {edge for low, high, _, _ in found for edge in (low, high)}
    ordered = sorted(edges)
    inside = np.abs(function(np.array([(low + high) / 2 for low, high in pairwise(ordered)]))) < band
    stretches = [pair for pair, holds in zip(pairwise(ordered), inside.tolist(), strict=True) if holds]
    return tuple(overlap(stretches, [(ordered[0], ordered[-1])]))


def _shifted(function: Function, shift: float, x: Array) -> Array:
    return np.asarray(function(x) + shift)


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
