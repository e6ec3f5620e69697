"""The answer to a study without an equal basis: the best design of each system for each workload, and what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweep.study.study import Study

if TYPE_CHECKING:
    import duckdb


def best_designs(connection: duckdb.DuckDBPyConnection, study: Study) -> list[dict[str, Any]]:
    """Return the best row of every (workload, system) by the study's objective; the lowest id breaks ties."""
    if study.objective is None:
        return []
    name = study.objective.name
    order = f'"{name}"' if study.objective.direction == "minimize" else f'-"{name}"'
    rows: list[dict[str, Any]] = (
        connection.sql(
            f"""
            WITH best AS (
                SELECT arg_min(design, ({order}, design)) AS design FROM designs
                WHERE status = 'ok' AND isfinite("{name}") GROUP BY workload, system
            )
            SELECT * FROM designs WHERE design IN (SELECT design FROM best) ORDER BY workload, {order}, design
            """,  # noqa: S608 - column names come from the quantity table
        )
        .to_arrow_table()
        .to_pylist()
    )
    return rows


def outcomes(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return how many rows of each system and workload are ok, and the commonest reason of those that are not."""
    rows: list[dict[str, Any]] = (
        connection.sql(
            """
            SELECT system, workload, count(*) AS rows, count(*) FILTER (status = 'ok') AS ok,
                   mode(reason) FILTER (status <> 'ok') AS reason
            FROM designs GROUP BY system, workload ORDER BY system, workload
            """
        )
        .to_arrow_table()
        .to_pylist()
    )
    return rows
