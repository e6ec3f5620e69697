"""Numbers, units and tables as people read them; who prints them is not known here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise


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


def markdown(table: Table) -> list[str]:
    """Return a table as lines of Markdown."""
    rules = ["---:" if column.endswith(">") else "---" for column in table.columns]
    rows = [[column.rstrip(">") for column in table.columns], rules, *table.rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
