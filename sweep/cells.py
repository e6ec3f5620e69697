"""Cells: the parts of a space in which every structural quantity has one value, the rest being an open mesh."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from sweep.space import Value

Mesh = NDArray[Any]


@dataclass(frozen=True)
class Cell:
    """One value of every structural quantity, and every axis of the block as one dimension of an open mesh.

    ``scalars`` are single values, ``arrays`` values of length 1 along every dimension but their own. Both are in the
    units of the quantity table; quantities in ``times`` hold multipliers. ``shape`` is that of the whole mesh, and
    ``first`` the id of its first design.
    """

    scalars: Mapping[str, Value]
    arrays: Mapping[str, Mesh]
    times: frozenset[str]
    shape: tuple[int, ...]
    first: int = 0

    @property
    def rows(self) -> int:
        """Number of designs before ``where``."""
        return math.prod(self.shape)
