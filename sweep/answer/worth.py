"""What each lever is worth: the best objective with the lever held, every other one free, in the nominal scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.answer.levers import Ranges
from sweep.answer.scenarios import Scenarios
from sweep.study.study import Objective
from sweep.text import Table, number

if TYPE_CHECKING:
    import duckdb

SHOWN = 7
"""Most values of one lever in the table; of longer sweeps the ends and values evenly between them."""
DIGITS = 4

Worth = dict[tuple[str, str, str], list[tuple[float, float]]]


def lever_worth(
    connection: duckdb.DuckDBPyConnection, goal: Objective, scenarios: Scenarios, ranges: Mapping[str, Ranges]
) -> Worth:
    """Return, by workload, system and lever column, the swept values and the best goal at each, by value.

    Values at which no design is feasible are left out.
    """
    best = "min" if goal.direction == "minimize" else "max"
    found: Worth = {}
    for system, levers in ranges.items():
        wanted = {"system": system, **scenarios.nominal(system)}
        place = " AND ".join(f'"{name}" = ${n}' for n, name in enumerate(wanted, start=1))
        for lever in levers:
            rows = connection.sql(
                f"""
                SELECT workload, "{lever}", {best}("{goal.name}") FROM designs
                WHERE status = 'ok' AND isfinite("{goal.name}") AND {place}
                GROUP BY ALL ORDER BY ALL
                """,  # noqa: S608 - column names come from the quantity table
                params=list(wanted.values()),
            ).fetchall()
            for workload, value, reached in rows:
                found.setdefault((workload, system, lever), []).append((value, reached))
    return found


def worth_table(found: Worth, title: str, words: Mapping[str, str]) -> list[Table]:
    """Return the table of what levers are worth, or none when no lever has several feasible values."""
    table = Table(title, ("workload", "system", "lever", "value: best"))
    for (workload, system, lever), points in sorted(found.items(), key=lambda item: item[0][:2]):
        if len(points) > 1:
            listed = ", ".join(f"{number(value, DIGITS)}: {number(best, DIGITS)}" for value, best in _thinned(points))
            table.rows.append((workload, system, words[lever], listed))
    return [table] if table.rows else []


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    places = np.unique(np.linspace(0, len(points) - 1, min(SHOWN, len(points))).round().astype(int))
    return [points[place] for place in places.tolist()]


def plain_worth(found: Worth) -> list[dict[str, Any]]:
    """Return the same figures for machines, every value of every lever."""
    return [
        {"workload": workload, "system": system, "lever": lever, "best": dict(points)}
        for (workload, system, lever), points in found.items()
    ]
