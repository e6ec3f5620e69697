"""Searching a study for its best designs: Optuna proposes levers, the engine answers them batch by batch.

A batch is asked, evaluated as one block over all scenarios, written as one part (the points that are new in it), and
told. The told trials are the memory of a search: run again, it goes on after its last whole batch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from sweep.catalogue import Catalogue
from sweep.counting import require_designs
from sweep.dataset.columns import Column
from sweep.dataset.layout import LATEST_SEARCH, point_latest
from sweep.dataset.lock import only_worker
from sweep.dataset.runs import Run, open_run
from sweep.dataset.store import LocalStore, check_writable, open_store
from sweep.engine.prepare import done_parts, prepare
from sweep.errors import Interrupted, StudyError, SweepError
from sweep.search.batch import Evaluator
from sweep.search.checks import Checked, Checks, check, check_goals
from sweep.search.curves import Step, curve
from sweep.search.details import Detail, design_ids, detail
from sweep.search.exact import Found, front, hypervolume_at_least, hypervolume_ratio, regret
from sweep.search.points import LeverSpace
from sweep.search.reference import Reference
from sweep.search.scenarios import OPTION as OVER
from sweep.search.spread import Spread
from sweep.search.task import Options, Task, search_identity, task_of
from sweep.search.work import Report, Work
from sweep.study import Objective, Study

NO_CHECKS = Checks()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A search and its best designs: one for one goal, the front for several.

    ``found`` are all trials, ``trial_seconds`` the time the search had worked when each of them ended; ``checked`` is
    what was asked for besides: proof, near-optimal designs, prices of limits. ``spent`` are the seconds that this call
    took for engine calls, for parts and for all its trials. The first ``given`` trials are designs of the run that the
    search began with.
    """

    run: Run
    task: Task
    found: tuple[Found, ...]
    trial_seconds: tuple[float, ...]
    checked: Checked
    seconds: float
    spent: Mapping[str, float]
    given: int
    evaluator: Evaluator = field(repr=False)

    def column(self, name: str) -> Column | None:
        """Return an output column; None for a regret, which is a fraction."""
        return next((column for column in self.evaluator.columns if column.name == name), None)

    def detail(self, found: Found) -> Detail:
        """Return what stands behind a design: id, row and limits."""
        return detail(self.task, self.evaluator, found)

    def design_ids(self, found: Sequence[Found]) -> list[int]:
        """Return the ids of some designs in the scenario that counts, or in the nominal one where several do."""
        return design_ids(self.task, self.evaluator, found)

    @property
    def levers(self) -> LeverSpace:
        """The levers of the study."""
        return self.task.levers

    @property
    def goals(self) -> tuple[Objective, ...]:
        """What the trials were told."""
        return self.task.goals

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
        if self.task.scenario is not None:
            return (1,)
        return tuple(self.levers.scenarios(block) for block in self.levers.space.blocks)

    @property
    def regret(self) -> float | None:
        """Distance from the optimum as a fraction of it; None for several goals or without verification."""
        return regret(self.best, self.exact or (), self.goals)

    @property
    def hypervolume_ratio(self) -> float | None:
        """Hypervolume of the front over that of the exact one; None for one goal or without verification."""
        return hypervolume_ratio(self.best, self.exact or (), self.goals)

    @property
    def hypervolume_at_least(self) -> float | None:
        """Share of the exact front's hypervolume that the front has at least, where the proof was cut short.

        Measured from the front's own nadir, see ``sweep.search.exact``; None when nothing is known.
        """
        proof = self.checked.proof
        ceiling = None if proof is None or proof.complete else proof.ceiling
        return hypervolume_at_least(self.best, ceiling, self.goals)


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
    proving: Report | None = None,
    storage: str | None = None,
    spread: Spread | None = None,
) -> SearchResult:
    """Search a study, or go on with a search, until it has ``trials`` told trials.

    ``checks`` says what to do after the trials; ``verify`` asks for its proof: every combination of levers is solved or
    shown not to be better, so that the regret is known. Trials are kept in a journal in the run's folder, or in the
    database ``storage``. Large batches go to the workers of ``spread``; the trials are the same.
    ``progress`` is told of trials, ``proving`` of combinations of levers that the proof has dealt with.

    Raises ``SweepError`` (or one of its kinds) with one sentence; told trials are kept.
    """
    started = time.perf_counter()
    task = task_of(study, catalogue, options)
    checks = replace(checks, verify=verify or checks.verify)
    check_goals(checks, task.goals)
    require_designs(study, catalogue)
    manifest, location = search_identity(task, output, trials, storage)
    store = open_store(location)
    if not isinstance(store, LocalStore):
        raise SweepError("a search keeps its journal in a local or shared folder; name one with --output")
    evaluator = task.evaluator(manifest, spread)
    if evaluator.reference is not None:
        _refuse_unknown(checks, evaluator.reference)
    work = Work(store, manifest, evaluator, task, storage)
    try:
        told = work.done(trials)
        if told is None:
            check_writable(store)
            with only_worker(store), spread or nullcontext():
                prepare(store, study, catalogue, manifest, done_parts(store, manifest))
                point_latest(location, LATEST_SEARCH)  # so that status finds it by the study's name while it is going
                told = work.go_on(trials, progress)
        point_latest(location, LATEST_SEARCH)
        checked = check(task.alone(evaluator), task.goals, task.fold, told.found, checks, proving)
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted; run it again to go on with {location}") from error
    seconds = time.perf_counter() - started
    return SearchResult(
        open_run(location), task, told.found, told.seconds, checked, seconds, work.spent, told.given, evaluator
    )


def _refuse_unknown(checks: Checks, reference: Reference) -> None:
    """Raise ``StudyError`` for what cannot be said of regrets."""
    if checks.within is not None or checks.prices:
        raise StudyError.at("near-optimal designs and prices of limits are not known for regrets; leave them out", OVER)
    if checks.verify and not reference.exact:
        levers = reference.evaluator.levers
        message = (
            f"the regret of {levers.size:,} combinations of levers is measured against the best of "
            f"{reference.designs:,} drawn at random, so its optimum cannot be proved; give the levers fewer values, "
            "or leave out --verify"
        )
        raise StudyError.at(message, OVER)
