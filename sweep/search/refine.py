"""Local refinement: a part of the trials of a search tries the neighbours of what is best so far.

Half of every batch after the first ones is refinement; these are trials like the others, counted, recorded and told to
the sampler. Which ones they are follows from the told trials, the seed and the number of the batch alone, so a search
that is resumed refines as one that ran through. Where every neighbour is known the sampler gets the whole batch.

Neighbours of a design are, first, the designs that differ from it in one lever: by one or two places where the lever is
ordered, in any way where it is not, and by a change of block with all levers at the values nearest to its own. When all
of these are known it is a local optimum, and designs that differ in two levers by one place each follow; then the
neighbours of the next best.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain, combinations, islice, product
from typing import Final

import numpy as np

from sweep.search.exact import Found
from sweep.search.points import LeverSpace, Point
from sweep.space import Axis
from sweep.study import Objective

STEPS: Final = (-1, 1, -2, 2)
BEST: Final = 24
"""How many of the best designs have neighbours."""


def refinements(
    levers: LeverSpace,
    told: Sequence[Found],
    goals: Sequence[Objective],
    known: Container[Point],
    count: int,
    seed: Sequence[int],
) -> list[Point]:
    """Return at most ``count`` points next to the best told ones, none of them ``known``.

    While nothing is feasible the best are those that exceed the limits least. With several goals the neighbours of all
    designs of the front take turns.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    best = _best(told, goals) or _closest(told)
    streams: Iterator[Point]
    if len(goals) == 1:
        streams = chain.from_iterable(
            chain(_shuffled(single(levers, point), rng), _shuffled(double(levers, point), rng) if not rank else ())
            for rank, point in enumerate(best)
        )
    else:
        near = [[*_shuffled(single(levers, point), rng)] for point in _shuffled(best, rng)]
        streams = (point for row in zip(*_padded(near), strict=True) for point in row if point is not None)
    return list(islice((point for point in _once(streams) if point not in known), count))


def _once(points: Iterable[Point]) -> Iterator[Point]:
    """Yield each point where it comes first; no more of them are made than are taken."""
    seen: set[Point] = set()
    for point in points:
        if point not in seen:
            seen.add(point)
            yield point


def _best(told: Sequence[Found], goals: Sequence[Objective]) -> list[Point]:
    good = [each for each in told if each.feasible]
    if len(goals) == 1:
        sign = 1.0 if goals[0].direction == "minimize" else -1.0
        good = sorted(good, key=lambda each: sign * each.score.values[0])
        return list(islice(_once(each.point for each in good), BEST))
    from sweep.search.exact import front  # noqa: PLC0415

    return list(dict.fromkeys(each.point for each in front(good, goals)))


def _closest(told: Sequence[Found]) -> list[Point]:
    """Return infeasible points in the order of how far they are beyond the limits together; unknown amounts last."""
    excess = {each.point: sum(max(amount, 0.0) for amount in each.score.amounts) for each in told if each.score.amounts}
    return list(islice(sorted(excess, key=lambda point: excess[point]), BEST))


def _shuffled(points: Iterator[Point] | Sequence[Point], rng: np.random.Generator) -> Iterator[Point]:
    listed = list(points)
    return (listed[place] for place in rng.permutation(len(listed)).tolist())


def _padded(rows: Sequence[Sequence[Point]]) -> list[list[Point | None]]:
    most = max((len(row) for row in rows), default=0)
    return [[*row, *[None] * (most - len(row))] for row in rows]


def single(levers: LeverSpace, point: Point) -> Iterator[Point]:
    """Yield the points that differ from one in one lever, or in the block."""
    axes = levers.lever_axes(levers.space.blocks[point.block])
    for place, (axis, rises) in enumerate(zip(axes, levers.ordered[point.block], strict=True)):
        here = point.places[place]
        there = [here + step for step in STEPS] if rises else range(axis.size)
        for other in there:
            if other != here and 0 <= other < axis.size:
                yield _moved(point, {place: other})
    for number in range(len(levers.space.blocks)):
        if number != point.block:
            yield _translated(levers, point, number)


def double(levers: LeverSpace, point: Point) -> Iterator[Point]:
    """Yield the points that differ from one in two levers: by one place where ordered, in any way where not."""
    axes = levers.lever_axes(levers.space.blocks[point.block])
    moves = [
        [other for other in ((here - 1, here + 1) if rises else range(axis.size)) if 0 <= other < axis.size]
        for here, axis, rises in zip(point.places, axes, levers.ordered[point.block], strict=True)
    ]
    for one, two in combinations(range(len(axes)), 2):
        for first, second in product(moves[one], moves[two]):
            if first != point.places[one] and second != point.places[two]:
                yield _moved(point, {one: first, two: second})


def _moved(point: Point, places: dict[int, int]) -> Point:
    moved = list(point.places)
    for at, place in places.items():
        moved[at] = place
    return Point(point.block, tuple(moved))


def _translated(levers: LeverSpace, point: Point, number: int) -> Point:
    """Return the point of another block that is most like one: equal levers, or else the same share of an axis."""
    own = levers.lever_axes(levers.space.blocks[point.block])
    before = {axis.names: (axis, place) for axis, place in zip(own, point.places, strict=True)}
    return Point(
        number,
        tuple(_nearest(axis, before.get(axis.names)) for axis in levers.lever_axes(levers.space.blocks[number])),
    )


def _nearest(axis: Axis, before: tuple[Axis, int] | None) -> int:
    if before is None:
        return axis.size // 2
    other, place = before
    if other == axis:
        return place
    return round(place / max(other.size - 1, 1) * (axis.size - 1))
