"""Which inputs decide a comparison: how strongly its ratio answers to each, and how far each must move to turn it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.quantities import Quantity, quantities
from sweep.compare.basis import COST
from sweep.compare.break_even import Pair, solve
from sweep.compare.inputs import span_of
from sweep.compare.side import Move, Side, owner_name
from sweep.inputs import Inputs
from sweep.ranges import breaches
from sweep.units import factor

Array = NDArray[np.float64]
STEPS = (0.998, 0.999, 1.001, 1.002)
"""By what an input is multiplied when the answer of the ratio to it is taken, on either side of a step at its value."""
LEAST = 0.01
"""Least answer that is listed: an input that moves the ratio by a hundredth of its own change does not decide."""
FACTORS = np.geomspace(1 / 8, 8, 25)
"""By what an input that changes the performance is multiplied in search of the turn."""
LEFT_OUT = {"step_time_error", "token_time_error", "software_date"}
"""Inputs that describe the model and not the machine."""


@dataclass(frozen=True)
class Deciding:
    """How one input decides: ``elasticity`` is the relative change of the ratio of costs over that of the input.

    ``turns_at`` is the value nearest to today's at which both cost the same [``unit``], None where there is none within
    what the input may be (or, for what changes the performance, within a factor of eight). For those inputs the number
    of domains is held, and a deadline is not asked about.
    """

    name: str
    of: str
    unit: str
    now: float
    elasticity: float
    turns_at: float | None

    @property
    def change(self) -> float | None:
        """Relative change of the input that turns the verdict."""
        return None if self.turns_at is None or not self.now else self.turns_at / self.now - 1


def deciding_inputs(pair: Pair) -> tuple[Deciding, ...]:
    """Return the inputs to which the ratio of costs answers, the strongest first."""
    inputs = tuple(side.machine.inputs(side.region) for side in pair)
    answers = [_elasticities(side, found) for side, found in zip(pair, inputs, strict=True)]
    found: dict[Move, float] = {}
    for name in dict.fromkeys([*answers[0], *answers[1]]):
        first, second = (answer.get(name, 0.0) for answer in answers)
        if _shared(name, inputs):
            found[Move(name, "both")] = first - second
        else:
            found |= {Move(name, "first"): first, Move(name, "second"): -second}
    ranked = sorted((move for move in found if abs(found[move]) >= LEAST), key=lambda move: -abs(found[move]))
    turns = _turns(pair, ranked, inputs)
    return tuple(_deciding(pair, move, found[move], turns.get(move), inputs) for move in ranked)


def _deciding(pair: Pair, move: Move, answer: float, turn: float | None, inputs: Sequence[Inputs]) -> Deciding:
    place = _place(move)
    of = owner_name(pair, move)
    return Deciding(move.name, of, quantities()[move.name].unit, _now(inputs[place], move.name), answer, turn)


def _place(move: Move) -> int:
    return 1 if move.owner == "second" else 0


def _now(inputs: Inputs, name: str) -> float:
    row = quantities()[name]
    return float(inputs.values[name]) * factor(row.si_unit, row.unit)


def _shared(name: str, inputs: Sequence[Inputs]) -> bool:
    """Return whether both systems take an input from the same place: a fact of the world, or of the study."""
    first, second = (each.origins.get(name) for each in inputs)
    if first is None or second is None or first.kind != second.kind:
        return False
    places = [[f"{fact.kind}/{fact.entry}" for fact in origin.facts] or [origin.where] for origin in (first, second)]
    return first.kind != "formula" and places[0] == places[1]


def _moving(inputs: Inputs) -> list[Quantity]:
    """Return the inputs that can be moved by a small part of themselves."""
    rows = [row for row in quantities().values() if row.dtype == "float" and row.is_input and not row.structural]
    known = [row for row in rows if row.name in inputs.values and row.name not in LEFT_OUT]
    values = {row.name: inputs.values[row.name] for row in known}
    return [row for row in known if np.ndim(values[row.name]) == 0 and _usable(float(values[row.name]))]


def _usable(value: float) -> bool:
    return math.isfinite(value) and value != 0


def _elasticities(side: Side, inputs: Inputs) -> dict[str, float]:
    """Return the relative change of a system's cost over that of each input, its number of domains held.

    It is the mean of the changes below and above today's value. What happens at the value itself, as where one more
    interface is needed for a faster port, is no part of it.
    """
    rows = _moving(inputs)
    computed = {row.name for row in rows if (origin := inputs.origins.get(row.name)) and origin.kind == "formula"}
    found: dict[str, float] = {}
    # What a formula gives is moved on its own: stated in a variant, it would no longer follow the others.
    for group in ([row for row in rows if row.name not in computed], [row for row in rows if row.name in computed]):
        factors = np.array([[_within(row, inputs, by) for by in STEPS] for row in group])
        if not group:
            continue
        logs = np.log(costs_at(side, inputs, [row.name for row in group], factors))
        rise, run = np.diff(logs)[:, ::2], np.diff(np.log(factors))[:, ::2]
        slopes = np.divide(rise, run, out=np.full_like(run, np.nan), where=run > 0)
        answers = np.nanmean(slopes, axis=1)
        found |= {row.name: float(answer) for row, answer in zip(group, answers, strict=True) if abs(answer) > 1e-9}
    return found


def _within(row: Quantity, inputs: Inputs, by: float) -> float:
    """Return a factor cut so that the input stays within its bounds."""
    value = _now(inputs, row.name)
    low, high = row.minimum, row.maximum
    moved = value * by
    if high is not None:
        moved = min(moved, max(high, value))
    if low is not None:
        moved = max(moved, min(low, value))
    return moved / value


def costs_at(side: Side, inputs: Inputs, names: Sequence[str], factors: Array) -> Array:
    """Return a system's cost [USD/token] with each input multiplied by each of its factors; shape as ``factors``.

    The number of domains is that of the design taken.
    """
    assert side.chosen is not None
    count = (side.counts[side.chosen],)
    size = factors.size
    changes = {}
    for index, name in enumerate(names):
        column = np.full((len(names), factors.shape[1]), _now(inputs, name))
        column[index] *= factors[index]
        changes[name] = column.reshape(size, 1)
    found = side.machine.evaluate(side.region, count, changes)
    cost = np.where(np.asarray(found["status"]) == 0, np.asarray(found[COST], dtype=np.float64), np.nan)
    return np.broadcast_to(cost, (size, 1)).reshape(factors.shape)


def _turns(pair: Pair, moves: Iterable[Move], inputs: Sequence[Inputs]) -> dict[Move, float | None]:
    """Return the value nearest to today's at which both systems cost the same [table unit]."""
    performing = [
        move
        for move in moves
        if any(move.touches(place) and side.machine.performs_by(move.name) for place, side in enumerate(pair))
    ]
    found = _turned(pair, performing, inputs)
    for move in moves:
        if move not in found:
            found[move] = _nearest(pair, move, inputs)
    return found


def _nearest(pair: Pair, move: Move, inputs: Sequence[Inputs]) -> float | None:
    """Return the nearest break-even of an input that changes no performance; at a jump, where the step is."""
    now = _now(inputs[_place(move)], move.name)
    crossings = solve(pair, move, span_of(move.name), now, 0.0).crossings
    values = [value for each in crossings for value in (each.low, each.high) if _possible(pair, move, value)]
    return min(values, key=lambda value: abs(value - now)) if values else None


def _possible(pair: Pair, move: Move, value: float) -> bool:
    """Return whether what the catalogue derives from an input stays within its bounds: no price below zero."""
    if not math.isfinite(value):
        return False
    for place, side in enumerate(pair):
        if move.touches(place):
            found = side.machine.inputs(side.region, {move.name: np.asarray(value)})
            if breaches(found.values, found.origins):
                return False
    return True


def _turned(pair: Pair, moves: Sequence[Move], inputs: Sequence[Inputs]) -> dict[Move, float | None]:
    """Return the turn of inputs that change the performance, to four digits, the numbers of domains held."""
    if not moves:
        return {}
    rows = [(quantities()[move.name], inputs[_place(move)]) for move in moves]
    factors = np.array([[_within(row, known, by) for by in FACTORS.tolist()] for row, known in rows])
    brackets = [_bracket(row, near) for row, near in zip(_logs(pair, moves, inputs, factors), factors, strict=True)]
    open_moves = [(move, bracket) for move, bracket in zip(moves, brackets, strict=True) if bracket is not None]
    found: dict[Move, float | None] = dict.fromkeys(moves)
    if open_moves:
        finer = np.array([np.geomspace(low, high, FACTORS.size) for _, (low, high) in open_moves])
        logs = _logs(pair, [move for move, _ in open_moves], inputs, finer)
        for (move, _), row, near in zip(open_moves, logs, finer, strict=True):
            root = _root(row, near)
            found[move] = None if root is None else root * _now(inputs[_place(move)], move.name)
    return {move: _admissible(move, value) for move, value in found.items()}


def _admissible(move: Move, value: float | None) -> float | None:
    low, high = span_of(move.name)
    return value if value is not None and low <= value <= high else None


def _logs(pair: Pair, moves: Sequence[Move], inputs: Sequence[Inputs], factors: Array) -> Array:
    """Return the logarithm of the ratio of costs with each input moved, shape as ``factors``."""
    sides = []
    for place, side in enumerate(pair):
        touched = [index for index, move in enumerate(moves) if move.touches(place)]
        costs = np.full(factors.shape, side.cost)
        if touched:
            costs[touched] = costs_at(side, inputs[place], [moves[index].name for index in touched], factors[touched])
        sides.append(np.log(costs))
    return np.asarray(sides[0] - sides[1])


def _bracket(logs: Array, factors: Array) -> tuple[float, float] | None:
    """Return the two neighbouring factors, nearest to one, between which the ratio passes one."""
    changes = np.flatnonzero(np.sign(logs[:-1]) * np.sign(logs[1:]) < 0)
    if not changes.size:
        return None
    middle = np.abs(np.log(factors[:-1] * factors[1:]))[changes]
    index = int(changes[np.argmin(middle)])
    return float(factors[index]), float(factors[index + 1])


def _root(logs: Array, factors: Array) -> float | None:
    """Return where the ratio passes one; None where it does not after all.

    With fewer inputs held, what the catalogue derives from the one moved moves along (host power from chip power).
    """
    changes = np.flatnonzero(np.sign(logs[:-1]) * np.sign(logs[1:]) <= 0)
    if not changes.size:
        return None
    index = int(changes[0])
    share = logs[index] / (logs[index] - logs[index + 1])
    return float(factors[index] * (factors[index + 1] / factors[index]) ** share)
