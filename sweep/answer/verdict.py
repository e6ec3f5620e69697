"""Who wins, by how much, and whether the model can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.answer.break_even import BreakEven, break_even, undecided
from sweep.answer.equal_basis import Comparison, Picks, tally
from sweep.answer.scenarios import ScenarioAxis
from sweep.dataset.columns import TIMES

Array = NDArray[np.float64]
PRICE_LIKE = frozenset(
    {
        "staff_multiplier",
        "maintenance_fraction",
        "import_tariff",
        "server_tariff",
        "network_tariff",
        "storage_tariff",
        "equipment_subsidy",
        "installation_fraction",
    }
)
"""Inputs without a unit of money in which every cost is affine."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """The break-even along one scenario axis, the others at their nominal values.

    ``undecided`` are the smallest and largest value of the sweep at which the model cannot tell.
    """

    axis: ScenarioAxis
    found: BreakEven
    undecided: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison of two systems under one basis for one workload.

    ``error`` is the half-width of "cannot tell" [fraction]. ``scenarios`` counts those in which at least one system has
    a design; of these, ``better`` are the shares in which each is better by more than the error, ``alone`` those in
    which it alone has a design, ``open`` the rest. ``neither`` counts the scenarios without any design. ``goals`` are
    those of the nominal scenario, NaN without a design.
    """

    comparison: Comparison
    systems: tuple[str, str]
    error: float
    scenarios: int
    neither: int
    better: tuple[float, float]
    alone: tuple[float, float]
    open: float
    goals: tuple[float, float]
    crossings: tuple[Crossing, ...]

    @property
    def minimize(self) -> bool:
        """Whether less of the goal is better."""
        return self.comparison.goal.direction == "minimize"

    @property
    def ratio(self) -> float | None:
        """Goal of the first system over that of the second in the nominal scenario; None unless both have a design."""
        first, second = self.goals
        return first / second if math.isfinite(first) and math.isfinite(second) else None

    @property
    def winner(self) -> str | None:
        """The better system in the nominal scenario, or None when the model cannot tell or neither has a design."""
        if self.ratio is None:
            having = [system for system, goal in zip(self.systems, self.goals, strict=True) if math.isfinite(goal)]
            return having[0] if having else None
        if abs(math.log(self.ratio)) <= math.log1p(self.error):
            return None
        return self.systems[0] if (self.ratio < 1) == self.minimize else self.systems[1]


def judge(picks: Picks, comparison: Comparison, first: str, second: str, error: float) -> Verdict:
    """Return the verdict on two systems; ``error`` is that of their ratio [fraction]."""
    counted = tally(picks, comparison, first, second)
    logs = np.log(counted.both) * (1 if comparison.goal.direction == "minimize" else -1)
    band = math.log1p(error)
    scenarios = counted.both.size + counted.only_first + counted.only_second
    count = max(scenarios, 1)
    nominal = picks.scenarios
    axes = [axis for axis in picks.scenarios.of(first, second) if axis.numeric]
    return Verdict(
        comparison=comparison,
        systems=(first, second),
        error=error,
        scenarios=scenarios,
        neither=counted.neither,
        better=(int((logs < -band).sum()) / count, int((logs > band).sum()) / count),
        alone=(counted.only_first / count, counted.only_second / count),
        open=int((abs(logs) <= band).sum()) / count,
        goals=(
            picks.at(comparison, first, nominal.nominal(first)),
            picks.at(comparison, second, nominal.nominal(second)),
        ),
        crossings=tuple(_crossing(picks, comparison, first, second, axis, error) for axis in axes),
    )


def _crossing(
    picks: Picks, comparison: Comparison, first: str, second: str, axis: ScenarioAxis, error: float
) -> Crossing:
    values = np.sort(np.array([point[0] for point in axis.points], dtype=np.float64))
    a, b = (_curve(picks, comparison, system, axis, values) for system in (first, second))
    affine = "cost" in comparison.goal.name and _is_price(axis.columns[0])
    if comparison.goal.direction == "maximize":
        a, b = 1 / a, 1 / b
    found = break_even(values, a, b, affine=affine, most=_most(axis.columns[0]))
    return Crossing(axis, found, undecided(values, a, b, error, affine=affine))


def _curve(picks: Picks, comparison: Comparison, system: str, axis: ScenarioAxis, values: Array) -> Array:
    """Return the best goal of a system along an axis, the others at their nominal values; NaN without a design."""
    nominal: Mapping[str, Any] = picks.scenarios.nominal(system)
    if axis.label not in {each.label for each in picks.scenarios.axes[system]}:
        return np.full(values.shape, picks.at(comparison, system, nominal))
    keys, goals = picks.of(comparison, system)
    here = np.ones(goals.shape, dtype=np.bool_)
    for name, column in keys.items():
        if name != axis.columns[0]:
            here &= column == nominal[name]
    found = dict(zip(keys[axis.columns[0]][here].tolist(), goals[here].tolist(), strict=True))
    return np.array([found.get(value, np.nan) for value in values.tolist()], dtype=np.float64)


def _most(column: str) -> float:
    """Return the largest value of an input [table unit]; multipliers have no upper end."""
    row = quantities().get(column)
    return math.inf if row is None or row.maximum is None else row.maximum


def _is_price(column: str) -> bool:
    """Return whether costs are affine in an input: a price, or what multiplies one."""
    row = quantities().get(column.removesuffix(TIMES))
    return row is not None and ("USD" in row.unit or row.name in PRICE_LIKE)
