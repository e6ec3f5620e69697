"""Accuracy as tables and as plain data; who prints them is not known here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from sweep.accuracy.case import Prediction
from sweep.accuracy.figures import Statistics, errors, grouped, shares, statistics, worst
from sweep.accuracy.targets import Figure
from sweep.accuracy.tiers import Tiers
from sweep.text import Table, number

if TYPE_CHECKING:
    from sweep.accuracy.rows import LeftOut

WORST: Final = 10
"""Rows that the table of the worst ones holds."""

SENSES: Final = {"at most": "<= ", "at least": ">= ", "within": "+- ", "none": ""}

STATISTICS: Final = (
    "rows>", "mean [%]>", "median [%]>", "90th [%]>", "bias [%]>", "within 10 %>", "within 20 %>", "sources>",
    "mean of sources [%]>", "ranges>", "width [%]>",
)  # fmt: skip

STATISTICS_NOTE: Final = (
    "mean, median, 90th percentile: absolute error of the step time, 0 inside a predicted range; bias: above 0 the"
    " model is too slow; width: median of the ranges"
)


def figures_table(figures: Sequence[Figure]) -> Table:
    """Return the figures to reach: target, what is reached, and whether that is enough."""
    table = Table("figures to reach", ("figure", "split", "rows>", "target>", "reached>", "mean of sources>", "met"))
    for each in figures:
        target = "" if each.sense == "none" else f"{SENSES[each.sense]}{_of_unit(each.target, each.unit)}"
        met = {True: "yes", False: "no", None: ""}[each.met]
        reached, beside = (_of_unit(value, each.unit) for value in (each.reached, each.source_mean))
        table.rows.append((each.name, each.split, f"{each.rows:,}", target, reached, beside, met))
    return table


def statistics_table(predictions: Sequence[Prediction], tiers: Tiers, by: str, split: str) -> Table:
    """Return the errors of one split, group by group, and of all rows but the microbenchmarks."""
    table = Table(f"error by {by}, {split}", (by, *STATISTICS), note=STATISTICS_NOTE)
    for group, found in grouped(predictions, tiers.groups(by)).items():
        table.rows.append((group, *_cells(statistics(found))))
    every = [each for each in predictions if not each.case.microbenchmark]
    table.rows.append(("all but microbenchmarks", *_cells(statistics(every))))
    return table


def rows_table(predictions: Sequence[Prediction], tiers: Tiers, title: str) -> Table:
    """Return measured and predicted step time of each run, with the shares of the parts of the step."""
    columns = ("run", "chip", "precision", "tier", "measured [s]>", "low [s]>", "high [s]>", "error [%]>", "breakdown")
    table = Table(title, columns)
    for each, error in zip(predictions, errors(predictions), strict=True):
        case = each.case
        times = (number(value, 4) for value in (case.seconds, each.low, each.high))
        table.rows.append(
            (case.name, tiers.chips[case.system], case.precision, tiers.of_case(case)[0], *times,
             f"{100 * error:+.1f}", _breakdown(each.parts))
        )  # fmt: skip
    return table


def worst_table(predictions: Sequence[Prediction], tiers: Tiers, split: str) -> Table:
    """Return the runs with the largest errors, microbenchmarks apart."""
    found = worst([each for each in predictions if not each.case.microbenchmark], WORST)
    return rows_table(found, tiers, f"largest errors, {split}")


def left_out_table(left_out: Sequence[LeftOut]) -> Table:
    """Return why rows are not predicted, the commonest reason first."""
    table = Table("rows left out" if left_out else "rows left out: none", ("reason", "rows>"))
    table.rows += [(reason, f"{count:,}") for reason, count in _reasons(left_out)]
    return table


def group_data(predictions: Sequence[Prediction], tiers: Tiers, by: str) -> dict[str, Any]:
    """Return the errors of one split as plain data: of all rows but the microbenchmarks, and by group."""
    every = [each for each in predictions if not each.case.microbenchmark]
    groups = grouped(predictions, tiers.groups(by))
    return {
        "all_but_microbenchmarks": asdict(statistics(every)),
        "by": by,
        "groups": {group: asdict(statistics(found)) for group, found in groups.items()},
    }


def row_data(predictions: Sequence[Prediction], tiers: Tiers) -> list[dict[str, Any]]:
    """Return the runs as plain data: times and parts in seconds, the error as a fraction."""
    return [
        {
            "name": each.case.name,
            "source": each.case.source,
            "family": each.case.family,
            "chip": tiers.chips[each.case.system],
            "system": each.case.system,
            "workload": each.case.model,
            "precision": each.case.precision,
            "tiers": tiers.of_case(each.case),
            "measured": each.case.seconds,
            "low": each.low,
            "high": each.high,
            "error": error,
            "parts": each.parts,
        }
        for each, error in zip(predictions, errors(predictions).tolist(), strict=True)
    ]


def left_out_data(left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """Return the reasons with the names of their rows, the commonest first."""
    return [
        {"reason": reason, "rows": count, "names": [each.name for each in left_out if each.reason == reason]}
        for reason, count in _reasons(left_out)
    ]


def figure_data(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return the figures to reach as plain data."""
    return [{**asdict(each), "met": each.met} for each in figures]


def _reasons(left_out: Sequence[LeftOut]) -> list[tuple[str, int]]:
    return sorted(Counter(each.reason for each in left_out).items(), key=lambda item: (-item[1], item[0]))


def _breakdown(parts: Mapping[str, float]) -> str:
    """Return the parts of a step from one per cent on: ``compute 61 %, bubble 12 %``."""
    shown = [f"{_short(name)} {100 * share:.0f} %" for name, share in shares(parts).items() if share >= 0.01]
    return ", ".join(shown)


def _short(name: str) -> str:
    return name.removesuffix("_time").replace("_", " ")


def _cells(said: Statistics) -> tuple[str, ...]:
    return (
        f"{said.rows:,}", _percent(said.mean), _percent(said.median), _percent(said.ninetieth),
        "-" if math.isnan(said.bias) else f"{100 * said.bias:+.1f}", _share(said.within_10),
        _share(said.within_20), f"{said.sources}", _percent(said.source_mean), f"{said.ranges}",
        _percent(said.width),
    )  # fmt: skip


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.0f} %"


def _of_unit(value: float, unit: str) -> str:
    if math.isnan(value):
        return ""
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.2f}"
