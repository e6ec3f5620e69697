"""Write docs/accuracy.md from the predictions: ``python -m sweep.accuracy.page [FOLDER] [--check]``."""

from __future__ import annotations

import sys

from sweep.accuracy import report
from sweep.accuracy.assess import Assessment, assess
from sweep.accuracy.choices import SPLITS, WITHOUT_CHIP, WITHOUT_SOURCE
from sweep.catalogue import Catalogue
from sweep.page_file import write_or_check
from sweep.text import markdown

PAGE = "accuracy.md"
WRITTEN = "<!-- Written by `python -m sweep.accuracy.page`; change the source, not this file. -->"

INTRODUCTION = """\
`supernode accuracy` predicts the step time of every published training run that the program knows and holds it against
the measured one; this page is what it says. `--by`, `--rows`, `--plot` and `--json` show more, `--file` takes your own
runs.

An error is that of the step time: predicted over measured, less one. Where a run does not state its mapping in full,
the model gives a range over what is not stated, and the error is the distance to that range.

* **in-sample**: the shipped constants, fitted to all runs.
* **left-out-source**: constants fitted without the sources that share authors, machines or data with the run.
* **left-out-chip**: constants fitted without any run on the chip, or on others of the same die.

Tier 1: mapping and recomputation are stated; covered where another family of sources has the same chip and number
format. Tier 2: something is not stated. Tier 3: a chip whose die no other family of sources covers, whatever is
stated. MLPerf rows and Nvidia's own are two families, though the partners behind many of the former run its software.
Microbenchmarks are runs on one node made to profile; they are counted apart."""


def accuracy_page(found: Assessment) -> str:
    """Return the page: figures to reach, errors by tier, source and chip, the worst runs, and the rows left out."""
    tables = [
        report.figures_table(found.figures),
        *(report.statistics_table(found.splits[split], found.tiers, "tier", split) for split in SPLITS),
        report.statistics_table(found.splits[WITHOUT_SOURCE], found.tiers, "kind", WITHOUT_SOURCE),
        report.statistics_table(found.splits[WITHOUT_SOURCE], found.tiers, "source", WITHOUT_SOURCE),
        report.statistics_table(found.splits[WITHOUT_SOURCE], found.tiers, "precision", WITHOUT_SOURCE),
        report.statistics_table(found.splits[WITHOUT_CHIP], found.tiers, "chip", WITHOUT_CHIP),
        report.worst_table(found.splits[WITHOUT_SOURCE], found.tiers, WITHOUT_SOURCE),
        report.left_out_table(found.left_out),
    ]
    parts = ["# Accuracy", "", WRITTEN, "", INTRODUCTION, ""]
    for table in tables:
        parts += [f"## {table.title[0].upper()}{table.title[1:]}", "", *markdown(table), ""]
        if table.note:
            parts += [f"{table.note[0].upper()}{table.note[1:]}.", ""]
    return "\n".join(parts).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the page into a folder, ``docs`` when none is given; with ``--check`` say whether it is out of date."""
    return write_or_check(arguments, PAGE, lambda: accuracy_page(assess(Catalogue.load())), "sweep.accuracy.page")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
