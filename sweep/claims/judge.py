"""From a claim to its verdict: every published basis evaluated, compared with what is claimed, and solved for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, log10
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sweep.claims.choices import Basis, Verdict
from sweep.claims.read import Claim, Claimed, Needs, Part
from sweep.claims.values import Value, Values
from sweep.errors import StudyError, nearest
from sweep.expressions import Expression, compile_expression
from sweep.expressions.tokens import tokenize
from sweep.units import factor

Points = NDArray[np.float64]
State = Literal["holds", "fails", "depends", "shown"]

DECADES, POINTS, HALVINGS = 6, 2401, 200
"""A solution is looked for within so many powers of ten of today's value, at so many points, then halved in."""

CATALOGUE = "catalogue"
"""Name of the basis of a part that names none: what the catalogue prefers."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one basis gives: the number in the unit of the part (or true or false), and the values it came from."""

    basis: str
    value: float | bool
    holds: bool | None
    used: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Needed:
    """What would have to be true: ``value`` instead of ``now``, both in ``unit``; None where no value does it."""

    say: str
    value: float | None
    now: float
    unit: str


@dataclass(frozen=True, slots=True)
class PartFound:
    """A part of a claim with its figures, whether it holds, and what would have to be true."""

    part: Part
    figures: tuple[Figure, ...]
    state: State
    needed: Needed | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim with its verdict and what it rests on."""

    claim: Claim
    verdict: Verdict
    by: Basis
    parts: tuple[PartFound, ...]

    @property
    def differs(self) -> bool:
        """Whether the numbers lead to another verdict than the sources were read to say."""
        return self.verdict != self.claim.compiled


def judge(claim: Claim, values: Values) -> Judged:
    """Return the verdict of a claim, its numbers computed now. Raises ``StudyError`` when a formula cannot be used."""
    parts = tuple(_part(claim.id, part, values) for part in claim.parts)
    tested = [found.state for found in parts if found.state != "shown"]
    if tested:
        return Judged(claim, verdict_of(tested), "numbers", parts)
    return Judged(claim, claim.compiled, "nobody" if claim.compiled == "not testable" else "sources", parts)


def verdict_of(states: Sequence[State]) -> Verdict:
    """Return the verdict that the states of the parts lead to (``choices.RULE``)."""
    found = set(states)
    if found == {"holds"}:
        return "confirmed"
    if found == {"fails"}:
        return "contradicted"
    return "partly confirmed" if "fails" in found else "ambiguous"


def _part(claim: str, part: Part, values: Values) -> PartFound:
    formula = formula_of(part.formula, values, f"claim {claim}", part.says)
    bases = part.bases or {CATALOGUE: {}}
    figures = tuple(_figure(name, swaps, part, formula, values) for name, swaps in bases.items())
    state = _state(figures)
    needed = None
    if part.needs is not None and part.claimed is not None and figures[0].holds is False:
        first = next(iter(bases.values()))
        needed = _needed(part.needs, part.claimed, part.unit, formula, _taken(formula, first, values))
    return PartFound(part, figures, state, needed)


def formula_of(text: str, values: Values, where: str, path: str = "") -> Expression:
    """Return the checked formula of a text over the named values; only those it uses are looked up."""
    words = {token.text for token in tokenize(text) if token.kind == "name"}
    return compile_expression(text, {name: values.unit(name) for name in values.names if name in words}, where, path)


def _state(figures: tuple[Figure, ...]) -> State:
    held = [figure.holds for figure in figures if figure.holds is not None]
    if not held:
        return "shown"
    if all(held):
        return "holds"
    return "depends" if any(held) else "fails"


def _taken(formula: Expression, swaps: Mapping[str, float | str], values: Values) -> dict[str, Value]:
    """Return the values of a formula under one basis. Raises ``StudyError`` for an alternative nobody published."""
    unused = set(swaps) - set(formula.names)
    if unused:
        raise StudyError.at(f"{formula.text!r} does not use {', '.join(sorted(unused))}")
    return {name: _choice(values.value(name), swaps.get(name), values) for name in formula.names}


def _choice(value: Value, wanted: float | str | None, values: Values) -> Value:
    if wanted is None:
        return value
    if isinstance(wanted, str):
        return values.value(wanted)
    if float(wanted) not in value.alternatives:
        printed = [f"{number:g}" for number in value.alternatives]
        raise StudyError.at(f"{value.name} has no published value {wanted:g}{nearest(f'{wanted:g}', printed)}")
    return value.alternatives[float(wanted)]


def _figure(name: str, swaps: Mapping[str, float | str], part: Part, formula: Expression, values: Values) -> Figure:
    taken = _taken(formula, swaps, values)
    found = formula.evaluate({key: value.si for key, value in taken.items()}).item()
    used = tuple(taken.values())
    if formula.is_condition:
        return Figure(name, bool(found), bool(found), used)
    value = float(found) / _scale(part.unit, formula)
    if not isfinite(value):
        raise StudyError.at(f"{part.formula!r} gives {value} on the basis {name}")
    if part.claimed is None:
        return Figure(name, value, None, used)
    low, high = part.claimed.limits()
    return Figure(name, value, low <= value <= high, used)


def _scale(unit: str, formula: Expression) -> float:
    """Return what one of ``unit`` is in the SI unit of the formula."""
    return factor(unit, formula.si_unit) if unit else 1.0


def _needed(needs: Needs, claimed: Claimed, unit: str, formula: Expression, taken: Mapping[str, Value]) -> Needed:
    """Solve the formula, on its first basis, for the value that makes the claim true."""
    now = taken[needs.change].si
    if not isinstance(now, float | int) or now <= 0:
        raise StudyError.at(f"{needs.change} cannot be solved for: it is {now!r}")
    others = {name: value.si for name, value in taken.items()}
    target = claimed.target * _scale(unit, formula)

    def off(point: Points) -> Points:
        return np.broadcast_to(formula.evaluate({**others, needs.change: point}) - target, point.shape)

    found = _crossing(off, float(now))
    scale = factor(needs.unit, taken[needs.change].si_unit) if needs.unit else 1.0
    shown = None if found is None else found / scale
    if needs.whole and shown is not None:
        shown = float(ceil(shown - 1e-9))
    return Needed(needs.say, shown, now / scale, needs.unit)


def _crossing(off: Callable[[Points], Points], now: float) -> float | None:
    """Return the point nearest to ``now`` at which ``off`` changes its sign, or None within ``DECADES``."""
    grid = np.geomspace(now * 10.0**-DECADES, now * 10.0**DECADES, POINTS)
    signs = np.sign(off(grid))
    places = np.flatnonzero(signs[1:] * signs[:-1] <= 0)
    found = [_halved(off, float(grid[place]), float(grid[place + 1])) for place in places]
    return min(found, key=lambda point: abs(log10(point / now)), default=None)


def _halved(off: Callable[[Points], Points], low: float, high: float) -> float:
    """Return where ``off`` changes its sign between two points."""
    falling = off(np.asarray([low]))[0] > 0
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        if (off(np.asarray([middle]))[0] > 0) == falling:
            low = middle
        else:
            high = middle
    return float((low * high) ** 0.5)
