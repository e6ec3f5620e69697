"""One Optuna study on disk: asking a batch, telling it, and finding again what was told before.

The journal is a log of lines. A mark is left in it after every whole batch, and a search that is taken up again cuts
the journal back to the last mark: the batch that was under way is asked anew, from the same state and with the same
seeds, so a search that was killed anywhere, or extended, has the trials of one that ran through.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import SweepError
from sweep.search.exact import Found
from sweep.search.goals import Score
from sweep.search.points import LeverSpace, Point
from sweep.search.refine import refinements
from sweep.search.samplers import fixed, make_sampler
from sweep.study import Objective

if TYPE_CHECKING:
    import optuna
    from optuna.storages import JournalStorage

JOURNAL = "trials.journal"
INFEASIBLE = "infeasible share"
POINT = "point"
MARK = "told in whole batches"
STARTUP = 2
"""Batches before the first refinement."""


@dataclass(frozen=True)
class Session:
    """An Optuna study in the journal of a run's folder."""

    optuna_study: optuna.Study
    goals: tuple[Objective, ...]
    levers: LeverSpace
    sampler: str
    seed: int
    batch: int

    @classmethod
    def open(
        cls, location: str, goals: Sequence[Objective], levers: LeverSpace, sampler: str, seed: int, batch: int
    ) -> Session:
        """Open the journal in a run's folder, or begin one. Raises ``SweepError`` when it cannot be read or written."""
        import optuna  # noqa: PLC0415

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path, name = Path(location, JOURNAL), Path(location).name
        try:
            storage = _storage(path)
            if any(study.study_name == name for study in storage.get_all_studies()):
                found = optuna.load_study(study_name=name, storage=storage)
            else:
                directions = [goal.direction for goal in goals]
                found = optuna.create_study(storage=storage, study_name=name, directions=directions)
        except (OSError, ValueError, KeyError) as error:
            raise SweepError(f"{path} cannot be used as the journal of a search: {error}") from error
        return cls(found, tuple(goals), levers, sampler, seed, batch)

    @property
    def told(self) -> list[optuna.trial.FrozenTrial]:
        """Finished trials in order."""
        return [trial for trial in self.optuna_study.get_trials(deepcopy=False) if trial.state.is_finished()]

    def ask(self, count: int) -> list[tuple[optuna.Trial, Point]]:
        """Return new trials with their points; each is drawn with a seed of its own."""
        earlier = self.optuna_study.get_trials(deepcopy=False)
        known = {_point(trial) for trial in earlier}
        asked = []
        near = self._refinements(known, len(earlier), count)
        for number in range(len(earlier), len(earlier) + count):
            asked.append(self._ask(number, known, near.pop() if near else None))
            known.add(asked[-1][1])
        return asked

    def _refinements(self, known: Collection[Point], number: int, count: int) -> list[Point]:
        """Return the points of the next batch that are neighbours of the best so far."""
        if self.sampler == "random" or number < STARTUP * self.batch:
            return []
        return refinements(self.levers, self.found(), self.goals, known, count // 2, (self.seed, number))

    def _ask(self, number: int, known: Collection[Point], near: Point | None) -> tuple[optuna.Trial, Point]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna tells of its own experimental and deprecated parts
            self.optuna_study.sampler = (
                make_sampler(
                    self.sampler, self.seed, number, self.batch, lambda params: self.levers.point(params) in known
                )
                if near is None
                else fixed(self.levers.params_of(near), self.seed, number)
            )
            trial = self.optuna_study.ask()
            point = self.levers.suggest(trial, every_block=self.sampler == "nsgaii")
        trial.set_user_attr(POINT, [point.block, *point.places])
        return trial, point

    def tell(self, scores: Sequence[tuple[optuna.Trial, Score]]) -> None:
        """Record what the trials of a batch reached."""
        for trial, score in scores:
            trial.set_constraint(INFEASIBLE, score.violation)
            self.optuna_study.tell(trial, list(score.values))
        told = len(self.told)
        if told % self.batch == 0:
            self.optuna_study.set_user_attr(MARK, told)

    def found(self) -> list[Found]:
        """Return what every told trial reached, in order."""
        return [
            Found(trial.number, _point(trial), Score(tuple(trial.values or ()), trial.constraints[INFEASIBLE]))
            for trial in self.told
        ]


def _point(trial: optuna.trial.FrozenTrial) -> Point:
    block, *places = trial.user_attrs[POINT]
    return Point(block, tuple(places))


def rewind(location: str) -> None:
    """Cut the journal of a search back to the end of its last whole batch, or to nothing."""
    path = Path(location, JOURNAL)
    if not path.exists():
        return
    end = kept = 0
    with path.open("rb") as journal:
        for line in journal:
            end += len(line)
            if _is_mark(line):
                kept = end
    if path.stat().st_size > kept:
        os.truncate(path, kept)


def _is_mark(line: bytes) -> bool:
    if not line.endswith(b"\n") or MARK.encode() not in line:
        return False
    return MARK in json.loads(line).get("user_attr", {})


def _storage(path: Path) -> JournalStorage:
    from optuna.storages import JournalStorage  # noqa: PLC0415
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock  # noqa: PLC0415

    class Locked(JournalFileSymlinkLock):
        """No lock of the journal's own: the run's folder is locked, and a killed process leaves that lock free."""

        def acquire(self) -> bool:
            return True

        def release(self) -> None:
            return None

    return JournalStorage(JournalFileBackend(str(path), Locked(str(path))))
