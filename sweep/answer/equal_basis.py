"""Systems compared as equals: for each scenario, the best design of each system under one common limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.dataset.columns import TIMES
from sweep.study.study import Equal, Objective, Study
from sweep.units import factor

if TYPE_CHECKING:
    import duckdb

GOALS: Mapping[tuple[str, str], Objective] = {
    ("deadline", "train"): Objective("cost_to_train", "minimize"),
    ("budget", "train"): Objective("time_to_train", "minimize"),
    ("power", "train"): Objective("time_to_train", "minimize"),
    ("chips", "train"): Objective("time_to_train", "minimize"),
    ("budget", "serve"): Objective("tokens_per_second", "maximize"),
    ("power", "serve"): Objective("tokens_per_second", "maximize"),
    ("chips", "serve"): Objective("tokens_per_second", "maximize"),
}
"""What is best under each equal basis: the cheapest run by a deadline, the fastest one otherwise."""


@dataclass(frozen=True, slots=True)
class Scenarios:
    """The scenario columns of a study.

    ``common`` are swept for every system; ``own`` only for some (by column: the systems). ``nominal`` is the value of
    each at which single numbers are quoted: a multiplier of 1, the middle of a range, the first of a list of words.
    """

    common: tuple[str, ...]
    own: Mapping[str, tuple[str, ...]]
    nominal: Mapping[str, Any]
    values: Mapping[str, tuple[Any, ...]]

    def swept_for(self, column: str, system: str) -> bool:
        """Return whether a scenario column is swept for a system."""
        return column in self.common or system in self.own.get(column, ())


def scenarios_of(study: Study) -> Scenarios:
    """Return the scenario columns of a study, workloads aside."""
    systems: dict[str, set[str]] = {}
    values: dict[str, tuple[Any, ...]] = {}
    everyone: set[str] = set()
    fixed_by_workload = _workload_names(study)
    for block in study.space.blocks:
        here = _systems(block.constants, block.axes)
        everyone |= here
        for axis in block.axes:
            for name in axis.names:
                if study.roles[name] != "scenario" or name in fixed_by_workload or axis.size < 2:
                    continue
                column = name + TIMES if name in axis.times else name
                systems.setdefault(column, set()).update(here)
                values[column] = tuple(axis.values(name, 0, axis.size).tolist())
    common = tuple(column for column, found in systems.items() if found == everyone)
    own = {column: tuple(sorted(found)) for column, found in systems.items() if found != everyone}
    return Scenarios(common, own, {column: _nominal(column, found) for column, found in values.items()}, values)


def _workload_names(study: Study) -> set[str]:
    """Return what changes together with the workload: it tells workloads apart, not scenarios."""
    names = {"workload", "phase"}
    for block in study.space.blocks:
        for axis in block.axes:
            if names & set(axis.names):
                names |= set(axis.names)
    return names


def _systems(constants: Mapping[str, Any], axes: Sequence[Any]) -> set[str]:
    if "system" in constants:
        return {str(constants["system"])}
    axis = next(axis for axis in axes if "system" in axis.names)
    return set(axis.values("system", 0, axis.size).tolist())


def _nominal(column: str, values: tuple[Any, ...]) -> Any:
    if column.endswith(TIMES):
        return min(values, key=lambda value: abs(value - 1.0))
    if isinstance(values[0], str) or len(values) < 4:
        return values[0]
    return values[len(values) // 2]


@dataclass(frozen=True, slots=True)
class Picks:
    """The best design of every system in every scenario under one basis, for one workload.

    ``rows`` holds one plain row per (scenario, system): scenario columns, ``system``, ``design`` and ``goal`` [unit of
    the goal's quantity].
    """

    basis: Equal
    goal: Objective
    workload: str
    scenarios: Scenarios
    rows: tuple[Mapping[str, Any], ...]

    def at(self, system: str, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the pick of one system in one scenario, or None when no design meets the limit."""
        wanted = {name: value for name, value in values.items() if self.scenarios.swept_for(name, system)}
        for row in self.rows:
            if row["system"] == system and all(row[name] == value for name, value in wanted.items()):
                return row
        return None

    def curve(self, system: str, column: str, at: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return the goal of one system along one scenario column, the others held at ``at``; NaN where infeasible."""
        picks = [self.at(system, {**at, column: value}) for value in self.scenarios.values[column]]
        return np.array([np.nan if found is None else found["goal"] for found in picks], dtype=np.float64)


def pick(
    connection: duckdb.DuckDBPyConnection, basis: Equal, goal: Objective, workload: str, scenarios: Scenarios
) -> Picks:
    """Return the best designs under one basis; the lowest design id breaks ties."""
    quantity = quantities()[basis.metric]
    limit = basis.limit * factor(quantity.si_unit, quantity.unit)
    keys = [*scenarios.common, *scenarios.own]
    order = "min" if goal.direction == "minimize" else "max"
    columns = ", ".join(f'"{name}"' for name in (*keys, "system"))
    found = connection.sql(
        f"""
        SELECT {columns}, arg_min(design, ({"" if order == "min" else "-"}"{goal.name}", design)) AS design,
               {order}("{goal.name}") AS goal
        FROM designs
        WHERE status = 'ok' AND workload = $workload AND "{basis.metric}" <= $limit AND isfinite("{goal.name}")
        GROUP BY {columns}
        """,  # noqa: S608 - column names come from the quantity table
        params={"workload": workload, "limit": limit},
    ).to_arrow_table()
    return Picks(basis, goal, workload, scenarios, tuple(found.to_pylist()))


def paired(picks: Picks, first: str, second: str) -> NDArray[np.float64]:
    """Return the ratio of the goals, first over second, in every scenario in which both have a design, shape (n,).

    Columns swept for one system only are crossed with every scenario of the other.
    """
    by_key: dict[tuple[Any, ...], dict[str, list[float]]] = {}
    for row in picks.rows:
        key = tuple(row[name] for name in picks.scenarios.common)
        by_key.setdefault(key, {}).setdefault(row["system"], []).append(row["goal"])
    ratios = [a / b for found in by_key.values() for a in found.get(first, ()) for b in found.get(second, ()) if b > 0]
    return np.array(ratios, dtype=np.float64)
