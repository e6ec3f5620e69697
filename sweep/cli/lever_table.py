"""Which levers of a design are columns of a table, and which are said below it: a table stays as wide as a screen.

A lever that is the same in every design of the study, and quantities that move with another one, need no column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sweep.text import number, with_unit

if TYPE_CHECKING:
    from sweep.search.points import LeverSpace
    from sweep.space import Axis, Value

MANY = 1000
"""Values of a lever that are looked at to find whether there are several."""

Row = Mapping[str, "Value"]


def columns_of(levers: LeverSpace, rows: Sequence[Row]) -> tuple[list[str], str]:
    """Return the levers that are columns, and the note that says the others; rows hold levers by column."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    fixed = [name for name in names if _is_fixed(levers, name)]
    heads = {name: head for name, head in _followers(levers).items() if name in names and name not in fixed}
    lines = [f"In every design: {', '.join(_said(name, rows[0][name]) for name in fixed)}."] if fixed and rows else []
    for head in dict.fromkeys(heads.values()):
        followers = [name for name, other in heads.items() if other == head]
        seen = {row[head]: row for row in rows if head in row}
        said = (f"{number(value)}: {', '.join(_said(name, row[name]) for name in followers)}"
                for value, row in seen.items())  # fmt: skip
        lines.append(f"With {head} {'; '.join(said)}.")
    return [name for name in names if name not in fixed and name not in heads], "\n".join(lines)


def _columns(axis: Axis) -> dict[str, str]:
    """Return the column of each quantity of an axis."""
    from sweep.dataset.columns import TIMES  # noqa: PLC0415 - Arrow

    return {name: name + TIMES if name in axis.times else name for name in axis.names}


def _is_fixed(levers: LeverSpace, column: str) -> bool:
    """Whether a lever has one value in the whole study."""
    values: set[Value] = set()
    for block in levers.space.blocks:
        values |= {block.constants[column]} if column in block.constants else set()
        for axis in levers.lever_axes(block):
            found = [name for name, known in _columns(axis).items() if known == column]
            values |= {value for name in found for value in axis.values(name, 0, min(axis.size, MANY)).tolist()}
    return len(values) == 1


def _followers(levers: LeverSpace) -> dict[str, str]:
    """Return of each column that moves with another one which that is: the first whose values are all different.

    Systems may move with anything; they stay columns, and so does what is not told by one quantity in every block.
    """
    found: dict[str, str] = {}
    for block in levers.space.blocks:
        for axis in levers.lever_axes(block):
            columns = _columns(axis)
            if len(columns) < 2 or "system" in columns:
                continue
            told = [name for name in axis.names if len(set(axis.values(name, 0, axis.size).tolist())) == axis.size]
            found |= {columns[name]: columns[told[0]] for name in axis.names if told and name != told[0]}
    return found


def _said(column: str, value: Value) -> str:
    from models.quantities import quantities  # noqa: PLC0415
    from sweep.dataset.columns import TIMES  # noqa: PLC0415 - Arrow

    if column.endswith(TIMES):
        return f"{column.removesuffix(TIMES)} x {number(value)}"
    quantity = quantities().get(column)
    return f"{column} {with_unit(value, quantity.unit if quantity else '')}"
