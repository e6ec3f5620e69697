"""Searching a study for its best designs: Optuna proposes levers, the engine answers them batch by batch.

A batch is asked, evaluated as one block over all scenarios, written as one part (the points that are new in it), and
told. The journal is the memory of a search; a search that is run again is cut back to its last whole batch and goes on.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sweep.catalogue import Catalogue
from sweep.dataset.columns import DESIGN
from sweep.dataset.layout import point_latest, run_location
from sweep.dataset.lock import only_worker
from sweep.dataset.manifest import Manifest, write_manifest
from sweep.dataset.merge import drop_stale_parts, drop_unneeded, write_final
from sweep.dataset.parts import Part, write_record
from sweep.dataset.reduce import Keep
from sweep.dataset.runs import Run, open_run
from sweep.dataset.store import LocalStore, check_writable, open_store
from sweep.engine.prepare import done_parts, first_manifest, is_complete, prepare
from sweep.errors import Interrupted, SweepError
from sweep.search.batch import Evaluator
from sweep.search.checks import Checked, Checks, check
from sweep.search.curves import Step, busy_seconds, curve
from sweep.search.exact import Found, front, hypervolume_ratio, regret
from sweep.search.goals import Over, Score, goals_of, score
from sweep.search.points import LeverSpace, Point
from sweep.search.samplers import chosen
from sweep.search.session import Session, rewind
from sweep.search.trials import trials_table
from sweep.study import Objective, Study

BATCH = 16
TRIALS = "trials.parquet"
NO_CHECKS = Checks()
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How a search goes about it; equal options, study, catalogue and model give the same trials."""

    sampler: str = "auto"
    seed: int = 0
    batch: int = BATCH
    over: Over = "expected"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A search and its best designs: one for one goal, the front for several.

    ``found`` are all trials, ``trial_seconds`` the time the search had worked when each of them ended; ``checked`` is
    what was asked for besides: proof, near-optimal designs, prices of limits.
    """

    run: Run
    levers: LeverSpace
    goals: tuple[Objective, ...]
    found: tuple[Found, ...]
    trial_seconds: tuple[float, ...]
    checked: Checked
    seconds: float

    @property
    def exact(self) -> tuple[Found, ...] | None:
        """The best of all combinations of levers; None unless all were dealt with."""
        proof = self.checked.proof
        return proof.best if proof is not None and proof.complete else None

    @property
    def curve(self) -> tuple[Step, ...]:
        """The trials at which the search came nearer to the exact optimum; none where that is not known."""
        return curve(self.found, self.trial_seconds, self.exact, self.goals) if self.exact else ()

    @property
    def best(self) -> tuple[Found, ...]:
        """The best designs among the trials; none when no trial is feasible."""
        return front(self.found, self.goals)

    @property
    def trials(self) -> int:
        """Number of trials."""
        return len(self.found)

    @property
    def tried(self) -> int:
        """Number of different designs among them."""
        return len({each.point for each in self.found})

    @property
    def feasible(self) -> int:
        """Number of trials that stand in every scenario."""
        return sum(each.feasible for each in self.found)

    @property
    def combinations(self) -> int:
        """Number of combinations of levers."""
        return self.levers.size

    @property
    def scenarios(self) -> tuple[int, ...]:
        """In how many scenarios a design of each block of the space is evaluated."""
        return tuple(self.levers.scenarios(block) for block in self.levers.space.blocks)

    @property
    def regret(self) -> float | None:
        """Distance from the optimum as a fraction of it; None for several goals or without verification."""
        return regret(self.best, self.exact or (), self.goals)

    @property
    def hypervolume_ratio(self) -> float | None:
        """Hypervolume of the front over that of the exact one; None for one goal or without verification."""
        return hypervolume_ratio(self.best, self.exact or (), self.goals)


def search(
    study: Study,
    catalogue: Catalogue,
    output: str | Path,
    trials: int,
    options: Options,
    *,
    verify: bool = False,
    checks: Checks = NO_CHECKS,
    progress: Report | None = None,
) -> SearchResult:
    """Search a study, or go on with a search, until it has ``trials`` told trials.

    ``checks`` says what to do after the trials; ``verify`` asks for its proof: every combination of levers is solved or
    shown not to be better, so that the regret is known. Raises ``SweepError`` (or one of its kinds) with one sentence;
    told trials are kept.
    """
    started = time.perf_counter()
    goals, levers = goals_of(study), LeverSpace(study)
    options = replace(options, sampler=chosen(options.sampler, len(goals)))
    checks = replace(checks, verify=verify or checks.verify)
    manifest, location = search_identity(study, catalogue, output, options, trials)
    store = open_store(location)
    if not isinstance(store, LocalStore):
        raise SweepError("a search keeps its journal in a local or shared folder; name one with --output")
    evaluator = Evaluator(study, catalogue, levers, manifest.columns, manifest.schema)
    work = _Search(store, manifest, evaluator, goals, options)
    try:
        if not work.is_done(trials):
            check_writable(store)
            with only_worker(store):
                prepare(store, study, catalogue, manifest, done_parts(store, manifest))
                work.go_on(trials, progress)
        point_latest(location)
        session = work.open()
        found = session.found()
        checked = check(evaluator, goals, options.over, found, checks, progress)
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted; run it again to go on with {location}") from error
    spent = tuple(busy_seconds(session.told))
    return SearchResult(open_run(location), levers, goals, tuple(found), spent, checked, time.perf_counter() - started)


def search_identity(
    study: Study, catalogue: Catalogue, output: str | Path, options: Options, trials: int
) -> tuple[Manifest, str]:
    """Return the manifest and the folder of a search; the number of trials is no part of its identity."""
    manifest, _ = first_manifest(study, catalogue, output, None)
    text = f"{manifest.run} {options.sampler} {options.seed} {options.batch} {options.over}"
    identity = "search-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    kept = replace(
        manifest,
        run=identity,
        keep=Keep("trials"),
        seed=options.seed,
        partition=(),  # a part holds one batch
        chunks=-(-trials // options.batch),
        versions={**manifest.versions, "optuna": version("optuna")},
    )
    return kept, run_location(output, study.name, identity)


@dataclass(frozen=True, slots=True)
class _Search:
    """A search in its folder."""

    store: LocalStore
    manifest: Manifest
    evaluator: Evaluator
    goals: tuple[Objective, ...]
    options: Options

    def is_done(self, trials: int) -> bool:
        """Return whether the folder holds the complete dataset of at least so many trials."""
        table = self.store.root / TRIALS
        if not (is_complete(self.store) and table.exists()):
            return False
        return int(pq.read_metadata(table).num_rows) >= trials

    def open(self) -> Session:
        """Open the journal."""
        location, levers, options = str(self.store.root), self.evaluator.levers, self.options
        return Session.open(location, self.goals, levers, options.sampler, options.seed, options.batch)

    def go_on(self, trials: int, progress: Report | None) -> None:
        """Take the search up at its last whole batch, end it, and close the manifest."""
        started = time.perf_counter()
        if len(self.open().told) < trials:
            rewind(str(self.store.root))
        session = self.open()
        parts = self._parts(session)
        self._new_trials(session, parts, trials, progress)
        found = session.found()
        self.store.put(TRIALS, trials_table(found, self.evaluator, self.goals))
        listed = [part for _, part in sorted(parts.items())]
        drop_stale_parts(self.store, listed)
        seconds = {"wall": time.perf_counter() - started}
        write_manifest(self.store, replace(self.manifest.completed(listed, 0, seconds, 1), chunks=len(listed)))
        drop_unneeded(self.store)

    def _parts(self, session: Session) -> dict[int, Part]:
        """Return the parts of the batches told so far, making again those that are lost."""
        done = done_parts(self.store, self.manifest)
        found, seen, parts = session.found(), set[Point](), dict[int, Part]()
        for batch in range(-(-len(found) // self.options.batch)):
            start = batch * self.options.batch
            points = {each.point for each in found[start : start + self.options.batch]} - seen
            parts[batch] = (
                done[batch] if batch in done else self._part(batch, [t for _, t in self.evaluator.rows(points)])
            )
            seen |= points
        return parts

    def _new_trials(self, session: Session, parts: dict[int, Part], trials: int, progress: Report | None) -> None:
        """Ask, evaluate, write and tell batches until there are enough trials; equal points are evaluated once."""
        scores: dict[Point, Score] = {each.point: each.score for each in session.found()}
        done = len(session.told)
        while done < trials:
            asked = session.ask(min(self.options.batch, trials - done))
            tables = []
            for point, rows in self.evaluator.rows({point for _, point in asked} - scores.keys()):
                scores[point] = score(rows, self.goals, self.options.over)
                tables.append(rows)
            batch = done // self.options.batch
            parts[batch] = self._part(batch, tables)
            session.tell([(trial, scores[point]) for trial, point in asked])
            done += len(asked)
            if progress is not None:
                progress(done, trials)

    def _part(self, batch: int, tables: Sequence[pa.Table]) -> Part:
        """Write the rows of the points that are new in a batch, and their record."""
        rows = pa.concat_tables([self.manifest.schema.empty_table(), *tables]).unify_dictionaries().sort_by(DESIGN)
        written = write_final(self.store, self.manifest, rows, first=batch)
        empty = Part(batch, "", 0, self.manifest.designs, 0, 0, 0, 0, "", 0)
        part = written[0] if written else empty
        write_record(self.store, part)
        return part
