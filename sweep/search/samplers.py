"""Optuna samplers by name: what each can take, how many trials it is asked at once, and how it is made.

A sampler is made anew for every batch, from the search's seed and the batch's number; what it has learned is in the
study. Its random state is therefore the same whether or not the process was restarted in between.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.errors import StudyError, nearest
from sweep.search.points import LeverSpace

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

OPTION = "--sampler"
GENERATION = 32
"""Trials of one generation of the genetic samplers."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a sampler before it is made.

    ``batch`` trials are asked before any is told. ``learns``: a design that was proposed before teaches it nothing, so
    it is given another one. ``conditional``: it takes parameters that only some trials have. ``packages`` are those of
    the extra of its name that Optuna does not bring itself.
    """

    name: str
    batch: int
    learns: bool = True
    conditional: bool = False
    many_goals: bool = True
    one_goal: bool = True
    words: bool = True
    genetic: bool = False
    packages: tuple[str, ...] = ()


KINDS = {
    kind.name: kind
    for kind in (
        Kind("tpe", 16, conditional=True),
        Kind("nsgaii", GENERATION, genetic=True),
        Kind("nsgaiii", GENERATION, one_goal=False, genetic=True),
        Kind("cmaes", 16, learns=False, many_goals=False, words=False, packages=("cmaes",)),
        Kind("gp", 8, packages=("torch",)),
        Kind("qmc", 256, learns=False),
        Kind("random", 256, learns=False),
    )
}
SAMPLERS = ("auto", *KINDS)


def chosen(name: str, goals: int, levers: LeverSpace) -> Kind:
    """Return the sampler that a name means; ``auto`` is TPE for one goal and NSGA-II for several.

    Raises ``StudyError`` when it cannot take the study: its goals, its levers, or for want of a package.
    """
    if name not in SAMPLERS:
        raise StudyError.at(f"{name!r} is no sampler{nearest(name, SAMPLERS)}", OPTION)
    kind = KINDS[name if name != "auto" else "tpe" if goals == 1 else "nsgaii"]
    if goals > 1 and not kind.many_goals:
        raise StudyError.at(f"{name} takes one goal, and the study has {goals}; use nsgaii, nsgaiii, tpe or gp", OPTION)
    if goals == 1 and not kind.one_goal:
        raise StudyError.at(f"{name} takes two goals or more, and the study has one; use tpe, gp or cmaes", OPTION)
    words = _words(levers)
    if words and not kind.words:
        shown = ", ".join(words)
        message = f"{name} takes numbers only, and these levers are words or change together: {shown}; use tpe or gp"
        raise StudyError.at(message, OPTION)
    missing = [package for package in kind.packages if find_spec(package) is None]
    if missing:
        message = f"{name} needs {', '.join(missing)}; pip install 'supernode-sweep[{name}]'"
        raise StudyError.at(message, OPTION)
    return kind


def _words(levers: LeverSpace) -> list[str]:
    """Return the parameters whose values have no order."""
    from optuna.distributions import CategoricalDistribution  # noqa: PLC0415

    return [name for name, found in levers.distributions.items() if isinstance(found, CategoricalDistribution)]


def make_sampler(  # noqa: PLR0911 - one for each sampler
    kind: Kind, seed: int, batch: int, source: Sequence[FrozenTrial] = ()
) -> BaseSampler:
    """Return the sampler for one batch of a search; ``source`` are finished trials that it may begin with."""
    import optuna  # noqa: PLC0415  (0.5 s, and only searches need it)

    state = int(np.random.SeedSequence([seed, batch]).generate_state(1)[0])
    samplers, size = optuna.samplers, kind.batch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna tells of its own experimental parts
        match kind.name:
            case "random":
                return samplers.RandomSampler(seed=state)
            case "qmc":
                return samplers.QMCSampler(scramble=True, seed=seed % 2**32, warn_independent_sampling=False)
            case "nsgaii":
                return samplers.NSGAIISampler(population_size=size, seed=state)
            case "nsgaiii":
                return samplers.NSGAIIISampler(population_size=size, seed=state)
            case "cmaes":
                start: dict[str, Any] = {"source_trials": list(source)} if source else {}
                return samplers.CmaEsSampler(
                    popsize=size, seed=state, with_margin=True, warn_independent_sampling=False, **start
                )
            case "gp":
                _one_thread()
                return samplers.GPSampler(seed=state, deterministic_objective=True, warn_independent_sampling=False)
        return samplers.TPESampler(
            multivariate=True, group=True, constant_liar=True, n_startup_trials=2 * size, seed=state
        )


def _one_thread() -> None:
    """Keep torch to one thread: sums in another order have other bits."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
