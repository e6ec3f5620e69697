"""Uncertain inputs of a study as inputs of a sensitivity analysis, and designs evaluated in given worlds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.answer.scenarios import systems_in
from sweep.errors import StudyError
from sweep.paths import configs_dir
from sweep.sensitivity.sources import Settings, Source, Spread
from sweep.space import Block
from sweep.study import Study
from sweep.uncertain import Uncertain, UncertainInput

World = Mapping[str, NDArray[np.float64]]
"""Values of uncertain inputs by label [unit of the quantity table; multipliers for ``times``]."""

TAILS = (0.05, 0.95)
"""Where a tornado takes the ends of a distribution: its tails may reach to infinity."""


@dataclass(frozen=True)
class Doubt(Spread):
    """What an uncertain input may be; ``name`` is its label."""

    known: UncertainInput

    @classmethod
    def about(cls, known: UncertainInput) -> Doubt:
        """Return the source of an uncertain input."""
        return cls(known.label, known.marginal, known.times, known)

    @property
    def nominal(self) -> Settings:
        """The value at which single numbers are computed."""
        return {self.name: self.known.nominal}

    @property
    def ends(self) -> tuple[float, float]:
        """The 5 % and the 95 % point of the distribution."""
        low, high = self.marginal.quantile(np.array(TAILS)).tolist()
        return low, high


def doubts(study: Study) -> Iterator[tuple[str, dict[int, Source]]]:
    """Yield the uncertain inputs by label, for the blocks whose systems they are about.

    Raises ``StudyError`` where they are correlated: no variance then belongs to one input rather than to another.
    """
    if study.uncertain is None:
        return
    _refuse_correlated(study, study.uncertain)
    for each in study.uncertain.inputs:
        blocks = [number for number, block in enumerate(study.space.blocks) if _is_about(study.uncertain, each, block)]
        yield each.label, dict.fromkeys(blocks, Doubt.about(each))


def is_about(study: Study, label: str, system: str) -> bool:
    """Return whether a label is that of an uncertain input of a system."""
    return study.uncertain is not None and any(each.label == label for each in study.uncertain.of(system).values())


def _is_about(uncertain: Uncertain, each: UncertainInput, block: Block) -> bool:
    return any(uncertain.of(system).get(each.name) == each for system in systems_in(block))


def _refuse_correlated(study: Study, uncertain: Uncertain) -> None:
    for place, row in enumerate(uncertain.factor):
        other = next((at for at in range(place) if row[at]), None)
        if other is not None:
            labels = uncertain.labels
            message = f"{labels[other]} and {labels[place]} are correlated, and shares of the variance need independent"
            command = f"supernode sensitivity {shlex.quote(asked_as(study.file))} --set uncertain.correlations=null"
            raise StudyError.at(f"{message} inputs; draw them so with: {command}", study.file)


def asked_as(file: str) -> str:
    """Return what a user types for a study: its name when it is a shipped one, its file otherwise."""
    path = Path(file)
    return path.stem if path.parent == configs_dir() / "studies" else file


@dataclass(frozen=True, eq=False)
class Given(Uncertain):
    """Uncertain inputs whose draws are given values; equal to nothing but itself, as its draws are kept by it."""

    worlds: World = field(default_factory=dict)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def drawn(self, start: int, stop: int) -> dict[str, NDArray[np.float64]]:
        """Return the given values of the draws ``start`` to ``stop - 1``."""
        return {label: values[start:stop] for label, values in self.worlds.items()}


def in_worlds(study: Study, worlds: World, count: int) -> Study:
    """Return the study with ``count`` draws as given, and at their nominal values where nothing is given."""
    uncertain = study.uncertain
    if uncertain is None:
        return study
    every = {label: worlds.get(label, np.full(count, value)) for label, value in uncertain.nominal().items()}
    given = Given(
        uncertain.inputs, count, uncertain.mapping, uncertain.quantiles, uncertain.factor, uncertain.seed,
        rows="draws", worlds=every,
    )  # fmt: skip
    return replace(study, uncertain=given)
