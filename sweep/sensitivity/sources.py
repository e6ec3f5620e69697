"""What one input of a sensitivity analysis gives in one block of the space: values from numbers between 0 and 1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.engine.cells import is_structural
from sweep.space import Axis, LinearAxis, LogAxis, Marginal, Range, SampleAxis, Value

Uniforms = NDArray[np.float64]
Settings = Mapping[str, Value]
"""Values by quantity [unit of the quantity table; multipliers for ``times``]."""


class Source(ABC):
    """What one input gives in one block."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Quantities that the input gives together."""

    @property
    @abstractmethod
    def times(self) -> frozenset[str]:
        """Those of them whose values are multipliers."""

    @abstractmethod
    def values(self, name: str, uniform: Uniforms) -> NDArray[Any]:
        """Return the values of one quantity [unit of the quantity table] at numbers from 0 to 1."""

    @property
    @abstractmethod
    def nominal(self) -> Settings:
        """What the input is unless something else is said: the multiplier 1, the middle of a range, the first word."""

    @property
    @abstractmethod
    def options(self) -> tuple[Settings, ...]:
        """What one would try instead: the low and the high end of numbers, every level of anything else."""

    @abstractmethod
    def nearest(self, settings: Settings) -> Settings:
        """Return the values closest to given ones; the nominal ones where nothing is close."""


@dataclass(frozen=True)
class Levels(Source):
    """The points of an axis, each for an equal share of the numbers between 0 and 1."""

    axis: Axis

    @property
    def names(self) -> tuple[str, ...]:
        """Quantities of the axis."""
        return self.axis.names

    @property
    def times(self) -> frozenset[str]:
        """Those of them that are multiplied."""
        return self.axis.times

    def at(self, place: int) -> Settings:
        """Return the values at one point."""
        return {name: self.axis.value(name, place) for name in self.names}

    def values(self, name: str, uniform: Uniforms) -> NDArray[Any]:
        """Return the values of the points that hold the numbers."""
        size = self.axis.size
        return self.axis.at(name, np.minimum((uniform * size).astype(np.int64), size - 1))

    @property
    def numbers(self) -> NDArray[Any] | None:
        """The values in the order of the axis, when it has one quantity and that is a number."""
        if len(self.names) != 1:
            return None
        values = self.axis.values(self.names[0], 0, self.axis.size)
        return values if values.dtype.kind in "if" else None

    @property
    def nominal(self) -> Settings:
        """The multiplier 1, the middle of numbers, the first of anything else."""
        numbers = self.numbers
        if numbers is None:
            return self.at(0)
        if self.times and (numbers == 1).any():
            return self.at(int(np.flatnonzero(numbers == 1)[0]))
        return self.at(int(np.argsort(numbers, kind="stable")[(numbers.size - 1) // 2]))

    @property
    def options(self) -> tuple[Settings, ...]:
        """The lowest and the highest number, or every level."""
        numbers = self.numbers
        places = range(self.axis.size) if numbers is None else (int(numbers.argmin()), int(numbers.argmax()))
        return tuple(self.at(place) for place in places)

    def nearest(self, settings: Settings) -> Settings:
        """Return the closest number; anything else must be the same."""
        numbers, here = self.numbers, {name: settings[name] for name in self.names if name in settings}
        if numbers is not None and here:
            return self.at(int(np.abs(numbers - np.float64(here[self.names[0]])).argmin()))
        place = self.axis.find(here) if len(here) == len(self.names) else None
        return self.nominal if place is None else self.at(place)


@dataclass(frozen=True)
class Spread(Source):
    """One number, drawn from a distribution."""

    name: str
    marginal: Marginal
    multiplies: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The one quantity."""
        return (self.name,)

    @property
    def times(self) -> frozenset[str]:
        """The quantity when its values are multipliers."""
        return frozenset((self.name,) if self.multiplies else ())

    def values(self, name: str, uniform: Uniforms) -> NDArray[Any]:
        """Return the values below which the given shares of the distribution lie."""
        del name
        return self.marginal.quantile(uniform)

    def _quantile(self, share: float) -> Value:
        value: Value = self.marginal.quantile(np.array([share]))[0].item()
        return value

    @property
    def nominal(self) -> Settings:
        """The multiplier 1 when it is in reach, otherwise the median."""
        low, high = self.ends
        return {self.name: 1.0 if self.multiplies and low <= 1 <= high else self._quantile(0.5)}

    @property
    def ends(self) -> tuple[Any, Any]:
        """Lowest and highest value."""
        return self._quantile(0.0), self._quantile(1.0)

    @property
    def options(self) -> tuple[Settings, ...]:
        """The two ends."""
        return tuple({self.name: end} for end in self.ends)

    def nearest(self, settings: Settings) -> Settings:
        """Return the same value, or the end it lies beyond."""
        if self.name not in settings:
            return self.nominal
        low, high = self.ends
        return {self.name: min(max(settings[self.name], low), high)}


def sources_of(axis: Axis) -> tuple[Source, ...]:
    """Return what the inputs of one axis give.

    A range (``linspace``, ``log``, ``from`` and ``to``) is continuous between its ends. Listed values, words, zip
    groups and quantities that decide which mappings are legal are the levels of the axis. Sampled quantities are drawn
    independently of each other, so each is an input of its own.
    """
    if isinstance(axis, SampleAxis):
        drawn = zip(axis.names[1:], axis.marginals, strict=True)
        return tuple(Spread(name, marginal, name in axis.times) for name, marginal in drawn)
    name = axis.names[0]
    if is_structural(name) or axis.size == 1:
        return (Levels(axis),)
    if isinstance(axis, LinearAxis):
        return (Spread(name, Range(axis.first, axis.last, "linear", whole=axis.whole), name in axis.times),)
    if isinstance(axis, LogAxis):
        return (Spread(name, Range(axis.first, axis.last, "log"), name in axis.times),)
    return (Levels(axis),)
