"""Axes of a design space: which values one quantity, or several that move together, take.

An axis is addressed by index. Nothing is stored but what the user wrote: a linear axis of 10⁹ steps is four numbers.
Values are in the human unit of their quantity (float64, int64 or str); a quantity named in ``times`` holds multipliers
of its own catalogue figure instead.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.space.rounding import snap_to_decimals, to_significant

Value = float | int | str
Values = NDArray[Any]
Indices = NDArray[np.int64]

MAX_LISTED = 1_000_000


class Axis(ABC):
    """One dimension of a block: ``size`` points, each giving a value to every name in ``names``."""

    names: tuple[str, ...]
    times: frozenset[str]

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of points."""

    @property
    def key(self) -> frozenset[str]:
        """The names whose values find a point."""
        return frozenset(self.names)

    @abstractmethod
    def at(self, name: str, indices: Indices) -> Values:
        """Return the values of one name at any points [human unit], same shape as ``indices``."""

    @abstractmethod
    def find(self, design: Mapping[str, Value]) -> int | None:
        """Return the point at which this axis gives exactly the values of a design; None when there is none."""

    def values(self, name: str, start: int, stop: int) -> Values:
        """Return the values of one name at the points ``start`` to ``stop - 1`` [human unit]."""
        return self.at(name, np.arange(start, stop, dtype=np.int64))

    def value(self, name: str, index: int) -> Value:
        """Return one value as a plain Python number or text."""
        value: Value = self.values(name, index, index + 1)[0].item()
        return value


@dataclass(frozen=True)
class ListAxis(Axis):
    """Values written out one by one; with several names, a zip group whose names move together.

    Build it with ``list_axis`` or ``zip_axis``, which remove repeated points.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    times: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Number of points."""
        return len(self.rows)

    @cached_property
    def _columns(self) -> dict[str, Values]:
        return {name: column(row[place] for row in self.rows) for place, name in enumerate(self.names)}

    @cached_property
    def _places(self) -> dict[tuple[Value, ...], int]:
        return {row: place for place, row in enumerate(self.rows)}

    def at(self, name: str, indices: Indices) -> Values:
        """Return the values of one name at any points."""
        return self._columns[name][indices]

    def find(self, design: Mapping[str, Value]) -> int | None:
        """Return the point with exactly these values."""
        return self._places.get(tuple(design[name] for name in self.names))


def column(values: Iterable[Value]) -> Values:
    """Return values as one int64, float64 or str array. Raises ``ValueError`` when text and numbers are mixed."""
    listed = list(values)
    if all(isinstance(value, str) for value in listed):
        return np.array(listed, dtype=np.str_)
    if any(isinstance(value, str) for value in listed):
        raise ValueError("holds both text and numbers")
    if not all(math.isfinite(value) for value in listed if not isinstance(value, str)):
        raise ValueError("holds a value that is not a finite number")
    whole = all(isinstance(value, int | np.integer) for value in listed)
    return np.array(listed, dtype=np.int64 if whole else np.float64)


def zip_axis(columns: Mapping[str, Sequence[Value]], times: Iterable[str] = ()) -> ListAxis:
    """Return the axis on which several quantities move together; equal tuples are kept once, the first.

    Raises ``ValueError`` when the columns are empty, of different lengths, or mix text and numbers.
    """
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        sizes = ", ".join(f"{name} has {len(values)}" for name, values in columns.items())
        raise ValueError(f"zipped lists need equal lengths: {sizes}")
    if lengths == {0}:
        raise ValueError("needs at least one value")
    plain = [column(values).tolist() for values in columns.values()]
    rows = tuple(dict.fromkeys(zip(*plain, strict=True)))
    return ListAxis(tuple(columns), rows, frozenset(times))


def list_axis(name: str, values: Sequence[Value], *, times: bool = False) -> ListAxis:
    """Return the axis of one quantity that takes listed values; equal values are kept once, the first."""
    return zip_axis({name: values}, (name,) if times else ())


@dataclass(frozen=True)
class LinearAxis(Axis):
    """Evenly spaced values, both ends included; computed when asked, so any number of steps costs nothing.

    A float that lies within rounding error of a short decimal number is that number (0.025, not
    0.024999999999999998), so that designs can be found by the value people read. Whole numbers are rounded half up in
    exact integer arithmetic. Build it with ``linear_axis``.
    """

    names: tuple[str]
    first: float | int
    last: float | int
    steps: int
    whole: bool = False
    times: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Number of points."""
        return self.steps

    def at(self, name: str, indices: Indices) -> Values:
        """Return the values at any points."""
        del name
        gaps = max(self.steps - 1, 1)
        if self.whole:
            span = int(self.last) - int(self.first)
            return int(self.first) + (2 * span * indices + gaps) // (2 * gaps)
        raw = self.first + (self.last - self.first) * (indices / gaps)
        inner = snap_to_decimals(raw, max(abs(self.first), abs(self.last)))
        return np.where(indices == 0, self.first, np.where(indices == gaps, self.last, inner))

    def find(self, design: Mapping[str, Value]) -> int | None:
        """Return the point with exactly this value."""
        value = design[self.names[0]]
        if isinstance(value, str) or self.first == self.last:
            return 0 if value == self.first else None
        share = (value - self.first) / (self.last - self.first)
        return _confirm(self, value, share * (self.steps - 1))


@dataclass(frozen=True)
class LogAxis(Axis):
    """Values in equal ratios, both ends included; computed when asked. Values between the ends have 12 digits.

    The rounding hides the last bits of ``exp``, which differ between processors. Build it with ``log_axis``.
    """

    names: tuple[str]
    first: float
    last: float
    steps: int
    times: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Number of points."""
        return self.steps

    def at(self, name: str, indices: Indices) -> Values:
        """Return the values at any points."""
        del name
        gaps = max(self.steps - 1, 1)
        inner = to_significant(self.first * np.exp(math.log(self.last / self.first) * (indices / gaps)))
        return np.where(indices == 0, self.first, np.where(indices == gaps, self.last, inner))

    def find(self, design: Mapping[str, Value]) -> int | None:
        """Return the point with exactly this value."""
        value = design[self.names[0]]
        if isinstance(value, str) or value <= 0 or self.first == self.last:
            return 0 if value == self.first else None
        share = math.log(value / self.first) / math.log(self.last / self.first)
        return _confirm(self, value, share * (self.steps - 1))


def _confirm(axis: Axis, value: float, place: float) -> int | None:
    """Return the point next to ``place`` whose value is exactly ``value``."""
    if not -1 <= place <= axis.size:
        return None
    start = max(round(place) - 1, 0)
    near = axis.values(axis.names[0], start, min(start + 3, axis.size))
    hits = np.flatnonzero(near == value)
    return start + int(hits[0]) if hits.size else None


def linear_axis(
    name: str, first: float, last: float, steps: int, *, whole: bool = False, times: bool = False
) -> LinearAxis:
    """Return ``steps`` evenly spaced values from ``first`` to ``last``, either way round.

    With ``whole``, values are rounded to whole numbers and repeated ones are kept once. Raises ``ValueError``.
    """
    _check_steps(first, last, steps)
    marked = frozenset((name,) if times else ())
    if whole:
        first, last = int(first), int(last)
        steps = min(steps, abs(last - first) + 1)
        if 2 * abs(last - first) * steps >= 2**62:
            raise ValueError(f"{steps:,} whole steps from {first} to {last} are more than 64-bit arithmetic holds")
        return LinearAxis((name,), first, last if steps > 1 else first, steps, whole=True, times=marked)
    steps = 1 if first == last else steps
    largest = max(abs(first), abs(last))
    if steps > 1 and abs(last - first) / (steps - 1) < 32 * math.ulp(largest):
        raise ValueError(f"{steps:,} steps are more than there are distinct numbers between {first} and {last}")
    return LinearAxis((name,), float(first), float(last if steps > 1 else first), steps, times=marked)


def log_axis(
    name: str, first: float, last: float, steps: int, *, whole: bool = False, times: bool = False
) -> LogAxis | ListAxis:
    """Return ``steps`` values in equal ratios from ``first`` to ``last``, either way round; both must be positive.

    With ``whole``, values are rounded to whole numbers and repeated ones are kept once. Raises ``ValueError``.
    """
    _check_steps(first, last, steps)
    if min(first, last) <= 0:
        raise ValueError("a log scale needs positive ends")
    steps = 1 if first == last else steps
    if steps > 1 and abs(math.log(last / first)) / (steps - 1) < 1e-11:
        raise ValueError(f"{steps:,} steps are more than there are distinct numbers between {first} and {last}")
    last = last if steps > 1 else first
    if not whole:
        return LogAxis((name,), float(first), float(last), steps, frozenset((name,) if times else ()))
    if steps > MAX_LISTED:
        raise ValueError(f"a log scale of whole numbers has at most {MAX_LISTED:,} steps")
    smooth = LogAxis((name,), float(first), float(last), steps).values(name, 0, steps)
    return list_axis(name, np.rint(smooth).astype(np.int64).tolist(), times=times)


def _check_steps(first: float, last: float, steps: int) -> None:
    if steps < 1:
        raise ValueError("needs at least one step")
    if not (math.isfinite(first) and math.isfinite(last)):
        raise ValueError("needs finite ends")
