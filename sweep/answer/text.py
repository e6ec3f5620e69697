"""Verdicts and designs as sentences and tables."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from models.quantities import quantities
from sweep.answer.equal_basis import Comparison
from sweep.answer.errors import MEAN, ModelError, errors_sentence
from sweep.answer.levers import Ranges, edge
from sweep.answer.scenarios import ScenarioAxis, Scenarios
from sweep.answer.verdict import Crossing, Verdict
from sweep.catalogue import Catalogue
from sweep.dataset.columns import TIMES
from sweep.text import Table, number, with_unit

METRICS = (
    "chips", "chips_used", "step_time", "time_to_train", "time_to_first_token", "time_per_output_token",
    "tokens_per_second", "tokens_per_second_per_chip", "model_flops_utilisation", "goodput", "facility_power",
    "energy_to_train", "energy_per_token", "carbon_to_train", "capital_cost", "annual_cost", "annual_energy_cost",
    "annual_staff_cost", "cost_to_train", "cost_per_token", "cost_per_input_token", "cost_per_output_token",
)  # fmt: skip
"""What the tables of designs show, where the run has it."""

DIGITS = 3
SLACK = 0.1
"""Part of a common limit that a best design may leave unused without a remark."""

WIDTH = 100
STATISTIC = re.compile(r"_(mean|p\d\d(_\d+)?)$")
"""How the column of a statistic of draws ends."""


def unit_of(column: str) -> str:
    """Return the unit of a column of the dataset; multipliers have none."""
    quantity = quantities().get(column) or quantities().get(STATISTIC.sub("", column))
    return quantity.unit if quantity else ""


def words(column: str) -> str:
    """Return the name of a column as people say it; a multiplier is marked with ``x``."""
    return column.removesuffix(TIMES).replace("_", " ") + (" x" if column.endswith(TIMES) else "")


def headed(column: str) -> str:
    """Return the name of a column with its unit."""
    unit = unit_of(column)
    return f"{words(column)} [{unit}]" if unit else words(column)


def share(fraction: float) -> str:
    """Return a share as a percentage that is 0 or 100 only when it is."""
    if fraction in {0.0, 1.0} or 0.005 <= fraction <= 0.995:
        return f"{100 * fraction:.0f} %"
    return "under 1 %" if fraction < 0.5 else "over 99 %"


def heading(comparison: Comparison) -> str:
    """Return what is compared."""
    basis = comparison.basis
    if basis is None:
        return f"{comparison.workload}, {words(comparison.goal.name)}"
    return f"{comparison.workload} at equal {basis.name} ({basis.text})"


def adjective(comparison: Comparison) -> str:
    """Return what the better of two systems is."""
    name = comparison.goal.name
    if "cost" in name:
        return "cheaper"
    return "faster" if "time" in name or "per_second" in name else "better"


def sentence(verdict: Verdict, head: str) -> str:
    """Return who wins under one basis, in which share of the scenarios, and by how much in the nominal one."""
    better = adjective(verdict.comparison)
    if not verdict.scenarios:
        limit = " within the limit" if verdict.comparison.basis else ""
        return f"{head}: neither {' nor '.join(verdict.systems)} has a design{limit} in any scenario."
    shares = zip(verdict.systems, verdict.better, verdict.alone, strict=True)
    parts = []
    for name, part, alone in sorted(shares, key=lambda item: -item[1] - item[2]):
        parts += [f"{name} is {better} in {share(part)}"] if part else []
        parts += [f"only {name} has a design in {share(alone)}"] if alone else []
    parts += [f"the model cannot tell in {share(verdict.open)}"] if verdict.open else []
    said = " and ".join((", ".join(parts[:-1]), parts[-1]) if len(parts) > 1 else parts)
    lost = f" In {verdict.neither:,} more, neither has a design." if verdict.neither else ""
    return f"{head}: {said} of {verdict.scenarios:,} scenarios.{lost} {nominal_sentence(verdict)}"


def nominal_sentence(verdict: Verdict) -> str:
    """Return by how much the systems differ in the nominal scenario."""
    if verdict.ratio is None:
        having = verdict.winner
        return f"In the nominal one only {having} has a design." if having else "In the nominal one neither has one."
    more, less = verdict.systems if verdict.ratio >= 1 else verdict.systems[::-1]
    times = f"{max(verdict.ratio, 1 / verdict.ratio):.2f} times"
    name = verdict.comparison.goal.name
    if "cost" in name:
        text = f"{more} costs {times} as much as {less}"
    elif "per_second" in name:
        text = f"{more} is {times} as fast as {less}"
    else:
        text = f"{more} takes {times} as long as {less}" if "time" in name else f"{more} has {times} that of {less}"
    return f"In the nominal one {text}{'' if verdict.winner else ', too little to tell'}."


def nominal_note(scenarios: Scenarios, catalogue: Catalogue, *, break_even: bool) -> str:
    """Return the scenario at which single numbers are quoted; ``break_even`` says whether it anchors break-evens."""
    axes = {axis.label: axis for axes in scenarios.axes.values() for axis in axes}.values()
    parts = [_at(axis, name, value) for axis in axes for name, value in zip(axis.columns, axis.nominal, strict=True)]
    if "region own" in parts:
        homes = ", ".join(
            f"{name} in {catalogue.entry('systems', name).links['home_region']}" for name in scenarios.axes
        )
        parts[parts.index("region own")] = f"region own ({homes})"
    if not parts:
        return "There is one scenario."
    anchor = " A break-even moves one input and holds the others there." if break_even else ""
    return f"Nominal scenario: {', '.join(parts)}.{anchor}"


def _at(axis: ScenarioAxis, name: str, value: Any) -> str:
    owner = f" of {axis.system}" if axis.system else ""
    if name.endswith(TIMES):
        return f"{words(name).removesuffix(' x')}{owner} x {number(value)}"
    return f"{words(name)}{owner} {with_unit(value, unit_of(name))}"


def error_note(errors: Mapping[str, Mapping[str, ModelError]]) -> str:
    """Return how large the model's error is taken to be in each phase, and what that means for the shares."""
    if any(math.isinf(error.value) for each in errors.values() for error in each.values()):
        return "The model's error is known for no chip, so it cannot tell anywhere."
    within = " or ".join(errors_sentence(each, phase) for phase, each in errors.items())
    return (
        f"Cannot tell: the difference is within {within}, the two of a pair added in quadrature. {MEAN} "
        "Errors of prices are not in it. A share counts the scenarios of the sweep, all alike: it is no probability."
    )


def reading_note(columns: Collection[str], phases: Collection[str]) -> str:
    """Return how to read the tables of designs, as far as they show what needs it."""
    parts = []
    if "train" in phases and "mapping" in columns:
        parts.append(
            "A mapping such as tp8.pp4.vpp2.dp16.cp2.ep1.mb1.none.z1.data has the tensor, pipeline, data, context and "
            "expert parallel ranks (an Ascend 910C is two), vpp model chunks per stage, sequences per micro-batch, "
            "recomputation, ZeRO stage (x the ranks of one sharded copy, where not all), and the group next to tp "
            "inside a supernode."
        )
    if "cost_to_train" in columns:
        parts.append("Cost to train is annual cost x time to train / utilisation: idle time of the year is paid too.")
    if "facility_power" in columns:
        parts.append("Facility power is the peak that the site must supply; energy is that of the mean power.")
    return " ".join(parts)


def sites_note(*, outer_steps: bool) -> str:
    """Return what figures of runs over several sites leave out; ``outer_steps``: whether some exchange more rarely."""
    steps = (
        " Outer steps cost no tokens here: what local training does to the loss is not modelled." if outer_steps else ""
    )
    return (
        "Links between sites are free here: no price, power or failures of them are in any figure, for want of a "
        f"source, so lower costs of several sites are no case for them.{steps}"
    )


def design_table(
    comparison: Comparison,
    head: str,
    designs: Mapping[str, Mapping[str, Any]],
    levers: Sequence[str],
    ranges: Mapping[str, Ranges],
    *,
    ratio: bool,
) -> Table:
    """Return the designs of several systems side by side: metrics with units as rows, levers and mapping below.

    ``ratio`` adds the first over the second. ``ranges`` are the swept ones of numeric levers, by system.
    """
    title = f"{head}: best designs, nominal scenario"
    rows = list(designs.values())
    table = Table(title, ("metric", *(f"{name}>" for name in designs), *(["ratio>"] if ratio else [])))
    for name in METRICS:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, str) for value in values) or all(value is None for value in values):
            continue
        ratios = [_ratio(values[0], values[1])] if ratio else []
        table.rows.append((headed(name), *(number(value, DIGITS + 1) for value in values), *ratios))
    chosen = [_wrapped(f"{system}: {_levers(row, levers, ranges.get(system, {}))}") for system, row in designs.items()]
    table.note = "\n".join([*chosen, *slack(comparison, designs)])
    return table


def slack(comparison: Comparison, designs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each best design that leaves over a tenth of the common limit unused, one domain excepted."""
    basis = comparison.basis
    if basis is None or "time" in basis.metric:  # being done early may be cheapest
        return []
    unit, found = unit_of(basis.metric), []
    for system, row in designs.items():
        used = row.get(basis.metric)
        if used is not None and row.get("domains") != 1 and used < (1 - SLACK) * comparison.limit:
            amount = f"{number(used, DIGITS)} of the {with_unit(comparison.limit, unit)}"
            found.append(_wrapped(f"{system} takes only {amount}: finer counts of domains may come closer."))
    return found


def _ratio(first: float | None, second: float | None) -> str:
    return f"{first / second:.2f}" if first is not None and second else ""


def _levers(row: Mapping[str, Any], levers: Sequence[str], ranges: Ranges) -> str:
    shown = [(name, row[name]) for name in levers if row.get(name) is not None]
    parts = [f"{words(name)} {number(value)}{edge(name, value, ranges)}" for name, value in shown]
    return ", ".join([*parts, *([str(row["mapping"])] if row.get("mapping") else [])])


def break_even_table(verdict: Verdict, head: str, *, crossings_only: bool) -> Table | None:
    """Return where the order of two systems changes along every numeric scenario, the others nominal.

    Inputs without a crossing are left out with ``crossings_only``; None when nothing is left.
    """
    better = adjective(verdict.comparison)
    table = Table(
        f"{head}: break-even",
        ("input", "break-even", f"{better} below", f"{better} above", "cannot tell"),
    )
    shown = [each for each in verdict.crossings if each.found.kind != "unknown"]
    if crossings_only:
        shown = [each for each in shown if each.found.crossings]
    for crossing in shown:
        table.rows.append(_break_even_row(crossing, verdict.systems))
    if any(crossing.found.kind == "extrapolated" for crossing in shown):
        table.note = "(beyond): outside the sweep, where the straight lines through its last two values meet."
    return table if shown else None


def _break_even_row(crossing: Crossing, systems: tuple[str, str]) -> tuple[str, ...]:
    axis, found = crossing.axis, crossing.found
    label = headed(axis.columns[0]) + (f" of {axis.system}" if axis.system else "")
    values = [point[0] for point in axis.points]
    swept = _span(min(values), max(values))
    if found.kind == "equal":
        return label, f"equal ({swept})", "", "", "everywhere"
    value = f"never ({swept})"
    if found.low is not None and found.high is not None:
        value = _span(found.low, found.high) + (" (beyond)" if found.kind == "extrapolated" else "")
    if found.crossings > 1:
        value += f" (1 of {found.crossings})"
    return label, value, systems[found.below], systems[found.above], _undecided(crossing)


def _undecided(crossing: Crossing) -> str:
    if crossing.undecided is None:
        return "nowhere"
    values = [point[0] for point in crossing.axis.points]
    everywhere = crossing.undecided == (min(values), max(values))
    return "everywhere" if everywhere else _span(*crossing.undecided)


def _span(low: float, high: float) -> str:
    texts = dict.fromkeys(number(value, DIGITS) for value in (low, high))
    return " to ".join(texts)


def outcome_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return how many rows were feasible, and below the table why others were not."""
    table = Table("Rows", ("system", "workload", "rows>", "feasible>"))
    reasons = []
    for row in rows:
        table.rows.append((row["system"], row["workload"], f"{row['rows']:,}", f"{row['ok']:,}"))
        if row["reason"]:
            reasons.append(_wrapped(f"{row['system']}, {row['workload']}: most of the others fail by {row['reason']}"))
    table.note = "\n".join(reasons)
    return table


def _wrapped(text: str) -> str:
    """Return a line below a table, broken where it is too long."""
    return textwrap.fill(text, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
