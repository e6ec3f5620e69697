"""A proof held against what a search has found: a bound that a known design passes is false, and so is its proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sweep.search.cells import CellBlock
from sweep.search.exact import Found
from sweep.study import Objective

Array = NDArray[np.float64]
ROUNDING: Final = 1e-9
"""Relative difference that the order of a sum over scenarios explains, and more."""


class FalseProofError(RuntimeError):
    """A defect of the program: the model contradicts what was shown of it."""


def check_bounds(
    blocks: Sequence[CellBlock], bounds: Array, known: Sequence[Found], goals: Sequence[Objective]
) -> None:
    """Raise ``FalseProofError`` when a known feasible design is better than the bound of its cell.

    ``bounds`` (goals, cells of all blocks in turn), to be minimised.
    """
    if not np.isfinite(bounds).any() and not (bounds == np.inf).any():
        return
    firsts = np.cumsum([0, *(block.cells for block in blocks)])
    for each in known:
        place = int(firsts[each.point.block]) + blocks[each.point.block].cell(each.point)
        for goal, bound, value in zip(goals, bounds[:, place].tolist(), _signed(each, goals), strict=True):
            if bound > value + ROUNDING * abs(value):
                sign = 1.0 if goal.direction == "minimize" else -1.0
                raise FalseProofError(
                    f"no design of its cell was to pass {sign * bound:.9g} in {goal.name}, but {_named(each)} reaches "
                    f"{sign * value:.9g}; the trials stand, the proof does not: leave --verify out"
                )


def check_best(best: Sequence[Found], known: Sequence[Found], goals: Sequence[Objective]) -> None:
    """Raise ``FalseProofError`` when a known feasible design is better than the best of all designs."""
    standard = np.array([_signed(each, goals) for each in best]).reshape(-1, len(goals))
    for each in known:
        value = _signed(each, goals)
        if not (standard <= value + ROUNDING * np.abs(value)).all(axis=1).any():
            reached = ", ".join(f"{goal.name} {got:.9g}" for goal, got in zip(goals, each.score.values, strict=True))
            raise FalseProofError(
                f"the enumeration found nothing as good as {_named(each)} ({reached}); the trials stand, the proof "
                "does not: leave --verify out"
            )


def _signed(found: Found, goals: Sequence[Objective]) -> Array:
    signs = np.array([1.0 if goal.direction == "minimize" else -1.0 for goal in goals])
    return np.asarray(signs * np.array(found.score.values))


def _named(found: Found) -> str:
    return "a known design" if found.trial is None else f"trial {found.trial}"
