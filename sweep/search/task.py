"""A search before it has a folder: what is asked, by which sampler, over which scenarios, and what it is called."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from sweep.catalogue import Catalogue
from sweep.dataset.layout import run_location
from sweep.dataset.manifest import Manifest, SearchAsked
from sweep.dataset.reduce import Keep
from sweep.engine.prepare import first_manifest
from sweep.search.basis import held_to_basis
from sweep.search.batch import Evaluator
from sweep.search.goals import Over, goals_of, regrets
from sweep.search.limits import NO_DESIGN, Limit, limits_of
from sweep.search.passing import Filter
from sweep.search.points import LeverSpace
from sweep.search.reference import Reference
from sweep.search.samplers import Kind, chosen
from sweep.search.scenarios import Scenario, named
from sweep.search.session import Session
from sweep.search.spread import Spread
from sweep.search.storage import Kept, masked
from sweep.search.warm import Warm
from sweep.space import Space
from sweep.study import Objective, Study
from sweep.study.study import Direction

REGRET = "regret"
OVER_ALL = frozenset(("expected", "worst", REGRET))
"""What ``over`` can be besides one scenario."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a search goes about it; equal options, study, catalogue and model give the same trials.

    ``batch`` is how many trials are asked before any is told, the sampler's own number when not given. ``over`` is what
    counts over the scenarios: expected, worst, regret, or one of them by name (see ``sweep.search.scenarios``).
    ``start`` is the folder of a finished run whose best designs are the first trials.
    """

    sampler: str = "auto"
    seed: int = 0
    batch: int | None = None
    over: str = "expected"
    start: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A search before it has a folder: what is asked, by which sampler, over which scenarios."""

    study: Study
    catalogue: Catalogue
    levers: LeverSpace
    filter: Filter
    kind: Kind
    options: Options
    asked: tuple[Objective, ...]
    scenario: Scenario | None
    start: Warm | None

    @property
    def goals(self) -> tuple[Objective, ...]:
        """What is told: the goals of the study, or their largest regrets."""
        return regrets(self.asked) if self.options.over == REGRET else self.asked

    @property
    def fold(self) -> Over:
        """How scenarios are put together."""
        return "worst" if self.options.over in {"worst", REGRET} else "expected"

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What a design must keep."""
        return limits_of(self.study)

    @property
    def constraints(self) -> tuple[str, ...]:
        """Names of what Optuna is told as constraints."""
        return (NO_DESIGN, *(limit.name for limit in self.limits))

    def directions(self) -> list[Direction]:
        """Return the direction of each goal."""
        return [goal.direction for goal in self.goals]

    def session(self, kept: Kept) -> Session:
        """Return the Optuna study of this search with what was kept of it."""
        names = tuple(limit.name for limit in self.limits)
        return Session(kept, self.levers, self.filter, self.goals, names, self.kind, self.options.seed, self.kind.batch)

    def alone(self, evaluator: Evaluator) -> Evaluator:
        """Return the evaluator of a study that has the named scenario only; the same one when none was named."""
        if self.scenario is None:
            return evaluator
        blocks = [
            replace(block, axes=tuple(self.scenario.point(block, axis, self.levers) for axis in block.axes))
            for block in self.study.space.blocks
        ]
        study = replace(self.study, space=Space.of(blocks))
        return replace(evaluator, study=study, levers=LeverSpace(study), scenario=None)

    def evaluator(self, manifest: Manifest, spread: Spread | None) -> Evaluator:
        """Return what evaluates the points of this search."""
        plain = Evaluator(
            self.study, self.catalogue, self.levers, manifest.columns, manifest.schema, self.scenario, spread=spread
        )
        if self.options.over != REGRET:
            return plain
        return replace(plain, reference=Reference(plain, self.filter, self.asked, self.study.seed))


def task_of(study: Study, catalogue: Catalogue, options: Options) -> Task:
    """Return what a search of a study is. Raises ``StudyError`` when it cannot be searched in this way."""
    scenario = None if options.over in OVER_ALL else named(options.over, LeverSpace(study), catalogue)
    study = held_to_basis(study, scenario)
    goals, levers = goals_of(study), LeverSpace(study)
    kind = chosen(options.sampler, len(goals), levers)
    kind = replace(kind, batch=options.batch or kind.batch)
    start = Warm.open(options.start, study, catalogue) if options.start else None
    return Task(study, catalogue, levers, Filter(levers, catalogue), kind, options, goals, scenario, start)


def search_identity(task: Task, output: str | Path, trials: int, storage: str | None = None) -> tuple[Manifest, str]:
    """Return the manifest and the folder of a search; the number of trials is no part of its identity."""
    study, options, kind = task.study, task.options, task.kind
    manifest, _ = first_manifest(study, task.catalogue, output, None)
    start = task.start.digest if task.start is not None else ""
    held = "basis" if study.basis else ""
    places = "" if task.scenario is None else sorted(task.scenario.places.items())
    text = f"{manifest.run} {kind.name} {options.seed} {kind.batch} {options.over} {start} {held} {places}".rstrip()
    identity = "search-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    begun = task.start.run.store.location if task.start is not None else ""
    kept = replace(
        manifest,
        run=identity,
        keep=Keep("trials"),
        seed=options.seed,
        partition=(),  # a part holds one batch
        chunks=-(-trials // kind.batch) + bool(begun),
        search=SearchAsked(trials, kind.name, options.seed, options.over, masked(storage or ""), begun),
        versions={**manifest.versions, "optuna": version("optuna")},
    )
    return kept, run_location(output, study.name, identity)
