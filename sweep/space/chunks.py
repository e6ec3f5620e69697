"""Chunks: the units of work. Each is one sub-grid of a block and one contiguous range of ids."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from sweep.space.axes import Axis, Value, Values
from sweep.space.block import Block
from sweep.space.space import Space

ROWS_PER_CHUNK = 262_144


@dataclass(frozen=True)
class Chunk:
    """A sub-grid: one point of every axis before ``axis``, points ``start`` to ``stop - 1`` of it, all after it.

    Its designs in C order have the ids ``first`` to ``first + rows - 1``. A block without axes is one chunk of one row.
    """

    number: int
    block: Block
    block_index: int
    prefix: tuple[int, ...]
    axis: int
    start: int
    stop: int

    @cached_property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """First point and end of every axis of the block."""
        fixed = tuple((place, place + 1) for place in self.prefix)
        free = tuple((0, axis.size) for axis in self.block.axes[self.axis + 1 :])
        return (*fixed, (self.start, self.stop), *free)[: len(self.block.axes)]

    @property
    def shape(self) -> tuple[int, ...]:
        """Points of every axis of the block, 1 for those that are fixed."""
        return tuple(stop - start for start, stop in self.ranges)

    @property
    def rows(self) -> int:
        """Number of designs before ``where``."""
        return math.prod(self.shape)

    @property
    def first(self) -> int:
        """Lowest id."""
        return self.block.offset + self.block.number([start for start, _ in self.ranges])

    def axes(self) -> Iterator[tuple[Axis, int, int]]:
        """Yield every axis of the block with its first point and end in this chunk."""
        for axis, (start, stop) in zip(self.block.axes, self.ranges, strict=True):
            yield axis, start, stop

    def values(self) -> dict[str, Values]:
        """Return the values of every axis quantity along its own axis [human unit], one-dimensional each."""
        return {name: axis.values(name, start, stop) for axis, start, stop in self.axes() for name in axis.names}

    def partition(self) -> dict[str, Value]:
        """Return the one value that each partition quantity has in this chunk."""
        values = dict(self.block.constants)
        for axis, start, _ in list(self.axes())[: self.block.partition_axes]:
            values |= {name: axis.value(name, start) for name in axis.names}
        return {name: values[name] for name in self.block.partition}


@dataclass(frozen=True)
class _Cut:
    """How one block is cut: along ``axis`` in slices of ``step`` points, ``slices`` of them for each prefix."""

    axis: int
    step: int
    slices: int
    chunks: int


def _cut(block: Block, rows: int) -> _Cut:
    """Return the cut with the largest sub-grids of at most ``rows`` designs inside one partition value."""
    shape = block.shape
    if not shape:
        return _Cut(axis=0, step=1, slices=1, chunks=1)
    axis = min(block.partition_axes, len(shape) - 1)
    while math.prod(shape[axis + 1 :]) > rows:
        axis += 1
    fixed = axis < block.partition_axes
    step = 1 if fixed else min(max(rows // math.prod(shape[axis + 1 :]), 1), shape[axis])
    slices = -(-shape[axis] // step)
    return _Cut(axis, step, slices, math.prod(shape[:axis]) * slices)


@dataclass(frozen=True)
class Chunks:
    """All chunks of a space in id order, addressed by number without storing any.

    Boundaries depend on the space and ``rows_per_chunk`` alone, never on cores, memory or workers.
    """

    space: Space
    rows_per_chunk: int = ROWS_PER_CHUNK

    @cached_property
    def _cuts(self) -> tuple[_Cut, ...]:
        return tuple(_cut(block, self.rows_per_chunk) for block in self.space.blocks)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(accumulate((cut.chunks for cut in self._cuts), initial=0))

    @property
    def count(self) -> int:
        """Number of chunks, which may exceed what ``len`` can return."""
        return self._starts[-1]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Chunk:
        if not 0 <= number < self.count:
            raise IndexError(f"chunk {number} does not exist: chunks run from 0 to {self.count - 1}")
        index = bisect_right(self._starts, number) - 1
        block, cut = self.space.blocks[index], self._cuts[index]
        outer, piece = divmod(number - self._starts[index], cut.slices)
        prefix: list[int] = []
        for size in reversed(block.shape[: cut.axis]):
            outer, place = divmod(outer, size)
            prefix.append(place)
        size = block.shape[cut.axis] if block.shape else 1
        start = piece * cut.step
        stop = min(start + cut.step, size)
        return Chunk(number, block, index, tuple(reversed(prefix)), cut.axis, start, stop)

    def holding(self, design_id: int) -> Chunk:
        """Return the chunk that holds a design."""
        block, local = self.space.locate(design_id)
        index = bisect_right(self.space.blocks, block.offset, key=lambda other: other.offset) - 1
        cut = self._cuts[index]
        if not block.shape:
            return self[self._starts[index]]
        indices = block.indices(local)
        outer = 0
        for place, size in zip(indices[: cut.axis], block.shape[: cut.axis], strict=True):
            outer = outer * size + place
        return self[self._starts[index] + outer * cut.slices + indices[cut.axis] // cut.step]
