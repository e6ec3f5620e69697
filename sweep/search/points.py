"""The levers of a study as Optuna parameters, and back.

A trial fixes levers only. Scenarios are what the world decides: every one of them is evaluated for every trial. Each
lever axis is one parameter: numbers in their order, words as categories (see ``Parameter``).
Systems with axes of their own form blocks of the space; which block a trial is in is a parameter too, and an axis that
differs between blocks is a parameter of that block alone.

All samplers but TPE need the same parameters in every trial, so they are given those of all blocks; the ones that a
trial's own block does not use have no effect, as introns have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.dataset.columns import TIMES
from sweep.errors import StudyError
from sweep.space import Axis, Block, Space, Value
from sweep.study import Study

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

    Choose = Callable[[str, BaseDistribution], Any]

BLOCK = "block"
MAX_CATEGORIES = 1_000
"""A longer axis is numbered; as unordered words it would leave a sampler nothing to learn from."""


@dataclass(frozen=True, slots=True)
class Point:
    """Levers of one design: a block of the space and a place on each of its lever axes, in axis order."""

    block: int
    places: tuple[int, ...]


@dataclass(frozen=True)
class LeverSpace:
    """The levers of a study. Raises ``StudyError`` when there is nothing to choose."""

    study: Study
    _listed: dict[int, list[list[tuple[str, Axis, list[Value]]]]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for axis in (axis for block in self.space.blocks for axis in block.axes):
            self._refuse_mixed(axis)
        if self.size < 2:
            raise StudyError.at("has one design only: give its levers several values", self.study.file, "levers")

    @property
    def space(self) -> Space:
        """The space of the study, scenarios included."""
        return self.study.space

    def is_lever(self, axis: Axis) -> bool:
        """Return whether a planner chooses the place on an axis: all of its quantities are levers."""
        return self._roles(axis) == {"lever"}

    def _roles(self, axis: Axis) -> set[str]:
        return {self.study.roles[name] for name in axis.names if name in self.study.roles}  # not the index of a sample

    def _refuse_mixed(self, axis: Axis) -> None:
        """Raise ``StudyError`` where levers move with scenarios; the precision of a workload may."""
        if len(self._roles(axis)) <= 1 or "workload" in axis.names:
            return
        names = ", ".join(name for name in axis.names if name in self.study.roles)
        message = f"{names} move together, but some are levers and some scenarios; a search chooses levers alone"
        raise StudyError.at(message, self.study.file)

    def lever_axes(self, block: Block) -> list[Axis]:
        """Return the axes of a block that hold levers."""
        return self._lever_axes[block.offset]

    @cached_property
    def _lever_axes(self) -> dict[int, list[Axis]]:
        return {block.offset: [axis for axis in block.axes if self.is_lever(axis)] for block in self.space.blocks}

    @cached_property
    def ordered(self) -> tuple[tuple[bool, ...], ...]:
        """Whether the values of each lever axis have an order, by block."""
        return tuple(tuple(ordered(axis) for axis in self.lever_axes(block)) for block in self.space.blocks)

    @cached_property
    def size(self) -> int:
        """Number of lever combinations before ``where``."""
        return sum(self._block_size(block) for block in self.space.blocks)

    def _block_size(self, block: Block) -> int:
        return int(np.prod([axis.size for axis in self.lever_axes(block)], dtype=object))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the blocks, each once."""
        found = [", ".join(_systems(block)) for block in self.space.blocks]
        return tuple(name if found.count(name) == 1 else f"{name} ({place + 1})" for place, name in enumerate(found))

    @cached_property
    def _shared(self) -> frozenset[str]:
        """Parameters that mean the same in every block that has them."""
        axes: dict[str, set[Axis]] = {}
        for block in self.space.blocks:
            for axis in self.lever_axes(block):
                axes.setdefault(parameter_name(axis), set()).add(axis)
        return frozenset(name for name, found in axes.items() if len(found) == 1)

    @cached_property
    def parameters(self) -> tuple[tuple[Parameter, ...], ...]:
        """The parameters of each block, in the order of its lever axes; an axis with one point needs none."""
        return tuple(self._parameters(number) for number in range(len(self.labels)))

    def _parameters(self, number: int) -> tuple[Parameter, ...]:
        axes = enumerate(self.lever_axes(self.space.blocks[number]))
        named = [(place, axis, parameter_name(axis)) for place, axis in axes if axis.size > 1]
        return tuple(
            Parameter.of(name if name in self._shared else f"{name} ({self.labels[number]})", place, axis)
            for place, axis, name in named
        )

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Every parameter of every block with its Optuna distribution, by name in order."""
        import optuna  # noqa: PLC0415  (0.5 s, and only searches need it)

        found = {each.name: each.distribution for block in self.parameters for each in block}
        if len(self.labels) > 1:
            found[BLOCK] = optuna.distributions.CategoricalDistribution(self.labels)
        return dict(sorted(found.items()))

    def params(self, choose: Choose, *, every_block: bool) -> dict[str, Any]:
        """Return the parameters of one trial, each chosen by name and distribution.

        With ``every_block`` those of the other blocks are chosen as well.
        """
        params: dict[str, Any] = {}
        if len(self.labels) > 1:
            params[BLOCK] = choose(BLOCK, self.distributions[BLOCK])
        for block in self.parameters if every_block else (self.parameters[self._number(params)],):
            for each in block:
                if each.name not in params:
                    params[each.name] = choose(each.name, each.distribution)
        return params

    def suggest(self, trial: optuna.Trial, *, every_block: bool) -> Point:
        """Return the point of a trial; with ``every_block`` the parameters of the other blocks are drawn as well."""
        point = self.point(self.params(partial(_suggest, trial), every_block=every_block))
        assert point is not None
        return point

    def point(self, params: Mapping[str, Any]) -> Point | None:
        """Return the point that parameters mean; None when one is missing."""
        if len(self.labels) > 1 and BLOCK not in params:
            return None
        number = self._number(params)
        places = [0] * len(self.lever_axes(self.space.blocks[number]))
        for each in self.parameters[number]:
            if each.name not in params:
                return None
            places[each.place] = each.index(params[each.name])
        return Point(number, tuple(places))

    def params_of(self, point: Point) -> dict[str, Any]:
        """Return the parameters that mean a point, those of its own block alone."""
        block = {BLOCK: self.labels[point.block]} if len(self.labels) > 1 else {}
        return block | {each.name: each.value(point.places[each.place]) for each in self.parameters[point.block]}

    def _number(self, params: Mapping[str, Any]) -> int:
        return self.labels.index(params[BLOCK]) if len(self.labels) > 1 else 0

    def values(self, point: Point) -> dict[str, Value]:
        """Return the levers of a point by column [unit of the column], constants included."""
        block = self.space.blocks[point.block]
        fixed = {name: value for name, value in block.constants.items() if self.study.roles.get(name) == "lever"}
        for place, columns in zip(point.places, self._columns(block), strict=True):
            for name, axis, values in columns:
                fixed[name] = values[place] if values else axis.value(name.removesuffix(TIMES), place)
        return fixed

    def _columns(self, block: Block) -> list[list[tuple[str, Axis, list[Value]]]]:
        """Return for each lever axis its columns with their values, listed where they are few."""
        if block.offset not in self._listed:
            self._listed[block.offset] = [
                [
                    (
                        name + TIMES if name in axis.times else name,
                        axis,
                        axis.values(name, 0, axis.size).tolist() if axis.size <= MAX_CATEGORIES else [],
                    )
                    for name in axis.names
                ]
                for axis in self.lever_axes(block)
            ]
        return self._listed[block.offset]

    def scenarios(self, block: Block) -> int:
        """Return in how many scenarios every point of a block is evaluated."""
        return block.size // self._block_size(block)

    def points(self, start: int, stop: int) -> list[Point]:
        """Return the lever combinations number ``start`` to ``stop - 1`` in the order of the space."""
        found = []
        first = 0
        for number, block in enumerate(self.space.blocks):
            shape = [axis.size for axis in self.lever_axes(block)]
            size = self._block_size(block)
            for local in range(max(start - first, 0), min(stop - first, size)):
                places = np.unravel_index(local, shape) if shape else ()
                found += [Point(number, tuple(int(place) for place in places))]
            first += size
        return found


@dataclass(frozen=True)
class Parameter:
    """One lever axis of a block as an Optuna parameter, one value for one point of the axis.

    ``place`` is its position among the lever axes of the block. Words, and quantities that move together, are
    categories. Whole numbers at equal distances, and decimal numbers whose distance is one, are themselves; any other
    ordered values (a log scale, a list) are numbered, so that a step is a step on their own scale.
    """

    name: str
    place: int
    distribution: BaseDistribution
    first: float = 0
    step: float = 1
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, place: int, axis: Axis) -> Parameter:
        """Return the parameter of an axis."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: PLC0415

        if not ordered(axis):
            words = tuple(labels(axis))
            return cls(name, place, CategoricalDistribution(words), words=words)
        spacing = _spacing(axis)
        if spacing is None:
            return cls(name, place, IntDistribution(0, axis.size - 1))
        first, last, step = spacing
        if isinstance(first, int):
            return cls(name, place, IntDistribution(first, int(last), step=int(step)), first, step)
        return cls(name, place, FloatDistribution(first, last, step=step), first, step)

    def index(self, value: Any) -> int:
        """Return the point of the axis that a value means."""
        return self._indices[value] if self.words else round((value - self.first) / self.step)

    def value(self, index: int) -> Any:
        """Return the value that means a point of the axis."""
        if self.words:
            return self.words[index]
        found = self.first + index * self.step
        return found if isinstance(self.first, int) else min(found, float(getattr(self.distribution, "high", found)))

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: PLC0415

    match distribution:
        case IntDistribution(low=low, high=high, step=step):
            return trial.suggest_int(name, low, high, step=step)
        case FloatDistribution(low=low, high=high, step=step):
            return trial.suggest_float(name, low, high, step=step)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
    raise AssertionError(f"{name} has a distribution that no lever has")


def _spacing(axis: Axis) -> tuple[float, float, float] | None:
    """Return first value, last value and distance where values rise by one whole or short decimal number."""
    if len(axis.names) != 1 or axis.size > MAX_CATEGORIES or axis.size < 2:
        return None
    values = axis.values(axis.names[0], 0, axis.size).tolist()
    exact = [Decimal(repr(value)) for value in values]
    step = exact[1] - exact[0]
    if step <= 0 or any(b - a != step for a, b in pairwise(exact)):
        return None
    whole = all(isinstance(value, int) for value in values)
    return values[0], values[-1], int(step) if whole else float(step)


def parameter_name(axis: Axis) -> str:
    """Return the name of the parameter that stands for an axis."""
    return "+".join(axis.names)


def ordered(axis: Axis) -> bool:
    """Return whether values of the axis rise or fall, or are too many for words."""
    if axis.size > MAX_CATEGORIES:
        return True
    if len(axis.names) != 1:
        return False
    values = axis.values(axis.names[0], 0, axis.size)
    return values.dtype.kind in "if" and bool((np.diff(values) > 0).all() or (np.diff(values) < 0).all())


def labels(axis: Axis) -> list[str]:
    """Return the points of an axis in words."""
    columns: Sequence[Sequence[object]] = [axis.values(name, 0, axis.size).tolist() for name in axis.names]
    return [", ".join(str(value) for value in row) for row in zip(*columns, strict=True)]


def _systems(block: Block) -> list[str]:
    if "system" in block.constants:
        return [str(block.constants["system"])]
    for axis in block.axes:
        if "system" in axis.names:
            return list(dict.fromkeys(axis.values("system", 0, axis.size).tolist()))
    return ["all"]
