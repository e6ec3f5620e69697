"""The levers of a study as structural cells: outside what the model must solve one by one, inside what it broadcasts.

A cell fixes every lever axis that holds a structural quantity (system, counts, number format, parts of the mapping).
The other lever axes and all scenarios lie behind it as one open mesh, which costs the model little more than a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.dataset.columns import DESIGN
from sweep.engine.cells import is_structural
from sweep.engine.rows import evaluate_chunk
from sweep.search.batch import MOST_ROWS, Evaluator
from sweep.search.goals import Over
from sweep.search.points import Point
from sweep.space import Axis, Block, Chunk, Chunks, Space, zip_axis
from sweep.study import Objective

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class CellBlock:
    """The cells of one block of the space.

    ``outer`` are the places among the lever axes of those that a cell fixes, ``inner`` of those behind it. A numeric
    lever joins the outer ones when a cell would otherwise have more than ``MOST_ROWS`` rows.
    """

    evaluator: Evaluator
    number: int

    @property
    def block(self) -> Block:
        """The block of the space."""
        return self.evaluator.levers.space.blocks[self.number]

    @cached_property
    def axes(self) -> list[Axis]:
        """The lever axes of the block."""
        return self.evaluator.levers.lever_axes(self.block)

    @cached_property
    def scenario_axes(self) -> list[Axis]:
        """The other axes of the block."""
        return [axis for axis in self.block.axes if not self.evaluator.levers.is_lever(axis)]

    @cached_property
    def inner(self) -> tuple[int, ...]:
        """Places of the lever axes that a cell spans."""
        free = [place for place, axis in enumerate(self.axes) if not any(map(is_structural, axis.names))]
        while free and math.prod(self.axes[place].size for place in free) * self.scenarios > MOST_ROWS:
            free.pop(0)
        return tuple(free)

    @cached_property
    def outer(self) -> tuple[int, ...]:
        """Places of the lever axes that a cell fixes."""
        return tuple(place for place in range(len(self.axes)) if place not in self.inner)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the outer axes."""
        return tuple(self.axes[place].size for place in self.outer)

    @cached_property
    def inner_shape(self) -> tuple[int, ...]:
        """Sizes of the inner axes."""
        return tuple(self.axes[place].size for place in self.inner)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    @property
    def designs(self) -> int:
        """Designs of one cell."""
        return math.prod(self.inner_shape)

    @cached_property
    def scenarios(self) -> int:
        """Rows of one design."""
        return self.evaluator.levers.scenarios(self.block)

    @property
    def step(self) -> int:
        """Cells that are evaluated in one call."""
        return max(MOST_ROWS // 4 // (self.designs * self.scenarios), 1)

    def point(self, cell: int, design: int) -> Point:
        """Return the point of one design of one cell."""
        places = [0] * len(self.axes)
        for place, at in zip(self.outer, np.unravel_index(cell, self.shape), strict=True):
            places[place] = int(at)
        for place, at in zip(self.inner, np.unravel_index(design, self.inner_shape), strict=True):
            places[place] = int(at)
        return Point(self.number, tuple(places))

    def cell(self, point: Point) -> int:
        """Return the cell that holds a point of the block."""
        places = tuple(point.places[place] for place in self.outer)
        return int(np.ravel_multi_index(places, self.shape)) if places else 0

    def alike(self, cells: Indices) -> Indices:
        """Return for each cell a number that cells share when they differ in parts of the mapping alone."""
        places = np.array(np.unravel_index(cells, self.shape), dtype=np.int64).reshape(len(self.shape), -1)
        for row, place in enumerate(self.outer):
            if all(_is_mapping(name) for name in self.axes[place].names):
                places[row] = 0
        if not self.shape:
            return np.zeros_like(cells)
        return np.asarray(np.ravel_multi_index(tuple(places), self.shape), dtype=np.int64)

    def chunk(self, cells: Indices) -> Chunk:
        """Return what the engine evaluates for some cells: cells first, inner axes, then scenarios."""
        axes = (*self._chosen(cells), *(self.axes[place] for place in self.inner), *self.scenario_axes)
        space = Space.of([Block(axes, self.block.constants)])
        return Chunks(space, space.size)[0]

    def _chosen(self, cells: Indices) -> tuple[Axis, ...]:
        if not self.outer:
            return ()
        points = np.unravel_index(cells, self.shape)
        columns = {
            name: self.axes[place].at(name, at).tolist()
            for place, at in zip(self.outer, points, strict=True)
            for name in self.axes[place].names
        }
        return (zip_axis(columns, [name for place in self.outer for name in self.axes[place].times]),)

    def solve(self, cells: Indices, goals: Sequence[Objective], over: Over) -> Array:
        """Return the goals of every design of some cells, (goals, cells, designs), all as if to be minimised.

        Infinite where a design does not stand in every scenario, as in ``sweep.search.goals.score``; the mean over
        scenarios may differ from it in the last bits.
        """
        own, chunk = self.evaluator, self.chunk(cells)
        table = evaluate_chunk(own.study, own.catalogue, chunk, own.columns, own.schema).table
        kept, usable = np.zeros(chunk.rows, dtype=np.bool_), np.zeros(chunk.rows, dtype=np.bool_)
        at = table[DESIGN].to_numpy() - chunk.first
        table = own.with_regrets(table, self.number, at % self.scenarios)
        kept[at] = True
        status = table["status"].combine_chunks()
        words = status.dictionary.to_pylist()
        codes = status.indices.to_numpy(zero_copy_only=False)
        usable[at] = codes == (words.index("ok") if "ok" in words else -1)
        values = np.full((len(goals), chunk.rows), np.nan)
        for row, goal in enumerate(goals):
            sign = 1.0 if goal.direction == "minimize" else -1.0
            values[row, at] = sign * table[goal.name].to_numpy().astype(np.float64)
        usable &= np.isfinite(values).all(axis=0)
        return fold(values, kept, usable, over, self.scenarios).reshape(len(goals), cells.size, self.designs)


def fold(values: Array, kept: Mask, usable: Mask, over: Over, scenarios: int) -> Array:
    """Return goals over scenarios, (goals, designs), from goals to be minimised per row, (goals, rows).

    Rows that are not ``kept`` do not count; a design with a kept row that is not ``usable``, or with none, is infinite.
    """
    kept, usable = kept.reshape(-1, scenarios), usable.reshape(-1, scenarios)
    rows = values.reshape(len(values), -1, scenarios)
    counted = kept.sum(axis=1)
    stands = (counted > 0) & (usable | ~kept).all(axis=1)
    if over == "worst":
        folded = np.where(kept, rows, -np.inf).max(axis=2)
    else:
        folded = np.where(kept, rows, 0.0).sum(axis=2) / np.maximum(counted, 1)
    return np.where(stands, folded, np.inf)


def _is_mapping(name: str) -> bool:
    """Whether a quantity is a part of the mapping, which only the time of a step depends on."""
    quantity = quantities().get(name)
    return quantity is not None and quantity.role == "solved"


def cell_blocks(evaluator: Evaluator) -> list[CellBlock]:
    """Return the cells of every block of the space."""
    return [CellBlock(evaluator, number) for number in range(len(evaluator.levers.space.blocks))]
