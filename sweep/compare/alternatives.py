"""The published conflicts of the catalogue: what each of them, alone and together, makes of a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.catalogue import Resolved
from sweep.compare.basis import choose
from sweep.compare.break_even import Pair
from sweep.compare.side import Move, Side
from sweep.units import factor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Alternative:
    """Another published value of one fact: ``value`` in place of ``now`` [``unit``].

    ``of`` is the system whose fact it is, or ``both``; ``ratio`` the ratio of costs with it, first over other (NaN
    when a system then has no design), ``shift`` the change of its logarithm.
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


@dataclass(frozen=True)
class Alternatives:
    """What the published conflicts do: each one ``alone``, and those together that favour the first or the other.

    ``corners`` are the ratios with every fact at the value that favours the first, and the other. ``spread`` is how far
    the logarithm of the ratio goes down and up: the largest shift of each fact, in quadrature over facts, as if
    independent. ``turned`` says whether any one of them alone makes the other system cheaper; ``survives`` whether the
    same system stays cheaper in both corners.
    """

    alone: tuple[Alternative, ...]
    corners: tuple[float, float]
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


def alternatives_of(pair: Pair, error: float) -> Alternatives:  # noqa: ARG001
    """Return what the published conflicts make of a comparison."""
    conflicts = _conflicts(pair)
    base = math.log(pair[0].cost / pair[1].cost)
    logs = _logs(pair, [[each] for each in conflicts])
    alone = tuple(_alternative(pair, each, log, base) for each, log in zip(conflicts, logs.tolist(), strict=True))
    shifts = dict(zip(conflicts, (each.shift for each in alone), strict=True))
    best, worst = _together(shifts, sign=-1), _together(shifts, sign=1)
    corners = [math.exp(log) for log in _logs(pair, [best, worst]).tolist()]
    now = math.exp(base) > 1
    return Alternatives(
        alone=alone,
        corners=(corners[0], corners[1]),
        spread=(_spread(shifts, best), _spread(shifts, worst)),
        turned=any((each.ratio > 1) != now for each in alone if math.isfinite(each.ratio)),
        survives=all((corner > 1) == now for corner in corners if math.isfinite(corner)),
    )


def _spread(shifts: Mapping[_Conflict, float], taken: Iterable[_Conflict]) -> float:
    return math.sqrt(sum(shifts[each] ** 2 for each in taken))


def _together(shifts: Mapping[_Conflict, float], *, sign: int) -> list[_Conflict]:
    """Return for each fact the value that moves the ratio farthest down (-1) or up (1), if any does."""
    best: dict[Move, _Conflict] = {}
    for each, shift in shifts.items():
        if math.isfinite(shift) and sign * shift > 0:
            known = best.get(each.move)
            if known is None or sign * shift > sign * shifts[known]:
                best[each.move] = each
    return list(best.values())


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
        if row is not None and row.dtype != "text" and not row.structural and taken and origin.facts[0].fact.alternatives:
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


def _alternative(pair: Pair, conflict: _Conflict, log: float, base: float) -> Alternative:
    other, move = conflict.fact.fact.alternatives[conflict.index], conflict.move
    of = "both" if move.owner == "both" else pair[move.owner == "second"].system
    return Alternative(
        name=move.name,
        of=of,
        unit=quantities()[move.name].unit,
        now=conflict.now,
        value=conflict.value,
        source=other.source,
        confidence=other.confidence,
        note=other.note,
        ratio=math.exp(log),
        shift=log - base,
    )


def _logs(pair: Pair, variants: Sequence[Sequence[_Conflict]]) -> Array:
    """Return the logarithm of the ratio of costs in each variant, designs chosen anew."""
    costs = [_costs(side, place, variants) for place, side in enumerate(pair)]
    return np.asarray(np.log(costs[0] / costs[1]))


def _costs(side: Side, place: int, variants: Sequence[Sequence[_Conflict]]) -> Array:
    """Return a system's cost in each variant; those that leave its performance as it is are evaluated apart."""
    costs = np.full(len(variants), side.cost)
    touching = [index for index, taken in enumerate(variants) if any(each.move.touches(place) for each in taken)]
    performing = [
        index
        for index in touching
        if any(each.move.touches(place) and side.machine.performs_by(each.move.name) for each in variants[index])
    ]
    for group in ([index for index in touching if index not in performing], performing):
        if group:
            changes = _changes([variants[index] for index in group], place)
            costs[group] = np.broadcast_to(choose(side.basis, side.evaluate(changes)).cost, (len(group),))
    return costs


def _changes(variants: Sequence[Sequence[_Conflict]], place: int) -> dict[str, Any]:
    """Return one column per fact that any variant changes for a system [table units], a row per variant."""
    columns: dict[str, Array] = {}
    for row, taken in enumerate(variants):
        for each in taken:
            if each.move.touches(place):
                column = columns.setdefault(each.move.name, np.full((len(variants), 1), each.now))
                column[row] = each.value
    return columns
