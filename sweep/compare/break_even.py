"""At which value of an input two systems cost the same: solved on the evaluated model.

Every cost is a straight line over a price, and over the reciprocal of the utilisation. Whether that holds is checked
each time at further values, for every design; the crossing is then exact, however far from today's value it lies, and
the model is evaluated there again. Where it does not hold, the crossing is searched for on the model itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sweep.compare.lines import Curve, Piece, Stretch, overlap, stretches
from sweep.compare.search import searched
from sweep.compare.side import Move, Scale, Side

Array = NDArray[np.float64]
Pair = tuple[Side, Side]
PROBES = (1.0, 2.0, 4.0, 7.0)
EQUAL = 1e-9
"""Largest relative difference of two costs at a break-even."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where the order changes: ``low`` and ``high`` [table unit] are one value, or the edges of what lies between.

    ``below`` and ``above`` say which system (0 or 1) is cheaper on either side. ``gap`` is the relative difference of
    the two costs there, evaluated anew: rounding error at a break-even, the height of the step at a jump, NaN between.
    """

    low: float
    high: float
    below: int
    above: int
    gap: float

    @property
    def kind(self) -> Literal["equal", "jump", "between"]:
        """What happens there: both cost the same, one changes its design, or one has no design in between."""
        if self.low != self.high:
            return "between"
        return "equal" if self.gap <= EQUAL else "jump"


@dataclass(frozen=True, slots=True)
class Solved:
    """The break-evens of one input over its whole admissible range.

    ``cheaper`` is the system (0 or 1) that is cheaper throughout when there is no crossing (None without a design of
    both anywhere), ``equal`` whether both cost the same everywhere. ``ends`` are the ratios of cost, first over second,
    at both ends of the range (the limit at infinity). ``undecided`` are the stretches on which the ratio is within the
    error.
    """

    crossings: tuple[Crossing, ...] = ()
    cheaper: int | None = None
    equal: bool = False
    ends: tuple[float, float] = (math.nan, math.nan)
    undecided: tuple[tuple[float, float], ...] = ()


def solve(pair: Pair, move: Move, span: tuple[float, float], now: float, error: float) -> Solved:
    """Return where two systems cost the same as one input moves.

    Parameters
    ----------
    span
        Least and largest admissible value [table unit]; the largest may be infinite.
    now
        Today's value, for the scale of the probes.
    error
        Relative error of the ratio of costs, for what is undecided.
    """
    step = abs(now - span[0]) or 1.0
    for scale in (Scale(reciprocal=False), Scale(reciprocal=True)):
        if scale.reciprocal and span[0] < 0:
            continue
        start, stop = scale.span(*span)
        along = start + (max(start, scale.of(step)) if scale.reciprocal else step) * np.array(PROBES)
        along = along[along <= stop]
        if along.size < len(PROBES):
            along = np.linspace(start, stop, len(PROBES) + 1)[1:]
        values = np.array([scale.of(each) for each in along.tolist()])
        curves = [
            side.curve(move.name, values, along) if move.touches(place) else side.still()
            for place, side in enumerate(pair)
        ]
        if curves[0] is not None and curves[1] is not None:
            return _on_lines(pair, move, (curves[0], curves[1]), scale, (start, stop), error)
    return _on_model(pair, move, span, step, error)


def _on_lines(
    pair: Pair, move: Move, curves: tuple[Curve, Curve], scale: Scale, span: tuple[float, float], error: float
) -> Solved:
    first, second = curves[0].pieces(*span), curves[1].pieces(*span)
    found = stretches(first, second)
    ordered = [each for each in found if each.sign]
    not_above = _where(stretches(first, curves[1].times(1 + error).pieces(*span)), {-1, 0})
    not_below = _where(stretches(curves[0].times(1 + error).pieces(*span), second), {0, 1})
    crossings = [_crossing(pair, move, each, scale) for each in pairwise(ordered) if each[0].sign != each[1].sign]
    ends = _ratio(first, second, span[0]), _ratio(first, second, span[1])
    undecided = [scale.span(*each) for each in overlap(not_above, not_below)]
    return Solved(
        crossings=tuple(sorted(crossings, key=lambda each: each.low)),
        cheaper=int(ordered[0].sign > 0) if ordered and not crossings else None,
        equal=bool(found) and not ordered,
        ends=ends[::-1] if scale.reciprocal else ends,
        undecided=tuple(sorted(undecided)),
    )


def _where(found: Sequence[Stretch], signs: set[int]) -> list[tuple[float, float]]:
    return [(each.low, each.high) for each in found if each.sign in signs]


def _ratio(first: Sequence[Piece], second: Sequence[Piece], x: float) -> float:
    """Return the ratio of two curves at an end of the scale, NaN where one has no design there."""
    here = [[piece for piece in pieces if piece.low <= x <= piece.high] for pieces in (first, second)]
    if not all(here):
        return math.nan
    one, other = here[0][-1], here[1][-1]
    if math.isfinite(x):
        tops = one.start + one.slope * x, other.start + other.slope * x
    else:
        tops = (one.slope, other.slope) if one.slope or other.slope else (one.start, other.start)
    return tops[0] / tops[1] if tops[1] else math.inf


def _crossing(pair: Pair, move: Move, around: tuple[Stretch, Stretch], scale: Scale) -> Crossing:
    before, after = around[::-1] if scale.reciprocal else around
    low, high = (each + 0.0 for each in scale.span(around[0].high, around[1].low))  # no minus zero
    gap = math.nan if low != high else relative_gap(pair, move, low)
    return Crossing(low, high, int(before.sign > 0), int(after.sign > 0), gap)


def relative_gap(pair: Pair, move: Move, value: float) -> float:
    """Return the relative difference of the two costs at a value of an input [table unit], from the model."""
    one, other = (float(each[0]) for each in _costs(pair, move, np.array([value])))
    return abs(one - other) / one if one else abs(other)


def _costs(pair: Pair, move: Move, values: Array) -> list[Array]:
    return [
        side.along(move.name, values) if move.touches(place) else np.full(values.shape, side.cost)
        for place, side in enumerate(pair)
    ]


def _on_model(pair: Pair, move: Move, span: tuple[float, float], step: float, error: float) -> Solved:
    """Search on the model itself: for inputs over which costs are not straight."""

    def logs(values: Array) -> Array:
        one, other = _costs(pair, move, values)
        return np.log(one / other)

    found = searched(logs, span, step, math.log1p(error))
    crossings = [
        Crossing(low, high, int(below > 0), int(above > 0), math.nan if low != high else relative_gap(pair, move, low))
        for low, high, below, above in found.changes
    ]
    return Solved(
        crossings=tuple(crossings),
        cheaper=int(found.sign > 0) if found.sign and not crossings else None,
        equal=found.level,
        ends=(math.exp(found.ends[0]), math.exp(found.ends[1])),
        undecided=found.undecided,
    )
