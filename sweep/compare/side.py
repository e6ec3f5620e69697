"""One system of a comparison, and its cost as one input moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sweep.compare.basis import COST, Basis, Choice, choose
from sweep.compare.lines import Curve, Lines
from sweep.compare.machine import Machine

Array = NDArray[np.float64]
STRAIGHT = 1e-9
"""Largest departure from a straight line, over the height, that is rounding error."""
FLAT = 1e-13
"""Change along all probes, over the height, that is rounding error."""

Owner = Literal["both", "first", "second"]


@dataclass(frozen=True, slots=True)
class Move:
    """An input that moves, and whose it is: of one system, the other keeps its own."""

    name: str
    owner: Owner

    def touches(self, place: int) -> bool:
        """Whether it moves for the first (0) or the second (1) system."""
        return self.owner in {"both", ("first", "second")[place]}


@dataclass(frozen=True, slots=True)
class Scale:
    """What a cost is straight over: the value of an input, or its reciprocal."""

    reciprocal: bool

    def of(self, value: float) -> float:
        """Return the place of a value on the scale, or the value of a place: each undoes itself."""
        if not self.reciprocal:
            return value
        return 1 / value if value else math.inf

    def span(self, low: float, high: float) -> tuple[float, float]:
        """Return the ends of a range of values on the scale, ascending."""
        ends = self.of(low), self.of(high)
        return (min(ends), max(ends))


@dataclass(frozen=True)
class Side:
    """One system of a comparison: its machine, its region, and the counts of domains it may have under a basis."""

    machine: Machine
    region: str
    counts: tuple[int, ...]
    basis: Basis

    @property
    def system(self) -> str:
        """Its name in the catalogue."""
        return self.machine.system

    def evaluate(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the metrics of all its designs [SI], with other values of inputs [table units] if given."""
        return self.machine.evaluate(self.region, self.counts, changes)

    @cached_property
    def found(self) -> dict[str, Any]:
        """The metrics of its designs as they are."""
        return self.evaluate()

    @cached_property
    def choice(self) -> Choice:
        """The design taken as things are."""
        return choose(self.basis, self.found)

    @property
    def chosen(self) -> int | None:
        """Place of the design taken among the counts, None when none keeps the limit."""
        if not self.counts:
            return None
        place = int(self.choice.place[0])
        return None if place < 0 else place

    @property
    def cost(self) -> float:
        """Cost of the design taken [USD/token], NaN without one."""
        return float(self.choice.cost[0])

    def costs(self, changes: Mapping[str, Any], size: int) -> Array:
        """Return the cost of the design taken [USD/token] in each of ``size`` variants, NaN without one."""
        return np.broadcast_to(choose(self.basis, self.evaluate(changes)).cost, (size,))

    def along(self, name: str, values: Array) -> Array:
        """Return the cost of the design taken [USD/token] at each value of an input [table unit]."""
        return self.costs({name: values.reshape(-1, 1)}, values.size)

    def still(self) -> Curve:
        """Return the designs as lines over an input that does not touch this system."""
        shape = (1, len(self.counts))
        cost = np.broadcast_to(np.asarray(self.found[COST], dtype=np.float64), shape)[0]
        key = np.broadcast_to(self.basis.key(self.found), shape)[0]
        keeps = np.broadcast_to(self.basis.keeps(self.found), shape)[0] & np.isfinite(cost)
        return Curve(Lines(cost, np.zeros_like(cost)), keeps, key=None if self.basis.cheapest else key)

    def curve(self, name: str, values: Array, along: Array) -> Curve | None:
        """Return the designs as lines over ``along``, the scale of an input's values; None if they are not straight."""
        found = self.evaluate({name: values.reshape(-1, 1)})
        shape = (values.size, len(self.counts))
        cost, key = np.broadcast_to(found[COST], shape), np.broadcast_to(self.basis.key(found), shape)
        works = np.broadcast_to((np.asarray(found["status"]) == 0) & np.isfinite(key) & np.isfinite(cost), shape)
        lines = straight(along, cost, works[0])
        if lines is None or (works != works[0]).any():
            return None
        limited = None
        if self.basis.metric:
            metric = np.asarray(found[self.basis.metric], dtype=np.float64)
            limited = straight(along, np.broadcast_to(metric, shape), works[0])
            if limited is None:
                return None
        if self.basis.cheapest:
            return Curve(lines, works[0], limited, self.basis.limit)
        same = bool((key[:, works[0]] == key[0, works[0]]).all())
        return Curve(lines, works[0], limited, self.basis.limit, key[0]) if same else None


def straight(along: Array, heights: Array, works: NDArray[np.bool_]) -> Lines | None:
    """Return the lines through heights of shape (m, n) over ``along`` (m,), or None when one that works is bent."""
    first, last = heights[0], heights[-1]
    height = np.abs(heights).max(axis=0)
    rise = np.where(np.abs(last - first) <= FLAT * height, 0.0, last - first)
    slope = rise / (along[-1] - along[0])
    start = first - slope * along[0]
    kept = np.abs(heights - (start + slope * along[:, None])) <= STRAIGHT * height
    return Lines(start, slope) if bool(kept[:, works].all()) else None


def owner_name(pair: tuple[Side, Side], move: Move) -> str:
    """Return whose an input is, as people read it: a system (numbered beside its own kind), or ``both``."""
    if move.owner == "both":
        return "both"
    place = 0 if move.touches(0) else 1
    same = pair[0].system == pair[1].system
    return f"{pair[place].system} ({('1st', '2nd')[place]})" if same else pair[place].system
