"""Points of a search with their rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.search.points import Point


@dataclass(frozen=True, slots=True)
class Answered:
    """Points of one block and their rows: those of ``points[i]`` are rows ``bounds[i]`` to ``bounds[i + 1] - 1``.

    ``scenarios`` numbers the scenario of each row within the block, in C order of its scenario axes.
    """

    points: tuple[Point, ...]
    table: pa.Table
    bounds: tuple[int, ...]
    scenarios: NDArray[np.int64]

    def each(self) -> Iterator[tuple[Point, pa.Table]]:
        """Yield each point with its own rows."""
        for point, first, last in zip(self.points, self.bounds[:-1], self.bounds[1:], strict=True):
            yield point, self.table.slice(first, last - first)
