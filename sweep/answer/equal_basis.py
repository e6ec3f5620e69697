"""Systems compared as equals: for each scenario, the best design of each system under one common limit."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.answer.scenarios import Scenarios
from sweep.study.study import Equal, Objective
from sweep.units import factor

if TYPE_CHECKING:
    import duckdb

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One workload under one equal basis, or without a limit; ``goal`` says what is best there."""

    workload: str
    basis: Equal | None
    goal: Objective

    @property
    def column(self) -> str:
        """Name of the column of ``Picks`` that holds the best goal."""
        return f"best {self.goal.name} at {self.basis.name if self.basis else 'no limit'}"

    @property
    def limit(self) -> float:
        """The common limit [unit of the column of the basis's metric]; infinite without a basis."""
        if self.basis is None:
            return math.inf
        row = quantities()[self.basis.metric]
        return self.basis.limit * factor(row.si_unit, row.unit)

    @property
    def condition(self) -> str:
        """What a row must fulfil, in SQL."""
        limit = f' AND "{self.basis.metric}" <= {self.limit!r}' if self.basis else ""
        return f"""status = 'ok' AND isfinite("{self.goal.name}"){limit}"""


@dataclass(frozen=True, slots=True)
class Picks:
    """The best goal of every system in every scenario, for every comparison.

    ``table`` has one row per (workload, system, scenario): those columns, and one per comparison [unit of its goal],
    null where no design of the system meets the limit.
    """

    scenarios: Scenarios
    table: pa.Table

    def of(self, comparison: Comparison, system: str) -> tuple[dict[str, NDArray[Any]], Array]:
        """Return the scenario columns of one system's rows, and its best goals; NaN where it has no design."""
        wanted = pc.and_(pc.equal(self.table["workload"], comparison.workload), pc.equal(self.table["system"], system))
        rows = self.table.filter(wanted)
        columns = [name for axis in self.scenarios.axes[system] for name in axis.columns]
        keys = {name: rows[name].to_numpy(zero_copy_only=False) for name in columns}
        return keys, rows[comparison.column].cast(pa.float64()).to_numpy(zero_copy_only=False)

    def at(self, comparison: Comparison, system: str, values: Mapping[str, Any]) -> float:
        """Return the best goal of a system in one scenario; NaN when it has no design there."""
        keys, goals = self.of(comparison, system)
        here = np.ones(goals.shape, dtype=np.bool_)
        for name, column in keys.items():
            here &= column == values[name]
        return float(goals[here][0]) if here.any() else float("nan")


def pick(connection: duckdb.DuckDBPyConnection, comparisons: Sequence[Comparison], scenarios: Scenarios) -> Picks:
    """Return the best goals of every comparison from one pass over the rows and the few columns that it needs."""
    keys = ", ".join(f'"{name}"' for name in ("workload", "system", *scenarios.columns))
    bests = {
        each.column: f'{_best(each)}("{each.goal.name}") FILTER ({each.condition}) AS "{each.column}"'
        for each in comparisons
    }
    sql = f"SELECT {keys}, {', '.join(bests.values())} FROM designs GROUP BY {keys}"  # noqa: S608 - names of the table
    return Picks(scenarios, connection.sql(sql).to_arrow_table())


def _best(comparison: Comparison) -> str:
    return "min" if comparison.goal.direction == "minimize" else "max"


Designs = Mapping[tuple[Comparison, str], Mapping[str, Any]]


def nominal_designs(
    connection: duckdb.DuckDBPyConnection,
    comparisons: Sequence[Comparison],
    systems: Sequence[str],
    scenarios: Scenarios,
    columns: Collection[str],
) -> Designs:
    """Return the best design of each system in the nominal scenario, the lowest id among equals.

    A pair of comparison and system without a design is left out. The nominal rows are found in one pass over the few
    columns that it needs; the rows of the best designs are then read by their ids.
    """
    places: list[str] = []
    values: list[Any] = []
    for system in systems:
        wanted = {"system": system, **scenarios.nominal(system)}
        places.append(" AND ".join(f'"{name}" = ${len(values) + n}' for n, name in enumerate(wanted, start=1)))
        values += wanted.values()
    bare = {each.column: each.condition for each in comparisons}
    marks = ", ".join(f'{condition} AS "{column}"' for column, condition in bare.items())
    goals = ", ".join(f'"{name}"' for name in dict.fromkeys(each.goal.name for each in comparisons))
    rows = (
        connection.sql(
            f"SELECT design, workload, system, {goals}, {marks} FROM designs WHERE ({') OR ('.join(places)})",  # noqa: S608
            params=values,
        )
        .to_arrow_table()
        .to_pylist()
    )
    chosen: dict[tuple[Comparison, str], int] = {}
    for each in comparisons:
        for system in systems:
            found = [r for r in rows if r["workload"] == each.workload and r["system"] == system and r[each.column]]
            if found:
                chosen[each, system] = min(found, key=lambda row: (_badness(row, each), row["design"]))["design"]
    full = _rows(connection, set(chosen.values()), columns)
    return {key: full[design] for key, design in chosen.items()}


def _badness(row: Mapping[str, Any], comparison: Comparison) -> float:
    goal = float(row[comparison.goal.name])
    return goal if comparison.goal.direction == "minimize" else -goal


def _rows(
    connection: duckdb.DuckDBPyConnection, designs: Collection[int], columns: Collection[str]
) -> dict[int, dict[str, Any]]:
    """Return rows by their ids."""
    names = ", ".join(f'"{name}"' for name in dict.fromkeys(("design", *columns)))
    listed = ", ".join(str(design) for design in sorted(designs))
    if not listed:
        return {}
    found = connection.sql(f"SELECT {names} FROM designs WHERE design IN ({listed})")  # noqa: S608 - names of the table
    return {row["design"]: row for row in found.to_arrow_table().to_pylist()}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many scenarios of two systems end how.

    ``both`` holds the ratios of the goals, first over second, where both have a design, shape (n,). ``only_first`` and
    ``only_second`` count the scenarios in which one alone has a design, ``neither`` those without any.
    """

    both: Array
    only_first: int
    only_second: int
    neither: int


def tally(picks: Picks, comparison: Comparison, first: str, second: str) -> Tally:
    """Pair the scenarios of two systems: equal in what is common, all with all in what is a system's own."""
    common = picks.scenarios.common(first, second)
    (keys_a, goals_a), (keys_b, goals_b) = picks.of(comparison, first), picks.of(comparison, second)
    groups = _groups([np.concatenate((keys_a[name], keys_b[name])) for name in common], goals_a.size + goals_b.size)
    by_a, by_b = _split(groups[: goals_a.size], goals_a), _split(groups[goals_a.size :], goals_b)
    ratios, counts = [np.empty(0)], np.zeros(3, dtype=np.int64)
    for group in sorted(by_a.keys() & by_b.keys()):
        a, b = by_a[group], by_b[group]
        known_a, known_b = a[np.isfinite(a)], b[np.isfinite(b)]
        lost_a, lost_b = a.size - known_a.size, b.size - known_b.size
        ratios.append((known_a[:, np.newaxis] / known_b).reshape(-1))
        counts += (known_a.size * lost_b, lost_a * known_b.size, lost_a * lost_b)
    return Tally(np.concatenate(ratios), *counts.tolist())


def _groups(columns: Sequence[NDArray[Any]], rows: int) -> NDArray[np.int64]:
    """Return a number per row that is equal where all columns are."""
    groups = np.zeros(rows, dtype=np.int64)
    for column in columns:
        words, codes = np.unique(column, return_inverse=True)
        groups = np.unique(groups * words.size + codes, return_inverse=True)[1].astype(np.int64)
    return groups


def _split(groups: NDArray[np.int64], goals: Array) -> dict[int, Array]:
    """Return the goals of each group, as far as there are any."""
    if goals.size == 0:
        return {}
    order = np.argsort(groups, kind="stable")
    found, starts = np.unique(groups[order], return_index=True)
    return dict(zip(found.tolist(), np.split(goals[order], starts[1:]), strict=True))
