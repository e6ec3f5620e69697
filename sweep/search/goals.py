"""What a trial is told: its goals over all scenarios, and how far it is from feasible."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sweep.errors import StudyError
from sweep.search.limits import SOLVED, Limit, amounts
from sweep.search.reference import regret_name
from sweep.study import Objective, Study

Over = Literal["expected", "worst"]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Score:
    """Goals of one trial [units of their columns] and the share of scenarios in which it is infeasible.

    A trial that is infeasible anywhere has infinitely bad goals: a design must stand in every scenario it is asked for.
    ``amounts`` are those of ``sweep.search.limits``: what Optuna is told as constraints, 0 or less where all is well.
    """

    values: tuple[float, ...]
    violation: float
    amounts: tuple[float, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether the design stands in every scenario."""
        return self.violation <= 0


def goals_of(study: Study) -> tuple[Objective, ...]:
    """Return what a search optimises: the goals of ``keep: pareto [...]``, otherwise the objective.

    Raises ``StudyError`` when the study has neither.
    """
    if study.keep.kind == "pareto":
        return study.keep.goals
    if study.objective is None:
        message = "a search needs an objective, such as objective: {minimize: cost_per_token}"
        raise StudyError.at(message, study.file, "objective")
    return (study.objective,)


def regrets(goals: Sequence[Objective]) -> tuple[Objective, ...]:
    """Return the goals of a search for the smallest of the largest regrets."""
    return tuple(Objective(regret_name(goal.name), "minimize") for goal in goals)


def score(rows: pa.Table, goals: Sequence[Objective], over: Over, limits: Sequence[Limit] = ()) -> Score:
    """Return what to tell of one point from its rows over all scenarios.

    ``expected`` is the mean over the scenarios, each with equal weight; ``worst`` the worst of them. Scenarios that
    ``where`` drops do not count; a point that ``where`` drops altogether is infeasible. Amounts are known when the
    rows come from an evaluator that measures them.
    """
    return scored(columns_of(rows, goals, limits), goals, over, limits)


def columns_of(rows: pa.Table, goals: Sequence[Objective], limits: Sequence[Limit] = ()) -> dict[str, NDArray[Any]]:
    """Return the columns that a score needs: where rows are feasible (``status``), goals, and what was measured."""
    names = [goal.name for goal in goals]
    names += [SOLVED, *(limit.column for limit in limits)] if SOLVED in rows.schema.names else []
    status = pc.equal(rows["status"], "ok").to_numpy().astype(bool)
    return {"status": status} | {name: rows[name].to_numpy().astype(np.float64) for name in names}


def scored(columns: Columns, goals: Sequence[Objective], over: Over, limits: Sequence[Limit] = ()) -> Score:
    """Return the same score from the columns of the point's rows."""
    bad = tuple(math.inf if goal.direction == "minimize" else -math.inf for goal in goals)
    values = [columns[goal.name] for goal in goals]
    usable = columns["status"].copy()
    for column in values:
        usable &= np.isfinite(column)
    told = amounts(columns, limits, usable) if SOLVED in columns else ()
    if not usable.size:
        return Score(bad, 1.0, told)
    if not usable.all():
        return Score(bad, float(np.mean(~usable)), told)
    return Score(tuple(_over(column, goal, over) for column, goal in zip(values, goals, strict=True)), 0.0, told)


def _over(column: NDArray[Any], goal: Objective, over: Over) -> float:
    if column.size == 1:
        return float(column[0])
    if over == "expected":
        return math.fsum(column.tolist()) / column.size
    return float(column.max() if goal.direction == "minimize" else column.min())
