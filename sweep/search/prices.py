"""What each limit costs: how much better the best design becomes when one limit gives way by a tenth.

Where the study was enumerated the relaxed one is enumerated too, and the price is exact; when time runs out on the
relaxed one, what was found there is what can be had at least. Otherwise the best design is refined locally under the
limit, and from there under the relaxed one. The difference of two local optima is an estimate: either may be far from
its optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, Literal

from models.quantities import quantities
from sweep.expressions import Expression
from sweep.expressions.nodes import Comparison, Name, Number
from sweep.search.batch import Evaluator
from sweep.search.enumeration import enumerated
from sweep.search.exact import Found, front
from sweep.search.goals import Over, score
from sweep.search.refine import double, single
from sweep.study import Objective
from sweep.text import number
from sweep.units import factor

RELAXED: Final = 0.1
"""By which part of itself a limit gives way."""

ROUNDS: Final = 50
UPPER: Final = ("<", "<=")
LOWER: Final = (">", ">=")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement that compares a quantity with a number: ``require`` number ``place``, conjunct ``part`` of it.

    ``limit`` in the human ``unit`` of the quantity; ``upper`` when the quantity may not exceed it.
    """

    place: int
    part: int
    text: str
    name: str
    unit: str
    limit: float
    upper: bool

    @property
    def relaxed(self) -> float:
        """The limit after it gave way [``unit``]."""
        return self.limit + (1 if self.upper else -1) * RELAXED * abs(self.limit)


How = Literal["enumerated", "at least", "estimate"]
"""What a price is: exact; what can be had at least; the difference of two local optima."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a limit costs: ``now`` is the best design under it, ``best`` under the relaxed limit.

    ``saving`` by which the latter is better, in the unit of the goal; ``share`` of the goal now; ``per_unit`` per unit
    of the limit.
    """

    requirement: Requirement
    now: Found
    best: Found
    saving: float
    share: float
    per_unit: float
    how: How


def requirements(require: Sequence[Expression]) -> list[Requirement]:
    """Return the requirements that have a limit to give way: comparisons of one quantity with a number."""
    found = []
    for place, condition in enumerate(require):
        for part, each in enumerate(condition.conjuncts()):
            limit = _requirement(place, part, each)
            found += [limit] if limit is not None else []
    return found


def _requirement(place: int, part: int, condition: Expression) -> Requirement | None:
    node = condition.node
    if not isinstance(node, Comparison) or node.sign not in (*UPPER, *LOWER):
        return None
    name, value, upper = node.left, node.right, node.sign in UPPER
    if isinstance(name, Number):
        name, value, upper = value, name, not upper
    if not (isinstance(name, Name) and isinstance(value, Number)):
        return None
    row = quantities().get(name.name)
    unit, scale = (row.unit, factor(row.si_unit, row.unit)) if row is not None else ("", 1.0)
    return Requirement(place, part, condition.text, name.name, unit, value.si * scale, upper)


def relaxed(require: Sequence[Expression], limit: Requirement) -> tuple[Expression, ...]:
    """Return the requirements with one limit given way, the others as they are."""
    changed: list[Expression] = []
    for place, condition in enumerate(require):
        for part, each in enumerate(condition.conjuncts()):
            changed.append(_wider(each, limit) if (place, part) == (limit.place, limit.part) else each)
    return tuple(changed)


def _wider(condition: Expression, limit: Requirement) -> Expression:
    node = condition.node
    assert isinstance(node, Comparison)
    si = limit.relaxed / factor(_si_unit(limit), limit.unit) if limit.unit else limit.relaxed
    value = Number(si, f"{number(limit.relaxed)} {limit.unit}".strip())
    left, right = (node.left, value) if isinstance(node.right, Number) else (value, node.right)
    wider = Comparison(node.sign, left, right)
    return Expression(str(wider), wider, "bool", "")


def _si_unit(limit: Requirement) -> str:
    return quantities()[limit.name].si_unit


def prices(
    evaluator: Evaluator, goals: Sequence[Objective], over: Over, best: Found, *, exact: bool, seconds: float
) -> tuple[Price, ...]:
    """Return the price of every limit, for one goal.

    ``exact`` when ``best`` is the optimum of the study. ``seconds`` is the time for each enumeration.
    """
    own = evaluator.only([goal.name for goal in goals])
    limits = requirements(own.study.require)
    now = refined(own, goals, over, best) if limits and not exact else best
    found = []
    for limit in limits:
        study = replace(own.study, require=relaxed(own.study.require, limit))
        wider = replace(own, study=study)
        better = refined(wider, goals, over, now)
        how: How = "at least" if exact else "estimate"
        if exact:
            proof = enumerated(wider, goals, over, seconds=seconds, within=0.0, known=[better])
            how = "enumerated" if proof.complete else how
            better = front([better, *proof.best], goals)[0]
        found.append(_priced(limit, goals[0], now, better, how))
    return tuple(found)


def _priced(limit: Requirement, goal: Objective, now: Found, better: Found, how: How) -> Price:
    sign = 1.0 if goal.direction == "minimize" else -1.0
    value = now.score.values[0]
    saving = sign * (value - better.score.values[0])
    room = abs(limit.relaxed - limit.limit)
    return Price(limit, now, better, saving, saving / abs(value) if value else 0.0, saving / room if room else 0.0, how)


def refined(evaluator: Evaluator, goals: Sequence[Objective], over: Over, start: Found) -> Found:
    """Return the local optimum next to a design: the best neighbour in one lever until none is better, then in two.

    Each round is one call of the engine.
    """
    best = start
    for _ in range(ROUNDS):
        for neighbours in (single, double):
            rows = evaluator.rows(neighbours(evaluator.levers, best.point))
            tried = [Found(None, point, score(table, goals, over)) for point, table in rows]
            better = front(list(chain([best], tried)), goals)
            if better and better[0].point != best.point:
                break
        if not better or better[0].point == best.point:
            break
        best = better[0]
    return best
