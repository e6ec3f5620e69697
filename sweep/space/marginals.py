"""What a sampled quantity is drawn from: each maps uniform numbers in [0, 1) to values by its inverse distribution."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sweep.space.axes import Value, column
from sweep.space.rounding import to_significant

Uniforms = NDArray[np.float64]


class Marginal(ABC):
    """Distribution of one sampled quantity, in its human unit."""

    @abstractmethod
    def quantile(self, uniform: Uniforms) -> NDArray[Any]:
        """Return the values below which a share ``uniform`` of the distribution lies."""


@dataclass(frozen=True)
class Range(Marginal):
    """Evenly spread from ``first`` to ``last``, or evenly in the logarithm; ``whole`` draws whole numbers.

    On a log scale, values have 12 significant digits, which hides the last bits of ``exp`` (they differ by processor).
    """

    first: float
    last: float
    scale: Literal["linear", "log"] = "linear"
    whole: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.first) and math.isfinite(self.last)) or self.first > self.last:
            raise ValueError(f"a range needs finite ends, the smaller first, not {self.first} to {self.last}")
        if self.scale == "log" and self.first <= 0:
            raise ValueError(f"a log scale needs positive ends, not {self.first}")

    def quantile(self, uniform: Uniforms) -> NDArray[Any]:
        """Return values by the inverse of the (log-)uniform distribution."""
        first, last = (self.first, self.last) if not self.whole else (self.first - 0.5, self.last + 0.5)
        if self.scale == "log":
            raw = to_significant(first * np.exp(math.log(last / first) * uniform))
        else:
            raw = first + (last - first) * uniform
        if self.whole:
            return np.clip(np.rint(raw), self.first, self.last).astype(np.int64)
        return np.clip(raw, self.first, self.last)


@dataclass(frozen=True)
class Triangular(Marginal):
    """Density that rises in a line from ``low`` to ``mode`` and falls in a line to ``high``."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        ordered = self.low <= self.mode <= self.high and self.low < self.high
        if not ordered or not math.isfinite(self.high - self.low):
            raise ValueError(f"triangular needs low <= mode <= high, not {self.low}, {self.mode}, {self.high}")

    def quantile(self, uniform: Uniforms) -> NDArray[Any]:
        """Return values by the inverse of the triangular distribution."""
        span, rise, fall = self.high - self.low, self.mode - self.low, self.high - self.mode
        up = self.low + np.sqrt(uniform * span * rise)
        down = self.high - np.sqrt((1.0 - uniform) * span * fall)
        return np.where(uniform * span < rise, up, down)


@dataclass(frozen=True)
class Choice(Marginal):
    """Any of the listed values, each equally often."""

    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("needs at least one value to choose from")
        object.__setattr__(self, "options", tuple(dict.fromkeys(column(self.options).tolist())))

    def quantile(self, uniform: Uniforms) -> NDArray[Any]:
        """Return the option whose equal share of [0, 1) holds each number."""
        place = np.minimum((uniform * len(self.options)).astype(np.int64), len(self.options) - 1)
        return column(self.options)[place]
