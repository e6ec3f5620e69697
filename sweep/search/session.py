"""One Optuna study on disk: asking a batch, telling it, and finding again what was asked or told before."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import SweepError
from sweep.search.exact import Found
from sweep.search.goals import Score
from sweep.search.points import LeverSpace, Point
from sweep.search.samplers import make_sampler
from sweep.study import Objective

if TYPE_CHECKING:
    import optuna

JOURNAL = "trials.journal"
INFEASIBLE = "infeasible share"
POINT = "point"


@dataclass(frozen=True)
class Session:
    """An Optuna study in the journal of a run's folder."""

    optuna_study: optuna.Study
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
        from optuna.storages import JournalStorage  # noqa: PLC0415
        from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = Path(location) / JOURNAL
        try:
            storage = JournalStorage(JournalFileBackend(str(path)))
            found = optuna.create_study(
                storage=storage,
                study_name=Path(location).name,
                directions=[goal.direction for goal in goals],
                load_if_exists=True,
            )
        except (OSError, ValueError, KeyError) as error:
            raise SweepError(f"{path} cannot be used as the journal of a search: {error}") from error
        return cls(found, levers, sampler, seed, batch)

    @property
    def told(self) -> list[optuna.trial.FrozenTrial]:
        """Finished trials in order."""
        return [trial for trial in self.optuna_study.get_trials(deepcopy=False) if trial.state.is_finished()]

    def ask(self, most: int) -> list[tuple[optuna.Trial, Point]]:
        """Return the trials of the current batch with their points: those a killed process left, then new ones.

        A batch ends at a multiple of ``batch`` trials, so that its borders do not depend on interruptions.
        """
        import optuna  # noqa: PLC0415

        trials = self.optuna_study.get_trials(deepcopy=False)
        open_trials = [
            optuna.Trial(self.optuna_study, trial._trial_id)  # noqa: SLF001  (Optuna has no public way to go on with it)
            for trial in trials
            if not trial.state.is_finished()
        ]
        count = min(self.batch - (len(trials) - len(open_trials)) % self.batch, most)
        asked = [(trial, self._suggest(trial)) for trial in open_trials]
        while len(asked) < count:
            self._seed(len(self.optuna_study.get_trials(deepcopy=False)))
            trial = self.optuna_study.ask()
            asked.append((trial, self._suggest(trial)))
        return asked

    def _seed(self, number: int) -> None:
        self.optuna_study.sampler = make_sampler(self.sampler, self.seed, number, self.batch)

    def _suggest(self, trial: optuna.Trial) -> Point:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna warns of categories that TPE treats as unordered, as they are
            point = self.levers.suggest(trial)
        trial.set_user_attr(POINT, [point.block, *point.places])
        return point

    def tell(self, trial: optuna.Trial, score: Score) -> None:
        """Record what a trial reached."""
        trial.set_constraint(INFEASIBLE, score.violation)
        self.optuna_study.tell(trial, list(score.values))

    def found(self) -> list[Found]:
        """Return what every told trial reached, in order."""
        return [
            Found(
                trial.number,
                Point(trial.user_attrs[POINT][0], tuple(trial.user_attrs[POINT][1:])),
                Score(tuple(trial.values or ()), trial.constraints[INFEASIBLE]),
            )
            for trial in self.told
        ]
