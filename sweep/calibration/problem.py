"""The fit of the model's coefficients to measured steps, as a least-squares problem with priors.

Unknowns are the coefficients of ``models.coefficients`` and one rate per chip and number format: the factor between
what its matrix products reach inside training steps and what kernels or data sheets promise. Residuals are the
logarithms of predicted over measured time, zero inside the range of a run whose knobs are not all stated, and the
distance of every unknown from its prior in units of the prior's spread. Residuals of runs enter by their logarithm
beyond ``NOISE``, so that a fault in a row does not bend the constants.

Runs of one source on one chip share software, drivers and clocks, so that a hundred of them say little more about the
next source than ten. The error of a run is therefore that of its source on the chip, a random effect with the spread
``SOURCE_SPREAD``, plus its own: how runs of a source differ counts run by run, their mean counts once. The deviation of
a source is the mean of its errors, shrunk to zero as its runs are few (the posterior mean of a normal effect), and is
thrown away after the fit: nothing that is shipped knows a source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.coefficients import Coefficients, priors
from models.inputs import Array
from sweep.accuracy.case import Case
from sweep.accuracy.stack import Stack, evaluate

NOISE: Final = 0.037
"""Scale of a residual: repeats of one configuration differ by 3.7 % (mean over configurations in the data)."""

RANGE_WEIGHT: Final = 0.5
"""Weight of a run whose knobs are not all stated."""

MICROBENCHMARK_WEIGHT: Final = 0.05
"""Weight of one of the 1,150 single-node profiling runs, alike and by one group: their squares sum to three runs,
enough to inform the times of the host."""

MEASURED_SPREAD: Final = 0.05
"""Spread of the rate of a chip whose kernels are measured: clocks and libraries differ from machine to machine."""

TRANSFERRED_SPREAD: Final = 0.2
"""Spread of the rate of a chip without kernel tables: the transfer rule left out is 6 to 24 % off (docs/kernels.md)."""

SOURCE_SPREAD: Final = 0.05
"""Spread of the deviations of sources: 5 %, as machines and clocks (``MEASURED_SPREAD``) differ."""

GROSS: Final = 0.5
"""Error of a run, as a logarithm, from which on it is a fault of the row and says nothing of its source."""

RATE_LIMIT: Final = 0.7
"""Largest logarithm of a rate."""

Class = tuple[str, str]
"""A chip of the catalogue, by its system, and a family of number formats."""


def family_of(precision: str) -> str:
    """Return the family of a number format: fp16 and bf16 are one."""
    return {"fp16": "bf16"}.get(precision, precision)


def class_of(case: Case) -> Class:
    """Return the class of a run that shares a rate."""
    return case.system, family_of(case.precision)


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients, and the rate of every class that the runs of the fit contain (1 for any other)."""

    coefficients: Coefficients
    rates: Mapping[Class, float]


def rate_factors(runs: Stack, cases: Sequence[Case], rates: Mapping[Class, float]) -> Array:
    """Return the rate of every run of a stack."""
    each = np.asarray([rates.get(class_of(case), 1.0) for case in cases])
    return each[runs.owner]


def ranges(runs: Stack, cases: int, total: Array) -> tuple[Array, Array]:
    """Return the shortest and the longest step time of every case over its variants that fit the memory [s].

    A case none of whose variants fits keeps them all: it did run.
    """
    fits = runs.fits.copy()
    any_fits = np.zeros(cases, dtype=bool)
    np.logical_or.at(any_fits, runs.owner, fits)
    fits |= ~any_fits[runs.owner]
    low, high = np.full(cases, np.inf), np.full(cases, -np.inf)
    np.minimum.at(low, runs.owner, np.where(fits, total, np.inf))
    np.maximum.at(high, runs.owner, np.where(fits, total, -np.inf))
    return low, high


def source_of(case: Case) -> tuple[str, ...]:
    """Return what runs have in common beside the model: their source, on one chip in one family of number formats."""
    return (case.source, *class_of(case))


def _soft(away: Array) -> Array:
    """Return distances whose squares grow by their logarithm beyond one."""
    return np.asarray(np.sign(away) * np.sqrt(np.log1p(away**2)))


class Problem:
    """The least-squares problem of a set of cases; ``solve`` fits all of them or those that a mask keeps."""

    def __init__(self, runs: Stack, cases: Sequence[Case], measured: NDArray[np.bool_]) -> None:
        """``measured``: whether the kernels of the chip of each case are measured."""
        self._runs, self._cases = runs, cases
        self._seconds = np.asarray([case.seconds for case in cases])
        self._classes = sorted({class_of(case) for case in cases})
        index = {name: position for position, name in enumerate(self._classes)}
        self._class = np.asarray([index[class_of(case)] for case in cases])
        known = np.zeros(len(self._classes), dtype=bool)
        known[self._class[measured]] = True
        self._rate_spread = np.where(known, MEASURED_SPREAD, TRANSFERRED_SPREAD)
        table = priors().values()
        self._prior = np.asarray([row.value for row in table])
        self._low = np.asarray([row.minimum for row in table])
        self._high = np.asarray([row.maximum for row in table])
        self._spread = np.asarray([row.spread for row in table])
        sources = sorted({source_of(case) for case in cases})
        self._sources = len(sources)
        self._source = np.asarray([sources.index(source_of(case)) for case in cases])
        self._weight = np.asarray([_weight(case) for case in cases])

    def start(self) -> Array:
        """Return the unknowns at their priors."""
        return np.concatenate([np.ones_like(self._prior), np.zeros(len(self._classes))])

    def fit_of(self, unknowns: Array) -> Fit:
        """Return the unknowns as coefficients and rates."""
        values = unknowns[: self._prior.size] * self._prior
        coefficients = Coefficients(**dict(zip(priors(), map(float, values), strict=True)))
        rates = np.exp(unknowns[self._prior.size :])
        return Fit(coefficients, dict(zip(self._classes, map(float, rates), strict=True)))

    def _residuals(self, unknowns: Array, kept: NDArray[np.bool_]) -> Array:
        values, rates = unknowns[: self._prior.size], unknowns[self._prior.size :]
        factor = np.exp(rates)[self._class][self._runs.owner]
        _, step = evaluate(self._runs, self.fit_of(unknowns).coefficients, factor)
        low, high = ranges(self._runs, len(self._cases), step.total)
        beyond = np.where(self._seconds < low, low, np.where(self._seconds > high, high, self._seconds))
        error = np.log(beyond / self._seconds)[kept]
        shared = self._deviations(error, kept)
        own = _soft((error - shared[self._source[kept]]) * self._weight[kept] / NOISE)
        positive = self._low > 0.0
        away = np.where(positive, np.log(np.where(positive, values, 1.0)), values - 1.0) / self._spread
        return np.concatenate([own, shared / SOURCE_SPREAD, away, rates / self._rate_spread])

    def _deviations(self, error: Array, kept: NDArray[np.bool_]) -> Array:
        """Return the deviation of every source from the logarithmic errors of the runs that are kept.

        The posterior mean of a normal effect of spread ``SOURCE_SPREAD`` under noise of ``NOISE`` over the weight; a
        run that is grossly off has no say.
        """
        trust = self._weight[kept] ** 2 / (1.0 + (error / GROSS) ** 4)
        source = self._source[kept]
        total = np.bincount(source, trust * error, self._sources)
        amount = np.bincount(source, trust, self._sources)
        return np.asarray(total / (amount + (NOISE / SOURCE_SPREAD) ** 2))

    def solve(self, kept: NDArray[np.bool_], start: Array, evaluations: int) -> Array:
        """Fit the unknowns to the cases that are kept, from ``start``; ``evaluations`` bounds the steps of the fit."""
        from scipy.optimize import least_squares  # noqa: PLC0415 - heavy

        rates = np.full(len(self._classes), RATE_LIMIT)
        low = np.concatenate([self._low / self._prior, -rates])
        high = np.concatenate([self._high / self._prior, rates])
        inside = np.clip(start, low + 1e-6, high - 1e-6)
        scale = np.concatenate([self._spread, self._rate_spread])
        found = least_squares(
            self._residuals,
            inside,
            bounds=(low, high),
            x_scale=scale,
            diff_step=[1e-4] * inside.size,
            max_nfev=evaluations,
            args=(kept,),
        )
        return np.asarray(found.x)


def _weight(case: Case) -> float:
    if case.microbenchmark:
        return MICROBENCHMARK_WEIGHT
    return 1.0 if case.stated else RANGE_WEIGHT
