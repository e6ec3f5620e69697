"""Designs that are nearly as good as the best, and as different from each other as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sweep.search.exact import Found
from sweep.search.points import LeverSpace, Point, ordered
from sweep.space import Axis

COUNT: Final = 6
CANDIDATES: Final = 20_000
"""Most designs among which the different ones are chosen, the best first."""


@dataclass(frozen=True, slots=True)
class Near:
    """A near-optimal design, and how far its levers are from those of the nearest design listed before it (0 to 1)."""

    found: Found
    distance: float


def encoded(levers: LeverSpace, points: Sequence[Point]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return points as rows of numbers, (points, axes), and which axes are words.

    An axis that a point's block has not is NaN. An ordered lever is its share of the way along its axis, another its
    place. Blocks share a column where their axes are equal; which block a point is in is a column of words too.
    """
    columns: dict[Axis, int] = {}
    for block in levers.space.blocks:
        for axis in levers.lever_axes(block):
            if axis.size > 1:
                columns.setdefault(axis, len(columns) + 1)
    table = np.full((len(points), len(columns) + 1), np.nan)
    for row, point in enumerate(points):
        table[row, 0] = point.block
        for axis, place in zip(levers.lever_axes(levers.space.blocks[point.block]), point.places, strict=True):
            if axis in columns:
                table[row, columns[axis]] = place / (axis.size - 1) if ordered(axis) else place
    words = np.array([True, *(not ordered(axis) for axis in columns)])
    return (table, words) if len(levers.space.blocks) > 1 else (table[:, 1:], words[1:])


def distances(table: NDArray[np.float64], words: NDArray[np.bool_], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of every row from one: the mean over the levers that either has (Gower 1971).

    An ordered lever differs by its share of the axis, a word by 0 or 1, a lever that only one of both has by 1.
    """
    missing, absent = np.isnan(table), np.isnan(one)
    apart = np.where(words, (table != one).astype(np.float64), np.abs(table - one))
    apart = np.where(missing != absent, 1.0, apart)
    counted = ~(missing & absent)
    total = np.where(counted, apart, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(counted.sum(axis=1), 1))


def diverse(levers: LeverSpace, good: Sequence[Found], count: int = COUNT) -> tuple[Near, ...]:
    """Return the first of some designs (the best), then again and again the one farthest from all those returned.

    Greedy, so that the smallest distance is at least half of the largest possible (Gonzalez 1985). Ties go to the
    better design. Designs of equal levers are listed once.
    """
    unique = list({each.point: each for each in reversed(good)}.values())[::-1][:CANDIDATES]
    if not unique:
        return ()
    table, words = encoded(levers, [each.point for each in unique])
    nearest = distances(table, words, table[0])
    chosen = [Near(unique[0], 0.0)]
    while len(chosen) < count and nearest.max() > 0:
        place = int(np.argmax(nearest))
        chosen.append(Near(unique[place], float(nearest[place])))
        nearest = np.minimum(nearest, distances(table, words, table[place]))
    return tuple(chosen)
