"""``supernode explain``: every number of one design, from the facts to the results."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweep.cli.find import find_study, study_argument
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.settings import common_options, json_option, opened
from sweep.text import Table, number, with_unit

if TYPE_CHECKING:
    from sweep.explain import Explanation, Input, Move

DIGITS = 6


@click.command()
@study_argument
@click.option(
    "--design", type=click.IntRange(min=0), required=True, metavar="ID", help="Id of the design, as in a run."
)
@click.option(
    "--set", "changes", multiple=True, metavar="NAME=VALUE",
    help="Give the design another value, such as --set 'scale_up_bandwidth=300 GB/s', and see what moves; repeatable.",
)  # fmt: skip
@click.option(
    "--draw", type=click.IntRange(min=0), metavar="N",
    help="In this draw of the study's uncertain inputs; at their nominal values without.",
)  # fmt: skip
@json_option
@common_options
def explain(*, study: str, design: int, changes: tuple[str, ...], draw: int | None, as_json: bool) -> None:
    """Print one design from its facts to its results, with the source of each.

    STUDY is a file or the name of a shipped study. Inputs come with unit, origin and source, results with unit and the
    module that computes them; the numbers are those of the design's row in a run. With --set the design is computed
    twice, and what moved is shown before and after.
    """
    path = find_study(study)
    from sweep import explain as engine  # noqa: PLC0415 - NumPy, pydantic, pint

    loaded, catalogue = opened(path, ())
    before = engine.explain(loaded, catalogue, design, (), draw)
    if not changes:
        if as_json:
            answer_json(asdict(before))
        else:
            _print(before)
        return
    after = engine.explain(loaded, catalogue, design, changes, draw)
    inputs, results = engine.moved(before, after)
    if as_json:
        moves: dict[str, Any] = {"inputs": inputs, "results": results}
        listed = {key: [asdict(move) for move in found] for key, found in moves.items()}
        answer_json({"before": asdict(before), "after": asdict(after), "moved": listed})
        return
    answer(_title(before))
    for title, found in (("inputs that moved", inputs), ("results that moved", results)):
        answer()
        answer_table(_moves(title, found))


def _title(chain: Explanation) -> str:
    times = {each.name for each in chain.inputs if each.kind == "times"}
    chosen = ", ".join(
        f"{name} {'x' if name in times else '='} {number(value)}" for name, value in chain.choices.items()
    )
    return f"{chain.study}, design {chain.design}: {chosen}"


def _print(chain: Explanation) -> None:
    answer(_title(chain))
    for group, found in groupby(chain.inputs, key=lambda each: each.group):
        answer()
        answer_table(_inputs(group, [*found]))
    for step in chain.steps:
        table = Table(f"{step.module}: {step.summary}", ("result", "value>", "unit", "meaning"))
        table.rows += [(each.name, number(each.value, DIGITS), each.unit, each.description) for each in step.outputs]
        answer()
        answer_table(table)
    if chain.conditions:
        rows = [(each.key, each.text, "yes" if each.holds else "no") for each in chain.conditions]
        answer()
        answer_table(Table("conditions of the study", ("key", "condition", "holds"), [*rows]))


def _inputs(group: str, found: list[Input]) -> Table:
    table = Table(f"inputs: {group}", ("quantity", "value>", "unit", "origin", "place", "confidence", "source"))
    for each in found:
        origin = f"{each.kind}: {each.text}" if each.text else each.kind
        value = number(each.value, DIGITS)
        table.rows.append((each.name, value, each.unit, origin, short(each.where), each.confidence, each.source))
    return table


def short(where: str) -> str:
    """Return a place without the folders that the reader knows: the working folder, or that of the catalogue."""
    from sweep.paths import configs_dir  # noqa: PLC0415

    for known in (Path.cwd(), configs_dir().parent):
        where = where.removeprefix(f"{known}/")
    return where


def _moves(title: str, found: tuple[Move, ...]) -> Table:
    table = Table(title if found else f"{title}: none", ("quantity", "before>", "after>", "change>"))
    for move in found:
        change = "-" if move.change is None else f"{100 * move.change:+.2f} %"
        table.rows.append((move.name, with_unit(move.before, move.unit), with_unit(move.after, move.unit), change))
    return table
