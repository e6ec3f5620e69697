"""Answers on stdout: tables (drawn on a terminal, aligned text in a pipe), lines, and JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import click

LONG = 30
"""Longest source that a terminal's table holds in its own cell."""


@dataclass(slots=True)
class Table:
    """A table of text cells; columns whose header ends in ``>`` are right-aligned."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    note: str = ""


def number(value: float | str | None, digits: int = 6) -> str:
    """Return a value as people read it: ``271.8``, ``1,229``, ``6.1e+12``; unknown is ``-``."""
    if value is None or isinstance(value, str):
        return value or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-4:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def with_unit(value: float | str | None, unit: str) -> str:
    """Return ``"3.35 TB/s"``; an unknown value stays ``-``, a pure number has no unit."""
    shown = number(value)
    return f"{shown} {unit}" if unit and shown != "-" else shown


def size(count: float) -> str:
    """Return a number of bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if abs(count) < 1000 or unit == "PB":
            break
        count /= 1000
    return f"{count:.3g} {unit}"


def duration(seconds: float) -> str:
    """Return a time span in the two largest units that matter."""
    if not math.isfinite(seconds):
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for (unit, length), (lesser, part) in pairwise((("d", 86400), ("h", 3600), ("min", 60), ("s", 1))):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {lesser}"
    return f"{whole} s"


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


def aligned(table: Table) -> list[str]:
    """Return the header and the rows as lines of aligned columns, two spaces apart."""
    headers = [column.rstrip(">") for column in table.columns]
    cells = [headers, *(["-" if cell == "" else cell for cell in row] for row in table.rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(headers))]
    rights = [column.endswith(">") for column in table.columns]
    lines = []
    for row in cells:
        parts = zip(row, widths, rights, strict=True)
        lines.append("  ".join(f"{c:>{w}}" if right else f"{c:<{w}}" for c, w, right in parts).rstrip())
    return lines


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
