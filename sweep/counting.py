"""How many designs pass ``where``: exactly when its conditions fall apart into small parts, else by a sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.assembly import fact_formula
from sweep.catalogue import Catalogue
from sweep.errors import StudyError
from sweep.expressions import Expression
from sweep.inputs import inputs_with_origins, placed_facts
from sweep.space import Axis, Block, SampleAxis
from sweep.study import Study

EXACT_POINTS = 4_000_000
EXACT_PLACES = 500
TILE = 131_072
DRAWS = 20_000
LEAST_DRAWS = 500
PLACES_DRAWN = 200
CONFIDENCE = 0.95
LONG_SAMPLE = 2**20
PLACES = frozenset(("system", "workload", "region"))
"""Quantities that decide which facts of the catalogue a design takes."""

Indices = NDArray[np.int64]
Mesh = Mapping[int, Indices]


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
    below = math.hypot(*(count.rows - count.low for count in counts))
    above = math.hypot(*(count.high - count.rows for count in counts))
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
class Passing:
    """Which points of one block pass ``where``, asked axis by axis.

    ``axes`` are those that ``where`` depends on; ``mask`` has one dimension for each and says which points pass, or is
    None where there are too many to look at all, so that each point is looked at when it is asked for.
    """

    axes: tuple[int, ...]
    mask: NDArray[np.bool_] | None
    counter: _BlockCounter

    @classmethod
    def of(cls, study: Study, catalogue: Catalogue, block: Block) -> Passing:
        """Look at all points of a block, if there are not too many."""
        counter = _BlockCounter(study, catalogue, block)
        axes = tuple(sorted(counter.involved))
        looped = math.prod(block.shape[at] for at in axes if at in counter.places)
        if math.prod(block.shape[at] for at in axes) > EXACT_POINTS or looped > EXACT_PLACES:
            return cls(axes, None, counter)
        return cls(axes, counter.mask({at: np.arange(block.shape[at]) for at in axes}), counter)

    def at(self, places: Mapping[int, int]) -> bool:
        """Return whether any design with these places passes; the axes that are not given may be anywhere."""
        if self.mask is not None:
            return bool(self.mask[tuple(places.get(at, slice(None)) for at in self.axes)].any())
        shape = self.counter.block.shape
        found = {at: np.array([places[at]]) if at in places else np.arange(shape[at]) for at in self.axes}
        return bool(self.counter.mask(found).any())


def wilson(passed: float, seen: int, confidence: float) -> tuple[float, float]:
    """Return the score interval of a share, ``passed`` of ``seen`` independent draws.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212. It
    stays inside [0, 1] and is no point at 0 or 1.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    share = passed / seen
    centre = (share + z * z / (2.0 * seen)) / (1.0 + z * z / seen)
    reach = z / (1.0 + z * z / seen) * math.sqrt(share * (1.0 - share) / seen + z * z / (4.0 * seen * seen))
    low = 0.0 if passed == 0 else centre - reach
    high = 1.0 if passed == seen else centre + reach
    return low, high


@dataclass(frozen=True, slots=True, eq=False)
class _Share:
    """Which part of some points passes, with its bounds: all three are equal where every point was counted."""

    mean: Fraction
    low: float
    high: float

    @property
    def exact(self) -> bool:
        return self.low == self.high


def _bounds(terms: Sequence[Sequence[_Share]]) -> tuple[float, float]:
    """Return how far below and above the sum of products of shares may lie.

    The distances of each estimate to its own bounds, times what it is multiplied with, are squared and added: R. G.
    Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
    (1998), 873-890, method 10. Upwards the other factors stand at their upper bounds, so that two shares of which
    nothing was seen do not hide each other.
    """
    below: dict[_Share, float] = {}
    above: dict[_Share, float] = {}
    for shares in terms:
        for at, share in enumerate(shares):
            others = [other for place, other in enumerate(shares) if place != at]
            down = (float(share.mean) - share.low) * math.prod(float(other.mean) for other in others)
            up = (share.high - float(share.mean)) * math.prod(other.high for other in others)
            below[share] = below.get(share, 0.0) + down
            above[share] = above.get(share, 0.0) + up
    return math.hypot(*below.values()), math.hypot(*above.values())


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
        self.random = np.random.default_rng([study.seed, block.offset])

    def count(self) -> Count:
        """Return the count of this block."""
        size = self.block.size
        if not self.conditions:
            return Count(size, size, size)
        groups = self._groups()
        involved = frozenset[int]().union(*(group.axes for group in groups))
        outer = sorted(involved & self.places)
        if math.prod(self._sizes(outer)) > EXACT_PLACES:
            outer, groups = [], [_Group(involved, tuple(self.conditions))]
        known: dict[tuple[_Group, tuple[int, ...]], _Share] = {}
        terms = [self._shares(groups, dict(zip(outer, point, strict=True)), known) for point in self._points(outer)]
        mean = sum((math.prod((share.mean for share in shares), start=Fraction(1)) for shares in terms), Fraction(0))
        rows = round(mean / len(terms) * size)
        below, above = (distance / len(terms) * size for distance in _bounds(terms))
        if not (below or above):
            return Count(rows, rows, rows)
        return Count(rows, max(math.floor(rows - below), 0), min(math.ceil(rows + above), size))

    @property
    def involved(self) -> frozenset[int]:
        """Axes that ``where`` depends on."""
        return frozenset[int]().union(*(group.axes for group in self._groups()))

    def mask(self, points: Mapping[int, Indices]) -> NDArray[np.bool_]:
        """Return which of some points pass, one dimension for each axis in ``points``, in their order."""
        axes = list(points)
        found = np.ones([points[at].size for at in axes], dtype=np.bool_)
        if not self.conditions:
            return found
        looped = [at for at in axes if at in self.places]
        meshed = [at for at in axes if at not in self.places]
        mesh = {at: points[at].reshape([-1 if at == other else 1 for other in meshed]) for at in meshed}
        for numbers in product(*(range(points[at].size) for at in looped)):
            chosen = dict(zip(looped, numbers, strict=True))
            here = self._mask(self.conditions, {at: int(points[at][number]) for at, number in chosen.items()}, mesh)
            found[tuple(chosen.get(at, slice(None)) for at in axes)] = here
        return found

    def _shares(
        self, groups: Sequence[_Group], fixed: Mapping[int, int], known: dict[tuple[_Group, tuple[int, ...]], _Share]
    ) -> list[_Share]:
        """Return the share that passes each group with some axes fixed."""
        shares = []
        for group in groups:
            here = {at: place for at, place in fixed.items() if at in group.axes}
            key = (group, tuple(here.values()))
            if key not in known:
                known[key] = self._share(group, here)
            shares.append(known[key])
        return shares

    def _share(self, group: _Group, fixed: dict[int, int]) -> _Share:
        """Count or sample a group; all its parts together take no more points than one of them alone would."""
        axes = sorted(group.axes - set(fixed))
        parts = math.prod(self._sizes(fixed))
        places = math.prod(self._sizes(at for at in axes if at in self.places))
        if parts * math.prod(self._sizes(axes)) <= EXACT_POINTS and places <= EXACT_PLACES:
            return self._counted(group, axes, fixed)
        return self._sampled(group, axes, fixed, max(DRAWS // parts, LEAST_DRAWS))

    def _counted(self, group: _Group, axes: list[int], fixed: dict[int, int]) -> _Share:
        """Return the share of all points of some axes that passes."""
        looped = [at for at in axes if at in self.places]
        meshed = [at for at in axes if at not in self.places]
        found = 0
        for point in self._points(looped):
            scalars = fixed | dict(zip(looped, point, strict=True))
            for mesh in self._tiles(meshed):
                mask = self._mask(group.conditions, scalars, mesh)
                shape = np.broadcast_shapes(*(at.shape for at in mesh.values()))
                found += int(np.count_nonzero(np.broadcast_to(mask, shape)))
        share = Fraction(found, math.prod(self._sizes(axes)))
        return _Share(share, float(share), float(share))

    def _sampled(self, group: _Group, axes: list[int], fixed: dict[int, int], draws: int) -> _Share:
        """Return an estimate from random points.

        Where places are drawn as well, some points are drawn at each; since those may pass or fail together, all
        points of one place count as one draw, which makes the interval too wide rather than too narrow.
        """
        looped = [at for at in axes if at in self.places]
        rounds = PLACES_DRAWN if looped else 1
        each = draws // rounds
        passed = 0
        for _ in range(rounds):
            scalars = fixed | {at: int(self.random.integers(self.block.shape[at])) for at in looped}
            mesh = {at: self._drawn(self.block.axes[at], each) for at in axes if at not in looped}
            mask = self._mask(group.conditions, scalars, mesh)
            passed += int(np.count_nonzero(np.broadcast_to(mask, each)))
        share = Fraction(passed, rounds * each)
        seen = rounds if looped else each
        return _Share(share, *wilson(float(share) * seen, seen, CONFIDENCE))

    def _drawn(self, axis: Axis, draws: int) -> Indices:
        """Return random points of an axis; of a very long sample, neighbours: they are draws already, and quick."""
        if isinstance(axis, SampleAxis) and axis.size > LONG_SAMPLE:
            start = self.random.integers(axis.size - draws + 1)
            return np.arange(start, start + draws, dtype=np.int64)
        return self.random.integers(axis.size, size=draws)

    def _tiles(self, axes: Sequence[int]) -> Iterator[Mesh]:
        """Yield the open mesh of some axes in pieces along the longest, so that memory stays small."""
        if not axes:
            yield {}
            return
        longest = max(axes, key=lambda at: self.block.shape[at])
        size = self.block.shape[longest]
        step = max(TILE * size // math.prod(self._sizes(axes)), 1)
        for start in range(0, size, step):
            yield {
                at: np.arange(*((start, min(start + step, size)) if at == longest else (0, self.block.shape[at])))
                .reshape([-1 if at == other else 1 for other in axes])
                for at in axes
            }  # fmt: skip

    def _mask(self, conditions: Iterable[Expression], places: Mapping[int, int], mesh: Mesh) -> Any:
        scalars: dict[str, Any] = dict(self.block.constants)
        arrays: dict[str, Any] = {}
        for at, axis in enumerate(self.block.axes):
            for name in axis.names:
                if at in mesh:
                    arrays[name] = axis.at(name, mesh[at].reshape(-1)).reshape(mesh[at].shape)
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
                if math.prod(self._sizes(self.places)) > EXACT_PLACES:
                    return frozenset(range(len(self.block.axes)))  # safe, and no formula of thousands is looked at
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

    def _sizes(self, axes: Iterable[int]) -> tuple[int, ...]:
        return tuple(self.block.shape[at] for at in axes)

    def _points(self, axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
        return product(*(range(size) for size in self._sizes(axes)))
