"""Options of ``optimize`` for where a search begins, keeps its trials and computes; what to say when nothing fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sweep.text import number

if TYPE_CHECKING:
    from sweep.search import Found, SearchResult, Spread

Command = TypeVar("Command", bound=Callable[..., Any])


def start_options(command: Command) -> Command:
    """Add the options."""
    options = [
        click.option("--from", "start", metavar="RUN",
                     help="Finished run of the same model whose best designs are the first trials, as they are."),
        click.option("--storage", metavar="URL",
                     help="Database that keeps the trials in place of a journal in the run's folder, such as "
                          "sqlite:///trials.db or postgresql://user@host/database."),
        click.option("--workers", type=click.IntRange(min=1), metavar="N",
                     help="Ray workers on this machine for large batches; one per core by default."),
        click.option("--address", metavar="ADDRESS", help="Ray cluster for large batches, such as auto."),
        click.option("--in-process", is_flag=True, help="Never use Ray; the trials are the same."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def spread_of(*, workers: int | None, address: str | None, in_process: bool) -> Spread | None:
    """Return the workers that were asked for. Raises ``click.UsageError`` when the options contradict each other."""
    if in_process and (workers is not None or address is not None):
        raise click.UsageError("--in-process uses no workers: leave out --workers and --address")
    if workers is not None and address is not None:
        raise click.UsageError("a cluster brings its own workers: leave out --workers or --address")
    if in_process:
        return None
    from sweep.engine.driver import cores  # noqa: PLC0415
    from sweep.search import Spread  # noqa: PLC0415

    return Spread(workers or cores(), address)


def idle(spread: Spread) -> str:
    """Return why workers that were asked for had nothing to do."""
    return f"no batch of trials had {spread.worth:,} rows, from which workers are faster than this process"


def closest(result: SearchResult) -> str:
    """Return what to say when no trial is feasible: which condition binds, and by how much in the closest design."""
    near = min(result.found, key=_missed, default=None)
    if near is None:
        return "No trial was made."
    names = result.task.constraints
    amounts = dict(zip(names, near.score.amounts, strict=True))
    bound = {name: amount for name, amount in amounts.items() if amount > 0}
    graded = {limit.name for limit in result.task.limits if limit.graded}
    parts = [_shortfall(name, amount, graded=name in graded) for name, amount in bound.items()]
    levers = ", ".join(f"{name} {number(value)}" for name, value in result.levers.values(near.point).items())
    return (
        f"No trial is feasible in every scenario. The closest design is trial {near.trial} ({levers}): "
        f"{'; '.join(parts)}."
    )


def _missed(found: Found) -> float:
    return sum(max(amount, 0.0) for amount in found.score.amounts)


def _shortfall(name: str, amount: float, *, graded: bool) -> str:
    if graded:
        return f"{name} is missed by {number(100 * amount, 3)} % of the limit"
    if name.startswith("share of"):
        return f"the model finds no design in {number(100 * amount, 3)} % of the scenarios"
    return f"{name} fails in {number(100 * amount, 3)} % of the scenarios"


def constraints_data(result: SearchResult) -> list[dict[str, Any]]:
    """Return each constraint with the number of trials that keep it and the least amount by which one misses it."""
    rows = list(zip(*(each.score.amounts for each in result.found), strict=True))
    return [
        {"name": name, "kept_by": sum(amount <= 0 for amount in amounts), "least": min(amounts)}
        for name, amounts in zip(result.task.constraints, rows, strict=False)
    ]
