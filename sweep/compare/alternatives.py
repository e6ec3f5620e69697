"""What the published conflicts of the catalogue, each alone and all together, make of a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.compare.break_even import Pair
from sweep.compare.conflicts import Conflict, changes_of, conflicts_of, together
from sweep.compare.counts import counts_for
from sweep.compare.side import Side, owner_name

Array = NDArray[np.float64]
LEAST = 1e-3
"""Change of the logarithm of the ratio up to which a value does not move it."""


@dataclass(frozen=True)
class Alternative:
    """Another published value of one fact: ``value`` in place of ``now`` [``unit``].

    ``displaced`` are the facts set with it, by name [unit of the table]: what it counts, too. ``of`` is the system
    whose fact it is, or ``both``; ``ratio`` the ratio of costs with it, first over other (NaN when a system of
    ``missing`` then has no design), ``shift`` the change of its logarithm.
    """

    name: str
    of: str
    unit: str
    now: float
    value: float
    displaced: Mapping[str, float]
    source: str
    confidence: str
    note: str
    ratio: float
    shift: float
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Corner:
    """The ratio of costs with several conflicts together, first over other; ``missing`` has no design then.

    ``left_out`` are those with which, beside the stronger ones, neither system would have a design: a corner in which
    neither has one says nothing of which is cheaper.
    """

    ratio: float
    missing: tuple[str, ...]
    left_out: tuple[Alternative, ...]


@dataclass(frozen=True)
class Alternatives:
    """What the published conflicts do: each one ``alone``, and those together that favour the first or the other.

    ``corners`` are those with every fact at the value that favours the first, and the other. ``spread`` is how far the
    logarithm of the ratio goes down and up: the largest shift of each fact, in quadrature over facts, as if
    independent. Values with which one system has no design are in no corner, and leave that end of the spread open.
    ``turned`` says whether any one of them alone makes the other system cheaper, or the only one with a design;
    ``survives`` whether none of the corners does.
    """

    alone: tuple[Alternative, ...]
    corners: tuple[Corner, Corner]
    spread: tuple[float, float]
    turned: bool
    survives: bool

    @property
    def moving(self) -> tuple[Alternative, ...]:
        """Those that move the ratio, or leave a system without a design."""
        return tuple(each for each in self.alone if each.missing or abs(each.shift) > LEAST)


def alternatives_of(pair: Pair) -> Alternatives:
    """Return what the published conflicts make of a comparison in which both systems have a design."""
    conflicts = conflicts_of(pair)
    base = math.log(pair[0].cost / pair[1].cost)
    costs = _both(pair, [[each] for each in conflicts])
    alone = tuple(_alternative(pair, each, cost, base) for each, cost in zip(conflicts, costs, strict=True))
    found = dict(zip(conflicts, alone, strict=True))
    shifts = {each: other.shift for each, other in found.items()}
    best, worst = _moving(shifts, sign=-1), _moving(shifts, sign=1)
    corners = [_corner(pair, taken, found) for taken in (best, worst)]
    dearer = base > 0
    return Alternatives(
        alone=alone,
        corners=(corners[0], corners[1]),
        spread=(
            math.inf if _taken_from(pair[1], alone) else _spread(shifts, best),
            math.inf if _taken_from(pair[0], alone) else _spread(shifts, worst),
        ),
        turned=any(_turned(pair, each, first_dearer=dearer) for each in alone),
        survives=not any(_turned(pair, each, first_dearer=dearer) for each in corners),
    )


def _taken_from(side: Side, alone: Iterable[Alternative]) -> bool:
    """Return whether one value alone leaves this system without a design, and not the other."""
    return any(each.missing == (side.system,) for each in alone)


def _turned(pair: Pair, each: Alternative | Corner, *, first_dearer: bool) -> bool:
    """Return whether the system that was cheaper is so no more: dearer, or alone without a design."""
    if each.missing:
        return each.missing == (pair[1 if first_dearer else 0].system,)
    return (each.ratio > 1) != first_dearer


def _corner(pair: Pair, taken: Sequence[Conflict], found: Mapping[Conflict, Alternative]) -> Corner:
    """Return what conflicts do together, the strongest first; those that leave neither a design are left out."""
    kept, left_out = list(taken), []
    costs = _together_cost(pair, kept)
    while len(_missing(pair, costs)) == len(pair):
        left_out.append(found[kept.pop(_spoiling(pair, kept))])
        costs = _together_cost(pair, kept)
    return Corner(costs[0] / costs[1], _missing(pair, costs), tuple(left_out))


def _spoiling(pair: Pair, taken: Sequence[Conflict]) -> int:
    """Return the place of a conflict with which, beside those before it, neither has a design any more.

    With none taken both have one, and with all of them neither: the change between is found by halving.
    """
    having, neither = 0, len(taken)
    while neither - having > 1:
        middle = (having + neither) // 2
        if len(_missing(pair, _together_cost(pair, taken[:middle]))) == len(pair):
            neither = middle
        else:
            having = middle
    return having


def _together_cost(pair: Pair, taken: Sequence[Conflict]) -> tuple[float, float]:
    """Return the costs of both systems [USD/token] with several conflicts at once."""
    return _both(pair, [taken])[0]


def _missing(pair: Pair, costs: tuple[float, float]) -> tuple[str, ...]:
    return tuple(side.system for side, cost in zip(pair, costs, strict=True) if math.isnan(cost))


def _spread(shifts: Mapping[Conflict, float], taken: Iterable[Conflict]) -> float:
    return math.sqrt(sum(shifts[each] ** 2 for each in taken))


def _moving(shifts: Mapping[Conflict, float], *, sign: int) -> list[Conflict]:
    """Return for each fact the value that moves the ratio farthest down (-1) or up (1), if any; the strongest first."""
    known = {each: sign * shift for each, shift in shifts.items() if math.isfinite(shift) and sign * shift > 0}
    return together(known)


def _alternative(pair: Pair, conflict: Conflict, costs: tuple[float, float], base: float) -> Alternative:
    log = math.log(costs[0] / costs[1])
    other, move = conflict.published, conflict.move
    return Alternative(
        name=move.name,
        of=owner_name(pair, move),
        unit=quantities()[move.name].unit,
        now=conflict.now,
        value=conflict.value,
        displaced=conflict.displaced,
        source=other.source,
        confidence=other.confidence,
        note=other.note,
        ratio=math.exp(log),
        shift=log - base,
        missing=_missing(pair, costs),
    )


def _both(pair: Pair, variants: Sequence[Sequence[Conflict]]) -> list[tuple[float, float]]:
    """Return the costs of both systems [USD/token] in each variant, designs chosen anew; NaN without one."""
    first, second = (_costs(side, place, variants).tolist() for place, side in enumerate(pair))
    return list(zip(first, second, strict=True))


def _costs(side: Side, place: int, variants: Sequence[Sequence[Conflict]]) -> Array:
    """Return a system's cost in each variant; those that leave its performance as it is are evaluated apart."""
    costs = np.full(len(variants), side.cost)
    own = [[each for each in taken if each.move.touches(place)] for taken in variants]
    for group in _groups(side, own):
        costs[group] = side.costs(_columns([own[index] for index in group]), len(group))
    for index, taken in enumerate(own):
        if taken and np.isnan(costs[index]):
            costs[index] = _searched(side, place, changes_of(taken))
    return costs


def _groups(side: Side, own: Sequence[Sequence[Conflict]]) -> Iterator[list[int]]:
    """Yield the places of variants that are evaluated at once: none of them, or all, may change the performance.

    What is set with another fact has no value of its own in the table, so such variants are evaluated one by one.
    """
    touching = [index for index, taken in enumerate(own) if taken]
    alone = {index for index in touching if any(each.displaced for each in own[index])}
    performing = {index for index in touching if any(side.machine.performs_by(name) for name in changes_of(own[index]))}
    yield from ([index] for index in sorted(alone))
    for group in (set(touching) - alone - performing, performing - alone):
        if group:
            yield sorted(group)


def _searched(side: Side, place: int, changes: Mapping[str, float]) -> float:
    """Return a system's cost where none of the usual counts of domains will do: other counts are looked for."""
    counts = counts_for(side.machine, side.region, side.basis, place, changes)
    return float(replace(side, counts=counts).costs(changes, 1)[0]) if counts else math.nan


def _columns(variants: Sequence[Sequence[Conflict]]) -> dict[str, Any]:
    """Return one column per fact that any variant changes [table units], a row per variant."""
    now = {each.move.name: each.now for taken in variants for each in taken}
    columns: dict[str, Array] = {}
    for row, taken in enumerate(variants):
        for name, value in changes_of(taken).items():
            columns.setdefault(name, np.full((len(variants), 1), now.get(name, np.nan)))[row] = value
    return columns
