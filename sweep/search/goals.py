"""What a trial is told: its goals over all scenarios, and how far it is from feasible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sweep.errors import StudyError
from sweep.study import Objective, Study

Over = Literal["expected", "worst"]


@dataclass(frozen=True, slots=True)
class Score:
    """Goals of one trial [units of their columns] and the share of scenarios in which it is infeasible.

    A trial that is infeasible anywhere has infinitely bad goals: a design must stand in every scenario it is asked for.
    """

    values: tuple[float, ...]
    violation: float

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


def score(rows: pa.Table, goals: Sequence[Objective], over: Over) -> Score:
    """Return what to tell of one point from its rows over all scenarios.

    ``expected`` is the mean over the scenarios, each with equal weight; ``worst`` the worst of them. Scenarios that
    ``where`` drops do not count; a point that ``where`` drops altogether is infeasible.
    """
    bad = tuple(math.inf if goal.direction == "minimize" else -math.inf for goal in goals)
    if rows.num_rows == 0:
        return Score(bad, 1.0)
    usable = pc.equal(rows["status"], "ok").to_numpy(zero_copy_only=False).astype(bool)
    columns = [rows[goal.name].to_numpy().astype(np.float64) for goal in goals]
    for column in columns:
        usable &= np.isfinite(column)
    if not usable.all():
        return Score(bad, float(np.mean(~usable)))
    return Score(tuple(_over(column, goal, over) for column, goal in zip(columns, goals, strict=True)), 0.0)


def _over(column: np.ndarray[tuple[int], np.dtype[np.float64]], goal: Objective, over: Over) -> float:
    if over == "expected":
        return math.fsum(column.tolist()) / column.size
    return float(column.max() if goal.direction == "minimize" else column.min())
