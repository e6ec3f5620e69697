"""``supernode ls`` and ``supernode status``: the runs of a results folder, and how far one of them is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from sweep.cli.find import RESULTS, find_run, run_argument
from sweep.cli.output import Table, answer, answer_json, answer_table, duration, size
from sweep.cli.settings import common_options, json_option, settings, talk

if TYPE_CHECKING:
    from sweep.dataset import Status

POLL = 1.0
"""Seconds between two looks at a run that is followed."""


@click.command()
@click.argument("folder", default=str(RESULTS))
@json_option
@common_options
def ls(*, folder: str, as_json: bool) -> None:
    """List the runs of a results folder, newest first.

    FOLDER is results/ when not given; an object store works too.
    """
    from sweep.dataset import list_runs  # noqa: PLC0415 - Arrow

    found = list_runs(folder)
    if as_json:
        answer_json([each.json() for each in found])
    elif found:
        table = Table("", ("study", "run", "state", "rows>", "infeasible>", "size>", "started", "folder"))
        for run in found:
            counts = (f"{run.rows:,}", f"{run.rows - run.ok:,}", size(run.bytes))
            table.rows.append((run.study, run.run, _state(run), *counts, run.started, run.location))
        answer_table(table)
    else:
        talk(f"{folder} holds no runs; make one with: supernode run STUDY")


def _state(run: Status) -> str:
    return run.state if run.state == "complete" else f"{run.state} {100 * run.chunks_done / max(run.chunks, 1):.0f} %"


@click.command()
@run_argument
@click.option("--follow", is_flag=True, help="Keep showing it until the run is complete.")
@json_option
@common_options
def status(*, run: str | None, follow: bool, as_json: bool) -> None:
    """Show how far a run is; works from another shell while it is going.

    RUN is a folder, or the name of a study for its latest run; it may be left out where results/ holds one study.
    """
    from sweep.dataset import status as standing  # noqa: PLC0415 - Arrow

    folder = find_run(run)
    now = _follow(folder) if follow else standing(folder)
    if as_json:
        answer_json(now.json())
        return
    answer_table(_table(now))
    if now.state != "complete":
        answer(f"Finish it with: supernode run {now.study}")


def _table(now: Status) -> Table:
    rows = [
        ("study", now.study),
        ("run", now.location),
        ("state", now.state),
        ("parts", f"{now.chunks_done:,} of {now.chunks:,}"),
        ("rows", f"{now.rows:,}, of them {now.rows - now.ok:,} infeasible"),
        ("size", size(now.bytes)),
        ("started", now.started),
        ("finished", now.finished),
    ]
    if now.seconds_left is not None:
        rows.append(("left", f"about {duration(now.seconds_left)}, if it is still going"))
    return Table("", ("what", "value"), [*rows])


def _follow(folder: str) -> Status:
    from sweep.cli.progress import Meter, State  # noqa: PLC0415
    from sweep.dataset import status as standing  # noqa: PLC0415

    with Meter(quiet=settings().verbosity < 0) as meter:
        while True:
            now = standing(folder)
            meter(State(now.chunks_done, now.chunks, now.rows, now.bytes, now.rows - now.ok))
            if now.state == "complete":
                return now
            time.sleep(POLL)
