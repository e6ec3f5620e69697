"""From a chunk to cells of a useful size, with the places of their designs among the rows of the chunk.

The model loops over structural quantities and broadcasts numeric ones, so a chunk is handed to it cell by cell. Points
of a zip group or a sample that have the same structural values share a cell. A large cell is cut further, always in
the same way, so that what the model holds at once stays small.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.cells import Cell
from sweep.space import Axis, Chunk, Value

Indices = NDArray[np.int64]
Places = tuple[Indices, ...]

CELL_ROWS = 131_072
"""Most designs of one cell: a 1 MB array per quantity, which stays in cache. The rows do not depend on it."""


@dataclass(frozen=True, slots=True)
class PlacedCell:
    """A cell, and where its designs (in C order of its shape) lie among those of the chunk."""

    cell: Cell
    rows: slice | Indices


def is_structural(name: str) -> bool:
    """Return whether the model needs one value of this quantity at a time."""
    quantity = quantities().get(name)
    return quantity is not None and quantity.structural


def placed_cells(chunk: Chunk, most: int = CELL_ROWS) -> Iterator[PlacedCell]:
    """Yield the cells of a chunk; together they hold each of its designs once."""
    axes = list(chunk.axes())
    times = frozenset(name for axis, _, _ in axes for name in axis.times)
    for groups in itertools.product(*(_groups(axis, start, stop) for axis, start, stop in axes)):
        scalars = dict(chunk.block.constants)
        for values, _ in groups:
            scalars |= values
        for places in _tiles(tuple(found for _, found in groups), most):
            arrays = {
                name: _along(axis.at(name, at), dimension, len(axes))
                for dimension, ((axis, _, _), at) in enumerate(zip(axes, places, strict=True))
                for name in axis.names
                if not is_structural(name)
            }
            shape = tuple(at.size for at in places)
            rows = _rows(places, chunk)
            first = chunk.first + (rows.start if isinstance(rows, slice) else int(rows[0]))
            yield PlacedCell(Cell(scalars, arrays, times, shape, first), rows)


def _groups(axis: Axis, start: int, stop: int) -> list[tuple[dict[str, Value], Indices]]:
    """Return the points of an axis by the structural values they have, in order of first appearance."""
    points = np.arange(start, stop, dtype=np.int64)
    names = [name for name in axis.names if is_structural(name)]
    if not names:
        return [({}, points)]
    values = zip(*(axis.values(name, start, stop).tolist() for name in names), strict=True)
    found: dict[tuple[Value, ...], list[int]] = {}
    for point, combination in enumerate(values):
        found.setdefault(combination, []).append(point)
    return [(dict(zip(names, combination, strict=True)), points[at]) for combination, at in found.items()]


def _tiles(places: Places, most: int) -> Iterator[Places]:
    """Cut a sub-grid along its slowest axes until no piece has more than ``most`` designs."""
    sizes = [at.size for at in places]
    if math.prod(sizes) <= most:
        yield places
        return
    first = next(dimension for dimension, size in enumerate(sizes) if size > 1)
    step = max(most // math.prod(sizes[first + 1 :]), 1)
    for start in range(0, sizes[first], step):
        piece = places[first][start : start + step]
        yield from _tiles((*places[:first], piece, *places[first + 1 :]), most)


def _along(values: NDArray[Any], dimension: int, dimensions: int) -> NDArray[Any]:
    return values.reshape((1,) * dimension + (-1,) + (1,) * (dimensions - dimension - 1))


def _rows(places: Places, chunk: Chunk) -> slice | Indices:
    """Return where the designs of a sub-grid lie among those of its chunk; a slice when they follow each other."""
    rows = np.zeros((), dtype=np.int64)
    stride = chunk.rows
    for at, (start, stop) in zip(places, chunk.ranges, strict=True):
        stride //= stop - start
        rows = (rows[..., np.newaxis] + (at - start) * stride).astype(np.int64)
    flat = rows.reshape(-1)
    first, last = int(flat[0]), int(flat[-1])
    return slice(first, last + 1) if last - first + 1 == flat.size else flat
