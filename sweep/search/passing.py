"""``where`` as a hard filter: the points that it drops in every scenario are never proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sweep.catalogue import Catalogue
from sweep.counting import Passing
from sweep.errors import StudyError
from sweep.search.points import LeverSpace, Point

MOST_DRAWS = 10_000
"""Points drawn before a search gives up: of fewer than about one in three thousand, it could have found one."""


@dataclass(frozen=True)
class Filter:
    """Which points of a study pass ``where`` in at least one scenario."""

    levers: LeverSpace
    catalogue: Catalogue
    _known: dict[Point, bool] = field(default_factory=dict)

    @cached_property
    def _passing(self) -> tuple[Passing, ...]:
        study = self.levers.study
        return tuple(Passing.of(study, self.catalogue, block) for block in study.space.blocks)

    @cached_property
    def _axes(self) -> tuple[tuple[int, ...], ...]:
        """Position in its block of each lever axis, by block."""
        return tuple(
            tuple(at for at, axis in enumerate(block.axes) if self.levers.is_lever(axis))
            for block in self.levers.space.blocks
        )

    @cached_property
    def _masks(self) -> tuple[NDArray[np.bool_] | None, ...]:
        """Which points pass, by block: one dimension per lever axis that matters, in the order of ``_needed``."""
        found = []
        for number, passing in enumerate(self._passing):
            world = tuple(at for at, axis in enumerate(passing.axes) if axis not in self._axes[number])
            found.append(None if passing.mask is None else np.asarray(passing.mask.any(axis=world)))
        return tuple(found)

    @cached_property
    def _needed(self) -> tuple[tuple[int, ...], ...]:
        """Which places of a point its filter looks at, by block."""
        return tuple(
            tuple(place for place, axis in enumerate(axes) if axis in passing.axes)
            for axes, passing in zip(self._axes, self._passing, strict=True)
        )

    def passes(self, point: Point) -> bool:
        """Return whether the point stands in any scenario."""
        mask = self._masks[point.block]
        if mask is not None:
            return bool(mask[tuple(point.places[place] for place in self._needed[point.block])])
        if point not in self._known:
            axes: Mapping[int, int] = dict(zip(self._axes[point.block], point.places, strict=True))
            self._known[point] = self._passing[point.block].at(axes)
        return self._known[point]

    def scenarios(self, point: Point) -> int | None:
        """Return in how many scenarios a point stands; None where only some can be looked at."""
        passing, block = self._passing[point.block], self.levers.space.blocks[point.block]
        if passing.mask is None:
            return None
        places = dict(zip(self._axes[point.block], point.places, strict=True))
        found = int(passing.mask[tuple(places.get(at, slice(None)) for at in passing.axes)].sum())
        free = [axis.size for at, axis in enumerate(block.axes) if at not in passing.axes and at not in places]
        return found * int(np.prod(free, dtype=np.int64))

    @cached_property
    def size(self) -> int | None:
        """Number of points that pass; None where only some can be looked at."""
        total = 0
        for mask, block in zip(self._masks, self.levers.space.blocks, strict=True):
            if mask is None:
                return None
            shape = [axis.size for axis in self.levers.lever_axes(block)]
            total += int(mask.sum()) * int(np.prod(shape, dtype=object)) // mask.size
        return total

    def draw(self, random: np.random.Generator) -> Point:
        """Return a random point that passes: each block equally often, each point of it equally likely.

        Raises ``StudyError`` when none is found.
        """
        blocks = [number for number, mask in enumerate(self._masks) if mask is None or mask.any()]
        for _ in range(MOST_DRAWS if blocks else 0):
            number = blocks[int(random.integers(len(blocks)))]
            axes = self.levers.lever_axes(self.levers.space.blocks[number])
            places = [int(random.integers(axis.size)) for axis in axes]
            mask = self._masks[number]
            if mask is not None:
                chosen = np.flatnonzero(mask)[int(random.integers(int(mask.sum())))]
                for place, at in zip(self._needed[number], np.unravel_index(chosen, mask.shape), strict=True):
                    places[place] = int(at)
            point = Point(number, tuple(places))
            if mask is not None or self.passes(point):
                return point
        study = self.levers.study
        conditions = " and ".join(condition.text for condition in study.where)
        message = f"leaves no combination of levers among {MOST_DRAWS:,} drawn; loosen {conditions}"
        raise StudyError.at(message, study.places["where"], "where")
