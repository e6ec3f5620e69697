"""The answer of a run: what a planner reads when the study ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sweep.answer.best import best_designs, outcomes
from sweep.answer.equal_basis import GOALS, pick, scenarios_of
from sweep.answer.text import (
    best_table,
    break_even_table,
    nominal_rows,
    outcome_table,
    ratio_table,
    sentence,
)
from sweep.answer.verdict import Verdict, judge
from sweep.catalogue import Catalogue
from sweep.cli.output import Table
from sweep.study import Study

if TYPE_CHECKING:
    import duckdb

    from sweep.dataset import Run


@dataclass(frozen=True, slots=True)
class Section:
    """One comparison: a sentence, the tables behind it, and the same figures as plain data."""

    sentence: str
    tables: tuple[Table, ...]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The question, one section per comparison (none without an equal basis), and tables about all rows."""

    question: str
    sections: tuple[Section, ...] = ()
    tables: tuple[Table, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def answer(run: Run, study: Study, catalogue: Catalogue) -> Answer:
    """Return the answer of a finished run, computed from its rows.

    With an equal basis and several systems, every other system is compared with the first; otherwise the best design of
    every system is listed. Both end with how many rows were feasible and why others were not.
    """
    with run.duckdb() as connection:
        counts = outcomes(connection)
        systems = _systems(study)
        if study.basis and len(systems) > 1 and study.keep.kind == "all":
            verdicts = _verdicts(run, connection, study, catalogue, systems)
            sections = tuple(_section(verdict, connection) for verdict in verdicts)
            data = {"comparisons": [section.data for section in sections], "rows": counts}
            return Answer(study.question, sections, (outcome_table(counts),), data)
        rows = best_designs(connection, study)
        tables = (*((best_table(rows, study),) if rows else ()), outcome_table(counts))
        return Answer(study.question, (), tables, {"best": rows, "rows": counts})


def _systems(study: Study) -> list[str]:
    """Return the systems of a study in its order."""
    found: dict[str, None] = {}
    for block in study.space.blocks:
        if "system" in block.constants:
            found[str(block.constants["system"])] = None
        for axis in block.axes:
            if "system" in axis.names:
                found |= dict.fromkeys(axis.values("system", 0, axis.size).tolist())
    return list(found)


def _verdicts(
    run: Run, connection: duckdb.DuckDBPyConnection, study: Study, catalogue: Catalogue, systems: Sequence[str]
) -> list[Verdict]:
    errors = {system: step_time_error(catalogue, system) for system in systems}
    columns = {column.name for column in run.manifest.columns}
    scenarios = scenarios_of(study)
    jobs = connection.execute("SELECT DISTINCT workload, phase FROM designs ORDER BY workload").fetchall()
    found = []
    for workload, phase in jobs:
        for basis in study.basis:
            goal = GOALS.get((basis.name, phase))
            if goal is not None and {goal.name, basis.metric} <= columns:
                picks = pick(connection, basis, goal, str(workload), scenarios)
                found += [judge(picks, systems[0], other, errors) for other in systems[1:]]
    return found


def step_time_error(catalogue: Catalogue, system: str) -> float:
    """Return the model's mean absolute error on published runs of a system's chip class [fraction]; 0 if unknown."""
    found = catalogue.facts(system, None, None).get("step_time_error")
    return float(found.value) if found is not None and isinstance(found.value, int | float) else 0.0


def _section(verdict: Verdict, connection: duckdb.DuckDBPyConnection) -> Section:
    rows = nominal_rows(verdict, connection)
    tables = [ratio_table(verdict, rows)] if rows else []
    if verdict.crossings and rows:
        tables.append(break_even_table(verdict))
    picks = verdict.picks
    data = {
        "workload": picks.workload,
        "basis": {"name": picks.basis.name, "limit": picks.basis.text},
        "goal": asdict(picks.goal),
        "systems": verdict.systems,
        "scenarios": verdict.scenarios,
        "shares": {
            verdict.systems[0]: verdict.share_first,
            verdict.systems[1]: verdict.share_second,
            "cannot tell": verdict.share_open,
        },
        "model_error": verdict.error,
        "nominal": {"scenario": picks.scenarios.nominal, "ratio": verdict.ratio, "designs": rows},
        "winner": verdict.winner or "cannot tell",
        "break_even": {column: asdict(found) for column, found in verdict.crossings.items()},
    }
    return Section(sentence(verdict), tuple(tables), data)
