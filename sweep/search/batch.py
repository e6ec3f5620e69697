"""A batch of trials as one call of the engine: levers along one dimension, every scenario along the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.catalogue import Catalogue
from sweep.dataset.columns import DESIGN, Column
from sweep.engine.rows import evaluate_chunk
from sweep.errors import StudyError
from sweep.search.points import LeverSpace, Point
from sweep.space import Axis, Block, Chunks, Space, zip_axis
from sweep.study import Study

MOST_ROWS = 1_000_000
"""Most rows that are evaluated in one call, and most scenarios of one trial."""


@dataclass(frozen=True)
class Evaluator:
    """Evaluates points of a study: the same model, columns and ids as a sweep of it."""

    study: Study
    catalogue: Catalogue
    levers: LeverSpace
    columns: tuple[Column, ...]
    schema: pa.Schema

    def __post_init__(self) -> None:
        most = max(self.levers.scenarios(block) for block in self.levers.space.blocks)
        if most > MOST_ROWS:
            message = f"every trial would be evaluated in {most:,} scenarios (at most {MOST_ROWS:,}); sweep fewer"
            raise StudyError.at(message, self.study.file, "scenarios")

    def only(self, names: Sequence[str]) -> Evaluator:
        """Return the evaluator that makes these columns only, besides the id and the status."""
        wanted = {DESIGN, "status", *names}
        columns = tuple(column for column in self.columns if column.name in wanted)
        schema = pa.schema([self.schema.field(column.name) for column in columns], self.schema.metadata)
        return replace(self, columns=columns, schema=schema)

    def rows(self, points: Iterable[Point]) -> Iterator[tuple[Point, pa.Table]]:
        """Yield each point once, with its rows over all scenarios in the order of their ids."""
        listed = sorted(set(points), key=lambda point: (point.block, point.places))
        for number, group in groupby(listed, key=lambda point: point.block):
            here = list(group)
            step = max(MOST_ROWS // self.levers.scenarios(self.levers.space.blocks[number]), 1)
            for start in range(0, len(here), step):
                yield from self._block_rows(number, here[start : start + step]).items()

    def first_id(self, point: Point) -> int:
        """Return the id of a point's design at the first scenario."""
        return int(self._ids(self.levers.space.blocks[point.block], [point])[0])

    def _block_rows(self, number: int, points: Sequence[Point]) -> Mapping[Point, pa.Table]:
        block = self.levers.space.blocks[number]
        scenario_axes = [axis for axis in block.axes if not self.levers.is_lever(axis)]
        narrowed = Space.of([Block((*self._chosen(block, points), *scenario_axes), block.constants)])
        chunk = Chunks(narrowed, narrowed.size)[0]
        table = evaluate_chunk(self.study, self.catalogue, chunk, self.columns, self.schema).table
        scenarios = self.levers.scenarios(block)
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
