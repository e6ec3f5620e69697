"""Who is cheaper, by how much, and whether that is more than the model and the published prices can tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sweep.compare.alternatives import Alternatives
from sweep.compare.break_even import Pair


@dataclass(frozen=True)
class Verdict:
    """The first system against another, by cost per token.

    ``ratio`` is first over other, NaN unless both have a design. ``error`` is the model's on it [fraction], infinite
    where unknown; ``low`` and ``high`` are what it and, where they were tried, the published conflicts leave of the
    ratio: 0 and infinite where a published value leaves one system without a design. ``winner`` is the cheaper system,
    or the only one with a design; None when that cannot be told.
    """

    first: str
    other: str
    ratio: float
    error: float
    low: float
    high: float
    winner: str | None

    @property
    def open(self) -> bool:
        """Whether both have a design and one cannot tell which is cheaper."""
        return math.isfinite(self.ratio) and self.winner is None


def judged(pair: Pair, error: float, conflicts: Alternatives | None) -> Verdict:
    """Return the verdict on two systems; ``error`` is that of their ratio [fraction].

    The interval is the model's error and the spread of the published conflicts in quadrature, in logarithms.
    """
    names = pair[0].system, pair[1].system
    having = [side.system for side in pair if side.chosen is not None]
    if len(having) < 2:
        return Verdict(*names, math.nan, error, math.nan, math.nan, having[0] if having else None)
    ratio = pair[0].cost / pair[1].cost
    band = math.log1p(error)
    down, up = conflicts.spread if conflicts else (0.0, 0.0)
    low, high = ratio * math.exp(-math.hypot(band, down)), ratio * math.exp(math.hypot(band, up))
    winner = names[0] if high < 1 else names[1] if low > 1 else None
    return Verdict(*names, ratio, error, low, high, winner)
