"""Tables of columns: frozen dataclasses whose fields are arrays of one length, or dataclasses of such arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Table = TypeVar("Table")


def map_columns(table: Table, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Table:
    """Return the table with every column changed by ``change``; nested tables and tuples of tables included."""
    changed: dict[str, Any] = {}
    for field in fields(table):  # type: ignore[arg-type]  # a dataclass by contract, which typing cannot say
        value = getattr(table, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = change(value)
        elif isinstance(value, tuple):
            changed[field.name] = tuple(map_columns(item, change) for item in value)
        elif is_dataclass(value):
            changed[field.name] = map_columns(value, change)
    return replace(table, **changed)  # type: ignore[type-var]  # as above


def rows(table: Table, selection: NDArray[Any] | slice) -> Table:
    """Return the rows of a table that ``selection`` (mask, indices of any shape, or slice) picks."""
    return map_columns(table, lambda column: column[selection])


def columns(table: object) -> Iterator[NDArray[Any]]:
    """Yield every column of a table, those of nested tables included."""
    for field in fields(table):  # type: ignore[arg-type]  # as above
        value = getattr(table, field.name)
        if isinstance(value, np.ndarray):
            yield value
        elif is_dataclass(value):
            yield from columns(value)


def stack(tables: Sequence[Table], axis: int = 0) -> Table:
    """Return one table with the rows of all tables along an axis, in order.

    Flags are joined by "or"; what is neither a column nor a flag comes from the first table.
    """
    first = tables[0]
    joined: dict[str, Any] = {}
    for field in fields(first):  # type: ignore[arg-type]  # as above
        values = [getattr(table, field.name) for table in tables]
        if isinstance(values[0], np.ndarray):
            joined[field.name] = np.concatenate(values, axis=axis)
        elif isinstance(values[0], tuple):
            joined[field.name] = tuple(stack(part, axis) for part in zip(*values, strict=True))
        elif is_dataclass(values[0]):
            joined[field.name] = stack(values, axis)
        elif isinstance(values[0], bool):
            joined[field.name] = any(values)
    return replace(first, **joined)  # type: ignore[type-var]  # as above
