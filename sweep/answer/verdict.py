"""Who wins, by how much, and whether the model can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.answer.break_even import BreakEven, break_even
from sweep.answer.equal_basis import Picks, paired


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison of two systems under one basis for one workload.

    ``error`` is the half-width of "cannot tell": the model's known errors of both systems, added in quadrature. Shares
    are of all scenarios in which both have a design; ``ratio`` is first over second at the nominal scenario (None when
    one of them has no design there); ``crossings`` are the break-even values by scenario column.
    """

    picks: Picks
    systems: tuple[str, str]
    error: float
    scenarios: int
    share_first: float
    share_second: float
    share_open: float
    ratio: float | None
    crossings: Mapping[str, BreakEven]

    @property
    def winner(self) -> str | None:
        """The better system at the nominal scenario, or None when the model cannot tell or one has no design."""
        return None if self.ratio is None else self.better(self.ratio)

    def better(self, ratio: float) -> str | None:
        """Return which system a ratio of goals (first over second) favours, None inside the model's error."""
        if abs(math.log(ratio)) <= math.log1p(self.error):
            return None
        less = self.picks.goal.direction == "minimize"
        return self.systems[0] if (ratio < 1) == less else self.systems[1]


def judge(picks: Picks, first: str, second: str, errors: Mapping[str, float]) -> Verdict:
    """Return the verdict on two systems.

    ``errors`` is the mean absolute error of the model's step time on published runs of each system's chip [fraction].
    """
    error = math.hypot(errors[first], errors[second])
    ratios = paired(picks, first, second)
    logs = np.log(ratios) * (1 if picks.goal.direction == "minimize" else -1)
    band = math.log1p(error)
    count = max(ratios.size, 1)
    nominal = picks.scenarios.nominal
    a, b = picks.at(first, nominal), picks.at(second, nominal)
    crossings = {
        column: _crossing(picks, first, second, column)
        for column in picks.scenarios.nominal
        if picks.goal.direction == "minimize" and _numeric(picks.scenarios.values[column])
    }
    return Verdict(
        picks=picks,
        systems=(first, second),
        error=error,
        scenarios=ratios.size,
        share_first=float((logs < -band).sum()) / count,
        share_second=float((logs > band).sum()) / count,
        share_open=float((abs(logs) <= band).sum()) / count,
        ratio=None if a is None or b is None else a["goal"] / b["goal"],
        crossings=crossings,
    )


def _numeric(values: Sequence[Any]) -> bool:
    return len(values) > 1 and not isinstance(values[0], str)


def _crossing(picks: Picks, first: str, second: str, column: str) -> BreakEven:
    nominal = picks.scenarios.nominal
    order = np.argsort(np.array(picks.scenarios.values[column], dtype=np.float64))
    inputs = np.array(picks.scenarios.values[column], dtype=np.float64)[order]
    a, b = (picks.curve(system, column, nominal)[order] for system in (first, second))
    return break_even(inputs, a, b)
