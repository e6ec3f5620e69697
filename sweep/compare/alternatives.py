"""The published conflicts of the catalogue: what each of them, alone and together, makes of a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.catalogue import Resolved
from sweep.compare.break_even import Pair
from sweep.compare.counts import counts_for
from sweep.compare.side import Move, Side, owner_name
from sweep.units import factor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Alternative:
    """Another published value of one fact: ``value`` in place of ``now`` [``unit``].

    ``of`` is the system whose fact it is, or ``both``; ``ratio`` the ratio of costs with it, first over other (NaN
    when a system of ``missing`` then has no design), ``shift`` the change of its logarithm.
    """

    name: str
    of: str
    unit: str
    now: float
    value: float
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
    independent. Values with which a system has no design are in no corner. ``turned`` says whether any one of them
    alone makes the other system cheaper, or the only one with a design; ``survives`` whether none of the corners does.
    """

    alone: tuple[Alternative, ...]
    corners: tuple[Corner, Corner]
    spread: tuple[float, float]
    turned: bool
    survives: bool


@dataclass(frozen=True)
class _Conflict:
    """One fact with another value: whose it is, in the unit of the table."""

    move: Move
    value: float
    now: float
    fact: Resolved
    index: int


def alternatives_of(pair: Pair) -> Alternatives:
    """Return what the published conflicts make of a comparison in which both systems have a design."""
    conflicts = _conflicts(pair)
    base = math.log(pair[0].cost / pair[1].cost)
    costs = _both(pair, [[each] for each in conflicts])
    alone = tuple(_alternative(pair, each, cost, base) for each, cost in zip(conflicts, costs, strict=True))
    found = dict(zip(conflicts, alone, strict=True))
    shifts = {each: other.shift for each, other in found.items()}
    best, worst = _together(shifts, sign=-1), _together(shifts, sign=1)
    corners = [_corner(pair, taken, found) for taken in (best, worst)]
    dearer = base > 0
    return Alternatives(
        alone=alone,
        corners=(corners[0], corners[1]),
        spread=(_spread(shifts, best), _spread(shifts, worst)),
        turned=any(_turned(pair, each, first_dearer=dearer) for each in alone),
        survives=not any(_turned(pair, each, first_dearer=dearer) for each in corners),
    )


def _turned(pair: Pair, each: Alternative | Corner, *, first_dearer: bool) -> bool:
    """Return whether the system that was cheaper is so no more: dearer, or alone without a design."""
    if each.missing:
        return each.missing == (pair[1 if first_dearer else 0].system,)
    return (each.ratio > 1) != first_dearer


def _corner(pair: Pair, taken: Sequence[_Conflict], found: Mapping[_Conflict, Alternative]) -> Corner:
    """Return what conflicts do together, the strongest first; those that leave neither a design are left out."""
    kept, left_out = list(taken), []
    costs = _together_cost(pair, kept)
    while len(_missing(pair, costs)) == len(pair):
        left_out.append(found[kept.pop(_spoiling(pair, kept))])
        costs = _together_cost(pair, kept)
    return Corner(costs[0] / costs[1], _missing(pair, costs), tuple(left_out))


def _spoiling(pair: Pair, taken: Sequence[_Conflict]) -> int:
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


def _together_cost(pair: Pair, taken: Sequence[_Conflict]) -> tuple[float, float]:
    """Return the costs of both systems [USD/token] with several conflicts at once."""
    return _both(pair, [taken])[0]


def _missing(pair: Pair, costs: tuple[float, float]) -> tuple[str, ...]:
    return tuple(side.system for side, cost in zip(pair, costs, strict=True) if math.isnan(cost))


def _spread(shifts: Mapping[_Conflict, float], taken: Iterable[_Conflict]) -> float:
    return math.sqrt(sum(shifts[each] ** 2 for each in taken))


def _together(shifts: Mapping[_Conflict, float], *, sign: int) -> list[_Conflict]:
    """Return for each fact the value that moves the ratio farthest down (-1) or up (1), if any; the strongest first."""
    best: dict[Move, _Conflict] = {}
    for each, shift in shifts.items():
        if math.isfinite(shift) and sign * shift > 0:
            known = best.get(each.move)
            if known is None or sign * shift > sign * shifts[known]:
                best[each.move] = each
    return sorted(best.values(), key=lambda each: -sign * shifts[each])


def _conflicts(pair: Pair) -> list[_Conflict]:
    """Return every other published value of the facts that the two systems take."""
    tables = [_facts(side) for side in pair]
    found = []
    for name in dict.fromkeys([*tables[0], *tables[1]]):
        first, second = (table.get(name) for table in tables)
        if first is not None and second is not None and (first.kind, first.entry) == (second.kind, second.entry):
            found += _of_fact(Move(name, "both"), first)
            continue
        found += _of_fact(Move(name, "first"), first) if first is not None else []
        found += _of_fact(Move(name, "second"), second) if second is not None else []
    return found


def _facts(side: Side) -> dict[str, Resolved]:
    """Return the numeric facts a system takes from the catalogue that have other published values."""
    origins = side.machine.inputs(side.region).origins
    found = {}
    for name, origin in origins.items():
        row = quantities().get(name)
        taken = origin.kind == "fact" and len(origin.facts) == 1 and origin.facts[0].value is not None
        if (
            row is not None
            and row.dtype != "text"
            and not row.structural
            and taken
            and origin.facts[0].fact.alternatives
        ):
            found[name] = origin.facts[0]
    return found


def _of_fact(move: Move, fact: Resolved) -> list[_Conflict]:
    row = quantities()[move.name]
    scale = factor(row.si_unit, row.unit)
    now = float(fact.value) * scale  # type: ignore[arg-type]  # a known number
    found = []
    for index, other in enumerate(fact.fact.alternatives):
        if isinstance(other.si, int | float) and not math.isclose(float(other.si) * scale, now, rel_tol=1e-9):
            found.append(_Conflict(move, float(other.si) * scale, now, fact, index))
    return found


def _alternative(pair: Pair, conflict: _Conflict, costs: tuple[float, float], base: float) -> Alternative:
    log = math.log(costs[0] / costs[1])
    other, move = conflict.fact.fact.alternatives[conflict.index], conflict.move
    return Alternative(
        name=move.name,
        of=owner_name(pair, move),
        unit=quantities()[move.name].unit,
        now=conflict.now,
        value=conflict.value,
        source=other.source,
        confidence=other.confidence,
        note=other.note,
        ratio=math.exp(log),
        shift=log - base,
        missing=_missing(pair, costs),
    )


def _both(pair: Pair, variants: Sequence[Sequence[_Conflict]]) -> list[tuple[float, float]]:
    """Return the costs of both systems [USD/token] in each variant, designs chosen anew; NaN without one."""
    first, second = (_costs(side, place, variants).tolist() for place, side in enumerate(pair))
    return list(zip(first, second, strict=True))


def _costs(side: Side, place: int, variants: Sequence[Sequence[_Conflict]]) -> Array:
    """Return a system's cost in each variant; those that leave its performance as it is are evaluated apart."""
    costs = np.full(len(variants), side.cost)
    own = [[each for each in taken if each.move.touches(place)] for taken in variants]
    touching = [index for index, taken in enumerate(own) if taken]
    performing = {index for index in touching if any(side.machine.performs_by(each.move.name) for each in own[index])}
    for group in ([index for index in touching if index not in performing], sorted(performing)):
        if group:
            costs[group] = side.costs(_changes([own[index] for index in group]), len(group))
    for index in touching:
        if np.isnan(costs[index]):
            costs[index] = _searched(side, place, {each.move.name: each.value for each in own[index]})
    return costs


def _searched(side: Side, place: int, changes: Mapping[str, float]) -> float:
    """Return a system's cost where none of the usual counts of domains will do: other counts are looked for."""
    counts = counts_for(side.machine, side.region, side.basis, place, changes)
    return float(replace(side, counts=counts).costs(changes, 1)[0]) if counts else math.nan


def _changes(variants: Sequence[Sequence[_Conflict]]) -> dict[str, Any]:
    """Return one column per fact that any variant changes [table units], a row per variant."""
    columns: dict[str, Array] = {}
    for row, taken in enumerate(variants):
        for each in taken:
            column = columns.setdefault(each.move.name, np.full((len(variants), 1), each.now))
            column[row] = each.value
    return columns
