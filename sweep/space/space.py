"""A space: blocks one after the other. A design's id is its number in the space before ``where`` drops any."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sweep.errors import StudyError, nearest
from sweep.space.axes import Value
from sweep.space.block import Block

MAX_SIZE = 2**63 - 1


@dataclass(frozen=True)
class Space:
    """Blocks in order, each knowing the id of its first design. Build it with ``Space.of``."""

    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> Space:
        """Return the space of these blocks with their offsets set. Raises ``StudyError`` if ids do not fit 64 bits."""
        placed: list[Block] = []
        offset = 0
        for block in blocks:
            placed.append(replace(block, offset=offset))
            offset += block.size
        if not placed:
            raise StudyError.at("the study spans no design: give at least one lever or scenario")
        if offset > MAX_SIZE:
            raise StudyError.at(f"the study spans {offset:.3g} designs, ids end at {MAX_SIZE:.3g}; use fewer values")
        return cls(tuple(placed))

    @property
    def size(self) -> int:
        """Number of designs before ``where``."""
        last = self.blocks[-1]
        return last.offset + last.size

    def locate(self, design_id: int) -> tuple[Block, int]:
        """Return the block of a design and its number within it. Raises ``StudyError`` outside the space."""
        if not 0 <= design_id < self.size:
            raise StudyError.at(f"design {design_id} does not exist: ids run from 0 to {self.size - 1}")
        place = bisect_right(self.blocks, design_id, key=lambda block: block.offset) - 1
        block = self.blocks[place]
        return block, design_id - block.offset

    def design(self, design_id: int) -> dict[str, Value]:
        """Return constants and axis values of a design [human units; multipliers for ``times`` axes]."""
        block, local = self.locate(design_id)
        return block.design(local)

    def id_of(self, design: Mapping[str, Value]) -> int:
        """Return the id of a design; the lowest when several blocks hold it.

        Values must be exactly those of the axes; a sampled design is found by the index of its sample. Raises
        ``StudyError`` when there is no such design.
        """
        for block in self.blocks:
            local = block.find(design)
            if local is not None:
                return block.offset + local
        raise StudyError.at(self._why_missing(design))

    def _why_missing(self, design: Mapping[str, Value]) -> str:
        known = {name for block in self.blocks for name in (*block.names, *block.constants)}
        unknown = [name for name in design if name not in known]
        if unknown:
            return f"{unknown[0]} is no axis of this study{nearest(unknown[0], known)}"
        needed = [{name for axis in block.axes for name in axis.key - set(design)} for block in self.blocks]
        missing = min(needed, key=len)
        if missing:
            return f"the design needs a value for {', '.join(sorted(missing))}"
        return "no design of this study has " + ", ".join(_refused(self.blocks, design))


def _refused(blocks: Iterable[Block], design: Mapping[str, Value]) -> Iterator[str]:
    """Yield the values that no block holds, or all of them when only their combination is missing."""
    pairs = {name: f"{name} = {value}" for name, value in design.items()}
    fitting = {name for block in blocks for name, value in block.constants.items() if design.get(name, value) == value}
    for block in blocks:
        for axis in block.axes:
            if axis.key <= set(design) and axis.find(design) is not None:
                fitting |= set(axis.names)
    refused = [text for name, text in pairs.items() if name not in fitting]
    yield from refused or pairs.values()
