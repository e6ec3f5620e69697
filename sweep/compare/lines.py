"""The cheapest of several straight lines over one input, and where two such curves cross: exact, nothing sampled.

Each design's cost is a straight line over the input (or over its reciprocal), and so is the metric that a basis limits.
Which design is taken then changes at points that can be computed: where a design comes within the limit or leaves it,
and, where the cheapest is taken, where two lines meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEVEL = 1e-12
"""Difference of two curves over their height that is rounding error."""


@dataclass(frozen=True, slots=True)
class Lines:
    """One line ``start + slope x`` per design, each of shape (n,)."""

    start: Array
    slope: Array

    def at(self, x: float) -> Array:
        """Return the height of every line."""
        return self.start + self.slope * x

    def times(self, factor: float) -> Lines:
        """Return the lines multiplied."""
        return Lines(self.start * factor, self.slope * factor)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the input on which one design stands: ``start + slope x`` from ``low`` to ``high``."""

    low: float
    high: float
    start: float
    slope: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch on which the first curve is below (-1), above (1) or level with (0) the second."""

    low: float
    high: float
    sign: int


@dataclass(frozen=True, slots=True)
class Curve:
    """What stands for a system over one input.

    ``works`` says which designs do at all, ``limited`` is the metric that must not pass ``limit``; ``key`` is smallest
    for the design that is taken, or None where that is the cheapest.
    """

    cost: Lines
    works: NDArray[np.bool_]
    limited: Lines | None = None
    limit: float = math.inf
    key: Array | None = None

    def times(self, factor: float) -> Curve:
        """Return the curve with every cost multiplied, the same designs taken."""
        return Curve(self.cost.times(factor), self.works, self.limited, self.limit, self.key)

    def pieces(self, low: float, high: float) -> list[Piece]:
        """Return the stretches of the curve from ``low`` (finite) to ``high``; gaps are where no design stands."""
        found: list[Piece] = []
        for start, stop in pairwise((low, *self._thresholds(low, high), high)):
            standing = self._standing(_inside(start, stop))
            if standing.size:
                found += self._taken(standing, start, stop)
        return found

    def _thresholds(self, low: float, high: float) -> list[float]:
        if self.limited is None:
            return []
        moving = self.limited.slope != 0
        points = (self.limit - self.limited.start[moving]) / self.limited.slope[moving]
        return sorted({float(point) for point in points if low < point < high})

    def _standing(self, x: float) -> NDArray[np.intp]:
        within = self.works if self.limited is None else self.works & (self.limited.at(x) <= self.limit)
        return np.flatnonzero(within)

    def _taken(self, standing: NDArray[np.intp], low: float, high: float) -> Iterator[Piece]:
        start, slope = self.cost.start[standing], self.cost.slope[standing]
        if self.key is not None:
            best = int(np.argmin(self.key[standing]))
            yield Piece(low, high, float(start[best]), float(slope[best]))
            return
        heights = start + slope * low
        now = int(np.lexsort((slope, heights))[0])
        while low < high:
            flatter = np.flatnonzero(slope < slope[now])
            meet = (start[flatter] - start[now]) / (slope[now] - slope[flatter])
            ahead = meet > low
            meet, flatter = meet[ahead], flatter[ahead]
            if not meet.size or meet.min() >= high:
                yield Piece(low, high, float(start[now]), float(slope[now]))
                return
            there = float(meet.min())
            yield Piece(low, there, float(start[now]), float(slope[now]))
            at = flatter[meet == there]
            now, low = int(at[np.argmin(slope[at])]), there


def stretches(first: Sequence[Piece], second: Sequence[Piece]) -> list[Stretch]:
    """Return who is below along the input, where both curves stand; ends of neighbours touch where nothing is missing.

    The ends are exact: where the lines of the two pieces meet, or where one of them ends.
    """
    found: list[Stretch] = []
    for one in first:
        for other in second:
            low, high = max(one.low, other.low), min(one.high, other.high)
            if low < high:
                found += _signs(one, other, low, high)
    found.sort(key=lambda each: each.low)
    joined: list[Stretch] = []
    for each in found:
        if joined and joined[-1].sign == each.sign and joined[-1].high == each.low:
            joined[-1] = Stretch(joined[-1].low, each.high, each.sign)
        else:
            joined.append(each)
    return joined


def _signs(one: Piece, other: Piece, low: float, high: float) -> Iterator[Stretch]:
    start, slope = one.start - other.start, one.slope - other.slope
    meet = -start / slope if slope else math.inf
    edges = (low, meet, high) if low < meet < high else (low, high)
    for left, right in pairwise(edges):
        x = _inside(left, right)
        height = max(abs(one.start), abs(one.slope * x), abs(other.start), abs(other.slope * x))
        gap = start + slope * x
        yield Stretch(left, right, 0 if abs(gap) <= LEVEL * height else 1 if gap > 0 else -1)


def _inside(low: float, high: float) -> float:
    return (low + high) / 2 if math.isfinite(high) else low + max(1.0, abs(low))


def overlap(ones: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the stretches that lie in both lists, joined where they touch."""
    both = [(max(a[0], b[0]), min(a[1], b[1])) for a in ones for b in others]
    found: list[tuple[float, float]] = []
    for low, high in sorted(pair for pair in both if pair[0] < pair[1]):
        if found and found[-1][1] == low:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found
