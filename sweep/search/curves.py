"""How a search closes in on the best: what was reached by which trial and after how long, as data and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from sweep.accuracy.plot import check_format
from sweep.errors import SweepError
from sweep.search.exact import Found, front, hypervolume_ratio, regret
from sweep.study import Objective

if TYPE_CHECKING:
    import optuna

GOOD: Final = 0.01
"""Regret, and missing share of the hypervolume, that counts as found."""


@dataclass(frozen=True, slots=True)
class Step:
    """A trial at which a search improved: trials so far, seconds of search so far, what then was missing.

    ``missing`` is the regret (one goal) or one less the hypervolume ratio (several).
    """

    trials: int
    seconds: float
    missing: float


def busy_seconds(trials: Iterable[optuna.trial.FrozenTrial]) -> list[float]:
    """Return for each finished trial the time that the search had worked when it ended [s]; pauses do not count."""
    total, last = 0.0, None
    seconds = []
    for trial in trials:
        start, end = trial.datetime_start, trial.datetime_complete
        if start is not None and end is not None:
            begin = start if last is None or start > last else last
            total += max((end - begin).total_seconds(), 0.0)
            last = end if last is None or end > last else last
        seconds.append(total)
    return seconds


def curve(
    found: Sequence[Found], seconds: Sequence[float], exact: Sequence[Found], goals: Sequence[Objective]
) -> tuple[Step, ...]:
    """Return the trials at which the regret fell, or the hypervolume grew; the first is the first feasible one."""
    steps: list[Step] = []
    best: tuple[Found, ...] = ()
    for count, (each, after) in enumerate(zip(found, seconds, strict=True), 1):
        if not each.feasible:
            continue
        better = front([*best, each], goals)
        if len(better) == len(best) and all(a is b for a, b in zip(better, best, strict=True)):
            continue
        best = better
        steps.append(Step(count, after, missing(best, exact, goals)))
    return tuple(step for step, before in zip(steps, [None, *steps], strict=False) if _improves(step, before))


def _improves(step: Step, before: Step | None) -> bool:
    return before is None or step.missing < before.missing


def missing(best: Sequence[Found], exact: Sequence[Found], goals: Sequence[Objective]) -> float:
    """Return the regret of one goal, or what the hypervolume of several lacks, as a fraction."""
    if len(goals) == 1:
        reached = regret(best, exact, goals)
        return 1.0 if reached is None else reached
    return max(1.0 - (hypervolume_ratio(best, exact, goals) or 0.0), 0.0)


def first_within(steps: Sequence[Step], limit: float = GOOD) -> Step | None:
    """Return where no more than ``limit`` was missing for the first time, None when that was never so."""
    return next((step for step in steps if step.missing <= limit), None)


def draw(steps: Sequence[Step], trials: int, title: str, path: Path) -> None:
    """Write what was missing by trial as a picture (.svg or .png); equal steps give equal files.

    Raises ``StudyError`` for another suffix, ``SweepError`` without Matplotlib or when the file cannot be written.
    """
    check_format(path)
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an optional extra, half a second
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SweepError("matplotlib is not installed; pip install 'supernode-sweep[plots]'") from error
    with rc_context({"svg.hashsalt": "regret", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.0, 4.0), layout="constrained")
        axes = figure.subplots()
        counts = [step.trials for step in steps] + [trials]
        values = [100 * step.missing for step in steps]
        axes.step(counts, [*values, values[-1] if values else np.nan], where="post", color="#0072b2")
        axes.axhline(100 * GOOD, color="#444444", linewidth=0.8, linestyle="--")
        axes.set(title=title, xlabel="trials", ylabel="above the optimum [%]", xscale="log", yscale="symlog")
        axes.set_ylim(bottom=0)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=150, metadata=metadata)
        except OSError as error:
            raise SweepError(f"{path}: the picture cannot be written: {error.strerror or error}") from error
