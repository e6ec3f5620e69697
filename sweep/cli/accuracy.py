"""``supernode accuracy``: predicted against measured step times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.accuracy.choices import BY, IN_SAMPLE, SPLITS, WITHOUT_SOURCE
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.settings import common_options, json_option, settings, talk

if TYPE_CHECKING:
    from sweep.accuracy.assess import Assessment

PUBLISHED, OWN = WITHOUT_SOURCE, IN_SAMPLE
"""Split that is shown of the published runs, and of a user's file: runs that the constants do not know either way."""


@click.command()
@click.option(
    "--split", type=click.Choice(SPLITS), default=None,
    help=f"What the constants of the model were fitted to: all runs, all but those of the same family of sources, or "
    f"all but those on the same chip; {PUBLISHED} when not given, with --file {OWN}.",
)  # fmt: skip
@click.option(
    "--file", "own", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="CSV",
    help="Your own runs, in the columns of configs/measurements/training.csv, instead of the published ones.",
)  # fmt: skip
@click.option("--by", type=click.Choice(BY), default="tier", show_default=True, help="What the errors are grouped by.")
@click.option("--rows", is_flag=True, help="Show every run: measured, predicted, error and parts of the step.")
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write predicted against measured as a picture as well: FILE.svg or FILE.png.",
)  # fmt: skip
@json_option
@common_options
def accuracy(*, split: str | None, own: Path | None, by: str, rows: bool, plot: Path | None, as_json: bool) -> None:
    """Predict every measured training run and say how far off the model is.

    An error is that of the step time; where a run does not state its mapping in full the model gives a range, and the
    error is the distance to it. Without --split and --file it begins with the figures the model is held to.
    """
    from sweep.accuracy.assess import assess, assess_file  # noqa: PLC0415 - NumPy, pydantic, pint

    shown = split or (OWN if own else PUBLISHED)
    if plot is not None:
        from sweep.accuracy.plot import check_format  # noqa: PLC0415

        check_format(plot)
    catalogue = settings().load_catalogue()
    if own is not None:
        found = assess_file(own, catalogue, shown)
    else:
        found = assess(catalogue) if split is None else assess(catalogue, [split])
    if as_json:
        _print_json(found, shown, by, rows=rows)
    else:
        _print(found, shown, by, rows=rows)
    if plot is not None:
        from sweep.accuracy.plot import parity_plot  # noqa: PLC0415

        parity_plot(found.splits[shown], found.tiers, f"Step times, {shown}", plot)
        talk(f"wrote {plot}")


def _print(found: Assessment, split: str, by: str, *, rows: bool) -> None:
    from sweep.accuracy import report  # noqa: PLC0415

    predictions = found.splits[split]
    tables = [report.figures_table(found.figures)] if found.figures else []
    tables.append(report.statistics_table(predictions, found.tiers, by, split))
    if rows:
        tables.append(report.rows_table(predictions, found.tiers, f"runs, {split}"))
    else:
        tables.append(report.worst_table(predictions, found.tiers, split))
    tables.append(report.left_out_table(found.left_out))
    for place, table in enumerate(tables):
        if place:
            answer()
        answer_table(table)


def _print_json(found: Assessment, split: str, by: str, *, rows: bool) -> None:
    from sweep.accuracy import report  # noqa: PLC0415

    predictions = found.splits[split]
    data = {
        "split": split,
        "figures": report.figure_data(found.figures),
        **report.group_data(predictions, found.tiers, by),
        "left_out": report.left_out_data(found.left_out),
    }
    answer_json({**data, "rows": report.row_data(predictions, found.tiers)} if rows else data)
