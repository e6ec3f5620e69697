"""Answers on stdout: tables (drawn on a terminal, aligned text in a pipe), lines, and JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import click

from sweep.text import Table, aligned

LONG = 30
"""Longest source that a terminal's table holds in its own cell."""


def terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def answer(text: str = "") -> None:
    """Write a line of the answer to stdout."""
    click.echo(text)


def answer_json(data: Any) -> None:
    """Write the answer as JSON; NaN and infinities become null."""
    click.echo(json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str | bool | int) or value is None:
        return value
    if hasattr(value, "tolist"):  # a NumPy array or scalar
        return plain(value.tolist())
    return [plain(item) for item in value] if isinstance(value, Iterable) else str(value)


def answer_table(table: Table) -> None:
    """Write one table: with rules and wrapped cells on a terminal, one line per row in a pipe."""
    if terminal():
        _drawn(table)
        return
    if table.title:
        answer(table.title)
    for line in aligned(table):
        answer(line)
    if table.note:
        answer(table.note)


def footnoted(table: Table, column: str = "source") -> tuple[list[Sequence[str]], list[str]]:
    """Return the rows with long cells of one column as ``[1]``, ``[2]`` ..., and the texts they stand for."""
    if column not in table.columns:
        return table.rows, []
    place = [*table.columns].index(column)
    notes: dict[str, str] = {}
    rows: list[Sequence[str]] = []
    for row in table.rows:
        text = row[place]
        if len(text) > LONG:
            text = notes.setdefault(text, f"[{len(notes) + 1}]")
        rows.append((*row[:place], text, *row[place + 1 :]))
    return rows, [f"{mark} {text}" for text, mark in notes.items()]


def _drawn(table: Table) -> None:
    from rich import box  # noqa: PLC0415 - only a terminal needs rich
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as Drawing  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    rows, notes = footnoted(table)
    drawing = Drawing(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(table.columns):
        header = Text(column.rstrip(">").replace("_", " "))  # words that can be wrapped; [kW] is no markup
        whole = place == 0 and 2 * max((len(row[0]) for row in rows), default=0) < console.width  # names can be copied
        justify: Literal["left", "right"] = "right" if column.endswith(">") else "left"
        drawing.add_column(header, justify=justify, overflow="fold", no_wrap=whole)
    for row in rows:
        drawing.add_row(*(Text(cell) for cell in row))
    if table.title:
        console.print(Text(table.title, style="bold"), soft_wrap=True)
    console.print(drawing)
    for line in (*notes, *([table.note] if table.note else ())):
        console.print(Text(line), soft_wrap=True)  # an address stays in one piece
