"""``supernode plan``: what a study would do, before it does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sweep.cli.find import find_study, study_argument
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.settings import common_options, json_option, opened, set_option, settings
from sweep.text import Table, duration, number, size

if TYPE_CHECKING:
    import pyarrow as pa

    from sweep.counting import Count
    from sweep.plan import Plan


SHOWN_ROWS = 3


@click.command()
@study_argument
@set_option
@json_option
@common_options
def plan(*, study: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Say what a study would do: designs, rows after where, parts, bytes, time, and its first rows.

    STUDY is a file or the name of a shipped study. Nothing is written and Ray is not started; time and bytes come from
    a short calibration on this machine.
    """
    path = find_study(study)
    from sweep.plan import plan as plan_study  # noqa: PLC0415 - NumPy, Arrow, pydantic, pint

    planned = plan_study(*opened(path, overrides))
    if as_json:
        answer_json(planned.as_dict())
        return
    answer_table(_summary(planned))
    answer()
    answer_table(_first_rows(planned.first_rows.slice(0, SHOWN_ROWS)))
    answer()
    options = [f" --catalogue {folder}" for folder in settings().catalogue]
    options += [f" --set {override!r}" for override in overrides]
    answer(f"Next: supernode run {study}{''.join(options)}")


def _summary(planned: Plan) -> Table:
    kept = "as many as the front has" if planned.kept is None else f"at most {planned.kept:,}"
    calibration = planned.calibration
    rows = [
        ("study", planned.study, ""),
        ("designs", f"{planned.designs:,}", "before where"),
        ("rows", _count(planned.rows), "after where"),
        ("rows kept", kept, "under keep"),
        ("columns", f"{planned.columns}", ""),
        ("mapping searches", f"{planned.cells:,}", "combinations of structural quantities"),
        ("parts", f"{planned.chunks:,}", "one task each"),
        ("size", size(planned.bytes), f"estimate, {calibration.bytes_per_row:.3g} bytes per row"),
        ("time", duration(planned.seconds()), f"estimate for {planned.cores} cores, without starting Ray"),
        ("core time", duration(planned.core_seconds), f"from {calibration.pieces} pieces computed here"),
    ]
    for system, names in planned.unknown.items():
        rows.append(("not known", f"{', '.join(names)} of {system}", "what needs them stays empty; set them in facts"))
    return Table("", ("what", "value", "remark"), [*rows])


def _count(rows: Count) -> str:
    if rows.exact:
        return f"{rows.rows:,}"
    return f"about {rows.rows:,} (sampled; between {rows.low:,} and {rows.high:,} with 95 % confidence)"


def _first_rows(rows: pa.Table) -> Table:
    """Return the first rows on their side: one line per column, with its unit."""
    table = Table("first rows", ("column", "unit", *(f"row {place}>" for place in range(1, rows.num_rows + 1))))
    for field, column in zip(rows.schema, rows.columns, strict=True):
        unit = (field.metadata or {}).get(b"unit", b"").decode()
        table.rows.append((field.name, unit, *(number(value) for value in column.to_pylist())))
    return table
