"""Optuna samplers by name, seeded so that a resumed search goes on as if it had never stopped.

A sampler is made anew for every trial, from the search's seed and the trial's number; what it has learned is in the
storage. Its random state is therefore the same whether or not the process was restarted in between.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from sweep.errors import StudyError, nearest

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SAMPLERS = ("auto", "tpe", "nsgaii", "random")


def chosen(name: str, goals: int) -> str:
    """Return the sampler that ``auto`` means: TPE for one goal, NSGA-II for several. Raises ``StudyError``."""
    if name not in SAMPLERS:
        raise StudyError.at(f"{name!r} is no sampler{nearest(name, SAMPLERS)}", "--sampler")
    if name != "auto":
        return name
    return "tpe" if goals == 1 else "nsgaii"


def make_sampler(name: str, seed: int, trial: int, batch: int) -> BaseSampler:
    """Return the sampler for one trial. ``batch`` is the number of trials that are asked before any is told."""
    import optuna  # noqa: PLC0415  (0.5 s, and only searches need it)

    state = int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])
    if name == "random":
        return optuna.samplers.RandomSampler(seed=state)
    if name == "nsgaii":
        return optuna.samplers.NSGAIISampler(population_size=max(batch, 2), seed=state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            multivariate=True, group=True, constant_liar=True, n_startup_trials=2 * batch, seed=state
        )
