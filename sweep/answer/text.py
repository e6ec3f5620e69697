"""Verdicts and designs as sentences and tables, with the same figures as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from models.quantities import quantities
from sweep.answer.break_even import BreakEven
from sweep.answer.verdict import Verdict
from sweep.cli.output import Table, number, with_unit
from sweep.dataset.columns import TIMES
from sweep.study.study import Study

if TYPE_CHECKING:
    import duckdb

RATIOS = (
    "chips", "chips_used", "time_to_train", "tokens_per_second", "time_per_output_token", "model_flops_utilisation",
    "goodput", "facility_power", "energy_to_train", "energy_per_token", "capital_cost", "annual_cost", "cost_to_train",
    "cost_per_token",
)  # fmt: skip
"""What the ratio table shows, where the run has it."""

DIGITS = 3


def unit_of(column: str) -> str:
    """Return the unit of a column of the dataset; multipliers have none."""
    quantity = quantities().get(column)
    return quantity.unit if quantity else ""


def words(column: str) -> str:
    """Return the name of a column as people say it."""
    return column.removesuffix(TIMES).replace("_", " ") + (" multiplier" if column.endswith(TIMES) else "")


def share(fraction: float) -> str:
    """Return a share of scenarios as a percentage that is 0 or 100 only when it is."""
    if 0 < fraction < 0.005 or 0.995 < fraction < 1:
        return f"{100 * fraction:.1f} %"
    return f"{100 * fraction:.0f} %"


def sentence(verdict: Verdict) -> str:
    """Return who wins under one basis, in how many scenarios, and how sure that is."""
    picks, (first, second) = verdict.picks, verdict.systems
    better = {"cost_to_train": "cheaper"}.get(picks.goal.name, "faster")
    head = f"{picks.workload} at equal {picks.basis.name} ({picks.basis.text}): "
    if not verdict.scenarios:
        return head + missing(verdict)
    shares = [f"{name} is {better} in {share(part)}" for name, part in
              ((first, verdict.share_first), (second, verdict.share_second)) if part]  # fmt: skip
    if verdict.share_open:
        shares.append(f"in {share(verdict.share_open)} the model cannot tell")
    band = f"differences within the model's error of {share(verdict.error)} count as cannot tell"
    return f"{head}{', '.join(shares)} of {verdict.scenarios:,} scenarios ({band})."


def missing(verdict: Verdict) -> str:
    """Return which system has no design under the limit."""
    have = {row["system"] for row in verdict.picks.rows}
    without = [name for name in verdict.systems if name not in have]
    return f"{' and '.join(without) or 'one of them'} has no design that meets it in any scenario."


def nominal_text(verdict: Verdict) -> str:
    """Return the scenario at which single numbers are quoted."""
    parts = [
        f"{words(name)} {with_unit(value, unit_of(name))}" for name, value in verdict.picks.scenarios.nominal.items()
    ]
    return ", ".join(parts) or "the only scenario"


def ratio_table(verdict: Verdict, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return both designs side by side at the nominal scenario."""
    first, second = rows
    table = Table(
        f"At {nominal_text(verdict)}", ("metric", "unit", f"{verdict.systems[0]}>", f"{verdict.systems[1]}>", "ratio>")
    )
    for name in RATIOS:
        if first.get(name) is None or second.get(name) is None:
            continue
        a, b = float(first[name]), float(second[name])
        ratio = f"{a / b:.2f}" if b else "-"
        table.rows.append((words(name), unit_of(name), number(a, DIGITS + 1), number(b, DIGITS + 1), ratio))
    for name in ("mapping",):
        if first.get(name) and second.get(name):
            table.rows.append((name, "", str(first[name]), str(second[name]), ""))
    verdict_text = verdict.winner
    table.note = f"Better here: {verdict_text}" if verdict_text else "Better here: cannot tell"
    return table


def crossing_text(found: BreakEven, column: str, systems: tuple[str, str]) -> str:
    """Return a break-even as a sentence of the table."""
    below, above = systems[found.cheaper_below], systems[1 - found.cheaper_below]
    if found.value is None:
        return f"never: {below} is cheaper at every value"
    value = with_unit(float(f"{found.value:.{DIGITS}g}"), unit_of(column))
    beyond = " (beyond the values swept: the last segment continued)" if found.kind == "extrapolated" else ""
    return f"{value}: below {below}, above {above} is cheaper{beyond}"


def break_even_table(verdict: Verdict) -> Table:
    """Return the break-even of every numeric scenario, the others at their nominal values."""
    table = Table("Break-even, one input at a time", ("input", "break-even"))
    for column, found in verdict.crossings.items():
        only = verdict.picks.scenarios.own.get(column)
        label = words(column) + (f" of {', '.join(only)} only" if only else "")
        table.rows.append((label, crossing_text(found, column, verdict.systems)))
    return table


def nominal_rows(verdict: Verdict, connection: duckdb.DuckDBPyConnection) -> list[Mapping[str, Any]]:
    """Return the full rows of both designs at the nominal scenario; empty when one has none."""
    picks = verdict.picks
    chosen = [picks.at(system, picks.scenarios.nominal) for system in verdict.systems]
    rows = []
    for found in chosen:
        if found is None:
            return []
        rows += connection.sql(
            "SELECT * FROM designs WHERE design = $1", params=[found["design"]]
        ).to_arrow_table().to_pylist()  # fmt: skip
    return rows


def best_table(rows: Sequence[Mapping[str, Any]], study: Study) -> Table:
    """Return the best design of every system and workload."""
    assert study.objective is not None
    goal = study.objective.name
    levers = [name for name in study.levers if name not in {"system", "workload"} and name in rows[0]]
    shown = [name for name in dict.fromkeys([goal, *levers, *RATIOS, "mapping"]) if rows[0].get(name) is not None]
    heads = [f"{words(name)}{f' [{unit_of(name)}]' if unit_of(name) else ''}" for name in shown]
    table = Table(f"Best designs: {study.objective.direction} {words(goal)}", ("workload", "system", *heads))
    for row in rows:
        cells = [
            number(value, DIGITS + 1) if isinstance(value := row.get(name), float) else str(value) for name in shown
        ]
        table.rows.append((str(row["workload"]), str(row["system"]), *cells))
    return table


def outcome_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return how many rows were feasible, and why others were not."""
    table = Table("Rows", ("system", "workload", "rows>", "feasible>", "commonest reason of the others"))
    for row in rows:
        cells = (f"{row['rows']:,}", f"{row['ok']:,}", row["reason"] or "")
        table.rows.append((str(row["system"]), str(row["workload"]), *cells))
    return table
