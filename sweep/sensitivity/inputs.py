"""The inputs of a sensitivity analysis: every swept axis of a study is one coordinate of the unit cube.

Systems with axes of their own form blocks of the space. The input ``system`` then says in which block a design is, and
an input gives each block its own values: ``domains`` are the supernodes bought of whichever system it is. An input that
a block does not have changes nothing there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.answer.scenarios import systems_in
from sweep.errors import StudyError
from sweep.sensitivity.sources import Levels, Source, Uniforms, sources_of
from sweep.sensitivity.worlds import World, doubts
from sweep.space import Axis, Block
from sweep.study import Study

SYSTEM = "system"
UNCERTAIN = "uncertain"
MOST_CLASSES = 48


@dataclass(frozen=True, slots=True)
class Input:
    """One input: what it gives by number of the block; ``role`` is lever, scenario or uncertain."""

    name: str
    role: str
    sources: Mapping[int, Source]


@dataclass(frozen=True, slots=True)
class Spot:
    """One level of the input that says in which block a design is: the block and the values that choose it there."""

    block: int
    place: int
    label: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Points of one block: their values by quantity, and their numbers among all points asked for.

    ``worlds`` are the uncertain inputs by label, those that are not nominal.
    """

    block: int
    rows: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    times: frozenset[str]
    worlds: World = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """All inputs of a study, by name; ``spots`` are the levels of the system when blocks differ by it."""

    study: Study
    every: tuple[Input, ...]
    spots: tuple[Spot, ...]

    @classmethod
    def of(cls, study: Study) -> Inputs:
        """Return the inputs of a study. Raises ``StudyError`` when fewer than two vary."""
        spots = _spots(study.space.blocks) if len(study.space.blocks) > 1 else ()
        found: dict[str, dict[int, Source]] = {}
        for number, block in enumerate(study.space.blocks):
            for axis in block.axes:
                for source in () if spots and SYSTEM in axis.names else sources_of(axis):
                    found.setdefault(input_name(source.names), {})[number] = source
        every = [Input(name, _role(study, sources), sources) for name, sources in found.items() if _varies(sources)]
        every += [Input(label, UNCERTAIN, sources) for label, sources in doubts(study) if sources]
        if spots:
            every.append(Input(SYSTEM, study.roles.get(SYSTEM, "lever"), _system_sources(study.space.blocks)))
        if len(every) < 2:
            names = "".join(f" ({each.name})" for each in every)
            message = f"sensitivity compares inputs, and {len(every) or 'none'}{names} is swept here; sweep two or more"
            raise StudyError.at(message, study.file)
        return cls(study, tuple(sorted(every, key=lambda each: each.name)), spots)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in alphabetical order: the order of the coordinates, whatever the order of the axes."""
        return tuple(each.name for each in self.every)

    def batches(self, uniforms: Uniforms) -> Iterator[Batch]:
        """Yield the designs at points of the unit cube, shape (points, inputs), block by block."""
        level = self._levels(uniforms)
        blocks = np.array([spot.block for spot in self.spots] or [0])
        for number in range(len(self.study.space.blocks)):
            rows = np.flatnonzero(blocks[level] == number)
            if rows.size:
                yield self._batch(number, rows, uniforms[rows], level[rows])

    def classes(self, uniforms: Uniforms) -> Uniforms:
        """Return the points with every coordinate that only counts levels replaced by the number of its level."""
        columns = [
            np.minimum(np.floor(share * count), count - 1) if count else share
            for share, count in zip(uniforms.T, map(self._level_count, self.every), strict=True)
        ]
        return np.stack(columns, axis=1)

    def _level_count(self, each: Input) -> int:
        """Return into how many equal shares an input cuts its coordinate; 0 when it is continuous or they are many."""
        if self.spots and each.name == SYSTEM:
            return len(self.spots)
        sizes = [source.axis.size if isinstance(source, Levels) else 0 for source in each.sources.values()]
        count = math.lcm(*sizes)
        return count if count <= MOST_CLASSES else 0

    def _levels(self, uniforms: Uniforms) -> NDArray[np.int64]:
        """Return the level of the system at each point; all 0 when there is one block."""
        if not self.spots:
            return np.zeros(len(uniforms), dtype=np.int64)
        share = uniforms[:, self.names.index(SYSTEM)]
        return np.minimum((share * len(self.spots)).astype(np.int64), len(self.spots) - 1)

    def _batch(self, number: int, rows: NDArray[np.int64], uniforms: Uniforms, level: NDArray[np.int64]) -> Batch:
        columns: dict[str, NDArray[Any]] = {}
        times: set[str] = set()
        for source in block_sources(self.study.space.blocks[number]):
            if self.spots and SYSTEM in source.names:
                places = np.array([spot.place for spot in self.spots])[level]
                assert isinstance(source, Levels)
                columns |= {each: source.axis.at(each, places) for each in source.names}
            else:
                name = input_name(source.names)
                share = uniforms[:, self.names.index(name)] if name in self.names else np.zeros(rows.size)
                columns |= {each: source.values(each, share) for each in source.names}
            times |= source.times
        worlds = {
            each.name: each.sources[number].values(each.name, uniforms[:, place])
            for place, each in enumerate(self.every)
            if each.role == UNCERTAIN and number in each.sources
        }
        return Batch(number, rows, columns, frozenset(times), worlds)


def block_sources(block: Block) -> Iterator[Source]:
    """Yield what every axis of a block gives, those with one point included."""
    for axis in block.axes:
        yield from sources_of(axis)


def input_name(names: Sequence[str]) -> str:
    """Return the name of the input that gives several quantities together."""
    return next((name for name in ("workload", SYSTEM) if name in names), "+".join(names))


def _varies(sources: Mapping[int, Source]) -> bool:
    return any(not isinstance(source, Levels) or source.axis.size > 1 for source in sources.values())


def _role(study: Study, sources: Mapping[int, Source]) -> str:
    names = next(iter(sources.values())).names
    roles = {study.roles[name] for name in names}
    return roles.pop() if len(roles) == 1 else "scenario"


def _system_axis(block: Block) -> Axis | None:
    return next((axis for axis in block.axes if SYSTEM in axis.names), None)


def _system_sources(blocks: Sequence[Block]) -> dict[int, Source]:
    axes = {number: _system_axis(block) for number, block in enumerate(blocks)}
    return {number: Levels(axis) for number, axis in axes.items() if axis is not None}


def _spots(blocks: Sequence[Block]) -> tuple[Spot, ...]:
    """Return every point of the system axis of every block; equal names get the number of their block."""
    found = []
    for number, block in enumerate(blocks):
        axis = _system_axis(block)
        labels = systems_in(block) if axis is None else [str(value) for value in axis.values(SYSTEM, 0, axis.size)]
        found += [Spot(number, place, label) for place, label in enumerate(labels)]
    labels = [spot.label for spot in found]
    return tuple(
        spot if labels.count(spot.label) == 1 else Spot(spot.block, spot.place, f"{spot.label}, block {spot.block + 1}")
        for spot in found
    )
