"""Distributions of uncertain inputs beyond those of a sample: normal, lognormal, and a choice with weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.space.marginals import Marginal, Uniforms
from sweep.space.rounding import to_significant

Array = NDArray[np.float64]
SMALLEST = 2.0**-54
"""Distance that uniform numbers keep from 0 and 1, where a normal quantile is infinite."""
WEIGHTS_ERROR = 1e-6
"""By how much the sum of weights may miss 1: thirds are written with a few digits."""


def inside(uniform: Uniforms) -> Uniforms:
    """Return uniform numbers of [0, 1] moved into the open interval."""
    return np.clip(uniform, SMALLEST, 1.0 - 2.0 * SMALLEST)


def normal_quantile(uniform: Uniforms) -> Array:
    """Return the values of a standard normal below which shares ``uniform`` lie."""
    from scipy.special import ndtri  # noqa: PLC0415 - only studies with uncertain inputs pay for the import

    return np.asarray(ndtri(inside(uniform)), dtype=np.float64)


def normal_share(values: Array | float) -> Array:
    """Return the share of a standard normal below each value."""
    from scipy.special import ndtr  # noqa: PLC0415

    return np.asarray(ndtr(values), dtype=np.float64)


@dataclass(frozen=True)
class Gaussian(Marginal):
    """Normal distribution, of the value or (``log``) of its logarithm, cut off at ``low`` and ``high``.

    ``centre`` is the mean, or the median with ``log``; ``spread`` the standard deviation of the value, or of its
    natural logarithm. What lies beyond the bounds is drawn again in proportion: the quantile of a uniform number u is
    that of ``F(low) + u (F(high) - F(low))``, so ranks stay as they are. Values have 12 significant digits, which hides
    the last bits of ``exp`` (they differ by processor).
    """

    centre: float
    spread: float
    log: bool = False
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not (math.isfinite(self.centre) and 0 < self.spread < math.inf and self.low <= self.centre <= self.high):
            raise ValueError("a normal distribution needs a spread above 0 and its centre between its bounds")
        if self.log and self.centre <= 0:
            raise ValueError(f"a lognormal distribution needs a median above 0, not {self.centre}")

    def quantile(self, uniform: Uniforms) -> Array:
        """Return values by the inverse of the truncated distribution."""
        below, upto = (float(normal_share(self._standard(bound))) for bound in (self.low, self.high))
        standard = normal_quantile(below + (upto - below) * inside(uniform))
        raw = self.centre * np.exp(self.spread * standard) if self.log else self.centre + self.spread * standard
        return np.clip(np.copysign(to_significant(np.abs(raw)), raw), self.low, self.high)

    def _standard(self, bound: float) -> float:
        """Return a bound in standard deviations from the centre."""
        if not self.log:
            return (bound - self.centre) / self.spread
        return -math.inf if bound <= 0 else math.log(bound / self.centre) / self.spread


@dataclass(frozen=True)
class Weighted(Marginal):
    """One of several numbers, ascending, each with the share of draws that take it."""

    options: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.options or len(self.options) != len(self.weights) or list(self.options) != sorted(self.options):
            raise ValueError("a choice needs ascending options with one weight each")
        if min(self.weights) < 0 or abs(math.fsum(self.weights) - 1) > WEIGHTS_ERROR:
            raise ValueError(f"weights add up to 1, not to {math.fsum(self.weights):g}")

    def quantile(self, uniform: Uniforms) -> Array:
        """Return the option whose share of [0, 1) holds each number."""
        ends = np.cumsum(self.weights)
        place = np.searchsorted(ends, uniform, side="right")
        last = max(at for at, weight in enumerate(self.weights) if weight > 0)
        return np.asarray(self.options, dtype=np.float64)[np.minimum(place, last)]


def sigma_of_error(error: float) -> float:
    """Return the spread of the logarithm of a factor with median 1 that is off by ``error`` on average.

    For a lognormal factor F with median 1 and ``sigma`` the standard deviation of ln F, the mean absolute error is
    ``E|F - 1| = exp(sigma^2 / 2) erf(sigma / sqrt(2))`` (by completing the square), solved here by bisection; for
    small errors sigma is ``error sqrt(pi / 2)``.
    """
    if not 0 <= error < math.inf:
        raise ValueError(f"an error is a fraction of at least 0, not {error}")
    low, high = 0.0, 1.0
    while math.exp(high**2 / 2) * math.erf(high / math.sqrt(2)) < error:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        below = math.exp(middle**2 / 2) * math.erf(middle / math.sqrt(2)) < error
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2
