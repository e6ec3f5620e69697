"""What stands behind a design that a search found: its id and row in one scenario, and how near it is to each limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sweep.dataset.columns import DESIGN
from sweep.search.batch import Evaluator
from sweep.search.exact import Found
from sweep.search.goals import Over, score
from sweep.search.limits import limits_of
from sweep.search.prices import Requirement, requirements
from sweep.search.scenarios import NOMINAL, Scenario, named
from sweep.search.task import Task


@dataclass(frozen=True, slots=True)
class Kept:
    """A limit and what the design has of it in its worst scenario [``limit.unit``]."""

    limit: Requirement
    value: float


@dataclass(frozen=True, slots=True)
class Detail:
    """A design: its id and its row in the scenario that counts, or in the nominal one where there are several.

    ``row`` has the columns of the study [their units]; it is empty where ``where`` drops the design there.
    """

    design: int
    row: Mapping[str, Any]
    limits: tuple[Kept, ...]


def shown_scenario(task: Task) -> Scenario:
    """Return the scenario that counts, or the nominal one where several do."""
    return task.scenario or named(NOMINAL, task.levers, task.catalogue)


def design_ids(task: Task, evaluator: Evaluator, found: Sequence[Found]) -> list[int]:
    """Return the ids of some designs in ``shown_scenario``."""
    here = replace(evaluator, scenario=shown_scenario(task))
    return here.first_ids([each.point for each in found])


def detail(task: Task, evaluator: Evaluator, found: Found) -> Detail:
    """Return what stands behind a design."""
    plain = replace(evaluator, reference=None, regrets=(), spread=None)
    here = replace(plain, scenario=shown_scenario(task))
    ((point, table),) = here.rows([found.point])
    rows = table.to_pylist()
    row = {name: value for name, value in rows[0].items() if name != DESIGN} if rows else {}
    return Detail(here.first_id(point), row, _kept(plain, found, task.fold))


def _kept(evaluator: Evaluator, found: Found, over: Over) -> tuple[Kept, ...]:
    """Return the limits that compare a quantity with a number, each with its value in the worst scenario."""
    limits = limits_of(evaluator.study)
    simple = {each.text: each for each in requirements(evaluator.study.require)}
    if not simple:
        return ()
    goals = [goal for goal in (evaluator.study.objective, *evaluator.study.keep.goals) if goal is not None]
    ((_, table),) = evaluator.measuring().rows([found.point])
    amounts = score(table, goals[:1], over, limits).amounts[1:]
    return tuple(
        Kept(simple[limit.name], _value(simple[limit.name], amount))
        for limit, amount in zip(limits, amounts, strict=True)
        if limit.name in simple
    )


def _value(limit: Requirement, amount: float) -> float:
    """Return the quantity from its excess over the limit, as a fraction of the limit (of nothing where that is 0)."""
    beyond = amount * (abs(limit.limit) or 1.0)
    return limit.limit + beyond if limit.upper else limit.limit - beyond
