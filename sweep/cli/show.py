"""``supernode show``: the catalogue, the studies and the quantity table, every number with its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from sweep.cli.find import complete_entry, find_study, shipped_studies
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.settings import common_options, json_option, settings
from sweep.errors import StudyError, nearest
from sweep.text import Table

if TYPE_CHECKING:
    from models.quantities import Quantity
    from sweep.catalogue import Catalogue

KINDS = {
    "chips": "accelerators, per package",
    "systems": "a chip with its host and scale-up domain",
    "fabrics": "scale-up and scale-out networks",
    "workloads": "model shapes",
    "regions": "places: power price, climate, building",
    "prices": "parts, staff and exchange rates",
    "calibration": "measured efficiencies of chips and networks",
    "defaults": "what is assumed when nothing better is known",
    "studies": "studies that come with the package",
    "quantities": "names, units and bounds of all inputs and outputs",
}


QUANTITIES_NEXT = "Group and range as well: supernode show quantities NAME"


def _complete_kind(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    return [CompletionItem(kind, help=what) for kind, what in KINDS.items() if kind.startswith(incomplete)]


@click.command()
@click.argument("kind", required=False, shell_complete=_complete_kind)
@click.argument("name", required=False, shell_complete=complete_entry)
@json_option
@common_options
def show(*, kind: str | None, name: str | None, as_json: bool) -> None:
    """Show the catalogue: every number with unit, source, date, confidence and alternatives.

    KIND is chips, systems, fabrics, workloads, regions, prices, calibration, defaults, studies or quantities; NAME one
    of its entries. Without NAME the entries are listed, without KIND the kinds. A system also shows what one domain of
    it adds up to: computing power, memory, bandwidth and bill of materials.
    """
    if kind is None:
        _kinds(as_json=as_json)
    elif kind not in KINDS:
        raise click.UsageError(f"there is no kind {kind!r}{nearest(kind, KINDS, limit=len(KINDS))}")
    elif kind == "quantities":
        _quantities(name, as_json=as_json)
    elif kind == "studies":
        _studies(name, as_json=as_json)
    else:
        _catalogue(settings().load_catalogue(), kind, name, as_json=as_json)


def _kinds(*, as_json: bool) -> None:
    if as_json:
        answer_json(KINDS)
        return
    answer_table(Table("", ("kind", "what it holds"), [*KINDS.items()], "Next: supernode show KIND [NAME]"))


def _catalogue(catalogue: Catalogue, kind: str, name: str | None, *, as_json: bool) -> None:
    from sweep.cli import entries, totals  # noqa: PLC0415 - pint

    if name is None:
        found = [catalogue.entry(kind, each) for each in catalogue.names(kind)]
        if as_json:
            answer_json([entries.as_data(entry) for entry in found])
        else:
            answer_table(entries.overview(kind, found))
        return
    entry = catalogue.entry(kind, name)
    sums = totals.totals(catalogue, name) if kind == "systems" else []
    if as_json:
        answer_json(entries.as_data(entry) | ({"totals": sums} if sums else {}))
        return
    for line in entries.heading(entry):
        answer(line)
    for table in [*entries.tables(entry), *([totals.table(sums)] if sums else [])]:
        answer()
        answer_table(table)


def _quantities(name: str | None, *, as_json: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from models.quantities import quantities  # noqa: PLC0415

    table = quantities()
    if name is not None and name not in table:
        raise StudyError.at(f"{name} is no quantity{nearest(name, table)}")
    rows = [*table.values()] if name is None else [table[name]]
    if as_json:
        answer_json([asdict(row) for row in rows] if name is None else asdict(rows[0]))
        return
    if name is not None:
        answer_table(Table("", ("what", "value"), [*_quantity(rows[0])]))
        return
    cells = [(row.name, row.role, row.unit, _default(row), row.description) for row in rows]
    answer_table(Table("", ("quantity", "role", "unit", "default>", "description"), [*cells], QUANTITIES_NEXT))


def _default(row: Quantity) -> str:
    return "" if row.default is None else str(row.default)


def _quantity(row: Quantity) -> Iterator[tuple[str, str]]:
    """Yield all that the table says of one quantity."""
    from sweep.cli.reference import bounds  # noqa: PLC0415

    yield "quantity", row.name
    yield "description", row.description
    yield "group", row.group
    yield "role", f"{row.role}, structural" if row.structural else row.role
    yield "unit", row.unit or ("a word" if row.dtype == "text" else "a pure number")
    yield "default", _default(row)
    yield "range", bounds(row)


def study_rows(studies: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Return name, question and file of studies; a file that cannot be read says so as its question."""
    from sweep.yaml_source import read_yaml  # noqa: PLC0415 - ruamel

    rows = []
    for name, path in studies.items():
        try:
            question = str(read_yaml(path).data.get("question", ""))
        except StudyError as error:
            question = f"cannot be read: {error}"
        rows.append({"name": name, "question": question, "file": str(path)})
    return rows


def _studies(name: str | None, *, as_json: bool) -> None:
    if name is None:
        rows = study_rows(shipped_studies())
        if as_json:
            answer_json(rows)
        else:
            cells = [(row["name"], row["question"]) for row in rows]
            answer_table(Table("", ("study", "question"), [*cells], "Next: supernode plan STUDY"))
        return
    path = find_study(name)
    if as_json:
        from sweep.yaml_source import read_yaml  # noqa: PLC0415

        answer_json({"name": name, "file": path, "study": read_yaml(path).data})
    else:
        answer(path.read_text(encoding="utf-8").rstrip("\n"))
