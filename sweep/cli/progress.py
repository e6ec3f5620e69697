"""Progress of a run on stderr: a bar on a terminal, a plain line every few seconds in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from sweep.text import duration, size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY = 5.0
"""Seconds between two plain lines."""


@dataclass(frozen=True, slots=True)
class State:
    """How far a run is: parts done of all parts, rows and bytes in them, rows without a feasible design.

    ``what`` names what is counted in place of rows.
    """

    done: int
    total: int
    rows: int
    written: int = 0
    infeasible: int = 0
    what: str = "rows"


def line(first: State, now: State, seconds: float) -> str:
    """Return the state in one line; ``first`` is what was there ``seconds`` ago, when the watch began."""
    fresh = now.done - first.done
    rate = (now.rows - first.rows) / seconds if seconds > 0 else 0.0
    share = 100 * now.done / now.total if now.total else 100.0
    if not fresh:
        return f"{share:.0f} %, {now.rows:,} {now.what}, waiting for the next part"
    left = f"{duration(seconds * (now.total - now.done) / fresh)} left"
    parts = [f"{share:.0f} %", f"{now.rows:,} {now.what}", f"{rate:,.0f} {now.what}/s", left]
    parts += [size(now.written)] if now.written else []
    return ", ".join(parts + ([f"{now.infeasible:,} infeasible"] if now.infeasible else []))


class Meter:
    """Shows the states it is given; use it as a context."""

    def __init__(self, *, quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._clock = clock
        self._shown = self._began = clock()
        self._first: State | None = None
        self._going = False
        self._bar: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._bar = _bar()
            self._bar[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar[0].stop()

    def __call__(self, state: State) -> None:
        """Show a state; in a pipe at most every few seconds.

        The rate counts from the first part that arrives, so that the start of Ray is no part of it.
        """
        if self._quiet:
            return
        now = self._clock()
        if self._first is not None and state.what != self._first.what:
            self._first = None  # another phase, with a pace of its own
        if self._first is None or not self._going:
            self._going = self._first is not None and state.done > self._first.done
            self._first, self._began = state, now
        text = line(self._first, state, now - self._began)
        if self._bar:
            progress, task = self._bar
            progress.update(task, completed=state.done, total=state.total, text=text)
        elif now - self._shown >= EVERY:
            self._shown = now
            click.echo(text, err=True)


def _bar() -> tuple[Progress, TaskID]:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs rich
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    progress = Progress(BarColumn(bar_width=24), TextColumn("{task.fields[text]}"), console=Console(stderr=True))
    return progress, progress.add_task("run", total=None, text="starting")
