"""A batch of trials as one call of the engine: levers along one dimension, every scenario along the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.catalogue import Catalogue
from sweep.dataset.columns import DESIGN, Column
from sweep.engine.rows import evaluate_chunk
from sweep.errors import StudyError
from sweep.search.answered import Answered
from sweep.search.limits import limits_of, measured, measured_columns, with_measures
from sweep.search.points import LeverSpace, Point
from sweep.search.reference import Reference, regret_name
from sweep.search.scenarios import Scenario
from sweep.search.spread import Spread
from sweep.space import Axis, Block, Chunks, Space, zip_axis
from sweep.study import Objective, Study

MOST_ROWS = 1_000_000
"""Most rows that are evaluated in one call, and most scenarios of one trial."""


@dataclass(frozen=True)
class Evaluator:
    """Evaluates points of a study: the same model, columns and ids as a sweep of it.

    ``scenario`` is the only one that counts, if one was named. ``reference`` holds the best that any design reaches in
    each scenario; the regret of each goal in ``regrets`` is a further column. ``spread`` takes large batches to Ray.
    """

    study: Study
    catalogue: Catalogue
    levers: LeverSpace
    columns: tuple[Column, ...]
    schema: pa.Schema
    scenario: Scenario | None = None
    reference: Reference | None = None
    regrets: tuple[Objective, ...] = ()
    spread: Spread | None = None

    def __post_init__(self) -> None:
        most = max(self.scenarios(block) for block in self.levers.space.blocks)
        if most > MOST_ROWS:
            message = f"every trial would be evaluated in {most:,} scenarios (at most {MOST_ROWS:,}); sweep fewer"
            raise StudyError.at(message, self.study.file, "scenarios")

    def scenarios(self, block: Block) -> int:
        """Return in how many scenarios every point of a block is evaluated."""
        return 1 if self.scenario is not None else self.levers.scenarios(block)

    def only(self, names: Sequence[str]) -> Evaluator:
        """Return the evaluator that makes these columns only, besides the id and the status; regrets among them."""
        goals = self.reference.goals if self.reference is not None else ()
        asked = tuple(goal for goal in goals if regret_name(goal.name) in names)
        wanted = {DESIGN, "status", *names, *(goal.name for goal in asked)}
        columns = tuple(column for column in self.columns if column.name in wanted)
        schema = pa.schema([self.schema.field(column.name) for column in columns], self.schema.metadata)
        return replace(self, columns=columns, schema=schema, regrets=asked)

    def measuring(self) -> Evaluator:
        """Return the evaluator that also says by how much each condition of the study is missed, and each regret."""
        limits = limits_of(self.study)
        study = measured(self.study, limits)
        columns = measured_columns(study, self.columns, limits)
        goals = self.reference.goals if self.reference is not None else ()
        return replace(self, study=study, columns=columns, schema=with_measures(self.schema, columns), regrets=goals)

    def rows(self, points: Iterable[Point]) -> Iterator[tuple[Point, pa.Table]]:
        """Yield each point once, with its rows over all scenarios in the order of their ids."""
        for answered in self.answers(points):
            yield from answered.each()

    def answers(self, points: Iterable[Point]) -> Iterator[Answered]:
        """Yield the rows of points, many at once; each point once, by block and place."""
        tasks = list(self._tasks(points))
        rows = sum(len(here) * self.scenarios(self.levers.space.blocks[number]) for number, here in tasks)
        if self.spread is not None and self.spread.wants(rows):
            if self.reference is not None and self.regrets:
                self.reference.prepare()  # once here, not in every worker
            alone = replace(self, spread=None)
            yield from self.spread.map(alone.answer, tasks)
        else:
            yield from (self.answer(number, here) for number, here in tasks)

    def _tasks(self, points: Iterable[Point]) -> Iterator[tuple[int, tuple[Point, ...]]]:
        listed = sorted(set(points), key=lambda point: (point.block, point.places))
        most = MOST_ROWS if self.spread is None else min(MOST_ROWS, self.spread.rows)
        for number, group in groupby(listed, key=lambda point: point.block):
            here = tuple(group)
            step = max(most // self.scenarios(self.levers.space.blocks[number]), 1)
            for start in range(0, len(here), step):
                yield number, here[start : start + step]

    def first_id(self, point: Point) -> int:
        """Return the id of a point's design at the first scenario that counts."""
        return self.first_ids([point])[0]

    def first_ids(self, points: Sequence[Point]) -> list[int]:
        """Return the same of several points."""
        found = np.zeros(len(points), dtype=np.int64)
        numbers = np.array([point.block for point in points], dtype=np.int64)
        for number, block in enumerate(self.levers.space.blocks):
            here = np.flatnonzero(numbers == number)
            if here.size:
                found[here] = self._ids(block, [points[at] for at in here.tolist()]) + self.offsets(block)[0]
        return [int(each) for each in found]

    def answer(self, number: int, points: tuple[Point, ...]) -> Answered:
        """Return the rows of points of one block: one call of the engine."""
        block = self.levers.space.blocks[number]
        world = [axis for axis in block.axes if not self.levers.is_lever(axis)]
        if self.scenario is not None:
            world = [self.scenario.point(block, axis, self.levers) for axis in world]
        narrowed = Space.of([Block((*self._chosen(block, points), *world), block.constants)])
        chunk = Chunks(narrowed, narrowed.size)[0]
        table = evaluate_chunk(self.study, self.catalogue, chunk, self.columns, self.schema).table
        trial, scenario = np.divmod(table[DESIGN].to_numpy(), self.scenarios(block))
        ids = self._ids(block, points)[trial] + self.offsets(block)[scenario]
        table = table.set_column(0, table.schema.field(DESIGN), pa.array(ids, pa.int64()))
        table = self.with_regrets(table, number, scenario)
        bounds = np.searchsorted(trial, np.arange(len(points) + 1))
        return Answered(points, table, tuple(bounds.tolist()), scenario)

    def with_regrets(self, table: pa.Table, number: int, scenarios: NDArray[np.int64]) -> pa.Table:
        """Return rows of one block, each in the scenario beside it, with the regrets that are asked for."""
        if self.reference is None or not self.regrets:
            return table
        return self.reference.with_regrets(table, number, scenarios, self.regrets)

    def _chosen(self, block: Block, points: Sequence[Point]) -> tuple[Axis, ...]:
        """Return the one axis along which the points lie; none when the block has no lever axis."""
        axes = self.levers.lever_axes(block)
        if not axes:
            return ()
        chosen = np.array([point.places for point in points], dtype=np.int64)
        columns = {
            name: axis.at(name, chosen[:, place]).tolist() for place, axis in enumerate(axes) for name in axis.names
        }
        return (zip_axis(columns, [name for axis in axes for name in axis.times]),)

    def _ids(self, block: Block, points: Sequence[Point]) -> NDArray[np.int64]:
        """Return the id of each point at the first scenario of the space."""
        steps = [stride for axis, stride in strides(block) if self.levers.is_lever(axis)]
        firsts = [sum(place * step for place, step in zip(point.places, steps, strict=True)) for point in points]
        return np.array(firsts, dtype=np.int64) + block.offset

    def offsets(self, block: Block) -> NDArray[np.int64]:
        """Return by how much the id grows from the first scenario to each that counts, in C order of their axes."""
        offsets = np.zeros(1, dtype=np.int64)
        for axis, stride in strides(block):
            if self.levers.is_lever(axis):
                continue
            places = np.arange(axis.size) if self.scenario is None else np.array([self.scenario.place(block, axis)])
            offsets = (offsets[:, np.newaxis] + places * stride).reshape(-1)
        return offsets


def strides(block: Block) -> Iterator[tuple[Axis, int]]:
    """Yield each axis of a block with the distance of ids between two neighbours on it."""
    stride = block.size
    for axis in block.axes:
        stride //= axis.size
        yield axis, stride
