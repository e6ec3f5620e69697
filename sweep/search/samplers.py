"""Optuna samplers by name, seeded so that a resumed search goes on as if it had never stopped.

A sampler is made anew for every trial, from the search's seed and the trial's number; what it has learned is in the
storage. Its random state is therefore the same whether or not the process was restarted in between.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.errors import StudyError, nearest

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SAMPLERS = ("auto", "tpe", "nsgaii", "random")
REDRAWS = 4
"""How often a sampler may propose a point that is known before the trial is drawn at random."""
Known = Callable[[Mapping[str, Any]], bool]


def chosen(name: str, goals: int) -> str:
    """Return the sampler that ``auto`` means: TPE for one goal, NSGA-II for several. Raises ``StudyError``."""
    if name not in SAMPLERS:
        raise StudyError.at(f"{name!r} is no sampler{nearest(name, SAMPLERS)}", "--sampler")
    if name != "auto":
        return name
    return "tpe" if goals == 1 else "nsgaii"


def make_sampler(name: str, seed: int, trial: int, batch: int, known: Known) -> BaseSampler:
    """Return the sampler for one trial.

    ``batch`` is the number of trials that are asked before any is told; ``known`` says whether parameters mean a point
    that was proposed before.
    """
    import optuna  # noqa: PLC0415  (0.5 s, and only searches need it)

    state = int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])
    random = optuna.samplers.RandomSampler(seed=state)
    if name == "random":
        return random
    learned: BaseSampler
    if name == "nsgaii":
        learned = optuna.samplers.NSGAIISampler(population_size=max(2 * batch, 2), seed=state)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            learned = optuna.samplers.TPESampler(
                multivariate=True, group=True, constant_liar=True, n_startup_trials=2 * batch, seed=state
            )
    sampler: BaseSampler = fresh()(learned, random, known)
    return sampler


def fixed(params: Mapping[str, Any], seed: int, trial: int) -> BaseSampler:
    """Return the sampler of one trial that gives these parameters, and any others at random."""
    import optuna  # noqa: PLC0415

    state = int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.samplers.PartialFixedSampler(dict(params), optuna.samplers.RandomSampler(seed=state))


@cache
def fresh() -> Any:
    """Return the class of a sampler that draws again what is known: levers have few values, so it often is."""
    import optuna  # noqa: PLC0415

    class Fresh(optuna.samplers.BaseSampler):
        """Draws from ``learned``; from ``random`` when that proposes known points only."""

        def __init__(self, learned: BaseSampler, random: BaseSampler, known: Known) -> None:
            self.learned = learned
            self.random = random
            self.known = known
            self.gave_up = False

        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            return self.learned.infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
            for _ in range(REDRAWS):
                params = self.learned.sample_relative(study, trial, search_space)
                if not self.known(params):
                    return params
            self.gave_up = True
            return {}

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            sampler = self.random if self.gave_up else self.learned
            return sampler.sample_independent(study, trial, param_name, param_distribution)

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            self.learned.after_trial(study, trial, state, values)

    return Fresh
