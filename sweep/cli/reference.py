"""Write the reference pages from their sources: ``python -m sweep.cli.reference [FOLDER]``.

``cli.md`` is the ``--help`` of every verb, ``quantities.md`` the quantity table, ``prices.md`` counts the prices of the
catalogue by year. A test compares them with the files in ``docs/``.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

import click

from models.quantities import Quantity, quantities
from sweep.cli.app import VERBS, cli
from sweep.cli.price_page import price_page

WIDTH = 110
WRITTEN = "<!-- Written by `python -m sweep.cli.reference`; change the source, not this file. -->"


QUANTITIES = (
    "Names, units and bounds of every input and output. A study may set levers, scenarios, facts and solved quantities;"
    " metrics are outputs. Solved quantities are chosen by the model unless a study fixes them. *Structural* quantities"
    " change the set of legal mappings and are looped over; all others broadcast."
)


def command_line() -> str:
    """Return the page of the command line: the help of the group, then of each verb."""
    group = click.Context(cli, info_name="supernode", terminal_width=WIDTH, **cli.context_settings)
    parts = ["# Command line", "", WRITTEN, "", *_help(group)]
    for verb in VERBS:
        command = cli.get_command(group, verb)
        assert command is not None
        parts += [f"## supernode {verb}", "", *_help(click.Context(command, parent=group, info_name=verb))]
    return "\n".join(parts).rstrip() + "\n"


def _help(context: click.Context) -> list[str]:
    return ["```text", context.get_help(), "```", ""]


def quantity_table() -> str:
    """Return the page of the quantities: one table per group, in the order of the source."""
    parts = [
        "# Quantities",
        "",
        WRITTEN,
        "",
        QUANTITIES,
        "",
    ]
    for group, rows in groupby(quantities().values(), key=lambda row: row.group):
        parts += [f"## {group.capitalize()}", "", "| name | role | unit | default | range | description |"]
        parts += ["| --- | --- | --- | --- | --- | --- |", *(_row(row) for row in rows), ""]
    return "\n".join(parts).rstrip() + "\n"


def _row(row: Quantity) -> str:
    role = f"{row.role}, structural" if row.structural else row.role
    kind = row.unit or ("text" if row.dtype == "text" else "")
    default = "" if row.default is None else row.default if isinstance(row.default, str) else f"{row.default:g}"
    cells = (f"`{row.name}`", role, kind, default, bounds(row), row.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def bounds(row: Quantity) -> str:
    """Return the allowed range of a quantity as text: ``0 to 1``, ``from 0``, ``0 to <1``; empty when it has none."""
    low = None if row.minimum is None else f"{'>' if row.minimum_excluded else ''}{row.minimum:g}"
    high = None if row.maximum is None else f"{'<' if row.maximum_excluded else ''}{row.maximum:g}"
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"from {low}" if low is not None else f"to {high}" if high is not None else ""


def prices() -> str:
    """Return the page of prices."""
    return f"# Prices: currency and year\n\n{WRITTEN}\n\n{price_page()}"


PAGES = {"cli.md": command_line, "quantities.md": quantity_table, "prices.md": prices}


def main(arguments: list[str]) -> int:
    """Write the pages into a folder, ``docs`` when none is given; with ``--check`` say which are out of date."""
    check = "--check" in arguments
    names = [argument for argument in arguments if argument != "--check"]
    folder = Path(names[0]) if names else Path("docs")
    stale = [name for name, page in PAGES.items() if check and (folder / name).read_text(encoding="utf-8") != page()]
    for name, page in PAGES.items():
        if not check:
            (folder / name).write_text(page(), encoding="utf-8")
    for name in stale:
        sys.stderr.write(f"{folder / name} is out of date; write it anew with: python -m sweep.cli.reference\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
