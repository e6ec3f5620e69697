"""Designs of experiments in the unit cube, of which any block of rows can be computed alone.

``Saltelli`` is the design of SALib's ``sample.sobol`` (Saltelli 2002, *Comput. Phys. Commun.* 145, 280; Saltelli et al.
2010, *ibid.* 181, 259), ``Trajectories`` that of its ``sample.morris`` (Morris 1991, *Technometrics* 33, 161).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sweep.sensitivity.sources import Uniforms
from sweep.space import Range, SampleAxis, sample_axis

GRID = 4
"""Levels of the grid on which trajectories move; each step is two thirds of an input's range."""


@dataclass(frozen=True)
class Saltelli:
    """``samples`` points of two independent matrices A and B, and A with each column taken from B in turn.

    Row ``i * step + k`` belongs to sample ``i``: k = 0 is row i of A; k = 1 .. inputs is it with column k - 1 of B;
    with ``second_order`` the same follows with A and B exchanged; the last is row i of B.
    """

    inputs: int
    samples: int
    seed: int
    second_order: bool = False

    @property
    def step(self) -> int:
        """Rows of one sample."""
        return (2 * self.inputs if self.second_order else self.inputs) + 2

    @property
    def rows(self) -> int:
        """Rows in all."""
        return self.samples * self.step

    @cached_property
    def _base(self) -> SampleAxis:
        """A and B side by side: the points of one scrambled Sobol sequence of twice the dimensions."""
        columns = {str(place): Range(0.0, 1.0) for place in range(2 * self.inputs)}
        return sample_axis(columns, self.samples, "sobol", self.seed, index="sensitivity")

    def base(self, start: int, stop: int) -> Uniforms:
        """Return rows ``start`` to ``stop - 1`` of A and B side by side, shape (rows, 2 * inputs)."""
        return np.stack([self._base.values(name, start, stop) for name in self._base.names[1:]], axis=1)

    def block(self, start: int, stop: int) -> Uniforms:
        """Return rows ``start`` to ``stop - 1`` of the design, shape (rows, inputs)."""
        sample, kind = np.divmod(np.arange(start, stop), self.step)
        first = start // self.step
        a, b = np.split(self.base(first, (stop - 1) // self.step + 1)[sample - first], 2, axis=1)
        exchanged = kind > self.inputs  # B with a column of A; or B itself, with none
        column = np.where(exchanged, kind - 1 - self.inputs, kind - 1)
        swapped = (column[:, np.newaxis] == np.arange(self.inputs)) & (kind < self.step - 1)[:, np.newaxis]
        from_b: NDArray[np.bool_] = exchanged[:, np.newaxis] != swapped
        return np.where(from_b, b, a)


@dataclass(frozen=True)
class Trajectories:
    """``samples`` trajectories of ``inputs`` + 1 points each, every one from a generator of its own."""

    inputs: int
    samples: int
    seed: int

    @property
    def step(self) -> int:
        """Rows of one trajectory."""
        return self.inputs + 1

    @property
    def rows(self) -> int:
        """Rows in all."""
        return self.samples * self.step

    def block(self, start: int, stop: int) -> Uniforms:
        """Return rows ``start`` to ``stop - 1`` of the design, shape (rows, inputs)."""
        first = start // self.step
        paths = [self._trajectory(number) for number in range(first, (stop - 1) // self.step + 1)]
        return np.concatenate(paths)[start - first * self.step : stop - first * self.step]

    def _trajectory(self, number: int) -> Uniforms:
        from SALib.sample import morris  # noqa: PLC0415 - an optional extra, two seconds

        problem = unit_problem(tuple(str(place) for place in range(self.inputs)))
        draws = np.random.default_rng([self.seed, number])
        return np.asarray(morris.sample(problem, 1, num_levels=GRID, seed=draws), dtype=np.float64)


def unit_problem(names: tuple[str, ...]) -> dict[str, object]:
    """Return what SALib calls a problem: inputs between 0 and 1."""
    return {"num_vars": len(names), "names": [*names], "bounds": [[0.0, 1.0]] * len(names)}
