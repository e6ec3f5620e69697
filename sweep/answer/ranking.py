"""Many systems under one equal basis: who is best, by how much the others are worse, and each against the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sweep.answer.equal_basis import Comparison
from sweep.answer.text import adjective, heading, share, unit_of
from sweep.answer.verdict import Verdict
from sweep.text import Table, number


@dataclass(frozen=True, slots=True)
class Overview:
    """All systems of one comparison: a sentence on the nominal scenario, and a table over all of them."""

    sentence: str
    table: Table


def overview(comparison: Comparison, verdicts: Sequence[Verdict]) -> Overview:
    """Return the ranking of the systems; ``verdicts`` are those of the first system against each other one."""
    return Overview(_ranking(comparison, verdicts), _against_first(comparison, verdicts))


def _ranking(comparison: Comparison, verdicts: Sequence[Verdict]) -> str:
    goals = {verdicts[0].systems[0]: verdicts[0].goals[0]}
    goals |= {each.systems[1]: each.goals[1] for each in verdicts}
    sign = 1 if comparison.goal.direction == "minimize" else -1
    having = sorted((name for name, goal in goals.items() if math.isfinite(goal)), key=lambda name: sign * goals[name])
    head, without = f"{heading(comparison)}, nominal scenario", [name for name in goals if name not in having]
    if not having:
        return f"{head}: no system has a design."
    best = having[0]
    word = {"cheaper": "cheapest", "faster": "fastest"}.get(adjective(comparison), "best")
    parts = [f"{best} is {word} at {number(goals[best], 4)} {unit_of(comparison.goal.name)}".rstrip()]
    parts += [f"{name} has {goals[name] / goals[best]:.2f} times that" for name in having[1:]]
    said = ", ".join(parts)
    if not without:
        return f"{head}: {said}."
    return f"{head}: {said}; {_listed(without)} {'has' if len(without) == 1 else 'have'} no design."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _against_first(comparison: Comparison, verdicts: Sequence[Verdict]) -> Table:
    first, better = verdicts[0].systems[0], adjective(comparison)
    title = f"{heading(comparison)}: each against {first}, shares of the scenarios"
    heads = (f"{better}>", f"{first} {better}>", "cannot tell>", "alone has a design>", f"{first} alone>", "scenarios>")
    table = Table(title, ("system", *heads))
    for each in verdicts:
        shares = (each.better[1], each.better[0], each.open, each.alone[1], each.alone[0])
        table.rows.append((each.systems[1], *(share(part) for part in shares), f"{each.scenarios:,}"))
    return table
