"""What is asked of a search after its trials: the proof, the near-optimal designs, the prices of the limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sweep.search.batch import Evaluator
from sweep.search.cells import cell_blocks
from sweep.search.enumeration import SECONDS, WITHIN, Proof, enumerated
from sweep.search.exact import Found, front
from sweep.search.goals import Over, Score
from sweep.search.near import CANDIDATES, Near, diverse
from sweep.search.prices import Price, prices
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
    """What was found; nothing where it was not asked for, or has no meaning for several goals."""

    proof: Proof | None = None
    near: tuple[Near, ...] = ()
    near_designs: int = 0
    prices: tuple[Price, ...] = ()


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
        return Checked(proof)
    good: list[Found] = []
    if asked.within is not None:
        good = _good(evaluator, goals[0], found, best[0], asked.within, proof)
    near = diverse(evaluator.levers, good)
    exact = proof is not None and proof.complete
    paid = prices(evaluator, goals, over, best[0], exact=exact, seconds=asked.seconds) if asked.prices else ()
    return Checked(proof, near, len(good), paid)


def _good(
    evaluator: Evaluator, goal: Objective, found: Sequence[Found], best: Found, within: float, proof: Proof | None
) -> list[Found]:
    """Return the designs within a part of the best, best first: of all where they were enumerated, else the trials."""
    sign = 1.0 if goal.direction == "minimize" else -1.0
    limit = sign * best.score.values[0] + within * abs(best.score.values[0])
    tried = {each.point: each for each in reversed(found) if each.feasible and sign * each.score.values[0] <= limit}
    tried.setdefault(best.point, best)
    if proof is not None:
        blocks = cell_blocks(evaluator)
        pairs = zip(proof.near[:CANDIDATES], proof.near_values[:CANDIDATES].tolist(), strict=True)
        for (number, cell, design), value in pairs:
            point = blocks[number].point(cell, design)
            if value <= limit and point not in tried:
                tried[point] = Found(None, point, Score((sign * value,), 0.0))
    return sorted(tried.values(), key=lambda each: sign * each.score.values[0])
