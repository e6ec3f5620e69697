"""From a chunk to cells of a useful size, with the places of their designs among the rows of the chunk.

The model loops over structural quantities and broadcasts numeric ones, so a chunk is handed to it cell by cell. Points
of a zip group or a sample that have the same structural values share a cell. A large cell is cut further, always in
the same way, so that what the model holds at once stays small.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.space import Axis, Chunk, Value

Indices = NDArray[np.int64]
Places = tuple[Indices, ...]

CELL_ROWS = 131_072
"""Most designs of one cell: a 1 MB array per quantity, which stays in cache. The rows do not depend on it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One structural combination of a chunk, or a piece of it.

    ``structural`` holds its scalars, ``mesh`` the other values of the space, each with one dimension per axis of the
    block (constants have none). Both are in the units of the quantity table; quantities in ``times`` hold multipliers.
    ``rows`` says where its designs, in C order of ``shape``, lie among those of the chunk.
    """

    structural: Mapping[str, Value]
    mesh: Mapping[str, NDArray[Any]]
    times: frozenset[str]
    shape: tuple[int, ...]
    rows: slice | Indices

    def value(self, name: str) -> Any:
        """Return what the study wrote for a quantity in this cell, None when it wrote nothing."""
        return self.structural.get(name, self.mesh.get(name))


def is_structural(name: str) -> bool:
    """Return whether the model needs one value of this quantity at a time."""
    quantity = quantities().get(name)
    return quantity is not None and quantity.structural


def cells(chunk: Chunk, most: int = CELL_ROWS) -> Iterator[Cell]:
    """Yield the cells of a chunk; together they hold each of its designs once."""
    axes = list(chunk.axes())
    times = frozenset(name for axis, _, _ in axes for name in axis.times)
    constants = chunk.block.constants
    fixed = {name: value for name, value in constants.items() if is_structural(name)}
    free = {name: np.asarray(value) for name, value in constants.items() if not is_structural(name)}
    for groups in itertools.product(*(_groups(axis, start, stop) for axis, start, stop in axes)):
        structural = fixed | {name: value for values, _ in groups for name, value in values.items()}
        for places in _tiles(tuple(found for _, found in groups), most):
            mesh = {
                name: _along(axis.at(name, at), dimension, len(axes))
                for dimension, ((axis, _, _), at) in enumerate(zip(axes, places, strict=True))
                for name in axis.names
                if not is_structural(name)
            }
            shape = tuple(at.size for at in places)
            yield Cell(structural, free | mesh, times, shape, _rows(places, chunk))


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
