"""What is best among evaluated points, and the true optimum of a space small enough to enumerate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sweep.search.batch import Evaluator
from sweep.search.goals import Over, Score, score
from sweep.search.points import Point
from sweep.study import Objective

ENUMERABLE = 20_000
SLICE = 64


@dataclass(frozen=True, slots=True)
class Found:
    """One evaluated point: the trial that proposed it (None when enumerated) and what it reached."""

    trial: int | None
    point: Point
    score: Score

    @property
    def feasible(self) -> bool:
        """Whether it stands in every scenario."""
        return self.score.feasible


def front(found: Sequence[Found], goals: Sequence[Objective]) -> tuple[Found, ...]:
    """Return the best of feasible points: the first best one for one goal, the Pareto front for several."""
    good = [each for each in found if each.feasible]
    if not good:
        return ()
    signs = np.array([1.0 if goal.direction == "minimize" else -1.0 for goal in goals])
    values = signs * np.array([each.score.values for each in good])
    if len(goals) == 1:
        return (good[int(np.argmin(values[:, 0]))],)
    import moocore  # noqa: PLC0415

    first: dict[Point, Found] = {}
    for place in np.flatnonzero(moocore.is_nondominated(values, keep_weakly=True)):
        first.setdefault(good[place].point, good[place])
    return tuple(sorted(first.values(), key=lambda each: each.score.values))


def enumerated(
    evaluator: Evaluator, goals: Sequence[Objective], over: Over, progress: Callable[[int, int], None] | None
) -> tuple[Found, ...]:
    """Return the best of all lever combinations of the study."""
    levers, evaluator = evaluator.levers, evaluator.only([goal.name for goal in goals])
    best: tuple[Found, ...] = ()
    for start in range(0, levers.size, SLICE):
        rows = evaluator.rows(levers.points(start, start + SLICE))
        new = [Found(None, point, score(table, goals, over)) for point, table in rows]
        best = front([*best, *new], goals)
        if progress is not None:
            progress(min(start + SLICE, levers.size), levers.size)
    return best


def regret(best: Sequence[Found], exact: Sequence[Found], goals: Sequence[Objective]) -> float | None:
    """Return how far a search is from the optimum of one goal, as a fraction of it; None when there is none."""
    if len(goals) != 1 or not best or not exact:
        return None
    reached, optimum = best[0].score.values[0], exact[0].score.values[0]
    return abs(reached - optimum) / abs(optimum) if optimum else abs(reached - optimum)


def hypervolume_ratio(best: Sequence[Found], exact: Sequence[Found], goals: Sequence[Objective]) -> float | None:
    """Return the hypervolume of a front over that of the exact one, both from the exact front's nadir point."""
    if len(goals) < 2 or not best or not exact:
        return None
    import moocore  # noqa: PLC0415

    signs = np.array([1.0 if goal.direction == "minimize" else -1.0 for goal in goals])
    points, truth = (signs * np.array([each.score.values for each in front]) for front in (best, exact))
    span = np.ptp(truth, axis=0)
    reference = truth.max(axis=0) + 0.1 * np.where(span > 0, span, np.abs(truth.max(axis=0)) + 1e-12)
    return float(moocore.hypervolume(points, ref=reference) / moocore.hypervolume(truth, ref=reference))
