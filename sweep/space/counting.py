"""How many designs pass ``where``: exactly where conditions separate over axes, else a sample with an interval."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sweep.expressions import Expression
from sweep.space.axes import Indices
from sweep.space.block import Block
from sweep.space.sampling import SampleAxis
from sweep.space.space import Space

EXACT_LIMIT = 10_000_000
TILE = 131_072
DRAWS = 20_000
CONFIDENCE = 0.95
DRAWN_ALONE = 2**20


class Resolver(Protocol):
    """What the study knows and the space does not: how quantities follow from the axes."""

    def axes_of(self, name: str, axis_names: Collection[str]) -> Collection[str]:
        """Return which axis quantities the value of ``name`` depends on; naming too many is safe, only slower."""

    def resolve(self, names: Collection[str], values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the SI values of some quantities for a table of designs.

        ``values`` are in human units (multipliers for ``times`` axes): arrays with one value per design for the axes
        that matter, scalars for constants and for the axes that do not (their first value). Results are arrays of the
        same length, or scalars.
        """


@dataclass(frozen=True, slots=True)
class Count:
    """A number of designs; unless ``exact``, an estimate with its 95 % interval from ``low`` to ``high``."""

    value: int
    low: int
    high: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Share:
    """Part of a group of axes that passes: ``passed`` of ``seen`` points, which are all of them when ``exact``."""

    passed: int
    seen: int
    exact: bool

    def bounds(self, confidence: float) -> tuple[float, float, float]:
        """Return estimate, low and high."""
        share = self.passed / self.seen
        return (share, share, share) if self.exact else (share, *wilson(self.passed, self.seen, confidence))


def count_rows(
    space: Space, where: Sequence[Expression], resolver: Resolver, seed: int = 0, exact_limit: int = EXACT_LIMIT
) -> Count:
    """Return the number of designs that pass all conditions.

    Conditions joined by ``and`` are taken apart; those that share an axis form a group, and groups are independent, so
    the number is the product of their numbers. A group of at most ``exact_limit`` points is counted in full; of a
    larger one, ``DRAWS`` points are drawn uniformly (the same for the same seed) and the result has an interval.
    """
    conditions = [part for condition in where for part in condition.conjuncts()]
    shares = [list(_shares(block, conditions, resolver, seed, exact_limit)) for block in space.blocks]
    sampled = sum(not share.exact for group in shares for share in group)
    confidence = 1.0 - (1.0 - CONFIDENCE) / max(sampled, 1)
    total = Count(0, 0, 0, exact=True)
    for block, group in zip(space.blocks, shares, strict=True):
        part = _block_count(block.size, group, confidence)
        total = Count(
            total.value + part.value, total.low + part.low, total.high + part.high, total.exact and part.exact
        )
    return total


def wilson(passed: int, seen: int, confidence: float) -> tuple[float, float]:
    """Return the score interval of a share, ``passed`` of ``seen`` independent draws.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212. It
    stays inside [0, 1] and is no point at 0 or 1.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    share = passed / seen
    centre = (share + z * z / (2.0 * seen)) / (1.0 + z * z / seen)
    reach = z / (1.0 + z * z / seen) * math.sqrt(share * (1.0 - share) / seen + z * z / (4.0 * seen * seen))
    low = 0.0 if passed == 0 else centre - reach
    high = 1.0 if passed == seen else centre + reach
    return low, high


def _block_count(size: int, shares: Sequence[_Share], confidence: float) -> Count:
    exact = size
    for share in shares:
        if share.exact:
            exact = exact * share.passed // share.seen
    drawn = [share.bounds(confidence) for share in shares if not share.exact]
    if not drawn or exact == 0:
        return Count(exact, exact, exact, exact=True)
    value, low, high = (math.prod(column) for column in zip(*drawn, strict=True))
    return Count(round(exact * value), math.floor(exact * low), min(math.ceil(exact * high), exact), exact=False)


def _shares(
    block: Block, conditions: Sequence[Expression], resolver: Resolver, seed: int, limit: int
) -> Iterator[_Share]:
    for axes, members in _groups(block, conditions, resolver):
        shape = tuple(block.axes[axis].size for axis in axes)
        size = math.prod(shape)
        if size <= limit:
            tiles = (np.arange(start, min(start + TILE, size)) for start in range(0, size, TILE))
            passed = sum(_passing(block, axes, _unravel(tile, shape), members, resolver) for tile in tiles)
            yield _Share(passed, size, exact=True)
        else:
            points = _draw(block, axes, seed)
            yield _Share(_passing(block, axes, points, members, resolver), DRAWS, exact=False)


def _groups(
    block: Block, conditions: Sequence[Expression], resolver: Resolver
) -> list[tuple[tuple[int, ...], list[Expression]]]:
    """Return conditions that share axes, directly or through others, with the places of these axes."""
    places = {name: place for place, axis in enumerate(block.axes) for name in axis.names}
    groups: list[tuple[set[int], list[Expression]]] = []
    for condition in conditions:
        axes = {places[axis] for name in condition.names for axis in resolver.axes_of(name, places.keys())}
        members = [condition]
        apart = [group for group in groups if group[0].isdisjoint(axes)]
        for other in groups:
            if other not in apart:
                axes |= other[0]
                members = other[1] + members
        groups = [*apart, (axes, members)]
    return [(tuple(sorted(axes)), members) for axes, members in groups]


def _unravel(numbers: Indices, shape: tuple[int, ...]) -> list[Indices]:
    """Return the point on each axis of the numbered points of a grid."""
    points: list[Indices] = []
    for size in reversed(shape):
        numbers, place = np.divmod(numbers, size)
        points.append(place)
    return points[::-1]


def _draw(block: Block, axes: tuple[int, ...], seed: int) -> list[Indices]:
    """Return uniform draws of a point on each axis.

    Of a very long sampled axis the leading points are taken: they are draws already, and points far apart are slow to
    reach.
    """
    random = np.random.default_rng([seed, block.offset, *axes])
    chosen = []
    for axis in (block.axes[place] for place in axes):
        far = isinstance(axis, SampleAxis) and axis.size > DRAWN_ALONE
        chosen.append(np.arange(DRAWS) if far else random.integers(axis.size, size=DRAWS))
    return chosen


def _passing(
    block: Block, axes: tuple[int, ...], points: list[Indices], conditions: list[Expression], resolver: Resolver
) -> int:
    """Return how many of the points pass all conditions; without axes there is one point."""
    values: dict[str, Any] = dict(block.constants)
    for place, axis in enumerate(block.axes):
        if place in axes:
            values |= {name: axis.at(name, points[axes.index(place)]) for name in axis.names}
        else:
            values |= {name: axis.value(name, 0) for name in axis.names}
    names = {name for condition in conditions for name in condition.names}
    known = resolver.resolve(names, values)
    rows = points[0].size if points else 1
    passing: NDArray[np.bool_] = np.ones(rows, dtype=np.bool_)
    for condition in conditions:
        passing &= condition.evaluate(known)
    return int(np.count_nonzero(passing))
