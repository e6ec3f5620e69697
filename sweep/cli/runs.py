"""``supernode ls`` and ``supernode status``: the runs of a results folder, and how far one of them is."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

import click

from sweep.cli.find import RESULTS, read_run, run_argument
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.settings import common_options, json_option, settings, talk
from sweep.text import Table, size

if TYPE_CHECKING:
    from sweep.cli.standing import Standing
    from sweep.dataset.manifest import SearchAsked

POLL = 1.0
"""Seconds between two looks at a run that is followed."""

LEFT = 3
"""Looks in a row at which no process works on a run that is followed, before it counts as interrupted."""

MASK = ":***@"
"""What stands in an address of a database in place of its password."""


@click.command()
@click.argument("folder", default=str(RESULTS))
@json_option
@common_options
def ls(*, folder: str, as_json: bool) -> None:
    """List the runs of a results folder, newest first.

    FOLDER is results/ when not given; an object store works too.
    """
    from sweep.cli.standing import standings  # noqa: PLC0415 - Arrow

    found = standings(folder)
    if as_json:
        answer_json([each.data() for each in found])
    elif found:
        table = Table("", ("study", "run", "state", "rows>", "infeasible>", "size>", "started", "folder"))
        for run in found:
            counts = (f"{run.rows:,}", f"{run.infeasible:,}", size(run.bytes))
            table.rows.append((run.study, run.run, _state(run), *counts, run.started, run.location))
        answer_table(table)
    else:
        talk(f"{folder} holds no runs; make one with: supernode run STUDY")


def _state(run: Standing) -> str:
    return run.state if run.complete else f"{run.state} {100 * run.share:.0f} %"


@click.command()
@run_argument
@click.option("--follow", is_flag=True, help="Keep showing it until the run is complete or interrupted.")
@json_option
@common_options
def status(*, run: str | None, follow: bool, as_json: bool) -> None:
    """Show how far a run is; works from another shell while it is going.

    RUN is a folder, or the name of a study for its latest sweep, or else search (STUDY/latest-search where it has
    both); it may be left out where results/ holds one study.
    """
    from sweep.cli.standing import standing  # noqa: PLC0415 - Arrow

    folder = read_run(run)
    now = _follow(folder) if follow else standing(folder)
    if as_json:
        answer_json(now.data())
        return
    answer_table(_table(now))
    if not now.complete:
        answer(f"Finish it with: {_again(now)}")
        if now.search is not None and MASK in now.search.storage:
            answer("Give the password of the database in place of ***.")


def _again(now: Standing) -> str:
    """Return the command that goes on with a run: its own copy of the study has the same identity."""
    verb, options = ("run", _limit(now)) if now.search is None else ("optimize", _asked(now.search))
    folders = [word for folder in now.folders for word in ("--catalogue", folder)]
    return f"supernode {shlex.join([verb, f'{now.location}/study.yaml', '-o', _results(now), *options, *folders])}"


def _results(now: Standing) -> str:
    return now.location.rsplit("/", 2)[0]


def _limit(now: Standing) -> list[str]:
    return [] if now.limit is None else ["--limit", str(now.limit)]


def _asked(search: SearchAsked) -> list[str]:
    options = ["--trials", str(search.trials), "--sampler", search.sampler, "--seed", str(search.seed)]
    options += ["--over", search.over]
    options += ["--storage", search.storage] if search.storage else []
    return options + (["--from", search.start] if search.start else [])


def _table(now: Standing) -> Table:
    rows = [
        ("study", now.study),
        ("run", now.location),
        ("state", now.state),
        ("parts", f"{now.chunks_done:,} of {now.chunks:,}"),
        _done(now),
        ("rows", f"{now.rows:,}, of them {now.infeasible:,} infeasible"),
        ("size", size(now.bytes)),
        ("started", now.started),
        ("finished", now.finished),
    ]
    return Table("", ("what", "value"), [*rows])


def _done(now: Standing) -> tuple[str, str]:
    if now.search is None:
        return "designs", f"{now.designs_done:,} of {now.designs:,}"
    return "trials", f"{now.trials_done:,} of {now.search.trials:,}"


def _follow(folder: str) -> Standing:
    from sweep.cli.progress import Meter, State  # noqa: PLC0415
    from sweep.cli.standing import standing  # noqa: PLC0415

    idle = 0
    with Meter(quiet=settings().verbosity < 0) as meter:
        while True:
            now = standing(folder)
            meter(State(now.chunks_done, now.chunks, now.rows, now.bytes, now.infeasible))
            idle = idle + 1 if now.state == "interrupted" else 0
            if now.complete or idle == LEFT:
                return now
            time.sleep(POLL)
