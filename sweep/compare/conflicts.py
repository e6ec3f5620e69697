"""The published conflicts of the catalogue: other values of facts that two systems take, and what each displaces."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from models.quantities import quantities
from sweep.catalogue import Alternative as Published
from sweep.catalogue import Resolved
from sweep.compare.break_even import Pair
from sweep.compare.side import Move, Side
from sweep.units import factor


@dataclass(frozen=True)
class Conflict:
    """One fact with another published value: whose it is, ``value`` in place of ``now`` [unit of the table].

    ``displaced`` are other facts of the same owner that are set with it, by name [unit of the table].
    """

    move: Move
    value: float
    now: float
    published: Published
    displaced: Mapping[str, float] = field(hash=False)

    @property
    def changes(self) -> dict[str, float]:
        """All facts that it sets."""
        return {**self.displaced, self.move.name: self.value}

    def excludes(self, other: Conflict) -> bool:
        """Whether two of them say something of the same fact of the same system."""
        same = self.move.owner == other.move.owner or "both" in {self.move.owner, other.move.owner}
        return same and not self.changes.keys().isdisjoint(other.changes)


def conflicts_of(pair: Pair) -> list[Conflict]:
    """Return every other published value of the facts that the two systems take."""
    tables = [_facts(side) for side in pair]
    found: list[Conflict] = []
    for name in dict.fromkeys([*tables[0], *tables[1]]):
        first, second = (table.get(name) for table in tables)
        if first is not None and second is not None and (first.kind, first.entry) == (second.kind, second.entry):
            found += _of_fact(Move(name, "both"), first)
            continue
        found += _of_fact(Move(name, "first"), first) if first is not None else []
        found += _of_fact(Move(name, "second"), second) if second is not None else []
    return found


def together(strengths: Mapping[Conflict, float]) -> list[Conflict]:
    """Return conflicts that can hold at once, the strongest first: of those that exclude each other, the strongest."""
    kept: list[Conflict] = []
    for each in sorted(strengths, key=lambda conflict: -strengths[conflict]):
        if not any(each.excludes(other) for other in kept):
            kept.append(each)
    return kept


def changes_of(taken: Sequence[Conflict]) -> dict[str, float]:
    """Return all facts that conflicts set together, by name [unit of the table]."""
    return {name: value for each in taken for name, value in each.changes.items()}


def _facts(side: Side) -> dict[str, Resolved]:
    """Return the numeric facts a system takes from the catalogue that have other published values."""
    origins = side.machine.inputs(side.region).origins
    found = {}
    for name, origin in origins.items():
        row = quantities().get(name)
        taken = origin.kind == "fact" and len(origin.facts) == 1 and origin.facts[0].value is not None
        if row is not None and row.dtype != "text" and not row.structural and taken and origin.facts[0].fact.others:
            found[name] = origin.facts[0]
    return found


def _of_fact(move: Move, fact: Resolved) -> Iterator[Conflict]:
    row = quantities()[move.name]
    scale = factor(row.si_unit, row.unit)
    now = float(fact.value) * scale  # type: ignore[arg-type]  # a known number
    for other in fact.fact.others:
        if isinstance(other.si, int | float) and not math.isclose(float(other.si) * scale, now, rel_tol=1e-9):
            displaced = {each.name: each.value for each in other.displaced}
            yield Conflict(move, float(other.si) * scale, now, other, displaced)
