"""Constants of a study from which something follows that cannot be: a price of a system below that of its fabric.

Where a lever, a scenario or a draw is behind it, the designs are infeasible instead, with their reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from models.quantities import Quantity, quantities
from sweep.assembly import Origin, fact_formula
from sweep.catalogue import Catalogue
from sweep.errors import Problem
from sweep.inputs import Inputs, gathered
from sweep.ranges import breaches, in_table_unit
from sweep.study.study import Study
from sweep.text import number, with_unit

STATED = {"study", "axis"}
"""Kinds of origin of what a study states itself."""
AGREES = 1e-6
"""Largest distance from the bound, over the breach, at which a limit that was solved for is named."""


def impossible_constants(study: Study, catalogue: Catalogue) -> list[Problem]:
    """Return a sentence for every quantity that constants of the study alone put outside its bounds."""
    varying = {name for block in study.space.blocks for name in block.names}
    varying |= {each.name for each in study.uncertain.inputs} if study.uncertain is not None else set()
    found: dict[Problem, None] = {}
    for block in study.space.blocks:
        systems, regions = (block.words(name) for name in ("system", "region"))
        for system in systems:
            given: dict[str, Any] = {**block.constants, "system": system}
            if regions:
                given["region"] = np.array(regions)
            found |= dict.fromkeys(_problems(study, catalogue, given, varying))
    return list(found)


def _problems(study: Study, catalogue: Catalogue, given: Mapping[str, Any], varying: set[str]) -> Iterable[Problem]:
    inputs = gathered(study, catalogue, given)
    for name, mask in breaches(inputs.values, inputs.origins).items():
        behind = _behind(study, name, inputs.origins)
        if not behind & varying:
            place = int(np.flatnonzero(mask)[0])
            yield _problem(study, catalogue, given, inputs, name, place)


def _behind(study: Study, name: str, origins: Mapping[str, Origin]) -> set[str]:
    """Return every quantity that decides one, itself among them."""
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        each = ahead.pop()
        if each not in seen:
            seen.add(each)
            ahead += _needs(study, each, origins.get(each))
    return seen


def _needs(study: Study, name: str, origin: Origin | None) -> list[str]:
    if origin is None:
        return []
    if origin.kind == "derive":
        return list(study.derive[name].names)
    if origin.kind != "formula":
        return []
    formulas = [fact_formula(fact.formula, fact.where) for fact in origin.facts if fact.formula]
    return [each for formula in formulas for each in formula.names]


def _problem(
    study: Study, catalogue: Catalogue, given: Mapping[str, Any], inputs: Inputs, name: str, place: int
) -> Problem:
    row, origin = quantities()[name], inputs.origins[name]
    value = _at(inputs, row, place)
    broken = f"{_shown(row, value)} for {name} of {given['system']}, which must be {row.allowed}"
    stated = [
        each
        for each in sorted(_behind(study, name, inputs.origins) - {name})
        if each in inputs.origins and inputs.origins[each].kind in STATED and quantities()[each].dtype != "text"
    ]
    if not stated:
        return Problem(f"{origin.text or name} leaves {broken}", origin.where)
    causes = [(quantities()[each], _at(inputs, quantities()[each], 0)) for each in stated]
    told = " and ".join(f"{cause.name} of {_shown(cause, now)}" for cause, now in causes)
    hint = _limit(study, catalogue, given, causes[0], (row, value, place)) if len(causes) == 1 else ""
    return Problem(f"{told} leave{'s' if len(causes) == 1 else ''} {broken}{hint}", inputs.origins[stated[0]].where)


def _limit(
    study: Study,
    catalogue: Catalogue,
    given: Mapping[str, Any],
    cause: tuple[Quantity, float],
    breach: tuple[Quantity, float, int],
) -> str:
    """Return up to where a stated value may go, solved on the straight line through two values; nothing if it bends."""
    (stated, now), (row, value, place) = cause, breach
    bound = row.minimum if row.minimum is not None and value <= row.minimum else row.maximum
    assert bound is not None

    def at(other: float) -> float:
        return _at(gathered(study, catalogue, {**given, stated.name: other}), row, place)

    slope = (at(2 * now or 1.0) - value) / (now or 1.0)
    if not slope or not math.isfinite(slope):
        return ""
    limit = now + (bound - value) / slope
    if not stated.allows(limit) or abs(at(limit) - bound) > AGREES * abs(value - bound):
        return ""
    rises = limit > now
    return f"; give {stated.name} {'at least' if rises else 'at most'} {_shown(stated, _rounded(limit, up=rises))}"


def _rounded(value: float, *, up: bool) -> float:
    """Return a number rounded to three significant digits, away from what is impossible."""
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2) if value else 1.0
    return (math.ceil if up else math.floor)(value / unit) * unit


def _at(inputs: Inputs, row: Quantity, place: int) -> float:
    values = in_table_unit(row, inputs.values[row.name]).reshape(-1)
    return float(values[min(place, values.size - 1)])


def _shown(row: Quantity, value: float) -> str:
    return with_unit(number(value, 4), row.unit)
