"""What ``optimize`` says of its best design: its main columns, the value beside each limit, what to do next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.cli.output import answer, answer_table
from sweep.cli.settings import settings
from sweep.text import Table, number, with_unit

if TYPE_CHECKING:
    from sweep.search import SearchResult
    from sweep.search.details import Detail

DIGITS = 4


def print_best(result: SearchResult) -> None:
    """Print the scenario whose numbers are shown, and what stands behind the best design of one goal."""
    if len(result.goals) == 1:
        found = result.detail(result.best[0])
        answer()
        answer_table(_columns(result, found))
        if found.limits:
            answer()
            answer_table(_limits(result, found))
    answer()
    answer(_scenario_note(result))


def _columns(result: SearchResult, found: Detail) -> Table:
    """Return the columns that the answer of a run shows of a design, as far as the study has them."""
    from sweep.answer.text import METRICS, words  # noqa: PLC0415 - NumPy

    several = result.task.scenario is None and max(result.scenarios) > 1
    table = Table(f"Design {found.design}{' in the nominal scenario' if several else ''}", ("metric", "value>"))
    names = dict.fromkeys((*METRICS, *(goal.name for goal in result.task.asked), *result.task.study.metrics))
    shown = [(name, found.row.get(name)) for name in names]
    heads = {name: words(name) + (f" [{unit}]" if (unit := unit_of(result, name)) else "") for name in names}
    table.rows = [(heads[name], number(value, DIGITS)) for name, value in shown if value is not None]
    table.note = f"mapping: {found.row['mapping']}" if found.row.get("mapping") else ""
    return table


def _limits(result: SearchResult, found: Detail) -> Table:
    title = "Limits" if max(result.scenarios) == 1 else "Limits, in the worst scenario of each"
    table = Table(title, ("limit", "value>", "to spare>"))
    for kept in found.limits:
        limit = kept.limit
        unit = limit.unit or unit_of(result, limit.name)
        room = abs(limit.limit - kept.value) / abs(limit.limit) if limit.limit else 0.0
        table.rows.append((limit.text, with_unit(number(kept.value, DIGITS), unit), f"{100 * room:.3g} %"))
    return table


def unit_of(result: SearchResult, name: str) -> str:
    """Return the unit of an output column; nothing for a pure number."""
    column = result.column(name)
    return column.unit if column is not None else ""


def _scenario_note(result: SearchResult) -> str:
    """Return the values of the scenario whose numbers are shown."""
    from sweep.answer.text import nominal_note  # noqa: PLC0415 - NumPy
    from sweep.search.details import shown_scenario  # noqa: PLC0415
    from sweep.search.scenarios import as_nominal  # noqa: PLC0415

    task = result.task
    scenario = shown_scenario(task)
    note = nominal_note(as_nominal(scenario, task.levers, task.catalogue), task.catalogue, break_even=False)
    return note.replace("Nominal scenario", "Scenario", 1) if scenario.names else note


def scenario_data(result: SearchResult) -> dict[str, dict[str, Any]]:
    """Return the values of the scenario whose numbers are shown, by system."""
    from sweep.search.details import shown_scenario  # noqa: PLC0415 - NumPy
    from sweep.search.scenarios import as_nominal  # noqa: PLC0415

    task = result.task
    found = as_nominal(shown_scenario(task), task.levers, task.catalogue)
    return {system: found.nominal(system) for system in found.axes}


def best_data(result: SearchResult) -> dict[str, Any] | None:
    """Return the columns and limits of the best design of one goal, in the units of the columns."""
    if len(result.goals) != 1 or not result.best:
        return None
    found = result.detail(result.best[0])
    return {
        "design": found.design,
        "columns": dict(found.row),
        "limits": [
            {
                "limit": kept.limit.text,
                "bound": kept.limit.limit,
                "value": kept.value,
                "unit": kept.limit.unit or unit_of(result, kept.limit.name),
            }
            for kept in found.limits
        ],
    }


def next_command(result: SearchResult, study: str, *, changed: bool) -> str | None:
    """Return the command that explains the best design; ``changed`` when ``--set`` changed what ids mean."""
    if not result.best:
        return None
    path = str(Path(result.run.location, "study.yaml")) if changed else study
    folders = [part for folder in settings().catalogue for part in ("--catalogue", str(folder))]
    design = str(result.design_ids(result.best[:1])[0])
    return shlex.join(["supernode", "explain", path, "--design", design, *folders])
