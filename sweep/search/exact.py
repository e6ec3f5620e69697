"""What is best among evaluated points, and how far that is from the true optimum or front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.search.goals import Score
from sweep.search.points import Point
from sweep.study import Objective

Array = NDArray[np.float64]


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
    values = _signed(good, goals)
    if len(goals) == 1:
        return (good[int(np.argmin(values[:, 0]))],)
    import moocore  # noqa: PLC0415

    first: dict[Point, Found] = {}
    for place in np.flatnonzero(moocore.is_nondominated(values, keep_weakly=True)):
        first.setdefault(good[place].point, good[place])
    return tuple(sorted(first.values(), key=lambda each: each.score.values))


def regret(best: Sequence[Found], exact: Sequence[Found], goals: Sequence[Objective]) -> float | None:
    """Return how far a search is from the optimum of one goal, as a fraction of it; None when there is none."""
    if len(goals) != 1 or not best or not exact:
        return None
    reached, optimum = best[0].score.values[0], exact[0].score.values[0]
    return abs(reached - optimum) / abs(optimum) if optimum else abs(reached - optimum)


def hypervolume_ratio(best: Sequence[Found], exact: Sequence[Found], goals: Sequence[Objective]) -> float | None:
    """Return the hypervolume of a front over that of the exact one, both from the exact front's nadir point.

    The point is moved out by a tenth of the front's span, so that the ends of the front count.
    """
    if len(goals) < 2 or not best or not exact:
        return None
    truth = _signed(exact, goals)
    return _ratio(_signed(best, goals), truth, _reference(truth))


def hypervolume_at_least(best: Sequence[Found], ceiling: Array | None, goals: Sequence[Objective]) -> float | None:
    """Return a share of the exact front's hypervolume that a front certainly has; None when nothing is known.

    ``ceiling`` are points (points, goals), to be minimised, one of which every design is beaten or equalled by: the
    exact front dominates no more than they do. The exact nadir is not known, so both are taken from the front's own
    nadir, moved out by a tenth of its span.
    """
    if len(goals) < 2 or not best or ceiling is None:
        return None
    points = _signed(best, goals)
    return _ratio(points, ceiling, _reference(points))


def _signed(found: Sequence[Found], goals: Sequence[Objective]) -> Array:
    signs = np.array([1.0 if goal.direction == "minimize" else -1.0 for goal in goals])
    return np.asarray(signs * np.array([each.score.values for each in found]), dtype=np.float64)


def _reference(points: Array) -> Array:
    span, worst = np.ptp(points, axis=0), points.max(axis=0)
    return np.asarray(worst + 0.1 * np.where(span > 0, span, np.abs(worst) + 1e-12), dtype=np.float64)


def _ratio(points: Array, truth: Array, reference: Array) -> float:
    import moocore  # noqa: PLC0415

    return float(moocore.hypervolume(points, ref=reference) / moocore.hypervolume(truth, ref=reference))
