"""Searching a study for its best designs: Optuna proposes levers, the engine answers them batch by batch.

What was told lies in the journal, and everything else in the run's folder follows from it: a search that was killed
goes on with the trials it had asked, and the dataset is written from the told trials when the search ends.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sweep.catalogue import Catalogue
from sweep.dataset.layout import point_latest, run_location
from sweep.dataset.lock import only_worker
from sweep.dataset.manifest import Manifest, write_manifest
from sweep.dataset.merge import drop_stale_parts, write_final
from sweep.dataset.reduce import Keep
from sweep.dataset.runs import Run, open_run
from sweep.dataset.store import LocalStore, check_writable, open_store
from sweep.engine.prepare import first_manifest, prepare
from sweep.errors import Interrupted, StudyError, SweepError
from sweep.search.batch import Evaluator
from sweep.search.exact import ENUMERABLE, Found, enumerated, front
from sweep.search.goals import Over, Score, goals_of, score
from sweep.search.points import LeverSpace, Point
from sweep.search.samplers import chosen
from sweep.search.session import Session
from sweep.search.trials import trials_table
from sweep.study import Objective, Study

BATCH = 32
TRIALS = "trials.parquet"
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

    ``exact`` are the best of all ``combinations`` of levers, None unless the search was asked to verify itself.
    """

    run: Run
    goals: tuple[Objective, ...]
    trials: int
    feasible: int
    best: tuple[Found, ...]
    exact: tuple[Found, ...] | None
    combinations: int
    seconds: float


def search(
    study: Study,
    catalogue: Catalogue,
    output: str | Path,
    trials: int,
    options: Options,
    *,
    verify: bool = False,
    progress: Report | None = None,
) -> SearchResult:
    """Search a study, or go on with a search, until it has ``trials`` told trials.

    With ``verify`` every combination of levers is evaluated as well, so that the regret of the search is known. Raises
    ``SweepError`` (or one of its kinds) with one sentence; told trials are kept.
    """
    started = time.perf_counter()
    goals, levers = goals_of(study), LeverSpace(study)
    if verify and levers.size > ENUMERABLE:
        message = f"{levers.size:,} combinations of levers are too many to enumerate (at most {ENUMERABLE:,})"
        raise StudyError.at(message, "--verify")
    manifest, location = _identity(study, catalogue, output, options)
    store = open_store(location)
    if not isinstance(store, LocalStore):
        raise SweepError("a search keeps its journal in a local or shared folder; name one with --output")
    check_writable(store)
    evaluator = Evaluator(study, catalogue, levers, manifest)
    with only_worker(store):
        prepare(store, study, catalogue, manifest)
        sampler = chosen(options.sampler, len(goals))
        session = Session.open(location, goals, levers, sampler, options.seed, options.batch)
        try:
            _go_on(session, evaluator, goals, options.over, trials, progress)
        except KeyboardInterrupt as error:
            raise Interrupted(f"interrupted; run it again to go on with {location}") from error
        found = session.found()
        rows = evaluator.table({each.point for each in found})
        store.put(TRIALS, trials_table(found, evaluator, goals))
        parts = write_final(store, manifest, rows)
        drop_stale_parts(store, parts)
        wall = time.perf_counter() - started
        write_manifest(store, manifest.completed(parts, 0, {"wall": wall}, 1))
    point_latest(location)
    good = [each for each in found if each.feasible]
    exact = enumerated(evaluator, goals, options.over, progress) if verify else None
    seconds = time.perf_counter() - started
    return SearchResult(
        open_run(location), goals, len(found), len(good), front(good, goals), exact, levers.size, seconds
    )


def _identity(study: Study, catalogue: Catalogue, output: str | Path, options: Options) -> tuple[Manifest, str]:
    """Return the manifest and the folder of a search; the number of trials is no part of its identity."""
    manifest, _ = first_manifest(study, catalogue, output, None)
    text = f"{manifest.run} {options.sampler} {options.seed} {options.batch} {options.over}"
    identity = "search-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    kept = replace(manifest, run=identity, keep=Keep("trials"), seed=options.seed)
    return kept, run_location(output, study.name, identity)


def _go_on(
    session: Session,
    evaluator: Evaluator,
    goals: tuple[Objective, ...],
    over: Over,
    trials: int,
    progress: Report | None,
) -> None:
    """Ask, evaluate and tell whole batches until there are enough trials; equal points are evaluated once."""
    scores: dict[Point, Score] = {each.point: each.score for each in session.found()}
    done = len(session.told)
    while done < trials:
        asked = session.ask(trials - done)
        for point, rows in evaluator.rows([point for _, point in asked if point not in scores]).items():
            scores[point] = score(rows, goals, over)
        for trial, point in asked:
            session.tell(trial, scores[point])
        done += len(asked)
        if progress is not None:
            progress(done, trials)
