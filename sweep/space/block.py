"""A block: the product of axes, numbered by mixed-radix arithmetic."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sweep.errors import StudyError, nearest
from sweep.space.axes import Axis, Value
from sweep.space.sampling import SampleAxis


def arrange(axes: Iterable[Axis], partition: Collection[str], structural: Collection[str]) -> tuple[Axis, ...]:
    """Return axes in the order of a block: partition axes, structural ones, numeric ones, each in study order.

    An axis with several names belongs to the first of these that any of its names belongs to.
    """

    def rank(axis: Axis) -> int:
        if any(name in partition for name in axis.names):
            return 0
        return 1 if any(name in structural for name in axis.names) else 2

    return tuple(sorted(axes, key=rank))


@dataclass(frozen=True)
class Block:
    """A product of axes with some quantities held constant; the last axis runs fastest.

    ``constants`` are in human units as axis values are. ``offset`` is the id of the first design. ``partition`` names
    the quantities that a part file never mixes; their axes come first (see ``arrange``).
    """

    axes: tuple[Axis, ...]
    constants: Mapping[str, Value] = field(default_factory=dict)
    offset: int = 0
    partition: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [*self.constants, *(name for axis in self.axes for name in axis.names)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StudyError.at(f"{', '.join(twice)} is set twice in one block; keep one")
        for name in self.partition:
            if name not in names:
                raise StudyError.at(f"partition: {name} is neither an axis nor a constant{nearest(name, names)}")
        for axis in self.axes[: self.partition_axes]:
            if isinstance(axis, SampleAxis):
                sampled = ", ".join(name for name in axis.names if name in self.partition)
                raise StudyError.at(f"partition: {sampled} is sampled, so each row could be its own part; leave it out")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all axes, in axis order."""
        return tuple(name for axis in self.axes for name in axis.names)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return tuple(axis.size for axis in self.axes)

    @cached_property
    def size(self) -> int:
        """Number of designs before ``where``."""
        return math.prod(self.shape)

    @cached_property
    def partition_axes(self) -> int:
        """Number of leading axes that stay constant within a part file."""
        marked = [place for place, axis in enumerate(self.axes) if not set(axis.names).isdisjoint(self.partition)]
        return marked[-1] + 1 if marked else 0

    def indices(self, local: int) -> tuple[int, ...]:
        """Return the point on each axis of the design number ``local`` of this block."""
        places: list[int] = []
        for size in reversed(self.shape):
            local, place = divmod(local, size)
            places.append(place)
        return tuple(reversed(places))

    def number(self, indices: Sequence[int]) -> int:
        """Return the number within this block of the design at one point of each axis."""
        local = 0
        for place, size in zip(indices, self.shape, strict=True):
            local = local * size + place
        return local

    def design(self, local: int) -> dict[str, Value]:
        """Return constants and axis values [human units] of the design number ``local`` of this block."""
        points = zip(self.axes, self.indices(local), strict=True)
        return dict(self.constants) | {name: axis.value(name, place) for axis, place in points for name in axis.names}

    def words(self, name: str) -> list[str]:
        """Return every value of a text quantity, each once; nothing when the block does not say."""
        if name in self.constants:
            return [str(self.constants[name])]
        found = [axis for axis in self.axes if name in axis.names]
        return list(dict.fromkeys(str(word) for axis in found for word in axis.values(name, 0, axis.size).tolist()))

    def find(self, design: Mapping[str, Value]) -> int | None:
        """Return the number within this block of a design, or None when this block does not hold it.

        Every axis must be given, except that the index of a sample axis stands for the quantities sampled on it.
        Constants may be left out.
        """
        if not set(design) <= {*self.names, *self.constants}:
            return None
        if any(design.get(name, value) != value for name, value in self.constants.items()):
            return None
        places = [axis.find(design) if axis.key <= set(design) else None for axis in self.axes]
        known = [place for place in places if place is not None]
        return self.number(known) if len(known) == len(places) else None
