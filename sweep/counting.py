"""How many designs pass ``where``: exactly when its conditions fall apart into small parts, else by a sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.assembly import fact_formula
from sweep.catalogue import Catalogue
from sweep.errors import StudyError
from sweep.expressions import Expression
from sweep.inputs import inputs_with_origins, placed_facts
from sweep.space import Axis, Block
from sweep.study import Study

EXACT_POINTS = 4_000_000
EXACT_CELLS = 1_000
SAMPLED_CELLS = 100
POINTS_PER_CELL = 1_000
PLACES = frozenset(("system", "workload", "region"))
"""Quantities that decide which facts of the catalogue a design takes."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Count:
    """A number of designs: ``low`` and ``high`` bound it (95 % of such intervals hold the truth) unless it is exact."""

    rows: int
    low: int
    high: int

    @property
    def exact(self) -> bool:
        """Whether the number is certain."""
        return self.low == self.high


def count_rows(study: Study, catalogue: Catalogue) -> Count:
    """Return how many designs of a study pass ``where``."""
    counts = [_BlockCounter(study, catalogue, block).count() for block in study.space.blocks]
    rows = sum(count.rows for count in counts)
    if all(count.exact for count in counts):
        return Count(rows, rows, rows)
    below = math.sqrt(sum((count.rows - count.low) ** 2 for count in counts))
    above = math.sqrt(sum((count.high - count.rows) ** 2 for count in counts))
    least = sum(count.rows for count in counts if count.exact)
    return Count(rows, max(rows - math.ceil(below), least), min(rows + math.ceil(above), study.space.size))


def require_designs(study: Study, catalogue: Catalogue) -> Count:
    """Return the same count; raises ``StudyError`` when no design is left."""
    count = count_rows(study, catalogue)
    if count.high == 0:
        conditions = " and ".join(condition.text for condition in study.where)
        message = f"leaves none of {study.space.size:,} designs; loosen {conditions}"
        raise StudyError.at(message, study.places["where"], "where")
    return count


@dataclass(frozen=True)
class _Share:
    """Which part of some points passes, and the variance of that estimate: 0 where it was counted."""

    mean: Fraction
    variance: float = 0.0

    def __mul__(self, other: _Share) -> _Share:
        mean = self.mean * other.mean
        if not (self.variance or other.variance):
            return _Share(mean)
        second = (float(self.mean) ** 2 + self.variance) * (float(other.mean) ** 2 + other.variance)
        return _Share(mean, max(second - float(mean) ** 2, 0.0))


@dataclass(frozen=True)
class _Group:
    """Conditions that share axes, and all the axes they depend on."""

    axes: frozenset[int]
    conditions: tuple[Expression, ...]


class _BlockCounter:
    """Counts one block.

    Conditions that share no axis pass independently of each other, once the axes that choose facts (system, model,
    region) stand at one point: the number that passes is a product, and each factor is counted or sampled by itself.
    """

    def __init__(self, study: Study, catalogue: Catalogue, block: Block) -> None:
        self.study = study
        self.catalogue = catalogue
        self.block = block
        self.axis_of = {name: at for at, axis in enumerate(block.axes) for name in axis.names}
        self.times = frozenset(name for axis in block.axes for name in axis.times)
        self.places = frozenset(at for name, at in self.axis_of.items() if name in PLACES)
        self.conditions = [part for condition in study.where for part in condition.conjuncts()]
        self.random = np.random.Generator(np.random.Philox(study.seed))

    def count(self) -> Count:
        """Return the count of this block."""
        size = self.block.size
        if not self.conditions:
            return Count(size, size, size)
        groups = self._groups()
        involved = frozenset[int]().union(*(group.axes for group in groups))
        outer = sorted(involved & self.places)
        if math.prod(self._sizes(outer)) > EXACT_CELLS:
            outer, groups = [], [_Group(involved, tuple(self.conditions))]
        known: dict[tuple[_Group, tuple[int, ...]], _Share] = {}
        shares = [self._product(groups, dict(zip(outer, point, strict=True)), known) for point in self._points(outer)]
        mean = sum((share.mean for share in shares), Fraction(0)) / len(shares)
        rows = round(mean * size)
        if not any(share.variance for share in shares):
            return Count(rows, rows, rows)
        error = 1.96 * sum(math.sqrt(share.variance) for share in shares) / len(shares)
        low, high = math.floor(max(float(mean) - error, 0) * size), math.ceil(min(float(mean) + error, 1) * size)
        return Count(rows, low, max(high, low + 1))

    def _product(
        self, groups: Sequence[_Group], fixed: dict[int, int], known: dict[tuple[_Group, tuple[int, ...]], _Share]
    ) -> _Share:
        """Return the share that passes all groups with some axes fixed."""
        product_ = _Share(Fraction(1))
        for group in groups:
            here = {at: place for at, place in fixed.items() if at in group.axes}
            key = (group, tuple(here.values()))
            if key not in known:
                axes = sorted(group.axes - set(fixed))
                cells = math.prod(self._sizes(at for at in axes if self._is_structural(at)))
                small = math.prod(self._sizes(axes)) <= EXACT_POINTS and cells <= EXACT_CELLS
                known[key] = (self._counted if small else self._sampled)(group, axes, here)
            product_ = product_ * known[key]
        return product_

    def _counted(self, group: _Group, axes: list[int], fixed: dict[int, int]) -> _Share:
        """Return the share of all points of some axes that passes."""
        looped = [at for at in axes if self._is_structural(at)]
        meshed = [at for at in axes if not self._is_structural(at)]
        shape = self._sizes(meshed)
        mesh = {
            at: np.arange(size).reshape([-1 if at == other else 1 for other in meshed])
            for at, size in zip(meshed, shape, strict=True)
        }
        found = 0
        for point in self._points(looped):
            mask = self._mask(group.conditions, fixed | dict(zip(looped, point, strict=True)), mesh)
            found += int(np.count_nonzero(np.broadcast_to(mask, shape)))
        return _Share(Fraction(found, math.prod(self._sizes(axes))))

    def _sampled(self, group: _Group, axes: list[int], fixed: dict[int, int]) -> _Share:
        """Return an estimate from random cells with random points in each; the cells are independent of each other."""
        shares = np.empty(SAMPLED_CELLS)
        for number in range(SAMPLED_CELLS):
            drawn = {at: int(self.random.integers(self.block.shape[at])) for at in axes if self._is_structural(at)}
            mesh = {
                at: self.random.integers(self.block.shape[at], size=POINTS_PER_CELL)
                for at in axes
                if not self._is_structural(at)
            }
            shares[number] = np.mean(self._mask(group.conditions, fixed | drawn, mesh))
        mean = float(shares.mean())
        unseen = 3.0 / SAMPLED_CELLS / 1.96 if mean in {0.0, 1.0} else 0.0  # none of n: below 3/n (rule of three)
        return _Share(Fraction(mean), max(float(shares.var(ddof=1)) / SAMPLED_CELLS, unseen**2))

    def _mask(self, conditions: Iterable[Expression], places: Mapping[int, int], mesh: Mapping[int, Indices]) -> Any:
        scalars: dict[str, Any] = dict(self.block.constants)
        arrays: dict[str, Any] = {}
        for at, axis in enumerate(self.block.axes):
            for name in axis.names:
                if at in mesh:
                    arrays[name] = axis.at(name, mesh[at])
                else:
                    scalars[name] = axis.value(name, places.get(at, 0))
        inputs = inputs_with_origins(self.study, self.catalogue, scalars, arrays, self.times)
        return reduce(np.logical_and, [condition.evaluate(inputs.values) for condition in conditions])

    def _groups(self) -> list[_Group]:
        """Return conditions with the axes they need; those that share an axis, places apart, stand together."""
        groups: list[_Group] = []
        for condition in self.conditions:
            new = _Group(self._needed(condition.names), (condition,))
            shared = [group for group in groups if (group.axes & new.axes) - self.places]
            for group in shared:
                new = _Group(group.axes | new.axes, group.conditions + new.conditions)
            groups = [group for group in groups if group not in shared] + [new]
        return groups

    def _needed(self, names: Iterable[str]) -> frozenset[int]:
        """Return the axes that some inputs depend on, by derived inputs, facts and their formulas."""
        open_, seen, axes = list(names), set[str](), set[int]()
        while open_:
            name = open_.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.axis_of:
                axes.add(self.axis_of[name])
            if name in self.study.derive:
                open_ += self.study.derive[name].names
            elif name not in self.axis_of or name in self.times:
                axes |= self.places
                open_ += self._formula_names(name)
        return frozenset(axes)

    def _formula_names(self, name: str) -> list[str]:
        found: list[str] = []
        for system, workload in product(self._words("system"), self._words("workload")):
            rows = placed_facts(self.catalogue, system, workload, tuple(self._words("region") or ["own"])).get(name, ())
            for fact in rows:
                if fact is not None and fact.formula:
                    found += fact_formula(fact.formula, fact.where).names
        return found

    def _words(self, name: str) -> list[str]:
        if name in self.axis_of:
            axis = self.block.axes[self.axis_of[name]]
            return list(dict.fromkeys(axis.values(name, 0, axis.size).tolist()))
        return [str(self.block.constants[name])] if name in self.block.constants else []

    def _is_structural(self, at: int) -> bool:
        return is_structural(self.block.axes[at])

    def _sizes(self, axes: Iterable[int]) -> tuple[int, ...]:
        return tuple(self.block.shape[at] for at in axes)

    def _points(self, axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
        return product(*(range(size) for size in self._sizes(axes)))


def is_structural(axis: Axis) -> bool:
    """Whether an axis is looped over: one of its quantities changes the set of legal mappings."""
    return any(name in quantities() and quantities()[name].structural for name in axis.names)
