"""The levers of a study as Optuna parameters, and back.

A trial fixes levers only. Scenarios are what the world decides: every one of them is evaluated for every trial. Each
lever axis is one parameter: the place on the axis when its values are ordered numbers, the values as words otherwise.
Systems with axes of their own form blocks of the space; which block a trial is in is a parameter too, and an axis that
differs between blocks is a parameter of that block alone.

A genetic sampler breeds only parameters that every trial has, so it is given those of all blocks; the ones that a
trial's own block does not use are inherited without effect, as introns are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.dataset.columns import TIMES
from sweep.errors import StudyError
from sweep.space import Axis, Block, Space, Value
from sweep.study import Study

if TYPE_CHECKING:
    import optuna

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
        if len(self._roles(axis)) == 1 or "workload" in axis.names:
            return
        names = ", ".join(name for name in axis.names if name in self.study.roles)
        message = f"{names} move together, but some are levers and some scenarios; a search chooses levers alone"
        raise StudyError.at(message, self.study.file)

    def lever_axes(self, block: Block) -> list[Axis]:
        """Return the axes of a block that hold levers."""
        return [axis for axis in block.axes if self.is_lever(axis)]

    @cached_property
    def size(self) -> int:
        """Number of lever combinations before ``where``."""
        return sum(self._block_size(block) for block in self.space.blocks)

    def _block_size(self, block: Block) -> int:
        return int(np.prod([axis.size for axis in self.lever_axes(block)], dtype=object))

    @cached_property
    def _labels(self) -> list[str]:
        labels = [", ".join(_systems(block)) for block in self.space.blocks]
        return [label if labels.count(label) == 1 else f"{label} ({place + 1})" for place, label in enumerate(labels)]

    @cached_property
    def _shared(self) -> frozenset[str]:
        """Parameters that mean the same in every block that has them."""
        axes: dict[str, set[Axis]] = {}
        for block in self.space.blocks:
            for axis in self.lever_axes(block):
                axes.setdefault(parameter(axis), set()).add(axis)
        return frozenset(name for name, found in axes.items() if len(found) == 1)

    def suggest(self, trial: optuna.Trial, *, every_block: bool) -> Point:
        """Return the point of a trial; with ``every_block`` the parameters of the other blocks are drawn as well."""
        params: dict[str, Any] = {}
        if len(self._labels) > 1:
            params[BLOCK] = trial.suggest_categorical(BLOCK, self._labels)
        for block in range(len(self._labels)) if every_block else (self._number(params),):
            for name, axis in self._parameters(block):
                if ordered(axis):
                    params[name] = trial.suggest_int(name, 0, axis.size - 1)
                else:
                    params[name] = trial.suggest_categorical(name, labels(axis))
        point = self.point(params)
        assert point is not None
        return point

    def point(self, params: Mapping[str, Any]) -> Point | None:
        """Return the point that parameters mean; None when one is missing."""
        if len(self._labels) > 1 and BLOCK not in params:
            return None
        number = self._number(params)
        parameters = self._parameters(number)
        if any(name not in params for name, _ in parameters):
            return None
        chosen = {
            axis: params[name] if ordered(axis) else labels(axis).index(params[name]) for name, axis in parameters
        }
        return Point(number, tuple(chosen.get(axis, 0) for axis in self.lever_axes(self.space.blocks[number])))

    def params_of(self, point: Point) -> dict[str, Any]:
        """Return the parameters that mean a point, those of its own block alone."""
        block = {BLOCK: self._labels[point.block]} if len(self._labels) > 1 else {}
        places = dict(zip(self.lever_axes(self.space.blocks[point.block]), point.places, strict=True))
        return block | {
            name: places[axis] if ordered(axis) else labels(axis)[places[axis]]
            for name, axis in self._parameters(point.block)
        }

    def _number(self, params: Mapping[str, Any]) -> int:
        return self._labels.index(params[BLOCK]) if len(self._labels) > 1 else 0

    def _parameters(self, block: int) -> list[tuple[str, Axis]]:
        """Return the parameters of a block by name; an axis with one point needs none."""
        axes = [axis for axis in self.lever_axes(self.space.blocks[block]) if axis.size > 1]
        names = [parameter(axis) for axis in axes]
        label = self._labels[block]
        return [
            (name if name in self._shared else f"{name} ({label})", axis)
            for name, axis in zip(names, axes, strict=True)
        ]

    def values(self, point: Point) -> dict[str, Value]:
        """Return the levers of a point by column [unit of the column], constants included."""
        block = self.space.blocks[point.block]
        fixed = {name: value for name, value in block.constants.items() if self.study.roles.get(name) == "lever"}
        axes = zip(self.lever_axes(block), point.places, strict=True)
        return fixed | {
            name + TIMES if name in axis.times else name: axis.value(name, place)
            for axis, place in axes
            for name in axis.names
        }

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


def parameter(axis: Axis) -> str:
    """Return the name of the parameter that stands for an axis."""
    return "+".join(axis.names)


def ordered(axis: Axis) -> bool:
    """Return whether the parameter is the place on the axis: its values rise or fall, or are too many for words."""
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
