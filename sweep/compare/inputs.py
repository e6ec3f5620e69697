"""The inputs whose break-evens every comparison gives, each solved over all it may be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.quantities import quantities
from sweep.compare.break_even import Pair, Solved, solve
from sweep.compare.side import Move, Owner, Side, owner_name
from sweep.units import factor


@dataclass(frozen=True)
class BreakEven:
    """Where two systems cost the same as one input moves: ``now`` are their own values [``unit``].

    ``of`` is the system whose input moves, or ``both``. ``never`` says why there is no crossing, empty when there is.
    """

    name: str
    of: str
    move: Move
    unit: str
    now: tuple[float, float]
    solved: Solved
    never: str


ENDS = {
    "power_price": ("with free power", "however dear power becomes"),
    "chip_price": ("with free chips", "however dear chips become"),
    "chip_markup": ("with free chips", "however dear chips become"),
    "staff_cost": ("without staff", "however dear staff becomes"),
    "staff_multiplier": ("without staff", "however much staff it takes"),
    "utilisation": ("when next to idle", "when busy all year"),
    "import_tariff": ("without any duty", "at any duty"),
}
"""What the two ends of an input mean, for the reason why there is no break-even."""

OWN: tuple[Owner, ...] = ("first", "second")


def moves(pair: Pair) -> Iterator[Move]:
    """Yield the inputs that are solved for.

    One price of power for both, and at home that of each; price of chips, staffing, utilisation and duty of each;
    utilisation and the cost of staff of both.
    """
    each_at_home = pair[0].region == "own"
    marked = [_value(side, "chip_markup") is not None for side in pair]
    for name, owners in (
        ("power_price", ("both", *(OWN if each_at_home else ()))),
        ("chip_price", OWN),
        ("staff_cost", ("both",)),
        ("staff_multiplier", OWN),
        ("utilisation", ("both", *OWN)),
        ("import_tariff", OWN),
    ):
        for owner in owners:
            bottom_up = name == "chip_price" and marked[OWN.index(owner)]
            yield Move("chip_markup" if bottom_up else name, owner)


def break_evens(pair: Pair, error: float) -> tuple[BreakEven, ...]:
    """Return the break-even of every input of ``moves`` that both systems know."""
    found = []
    for move in moves(pair):
        now = tuple(_value(side, move.name) for side in pair)
        if now[0] is not None and now[1] is not None:
            found.append(_solved(pair, move, (now[0], now[1]), error))
    return tuple(found)


def span_of(name: str) -> tuple[float, float]:
    """Return the least and the largest value an input may have [table unit]; prices have no upper end."""
    row = quantities()[name]
    low = 0.0 if row.minimum is None else row.minimum
    endless = row.maximum is None or "USD" in row.unit
    return low, math.inf if endless or row.maximum is None else row.maximum


def _solved(pair: Pair, move: Move, now: tuple[float, float], error: float) -> BreakEven:
    row = quantities()[move.name]
    nominal = now[1] if move.owner == "second" else now[0]
    solved = solve(pair, move, span_of(move.name), nominal, error)
    return BreakEven(move.name, owner_name(pair, move), move, row.unit, now, solved, _never(pair, move, solved))


def _value(side: Side, name: str) -> float | None:
    """Return a system's own value of an input [table unit]; None when it is not known."""
    value = side.machine.inputs(side.region).values.get(name)
    if value is None or np.ndim(value) or math.isnan(float(value)):
        return None
    row = quantities()[name]
    return float(value) * factor(row.si_unit, row.unit)


def _never(pair: Pair, move: Move, solved: Solved) -> str:
    """Return why there is no crossing: by how much one stays dearer at the end of the range where it is least so."""
    if solved.equal:
        return "both cost the same everywhere"
    if solved.cheaper is None:
        return "" if solved.crossings else "never do both have a design"
    names = (pair[0].system, pair[1].system)
    dearer = names[1 - solved.cheaper]
    words = ENDS.get(move.name, ("at its least", "at its largest"))
    ratios = [(ratio if solved.cheaper else 1 / ratio if ratio else math.inf) for ratio in solved.ends]
    known = [(ratio, word) for ratio, word in zip(ratios, words, strict=True) if math.isfinite(ratio)]
    if not known:
        return f"{dearer} costs more throughout"
    least, word = min(known)
    return f"{dearer} costs {least:.2f} times as much even {word}"
