"""One entry of levers or scenarios, checked: its values in the unit of the quantity, listed or computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from models.quantities import Quantity, quantities
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
        match entry:
            case grammar.ValueList(values=values, unit=unit):
                return self._listed(quantity, values, unit, (*path, "values"))
            case grammar.Times(times=values):
                return self._times(quantity, values, (*path, "times"))
            case grammar.Linear(linspace=ends, steps=steps, unit=unit, times=times):
                paths = ((*path, "linspace", 0), (*path, "linspace", 1))
                return self._spaced(quantity, ends, steps, "linear", unit, paths, times=times)
            case grammar.Logarithmic(log=ends, steps=steps, unit=unit, times=times):
                paths = ((*path, "log", 0), (*path, "log", 1))
                return self._spaced(quantity, ends, steps, "log", unit, paths, times=times)
            case grammar.FromTo(from_=start, to=stop, steps=steps, scale=scale, unit=unit, times=times):
                paths = ((*path, "from"), (*path, "to"))
                return self._spaced(quantity, [start, stop], steps, scale, unit, paths, times=times)
            case list():
                return self._listed(quantity, entry, "", path)
            case int() | float() | str():
                value = checked(quantity, entry, "", path, self.faults, self.vocabulary)
                return None if value is None else Listed(name, (value,), scalar=True)
        self.faults.add(path, "needs values, linspace, log, times, or from and to; see the example studies")
        return None

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
        paths = ((*path, "from"), (*path, "to"))
        ends = [entry.from_, entry.to]
        return self._spaced(quantity, ends, 2, entry.scale, entry.unit, paths, times=entry.times)

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

    def _spaced(  # noqa: PLR0917 - one argument per key of the entry
        self,
        quantity: Quantity,
        ends: list[Scalar],
        steps: int,
        spacing: Spacing,
        unit: str,
        paths: tuple[Path_, Path_],
        *,
        times: bool,
    ) -> Spaced | None:
        if quantity.dtype == "text":
            self.faults.add(paths[0][:-1], f"{quantity.name} is a word and has no range; list its values")
            return None
        if times and not self._may_be_multiplied(quantity, paths[0][:-1]):
            return None
        bounds: list[float | int | str | None] = [
            self._multiplier(end, path)
            if times
            else checked(quantity, end, unit, path, self.faults, self.vocabulary)
            for end, path in zip(ends, paths, strict=True)
        ]
        start, stop = bounds
        if not isinstance(start, (int, float)) or not isinstance(stop, (int, float)):
            return None
        if start >= stop:
            self.faults.add(paths[1], f"the range must rise: {stop:g} is not above {start:g}")
            return None
        if spacing == "log" and start <= 0:
            self.faults.add(paths[0], "a logarithmic range must start above 0")
            return None
        return Spaced(quantity.name, float(start), float(stop), steps, spacing, times)


def is_structural(grids: Grids) -> bool:
    """Whether an axis holds a quantity that changes the set of legal mappings."""
    return any(quantities()[grid.name].structural for grid in grids)
