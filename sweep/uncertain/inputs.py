"""The uncertain inputs of a study and their draws: one draw is one world, the same for every design and system.

Each input has a stream of its own, counted by the number of the draw: any draws can be made alone, on any worker, with
the same bits, and an input's draws do not depend on which others a study has (correlated ones aside).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sweep.errors import StudyError
from sweep.space.marginals import Marginal
from sweep.space.sampling import random_stream
from sweep.uncertain.correlation import Lower, correlated

Array = NDArray[np.float64]
DRAW = "draw"
"""Name of the column and of the mesh entry that number the draws."""


@dataclass(frozen=True, slots=True)
class UncertainInput:
    """One uncertain input.

    ``name`` is its quantity, ``label`` how the study and the answer call it (``power_price``,
    ``cloudmatrix384.chip_price``, ``model_error.ascend-910c``). ``systems`` are those it holds for, all when empty.
    ``marginal`` gives values in the unit of the quantity table; with ``times`` they multiply each system's own figure.
    ``nominal`` is the value at which single numbers are computed: most likely (triangular, choice), mean (normal,
    uniform), median (lognormal); for a choice among alternatives the value that the catalogue takes. ``where`` is
    ``file:line``, ``text`` the distribution as people write it. ``displaced`` are values of it that take the place of
    other facts: each with those facts and what they are then [unit of the table].
    """

    name: str
    label: str
    marginal: Marginal
    nominal: float
    times: bool = False
    systems: tuple[str, ...] = ()
    where: str = ""
    text: str = ""
    displaced: tuple[tuple[float, tuple[tuple[str, float], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The uncertain inputs of a study.

    ``draws`` counts the worlds. ``mapping`` says whether the mapping of a design is the best at nominal values in every
    draw, or the best of ``each`` draw. ``rows`` says what the dataset holds: one row per design with ``quantiles`` of
    its results, or one row per design and draw. ``factor`` is the lower triangle of the correlations of normal scores,
    in the order of ``inputs``; ``seed`` is that of the study.
    """

    inputs: tuple[UncertainInput, ...]
    draws: int
    mapping: Literal["nominal", "each"]
    quantiles: tuple[float, ...]
    factor: Lower
    seed: int
    rows: Literal["quantiles", "draws"] = "quantiles"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the inputs: the columns of a unit cube, in order."""
        return tuple(each.label for each in self.inputs)

    def of(self, system: str) -> dict[str, UncertainInput]:
        """Return what is uncertain about one system, by quantity; its own inputs stand in place of those for all."""
        shared = {each.name: each for each in self.inputs if not each.systems}
        return shared | {each.name: each for each in self.inputs if system in each.systems}

    def values(self, points: Array) -> dict[str, Array]:
        """Return the input values at points of the unit cube.

        Parameters
        ----------
        points
            Independent uniform numbers from 0 to 1, shape (n, k), one column per input in the order of ``labels``;
            correlations are put on here.

        Returns
        -------
        Values by label, shape (n,) [unit of the quantity table; multipliers for ``times``].
        """
        uniforms = correlated([points[:, place] for place in range(len(self.inputs))], self.factor)
        pairs = zip(self.inputs, uniforms, strict=True)
        return {each.label: np.asarray(each.marginal.quantile(part), dtype=np.float64) for each, part in pairs}

    def uniforms(self, start: int, stop: int) -> Array:
        """Return the independent uniform numbers of the draws ``start`` to ``stop - 1``, shape (stop - start, k)."""
        if not 0 <= start <= stop <= self.draws:
            raise StudyError.at(f"draws run from 0 to {self.draws - 1}, not to {stop - 1}")
        streams = [random_stream(self.seed, f"{DRAW}/{label}", start, stop) for label in self.labels]
        return np.stack(streams, axis=-1) if streams else np.empty((stop - start, 0))

    def drawn(self, start: int, stop: int) -> dict[str, Array]:
        """Return the input values of the draws ``start`` to ``stop - 1`` by label, shape (stop - start,)."""
        return self.values(self.uniforms(start, stop))

    def nominal(self) -> dict[str, float]:
        """Return the nominal values by label [unit of the quantity table; multipliers for ``times``]."""
        return {each.label: each.nominal for each in self.inputs}


@lru_cache(maxsize=4)
def all_draws(uncertain: Uncertain) -> Mapping[str, Array]:
    """Return the values of every draw by label, kept for the next cell; shape (draws,)."""
    return uncertain.drawn(0, uncertain.draws)
