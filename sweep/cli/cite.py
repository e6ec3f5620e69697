"""``supernode cite``: the sources of the facts that a run used."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sweep.cli.find import read_run, run_argument
from sweep.cli.output import answer, answer_json
from sweep.cli.settings import common_options, talk

if TYPE_CHECKING:
    from sweep.cite import Citation

COLUMNS = ("key", "kind", "identifier", "url", "date", "confidences", "unverified", "texts", "facts")


@click.command()
@run_argument
@click.option(
    "--format", "form", type=click.Choice(["bibtex", "csv", "json"]), default="bibtex", show_default=True,
    help="Form of the bibliography.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@common_options
def cite(*, run: str | None, form: str, as_json: bool) -> None:
    """Print the sources of the facts that a run used, each once.

    RUN is a folder, or the name of a study for its latest sweep, or else search; it may be left out where results/
    holds one study. Keys are made of the address alone and stay the same between runs. Sources without a recorded
    address are marked unverified; numbers made here, assumed or set by the study have no source and are only counted.
    """
    from sweep.cite import bibtex, of_run  # noqa: PLC0415 - Arrow
    from sweep.dataset import open_run  # noqa: PLC0415

    found = of_run(open_run(read_run(run)))
    if as_json or form == "json":
        answer_json({"citations": [asdict(each) | {"year": each.year} for each in found.citations], "own": found.own})
    elif form == "csv":
        answer(_csv(found.citations).rstrip("\n"))
    elif found.citations:
        answer(bibtex(found.citations).rstrip("\n"))
    unverified = sum(each.unverified for each in found.citations)
    talk(f"{len(found.citations)} sources, {unverified} unverified; {len(found.own)} facts have no source outside")


def _csv(citations: tuple[Citation, ...]) -> str:
    import csv  # noqa: PLC0415
    import io  # noqa: PLC0415

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in citations:
        cells = (getattr(each, column) for column in COLUMNS)
        writer.writerow("; ".join(cell) if isinstance(cell, tuple) else cell for cell in cells)
    return text.getvalue()
