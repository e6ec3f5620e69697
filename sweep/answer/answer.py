"""The answer of a run: what a planner reads when the study ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sweep.answer.chance_text import chance_notes
from sweep.answer.chances import Chance, chances
from sweep.answer.equal_basis import Comparison, Designs, nominal_designs, pick
from sweep.answer.errors import ModelError, joint, model_error
from sweep.answer.levers import Ranges, lever_ranges
from sweep.answer.ranking import Overview, overview
from sweep.answer.scenarios import Scenarios, scenarios_of, systems_of
from sweep.answer.sections import Section, with_chance
from sweep.answer.text import (
    METRICS,
    break_even_table,
    design_table,
    error_note,
    headed,
    heading,
    nominal_note,
    outcome_table,
    reading_note,
    sentence,
    sites_note,
)
from sweep.answer.verdict import Crossing, Verdict, judge
from sweep.answer.worth import Worth, lever_worth, plain_worth, worth_table
from sweep.catalogue import Catalogue
from sweep.dataset.columns import TIMES
from sweep.study import Study
from sweep.text import Table

if TYPE_CHECKING:
    import duckdb

    from sweep.dataset import Run


@dataclass(frozen=True, slots=True)
class Answer:
    """The question, what holds for all comparisons, one section per pair compared, and tables about all rows.

    ``overviews`` are one per comparison where there are more than two systems.
    """

    question: str
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    overviews: tuple[Overview, ...] = ()
    tables: tuple[Table, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def answer(run: Run, study: Study, catalogue: Catalogue) -> Answer:
    """Return the answer of a finished run, computed from its rows.

    Every other system is compared with the first, workload by workload, under each equal basis of the study; without
    one by its objective, and then the best designs of all systems stand side by side. Single numbers are those of the
    nominal scenario. It ends with how many rows were feasible and why others were not.
    """
    with run.duckdb() as connection:
        return _Answering(run, study, catalogue, connection).answer()


@dataclass(frozen=True)
class _Answering:
    """One answer in the making."""

    run: Run
    study: Study
    catalogue: Catalogue
    connection: duckdb.DuckDBPyConnection

    @cached_property
    def columns(self) -> set[str]:
        """Columns of the dataset."""
        return {column.name for column in self.run.manifest.columns}

    @cached_property
    def systems(self) -> list[str]:
        """Systems of the study, the first being what others are compared with."""
        return systems_of(self.study)

    @cached_property
    def scenarios(self) -> Scenarios:
        """Scenarios of the study."""
        return scenarios_of(self.study, self.catalogue)

    @cached_property
    def errors(self) -> Mapping[str, Mapping[str, ModelError]]:
        """The model's error by phase and system."""
        phases = dict.fromkeys(phase for _, phase in self._jobs())
        return {phase: {name: model_error(self.catalogue, name, phase) for name in self.systems} for phase in phases}

    def _error(self, workload: str, system: str) -> ModelError:
        """Return the model's error for a system; the larger one where a model is both trained and served."""
        phases = [phase for model, phase in self._jobs() if model == workload]
        return max((self.errors[phase][system] for phase in phases), key=lambda error: error.value)

    @cached_property
    def _ranges(self) -> Mapping[str, Ranges]:
        """Between which values each system's levers were swept."""
        return lever_ranges(self.study)

    def answer(self) -> Answer:
        """Return the answer."""
        counts = outcomes(self.connection)
        jobs = self._jobs()
        comparisons = self._comparisons(jobs)
        drawn = self._has_row_per_draw or self.run.manifest.limit is not None
        shown = comparisons or ([] if drawn else self._by_objective(jobs))
        designs: Designs = {}
        if shown:
            designs = nominal_designs(self.connection, shown, self.systems, self.scenarios, self._shown)
        chosen, verdicts = self._chances(jobs), self._verdicts(comparisons)
        judged = [self._section(verdict, designs) for verdict in verdicts]
        keys = [(each, other) for each in comparisons for other in self.systems[1:]] or list(chosen)
        bare = judged or [Section(self._head(*key), "", (), _about(key[0])) for key in keys]
        sections = tuple(
            with_chance(section, chosen.get(key), self.study.uncertain) for section, key in zip(bare, keys, strict=True)
        )
        notes = [*self._notes(judged, shown), *self._chance_notes(chosen)]
        together = {each: self._of(each, self.systems, designs) for each in shown if not self._is_pair(each)}
        tables = [
            design_table(each, heading(each), found, self._levers, self._ranges, ratio=False)
            for each, found in together.items()
            if found
        ]
        data = {
            "comparisons": [section.data for section in sections],
            "best": [{**_about(each), "designs": found} for each, found in together.items()],
            "rows": counts,
        }
        worth = self._worth()
        if worth:
            assert self.study.objective is not None
            title = f"Best {headed(self.study.objective.name)} with one lever held, the others free, nominal scenario"
            tables += worth_table(worth, title, {name: headed(name) for _, _, name in worth})
            data["levers"] = plain_worth(worth)
        return Answer(
            question=self.study.question,
            notes=tuple(filter(None, notes)),
            sections=sections,
            overviews=() if chosen else self._overviews(verdicts),
            tables=(*tables, outcome_table(counts)),
            data=data,
        )

    def _overviews(self, verdicts: Sequence[Verdict]) -> tuple[Overview, ...]:
        if len(self.systems) < 3:
            return ()
        compared = dict.fromkeys(verdict.comparison for verdict in verdicts)
        return tuple(overview(each, [one for one in verdicts if one.comparison == each]) for each in compared)

    def _worth(self) -> Worth:
        """Return what each lever is worth; nothing without an objective, or when rows of the study are missing."""
        goal = self.study.objective
        whole = self.study.keep.kind == "all" and self.run.manifest.limit is None and not self._has_row_per_draw
        if goal is None or goal.name not in self.columns or not whole:
            return {}
        return lever_worth(self.connection, goal, self.scenarios, self._ranges)

    def _notes(self, sections: Sequence[Section], shown: Sequence[Comparison]) -> list[str]:
        if (limit := self.run.manifest.limit) is not None:
            return [f"Only the first {limit:,} designs were run: that is a trial, too little for an answer."]
        notes = []
        if shown:
            has_break_even = any(section.data["break_even"] for section in sections)
            notes.append(nominal_note(self.scenarios, self.catalogue, break_even=has_break_even))
        if sections:
            phases = {phase for _, phase in self._jobs()}
            notes.append(error_note(self.errors))
            notes.append(reading_note(self.columns, phases))
        elif len(self.systems) > 1 and self.study.uncertain is None:
            notes.append("Systems are compared over all scenarios where all rows are kept (keep: all).")
        if self._above_one("sites"):
            notes.append(sites_note(outer_steps=self._above_one("outer_steps")))
        return notes

    def _above_one(self, name: str) -> bool:
        """Return whether some row has more than one of what a column counts."""
        if name not in self.columns:
            return False
        (most,) = self.connection.table("designs").max(name).fetchall()[0]
        return most is not None and int(most) > 1

    def _is_pair(self, comparison: Comparison) -> bool:
        """Return whether a table with ratios shows a comparison; otherwise all systems stand side by side."""
        return comparison.basis is not None and len(self.systems) == 2

    def _jobs(self) -> list[tuple[str, str]]:
        """Return the workloads with their phases, in the order of the study."""
        rows = self.connection.sql(
            "SELECT workload, phase FROM designs GROUP BY workload, phase ORDER BY min(design)"
        ).fetchall()
        return [(str(workload), str(phase)) for workload, phase in rows]

    def _comparisons(self, jobs: Sequence[tuple[str, str]]) -> list[Comparison]:
        """Return what is compared; nothing where the kept rows do not show every system in every scenario."""
        whole = self.study.keep.kind == "all" and not self._has_row_per_draw
        return self._asked(jobs) if whole and len(self.systems) > 1 and self.run.manifest.limit is None else []

    @property
    def _has_row_per_draw(self) -> bool:
        """Whether rows are of draws, so that none is of the nominal values."""
        return self.study.uncertain is not None and self.study.uncertain.rows == "draws"

    def _asked(self, jobs: Sequence[tuple[str, str]]) -> list[Comparison]:
        """Return the comparisons that the study asks for."""
        if self.study.basis:
            return [
                Comparison(workload, basis, basis.goals[phase])
                for workload, phase in jobs
                for basis in self.study.basis
                if phase in basis.goals
            ]
        return self._by_objective(jobs)

    def _chances(self, jobs: Sequence[tuple[str, str]]) -> dict[tuple[Comparison, str], Chance]:
        """Return how likely each system is the better one; nothing where nothing is uncertain, or in a trial."""
        if self.study.uncertain is None or self.run.manifest.limit is not None:
            return {}
        return chances(self.study, self.catalogue, self.scenarios, self._asked(jobs), self.systems)

    def _chance_notes(self, found: Mapping[tuple[Comparison, str], Chance]) -> Sequence[str]:
        if self.study.uncertain is None or len(self.systems) < 2 or self.run.manifest.limit is not None:
            return ()
        return chance_notes(self.study.uncertain, computed=bool(found))

    def _by_objective(self, jobs: Sequence[tuple[str, str]]) -> list[Comparison]:
        goal = self.study.objective or next(iter(self.study.keep.goals), None)
        return [Comparison(workload, None, goal) for workload, _ in jobs] if goal is not None else []

    def _verdicts(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        if not comparisons:
            return []
        picks = pick(self.connection, comparisons, self.scenarios)
        first = self.systems[0]

        def error(workload: str, other: str) -> float:
            return joint(self._error(workload, first), self._error(workload, other))

        return [
            judge(picks, comparison, first, other, error(comparison.workload, other))
            for comparison in comparisons
            for other in self.systems[1:]
        ]

    def _section(self, verdict: Verdict, designs: Designs) -> Section:
        head, many = self._head(verdict.comparison, verdict.systems[1]), len(self.systems) > 2
        pair = self._of(verdict.comparison, verdict.systems, designs)
        tables: list[Table | None] = [break_even_table(verdict, head, crossings_only=many)]
        if len(pair) == 2 and self._is_pair(verdict.comparison):
            tables.insert(0, design_table(verdict.comparison, head, pair, self._levers, self._ranges, ratio=True))
        shown = tuple(table for table in tables if table is not None)
        return Section(head, sentence(verdict, head), shown, _data(verdict, pair))

    def _head(self, comparison: Comparison, other: str) -> str:
        """Return what is compared, with both systems where there are more."""
        pair = f", {self.systems[0]} against {other}" if len(self.systems) > 2 else ""
        return heading(comparison) + pair

    def _of(self, comparison: Comparison, systems: Sequence[str], designs: Designs) -> dict[str, Mapping[str, Any]]:
        return {system: designs[comparison, system] for system in systems if (comparison, system) in designs}

    @property
    def _shown(self) -> list[str]:
        """The columns that tables of designs show."""
        goals = [goal.name for goal in (self.study.objective, *self.study.keep.goals) if goal is not None]
        wanted = dict.fromkeys((*METRICS, *goals, *self._levers, "mapping"))
        return [name for name in wanted if name in self.columns]

    @property
    def _levers(self) -> list[str]:
        """The columns of the levers that describe a design besides its system."""
        names = [name for name in self.study.levers if name != "system"]
        return [f"{name}{TIMES}" if name in self.study.times else name for name in names]


def outcomes(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return how many rows of each system and workload are ok, and the commonest reason of those that are not."""
    counts = connection.sql(
        "SELECT system, workload, reason, count(*) AS rows, count(*) FILTER (status = 'ok') AS ok "
        "FROM designs GROUP BY ALL ORDER BY system, workload, rows DESC, reason"
    ).to_arrow_table()
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in counts.to_pylist():
        key = (row["system"], row["workload"])
        here = found.setdefault(key, {"system": key[0], "workload": key[1], "rows": 0, "ok": 0, "reason": None})
        here["rows"] += row["rows"]
        here["ok"] += row["ok"]
        here["reason"] = here["reason"] or row["reason"]
    return list(found.values())


def _about(comparison: Comparison) -> dict[str, Any]:
    basis = comparison.basis
    return {
        "workload": comparison.workload,
        "basis": None if basis is None else {"name": basis.name, "limit": basis.text},
        "goal": asdict(comparison.goal),
    }


def _data(verdict: Verdict, designs: Mapping[str, Any]) -> dict[str, Any]:
    systems = verdict.systems
    return {
        **_about(verdict.comparison),
        "systems": systems,
        "scenarios": verdict.scenarios,
        "scenarios_without_any_design": verdict.neither,
        "better": dict(zip(systems, verdict.better, strict=True)),
        "alone": dict(zip(systems, verdict.alone, strict=True)),
        "cannot_tell": verdict.open,
        "model_error": verdict.error,
        "nominal": {"goals": verdict.goals, "ratio": verdict.ratio, "winner": verdict.winner, "designs": designs},
        "break_even": [_crossing_data(crossing, systems) for crossing in verdict.crossings],
    }


def _crossing_data(crossing: Crossing, systems: tuple[str, str]) -> dict[str, Any]:
    found = crossing.found
    known = found.kind not in {"unknown", "equal"}
    return {
        "input": crossing.axis.columns[0],
        "of": crossing.axis.system or None,
        "kind": found.kind,
        "low": found.low,
        "high": found.high,
        "better_below": systems[found.below] if known else None,
        "better_above": systems[found.above] if known else None,
        "crossings": found.crossings,
        "cannot_tell": crossing.undecided,
    }
