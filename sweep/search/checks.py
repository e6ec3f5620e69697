"""What is asked of a search after its trials: the proof, the near-optimal designs, the prices of the limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sweep.errors import StudyError
from sweep.search.batch import Evaluator
from sweep.search.cells import cell_blocks
from sweep.search.enumeration import KEPT, SECONDS, WITHIN, Proof, enumerated
from sweep.search.exact import Found, front
from sweep.search.goals import Over, Score
from sweep.search.limits import limits_of
from sweep.search.near import CANDIDATES, Near, diverse
from sweep.search.prices import Price, prices, requirements
from sweep.study import Objective


@dataclass(frozen=True, slots=True)
class Checks:
    """What to do after the trials.

    ``verify``: enumerate, for ``seconds`` at most. ``within``: list different designs that are at most this part worse
    than the best (one goal). ``prices``: solve again with each limit given way (one goal).
    """

    verify: bool = False
    seconds: float = SECONDS
    within: float | None = None
    prices: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found; nothing where it was not asked for.

    ``near`` are chosen from the ``CANDIDATES`` best of ``near_designs``, which are at least so many when not all are
    known one by one (``near_counted``). ``unpriced`` are the conditions that have no limit to give way; None where
    prices were not asked for.
    """

    proof: Proof | None = None
    near: tuple[Near, ...] = ()
    near_designs: int = 0
    near_counted: bool = True
    prices: tuple[Price, ...] = ()
    unpriced: tuple[str, ...] | None = None


def check(
    evaluator: Evaluator,
    goals: Sequence[Objective],
    over: Over,
    found: Sequence[Found],
    asked: Checks,
    progress: Callable[[int, int], None] | None,
) -> Checked:
    """Do what is asked; ``found`` are the trials."""
    proof = None
    if asked.verify:
        within = WITHIN if asked.within is None else max(asked.within, WITHIN)
        known = front(found, goals)
        proof = enumerated(evaluator, goals, over, seconds=asked.seconds, within=within, known=known, progress=progress)
    best = front([*front(found, goals), *(proof.best if proof is not None else ())], goals)
    if len(goals) > 1 or not best:
        return Checked(proof, unpriced=_unpriced(evaluator) if asked.prices else None)
    exact = proof is not None and proof.complete
    paid = prices(evaluator, goals, over, best[0], exact=exact, seconds=asked.seconds) if asked.prices else ()
    unpriced = _unpriced(evaluator) if asked.prices else None
    if asked.within is None:
        return Checked(proof, prices=paid, unpriced=unpriced)
    good = _good(evaluator, goals[0], found, best[0], asked.within, proof)
    near, count = diverse(evaluator.levers, good), len(good)
    if proof is not None and exact:
        count = max(count, _count(proof, goals[0], best[0], asked.within))
    return Checked(proof, near, count, proof is None or len(proof.near) < KEPT, paid, unpriced)


def _unpriced(evaluator: Evaluator) -> tuple[str, ...]:
    """Return the conditions of the study without a limit that could give way."""
    priced = {each.text for each in requirements(evaluator.study.require)}
    return tuple(limit.name for limit in limits_of(evaluator.study) if limit.name not in priced)


def check_goals(asked: Checks, goals: Sequence[Objective]) -> None:
    """Raise ``StudyError`` when something is asked that has no meaning for several goals."""
    if len(goals) < 2:
        return
    names = ", ".join(goal.name for goal in goals)
    for option, wanted in (("--within", asked.within is not None), ("--prices", asked.prices)):
        if wanted:
            message = f"is about one best design, and this study has {len(goals)} goals ({names}): leave it out"
            raise StudyError.at(f"{message}, or search for one with --set keep=all", option)


def _limit(goal: Objective, best: Found, within: float) -> tuple[float, float]:
    """Return the sign that makes less better, and the worst signed goal that is within a part of the best."""
    sign = 1.0 if goal.direction == "minimize" else -1.0
    return sign, sign * best.score.values[0] + within * abs(best.score.values[0])


def _count(proof: Proof, goal: Objective, best: Found, within: float) -> int:
    """Return how many of all designs are within a part of the best."""
    return int((proof.near_values <= _limit(goal, best, within)[1]).sum())


def _good(
    evaluator: Evaluator, goal: Objective, found: Sequence[Found], best: Found, within: float, proof: Proof | None
) -> list[Found]:
    """Return the designs within a part of the best, that one first, of equal ones the first trial.

    They are those of all designs where these were enumerated, the first ``CANDIDATES`` of them; else the trials.
    """
    sign, limit = _limit(goal, best, within)
    tried = {best.point: best}
    for each in found:
        if each.feasible and sign * each.score.values[0] <= limit:
            tried.setdefault(each.point, each)
    if proof is not None:
        blocks = cell_blocks(evaluator)
        pairs = zip(proof.near[:CANDIDATES], proof.near_values[:CANDIDATES].tolist(), strict=True)
        for (number, cell, design), value in pairs:
            point = blocks[number].point(cell, design)
            if value <= limit and point not in tried:
                tried[point] = Found(None, point, Score((sign * value,), 0.0))
    return sorted(tried.values(), key=lambda each: (each.point != best.point, sign * each.score.values[0]))
