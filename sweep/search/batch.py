"""A batch of trials as one call of the engine: levers along one dimension, every scenario along the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.catalogue import Catalogue
from sweep.dataset.columns import DESIGN
from sweep.dataset.manifest import Manifest
from sweep.engine.rows import evaluate_chunk
from sweep.search.points import LeverSpace, Point
from sweep.space import Axis, Block, Chunks, Space, zip_axis
from sweep.study import Study

AT_ONCE = 64


@dataclass(frozen=True)
class Evaluator:
    """Evaluates points of a study: the same model, columns and ids as a sweep of it."""

    study: Study
    catalogue: Catalogue
    levers: LeverSpace
    manifest: Manifest

    def rows(self, points: Sequence[Point]) -> dict[Point, pa.Table]:
        """Return the rows of each point over all scenarios, in the order of their ids; equal points are done once."""
        found: dict[Point, pa.Table] = {}
        for number in sorted({point.block for point in points}):
            here = sorted({point for point in points if point.block == number}, key=lambda point: point.places)
            found |= self._block_rows(number, here)
        return found

    def table(self, points: Iterable[Point]) -> pa.Table:
        """Return the rows of all points in the order of their ids."""
        listed = sorted(set(points), key=lambda point: (point.block, point.places))
        pieces = [
            rows
            for start in range(0, len(listed), AT_ONCE)
            for rows in self.rows(listed[start : start + AT_ONCE]).values()
        ]
        return pa.concat_tables([self.manifest.schema.empty_table(), *pieces]).unify_dictionaries().sort_by(DESIGN)

    def first_id(self, point: Point) -> int:
        """Return the id of a point's design at the first scenario."""
        return int(self._ids(self.levers.space.blocks[point.block], [point])[0])

    def _block_rows(self, number: int, points: Sequence[Point]) -> Mapping[Point, pa.Table]:
        block = self.levers.space.blocks[number]
        scenario_axes = [axis for axis in block.axes if not self.levers.is_lever(axis)]
        narrowed = Space.of([Block((*self._chosen(block, points), *scenario_axes), block.constants)])
        chunk = Chunks(narrowed, narrowed.size)[0]
        table = evaluate_chunk(self.study, self.catalogue, chunk, self.manifest.columns, self.manifest.schema).table
        scenarios = narrowed.size // len(points)
        trial, scenario = np.divmod(table[DESIGN].to_numpy(), scenarios)
        ids = self._ids(block, points)[trial] + _scenario_offsets(block, self.levers)[scenario]
        table = table.set_column(0, table.schema.field(DESIGN), pa.array(ids, pa.int64()))
        bounds = np.searchsorted(trial, np.arange(len(points) + 1))
        return {
            point: table.slice(first, last - first).sort_by(DESIGN)
            for point, first, last in zip(points, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        }

    def _chosen(self, block: Block, points: Sequence[Point]) -> tuple[Axis, ...]:
        """Return the one axis along which the points lie; none when the block has no lever axis."""
        axes = self.levers.lever_axes(block)
        if not axes:
            return ()
        columns = {
            name: [axis.value(name, point.places[place]) for point in points]
            for place, axis in enumerate(axes)
            for name in axis.names
        }
        return (zip_axis(columns, [name for axis in axes for name in axis.times]),)

    def _ids(self, block: Block, points: Sequence[Point]) -> NDArray[np.int64]:
        """Return the id of each point at the first scenario."""
        firsts = []
        for point in points:
            places = iter(point.places)
            indices = [next(places) if self.levers.is_lever(axis) else 0 for axis in block.axes]
            firsts.append(block.offset + block.number(indices))
        return np.array(firsts, dtype=np.int64)


def _scenario_offsets(block: Block, levers: LeverSpace) -> NDArray[np.int64]:
    """Return by how much the id grows from the first scenario to each other one, in C order of the scenario axes."""
    offsets = np.zeros(1, dtype=np.int64)
    stride = block.size
    for axis in block.axes:
        stride //= axis.size
        if not levers.is_lever(axis):
            offsets = (offsets[:, np.newaxis] + np.arange(axis.size) * stride).reshape(-1)
    return offsets
