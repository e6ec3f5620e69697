"""One Optuna study: asking a batch, telling it, and finding again what was told before.

The study that the sampler sees lives in memory. Batches are its steps: each has a sampler of its own seed, which sees
the whole batches before it. A search that is taken up again puts the whole batches that were kept back into a fresh
study, with what the sampler noted on trials and study, and asks the next batch as it was asked before; results that
were kept of an unfinished batch answer it. A search that was killed anywhere, or extended, therefore has the trials of
one that ran through, whatever the sampler and the storage.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.errors import SweepError
from sweep.search.exact import Found
from sweep.search.goals import Score
from sweep.search.limits import NO_DESIGN
from sweep.search.passing import Filter
from sweep.search.points import LeverSpace, Point
from sweep.search.proposer import Rules, proposer
from sweep.search.refine import refinements
from sweep.search.samplers import Kind, make_sampler
from sweep.search.storage import Kept
from sweep.study import Objective

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

POINT, SHARE, LEVERS, FROM = "point", "infeasible share", "levers", "from"
NOTES = "study notes"
STARTUP = 2
"""Batches before the first refinement."""
PENALTY = 1e30
"""What CMA-ES, which knows no constraints, is told of an infeasible trial, times 1 plus its amounts: it ranks only."""


@dataclass
class Session:
    """An Optuna study in memory and what is kept of it. ``limits`` are the names of the study's conditions."""

    kept: Kept
    levers: LeverSpace
    filter: Filter
    goals: tuple[Objective, ...]
    limits: tuple[str, ...]
    kind: Kind
    seed: int
    batch: int
    _trials: list[Found] = field(default_factory=list)
    _known: set[Point] = field(default_factory=set)
    _pending: list[FrozenTrial] = field(default_factory=list)
    _notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import optuna  # noqa: PLC0415

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(directions=[goal.direction for goal in self.goals])
        kept = self.kept.trials
        self._source = [trial for trial in kept if FROM in trial.user_attrs]
        whole = len(self._source) + (len(kept) - len(self._source)) // self.batch * self.batch
        for trial in kept[:whole]:
            self._restore(trial)
        self._pending = kept[whole:]

    def _restore(self, trial: FrozenTrial) -> None:
        """Put a kept trial back into the study, with what the sampler noted."""
        storage, study = self.study._storage, self.study._study_id  # noqa: SLF001 - the place of a sampler's notes
        notes = trial.system_attrs.pop(NOTES, {})
        storage.create_new_trial(study, template_trial=trial)
        for key, value in notes.items():
            storage.set_study_system_attr(study, key, value)
        self._notes |= notes
        self._trials.append(self._found(trial))
        self._known.add(self._trials[-1].point)

    @property
    def count(self) -> int:
        """Number of trials of the whole batches that the search has told, without those it began with."""
        return len(self._trials) - len(self._source)

    @property
    def told(self) -> list[FrozenTrial]:
        """Finished trials in order, those kept of an unfinished batch included."""
        return [*self.study.get_trials(deepcopy=False), *self._pending]

    @property
    def answered(self) -> dict[Point, Score]:
        """What is known of the points of whole batches."""
        return {each.point: each.score for each in self._trials}

    def batches(self) -> list[set[Point]]:
        """Return the points of each whole batch; those that the search began with first, if it began with any."""
        points = [each.point for each in self._trials]
        begun = [set(points[: len(self._source)])] if self._source else []
        starts = range(len(self._source), len(points), self.batch)
        return [*begun, *(set(points[start : start + self.batch]) for start in starts)]

    @property
    def given(self) -> int:
        """Number of trials that the search began with."""
        return len(self._source)

    def asked_in(self, number: int) -> int:
        """Return the number of trials of a batch that was kept: none in what the search began with."""
        if self._source and number == 0:
            return 0
        return self.batch if number < self.next_batch else len(self._pending)

    @property
    def total(self) -> int:
        """Number of trials that the search has told, those of an unfinished batch included."""
        return self.count + len(self._pending)

    @property
    def next_batch(self) -> int:
        """Number of the next batch; what the search began with is batch 0, if there is any."""
        return self.count // self.batch + bool(self._source)

    @property
    def unfinished(self) -> set[Point]:
        """Points of the batch that was not told to its end."""
        return {self._found(trial).point for trial in self._pending}

    def found(self) -> list[Found]:
        """Return what every told trial reached, in order; those kept of an unfinished batch included."""
        return [*self._trials, *(self._found(trial) for trial in self._pending)]

    def begin_with(self, scores: Sequence[tuple[Point, Score]], run: str) -> None:
        """Tell designs of a finished run as trials, before any other is asked."""
        if self._trials or self._pending:
            return
        trials = [self._given(number, point, score, run) for number, (point, score) in enumerate(scores)]
        self.kept.append(trials)
        self._source = trials
        for trial in trials:
            self._restore(trial)

    def _given(self, number: int, point: Point, score: Score, run: str) -> FrozenTrial:
        """Return the trial that a design of another run stands for; the first ones are a genetic sampler's parents."""
        import optuna  # noqa: PLC0415

        params = self.levers.params_of(point)
        if not self.kind.conditional:
            for name, distribution in self.levers.distributions.items():
                params.setdefault(name, getattr(distribution, "low", None) or _first(distribution))
        given = optuna.trial.create_trial(
            values=list(self._values(score)),
            params=params,
            distributions={name: self.levers.distributions[name] for name in params},
            user_attrs=self._attributes(point, score) | {FROM: run},
            constraints=dict(zip((NO_DESIGN, *self.limits), score.amounts, strict=True)),
        )
        if self.kind.genetic:
            given.system_attrs[f"{self.kind.name.upper()}Sampler:generation"] = 0
        given.number = number
        return given

    def ask(self, count: int) -> list[tuple[optuna.Trial, Point]]:
        """Return the next trials with their points."""
        number = self.count // self.batch
        rules = Rules(self.kind, self.levers, self.filter, self._known)
        random = np.random.default_rng([self.seed, number, 1])
        asked = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna tells of its own experimental and deprecated parts
            learned = make_sampler(self.kind, self.seed, number, self._source)
            near = self._refinements(rules, number)
            self.study.sampler = sampler = proposer()(learned, rules, random)
            for _ in range(count):
                sampler.given = near.pop() if near else None
                if self.kind.conditional:
                    point = self.levers.suggest(trial := self.study.ask(), every_block=False)
                else:
                    trial = self.study.ask(self.levers.distributions)
                    point = sampler.proposed
                self._known.add(point)
                asked.append((trial, point))
        return asked

    def _refinements(self, rules: Rules, number: int) -> list[Point]:
        """Return the points of a whole batch next to the best so far; a shorter one has the first of them."""
        if not self.kind.learns or number < STARTUP:
            return []
        return refinements(self.levers, self._trials, self.goals, rules, self.batch // 2, (self.seed, number))

    def tell(self, scores: Sequence[tuple[optuna.Trial, Point, Score]]) -> None:
        """Record what the trials of a batch reached, in memory and then in the storage."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for trial, point, score in scores:
                for name, amount in zip((NO_DESIGN, *self.limits), score.amounts, strict=True):
                    trial.set_constraint(name, amount)
                self.study.tell(trial, list(self._values(score)))
                self._trials.append(Found(trial.number, point, score))
        self._keep(len(scores))

    def _keep(self, count: int) -> None:
        told = self.study.get_trials(deepcopy=False)[-count:]
        notes = self.study._storage.get_study_system_attrs(self.study._study_id)  # noqa: SLF001
        fresh = {key: value for key, value in notes.items() if self._notes.get(key) != value}
        self._notes |= fresh
        for mine, theirs in zip(self._pending, told, strict=False):
            if mine.params != theirs.params:
                raise SweepError(
                    f"trial {mine.number} of this search was proposed by another version of Optuna or of this program; "
                    "begin anew with another --seed or --output"
                )
        reached = self._trials[-count:]
        self.kept.append(
            [
                self._noted(trial, each, fresh if trial is told[-1] else {})
                for trial, each in list(zip(told, reached, strict=True))[len(self._pending) :]
            ]
        )
        self._pending = []

    def _noted(self, trial: FrozenTrial, reached: Found, notes: dict[str, Any]) -> FrozenTrial:
        """Return a trial as it is kept: with its design, and the last of a batch with what the sampler noted."""
        trial = copy(trial)
        trial.user_attrs = self._attributes(reached.point, reached.score)
        if notes:
            trial.system_attrs = trial.system_attrs | {NOTES: notes}
        return trial

    def _values(self, score: Score) -> tuple[float, ...]:
        if self.kind.name != "cmaes" or score.feasible:
            return score.values
        sign = 1.0 if self.goals[0].direction == "minimize" else -1.0
        return (sign * PENALTY * (1.0 + sum(max(amount, 0.0) for amount in score.amounts)),)

    def _found(self, trial: FrozenTrial) -> Found:
        block, *places = trial.user_attrs[POINT]
        amounts = tuple(trial.constraints[name] for name in (NO_DESIGN, *self.limits))
        share = trial.user_attrs[SHARE]
        bad = tuple(math.inf if goal.direction == "minimize" else -math.inf for goal in self.goals)
        values = bad if share > 0 else tuple(trial.values or ())
        return Found(trial.number, Point(block, tuple(places)), Score(values, share, amounts))

    def _attributes(self, point: Point, score: Score) -> dict[str, Any]:
        levers = self.levers.values(point)
        return {POINT: [point.block, *point.places], SHARE: score.violation, LEVERS: levers}


def _first(distribution: Any) -> Any:
    return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low
