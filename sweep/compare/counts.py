"""How many domains a planner would consider under a basis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sweep.compare.basis import Basis
from sweep.compare.machine import Machine

MOST_CHIPS = 1 << 20
"""Chips beyond which no count is tried."""
LISTED = 32
"""Most counts that are tried besides those of the search for the limit."""
SPREAD = 16.0
"""How much more or less a budget may come to buy as prices move."""


def counts_for(
    machine: Machine, region: str, basis: Basis, place: int, changes: Mapping[str, Any] | None = None
) -> tuple[int, ...]:
    """Return the counts of domains among which a system's design is chosen, ascending.

    ``place`` is that of the system among those compared, ``changes`` are values in place of its own [table units].

    With a deadline they lie between 0.85 and 2 times the least that meets it; with a limit on size between half and
    the whole of the largest within it, and 16 times beyond either way for a budget, since prices move what it buys.
    Every whole number where there are few, otherwise in even ratios. Empty when no count keeps the limit.
    """
    if basis.domains:
        return (basis.domains[place],)
    most = max(MOST_CHIPS // int(machine.inputs(region).values["scale_up_size"]), 1)
    value = _metric(machine, region, basis, changes)
    if basis.name == "deadline":
        least = _first(lambda count: value(count) <= basis.limit, most)
        return () if least is None else _between(max(int(0.85 * least), 1), min(2 * least, most), least)
    if np.isnan(value(1)):  # a price or a power is not known
        return ()
    over = _first(lambda count: value(count) > basis.limit, most)
    largest = most if over is None else over - 1
    if largest < 1:
        return ()
    if basis.name == "budget":
        return _between(max(int(largest / SPREAD), 1), min(int(largest * SPREAD), most), largest)
    return _between(max(largest // 2, 1), largest, largest)


def _metric(machine: Machine, region: str, basis: Basis, changes: Mapping[str, Any] | None) -> Callable[[int], float]:
    """Return the limited metric by count; what does not work is infinitely late, but of its own size."""

    def value(count: int) -> float:
        found = machine.evaluate(region, (count,), changes)
        number = float(np.asarray(found[basis.metric], dtype=np.float64).reshape(-1)[0])
        late = basis.name == "deadline" and not np.isfinite(number)
        return np.inf if late else number

    return value


def _first(holds: Callable[[int], bool], most: int) -> int | None:
    """Return the least count at which a condition holds that keeps holding beyond; None when it does nowhere."""
    low, high = 0, 1
    while not holds(high):
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _between(low: int, high: int, centre: int) -> tuple[int, ...]:
    """Return whole numbers from low to high in even ratios, the centre and those next to it among them."""
    if high - low < LISTED:
        return tuple(range(low, high + 1))
    spaced = np.unique(np.rint(np.geomspace(low, high, LISTED)).astype(int)).tolist()
    near = range(max(centre - 3, low), min(centre + 3, high) + 1)
    return tuple(sorted({*spaced, *near}))
