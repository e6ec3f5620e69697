"""One entry of levers or scenarios, checked: its values in the unit of the quantity, listed or computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from models.quantities import Quantity
from sweep.study import grammar
from sweep.study.faults import Faults
from sweep.study.values import Scalar, Value, Vocabulary, checked, input_quantity
from sweep.yaml_source import Path_

Spacing = Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class Listed:
    """Values as listed, in the unit of the quantity; ``times``: they multiply each system's own figure."""

    name: str
    values: tuple[Value, ...]
    times: bool = False
    scalar: bool = False

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Spaced:
    """Values computed between two ends, both included, in the unit of the quantity."""

    name: str
    start: float
    stop: float
    steps: int
    spacing: Spacing
    times: bool = False

    @property
    def size(self) -> int:
        """Number of values."""
        return self.steps


Grid: TypeAlias = Listed | Spaced
"""One quantity of an axis."""

Grids: TypeAlias = tuple[Grid, ...]
"""An axis: one quantity, or several that change together."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading an entry needs: where faults go, and the words that text may hold."""

    faults: Faults
    vocabulary: Vocabulary

    def axis(self, name: str, entry: object, path: Path_) -> Grid | None:
        """Return the checked values of one entry, or note what is wrong."""
        quantity = input_quantity(name, path, self.faults)
        if quantity is None:
            return None
        found: Grid | None = None
        match entry:
            case grammar.Linear() | grammar.Logarithmic() | grammar.FromTo():
                found = self._spaced(quantity, _span(entry, path), times=entry.times)
            case grammar.Times(times=values):
                found = self._times(quantity, values, (*path, "times"))
            case grammar.ValueList(values=values, unit=unit):
                found = self._listed(quantity, values, unit, (*path, "values"))
            case list():
                found = self._listed(quantity, entry, "", path)
            case int() | float() | str():
                value = checked(quantity, entry, "", path, self.faults, self.vocabulary)
                found = None if value is None else Listed(name, (value,), scalar=True)
            case _:
                self.faults.add(path, grammar.NO_KIND)
        return found

    def group(self, group: Mapping[str, object], path: Path_) -> Grids:
        """Return the axis of quantities that change together, or note why they cannot."""
        grids = [grid for name, entry in group.items() if (grid := self.axis(name, entry, (*path, name)))]
        sizes = {grid.name: grid.size for grid in grids}
        if len(set(sizes.values())) > 1:
            shown = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            self.faults.add(path, f"quantities that change together need equally many values: {shown}")
            return ()
        return tuple(replace(grid, scalar=False) if isinstance(grid, Listed) else grid for grid in grids)

    def interval(self, name: str, entry: grammar.Interval, path: Path_) -> Spaced | None:
        """Return the range of a sampled quantity."""
        quantity = input_quantity(name, path, self.faults)
        if quantity is None:
            return None
        return self._spaced(quantity, _span(entry, path), times=entry.times)

    def _listed(self, quantity: Quantity, values: list[Scalar], unit: str, path: Path_) -> Listed | None:
        found = [
            checked(quantity, value, unit, (*path, index), self.faults, self.vocabulary)
            for index, value in enumerate(values)
        ]
        kept = tuple(value for value in found if value is not None)
        return Listed(quantity.name, kept) if len(kept) == len(found) else None

    def _times(self, quantity: Quantity, values: list[Scalar], path: Path_) -> Listed | None:
        if not self._may_be_multiplied(quantity, path):
            return None
        found = [self._multiplier(value, (*path, index)) for index, value in enumerate(values)]
        kept = tuple(value for value in found if value is not None)
        return Listed(quantity.name, kept, times=True) if len(kept) == len(found) else None

    def _may_be_multiplied(self, quantity: Quantity, path: Path_) -> bool:
        if quantity.dtype == "text" or quantity.structural:
            self.faults.add(path, f"{quantity.name} cannot be multiplied; list its values instead")
            return False
        return True

    def _multiplier(self, value: Scalar, path: Path_) -> float | None:
        if isinstance(value, str) or not (math.isfinite(value) and value >= 0):
            self.faults.add(path, f"{value!r} is no multiplier; write a number of at least 0 without a unit")
            return None
        return float(value)

    def _spaced(self, quantity: Quantity, span: _Span, *, times: bool) -> Spaced | None:
        where = span.paths[0][:-1]
        if quantity.dtype == "text":
            self.faults.add(where, f"{quantity.name} is a word and has no range; list its values")
            return None
        if times and not self._may_be_multiplied(quantity, where):
            return None
        start, stop = (self._end(quantity, end, span.unit, path, times=times) for end, path in span.ends)
        if start is None or stop is None:
            return None
        if start >= stop:
            self.faults.add(span.paths[1], f"the range must rise: {stop:g} is not above {start:g}")
            return None
        if span.spacing == "log" and start <= 0:
            self.faults.add(span.paths[0], "a logarithmic range must start above 0")
            return None
        return Spaced(quantity.name, start, stop, span.steps, span.spacing, times)

    def _end(self, quantity: Quantity, end: Scalar, unit: str, path: Path_, *, times: bool) -> float | None:
        if times:
            return self._multiplier(end, path)
        value = checked(quantity, end, unit, path, self.faults, self.vocabulary)
        return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class _Span:
    """Two ends with their paths, and how the values lie between them."""

    ends: tuple[tuple[Scalar, Path_], tuple[Scalar, Path_]]
    steps: int
    spacing: Spacing
    unit: str

    @property
    def paths(self) -> tuple[Path_, Path_]:
        """Where the ends stand in the file."""
        return self.ends[0][1], self.ends[1][1]


def _span(entry: grammar.Linear | grammar.Logarithmic | grammar.FromTo | grammar.Interval, path: Path_) -> _Span:
    if isinstance(entry, grammar.FromTo | grammar.Interval):
        ends = (entry.from_, (*path, "from")), (entry.to, (*path, "to"))
        return _Span(ends, entry.steps if isinstance(entry, grammar.FromTo) else 2, entry.scale, entry.unit)
    key: Spacing = "linear" if isinstance(entry, grammar.Linear) else "log"
    word, values = ("linspace", entry.linspace) if isinstance(entry, grammar.Linear) else ("log", entry.log)
    return _Span(((values[0], (*path, word, 0)), (values[1], (*path, word, 1))), entry.steps, key, entry.unit)
