"""The fit of the model's coefficients to measured steps, as a least-squares problem with priors.

Unknowns are the coefficients of ``models.coefficients`` and one rate per chip and number format: the factor between
what its matrix products reach inside training steps and what kernels or data sheets promise. Residuals are the
logarithms of predicted over measured time, zero inside the range of a run whose knobs are not all stated, and the
distance of every unknown from its prior in units of the prior's spread. Residuals of runs enter by their logarithm
beyond ``NOISE``, so that a fault in a row does not bend the constants.

Runs of one source on one chip share software, drivers and clocks, so that a hundred of them say little more about the
next source than ten. The error of a run is therefore that of its source on the chip, a random effect with the spread
``SOURCE_SPREAD`` (of dense models; mixtures apart, with ``MIXTURE_SPREAD``), plus its own: how runs of a source differ
counts run by run, their mean counts once. The deviation of a source is the mean of its errors, shrunk to zero as its
runs are few (the posterior mean of a normal effect), and is thrown away after the fit: nothing that is shipped knows a
source. Where a single source is all that is known of a chip in a number format, its deviation cannot be told from the
chip's, and nobody else will correct it: there the rate is moved at the end until the mean of its dense runs is met, as
far as the spreads of rate and source let it (``settled``).
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

MIXTURE_SPREAD: Final = 0.2
"""The same for mixtures of experts, whose host work and exchange differ far more from one software to the next: such
runs say little of the matrix products of a chip."""

GROSS: Final = 0.5
"""Error of a run, as a logarithm, from which on it is a fault of the row and says nothing of its source."""

RATE_LIMIT: Final = 0.7
"""Largest logarithm of a rate."""

SETTLING: Final = 6
"""Newton steps that move the rates of chips with one source; they change by less than 1e-4 in the last."""

RATE_STEP: Final = 1e-3
"""Difference over which the slope of an error by a rate is taken."""

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
    """Return what runs have in common: their source, on one chip, in one family of number formats, dense or not."""
    return (case.source, "mixture" if case.moe else "dense", *class_of(case))


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
        self._source_spread = np.asarray([MIXTURE_SPREAD if "mixture" in one else SOURCE_SPREAD for one in sources])
        self._source = np.asarray([sources.index(source_of(case)) for case in cases])
        self._class_of_source = np.zeros(len(sources), dtype=np.int64)
        self._class_of_source[self._source] = self._class
        self._name = np.asarray([case.source for case in cases])
        self._dense = np.asarray([not case.moe for case in cases])
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
        error = self._errors(unknowns)[kept]
        shared = self._deviations(error, kept)
        own = _soft((error - shared[self._source[kept]]) * self._weight[kept] / NOISE)
        positive = self._low > 0.0
        away = np.where(positive, np.log(np.where(positive, values, 1.0)), values - 1.0) / self._spread
        return np.concatenate([own, shared / self._source_spread, away, rates / self._rate_spread])

    def _errors(self, unknowns: Array) -> Array:
        """Return the logarithm of predicted over measured time of every case; 0 inside its range."""
        factor = np.exp(unknowns[self._prior.size :])[self._class][self._runs.owner]
        _, step = evaluate(self._runs, self.fit_of(unknowns).coefficients, factor)
        low, high = ranges(self._runs, len(self._cases), step.total)
        beyond = np.where(self._seconds < low, low, np.where(self._seconds > high, high, self._seconds))
        return np.asarray(np.log(beyond / self._seconds))

    def _deviations(self, error: Array, kept: NDArray[np.bool_]) -> Array:
        """Return the deviation of every source from the logarithmic errors of the runs that are kept.

        The posterior mean of a normal effect of spread ``SOURCE_SPREAD`` under noise of ``NOISE`` over the weight; a
        run that is grossly off has no say.
        """
        trust = _trust(error, self._weight[kept])
        source = self._source[kept]
        total = np.bincount(source, trust * error, self._sources)
        amount = np.bincount(source, trust, self._sources)
        return np.asarray(total / (amount + (NOISE / self._source_spread) ** 2))

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
        return self.settled(np.asarray(found.x), kept)

    def settled(self, unknowns: Array, kept: NDArray[np.bool_]) -> Array:
        """Return unknowns with the rates of chips that one source alone measured moved to the mean of its runs.

        Each minimises ``mean^2 / (SOURCE_SPREAD^2 + NOISE^2 / n) + rate^2 / spread^2`` over the logarithm of the rate,
        the mean logarithmic error being that of n runs by their trust; the other unknowns stay.
        """
        sources = self._alone(kept)
        classes = self._class_of_source[sources]
        places, spread = self._prior.size + classes, self._rate_spread[classes]
        moved = unknowns.copy()
        for _ in range(SETTLING):
            mean, amount = self._means(moved, kept)
            ahead = moved.copy()
            ahead[places] += RATE_STEP
            slope = ((self._means(ahead, kept)[0] - mean) / RATE_STEP)[sources]
            precision = 1.0 / (self._source_spread[sources] ** 2 + NOISE**2 / amount[sources])
            gradient = precision * mean[sources] * slope + moved[places] / spread**2
            curvature = precision * slope**2 + 1.0 / spread**2
            moved[places] = np.clip(moved[places] - gradient / curvature, -RATE_LIMIT, RATE_LIMIT)
        return moved

    def _alone(self, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the dense runs of a source on a chip, as numbers of deviations, that no other source measured."""
        classes, names = self._class[kept], self._name[kept]
        known = {one for one in np.unique(classes).tolist() if np.unique(names[classes == one]).size == 1}
        dense = np.unique(self._source[kept & self._dense])
        return np.asarray([one for one in dense.tolist() if self._class_of_source[one] in known], dtype=np.int64)

    def _means(self, unknowns: Array, kept: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Return the mean logarithmic error of every source, and the trust in its runs together."""
        error = self._errors(unknowns)[kept]
        trust, source = _trust(error, self._weight[kept]), self._source[kept]
        amount = np.asarray(np.bincount(source, trust, self._sources), dtype=np.float64)
        total = np.asarray(np.bincount(source, trust * error, self._sources), dtype=np.float64)
        return np.divide(total, amount, out=np.zeros_like(total), where=amount > 0), amount


def _trust(error: Array, weight: Array) -> Array:
    """Return how much a run says of its source: its weight squared, nothing where it is grossly off."""
    return np.asarray(weight**2 / (1.0 + (error / GROSS) ** 4))


def _weight(case: Case) -> float:
    if case.microbenchmark:
        return MICROBENCHMARK_WEIGHT
    return 1.0 if case.stated else RANGE_WEIGHT
