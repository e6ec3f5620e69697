"""One scenario of a study by name: ``nominal``, or one given by values such as ``power_price=0.08, region=us-texas``.

What a scenario does not name stands at its nominal point, which is that of the answer of a run
(``sweep.answer.scenarios``): what holds without the sweep, or the nearest to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.quantities import quantities
from sweep.answer.scenarios import Scenarios, nominal_place, scenario_points, scenarios_of, systems_in
from sweep.catalogue import Catalogue
from sweep.dataset.columns import TIMES
from sweep.errors import StudyError, nearest
from sweep.search.points import LeverSpace
from sweep.space import Axis, Block, zip_axis
from sweep.text import number
from sweep.units import UnitError, convert

NOMINAL = "nominal"
OPTION = "--over"
CLOSE = 1e-9
"""Relative distance within which a value on the command line is that of an axis."""
MOST_SHOWN = 12


@dataclass(frozen=True)
class Scenario:
    """The place on every scenario axis, by the offset of its block and the names of the axis.

    ``names`` are the quantities that the user named; the others are nominal.
    """

    text: str
    places: Mapping[tuple[int, tuple[str, ...]], int]
    names: frozenset[str] = frozenset()

    def point(self, block: Block, axis: Axis, levers: LeverSpace) -> Axis:
        """Return a scenario axis with the one point of this scenario; a lever axis as it is."""
        if levers.is_lever(axis):
            return axis
        place = self.place(block, axis)
        return zip_axis({name: [axis.value(name, place)] for name in axis.names}, axis.times)

    def place(self, block: Block, axis: Axis) -> int:
        """Return the place of this scenario on an axis of a block."""
        return self.places[block.offset, axis.names]


def named(text: str, levers: LeverSpace, catalogue: Catalogue) -> Scenario:
    """Return the scenario that a text names. Raises ``StudyError`` when the study has no such scenario."""
    wanted = {} if text == NOMINAL else _values(text)
    axes = [(block, axis) for block in levers.space.blocks for axis in block.axes if not levers.is_lever(axis)]
    known = {name for _, axis in axes for name in axis.names}
    for name in wanted:
        if name not in known:
            raise StudyError.at(f"{name} is no scenario of this study{nearest(name, known)}", OPTION)
    places = {}
    for block, axis in axes:
        here = {name: wanted[name] for name in axis.names if name in wanted}
        place = _place(axis, here) if here else nominal_place(axis, block, levers.study, catalogue)
        places[block.offset, axis.names] = place
    return Scenario(text, places, frozenset(wanted))


def as_nominal(scenario: Scenario, levers: LeverSpace, catalogue: Catalogue) -> Scenarios:
    """Return the scenarios of the study as the answer of a run has them, with this one in place of the nominal one."""
    found, points = scenarios_of(levers.study, catalogue), dict[tuple[str, tuple[str, ...]], tuple[Any, ...]]()
    for block in levers.space.blocks:
        for axis in block.axes:
            columns, listed = scenario_points(axis, levers.study)
            if len(listed) < 2:
                continue
            place = scenario.place(block, axis)
            point = tuple(axis.value(name.removesuffix(TIMES), place) for name in columns)
            points |= {(system, columns): point for system in systems_in(block)}
    return Scenarios(
        {
            system: tuple(replace(axis, nominal=points[system, axis.columns]) for axis in axes)
            for system, axes in found.axes.items()
        }
    )


def _values(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name.strip() and value.strip() for name, _, value in pairs):
        message = f"{text!r} is none of expected, worst, regret, nominal, and no scenario such as power_price=0.08"
        raise StudyError.at(message, OPTION)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _place(axis: Axis, here: Mapping[str, str]) -> int:
    """Return the first place that has all wanted values."""
    fitting = set.intersection(*(_fitting(axis, name, value) for name, value in here.items()))
    if not fitting:
        shown = ", ".join(f"{name} = {value}" for name, value in here.items())
        raise StudyError.at(f"no scenario of this study has {shown}; it has {_held(axis, here)}", OPTION)
    return min(fitting)


def _fitting(axis: Axis, name: str, text: str) -> set[int]:
    values = axis.values(name, 0, axis.size)
    if values.dtype.kind not in "if":
        return set(np.flatnonzero(values == text).tolist())
    quantity = quantities().get(name)
    unit = quantity.unit if quantity is not None and name not in axis.times else ""
    try:
        wanted = convert(text, unit)
    except UnitError as error:
        raise StudyError.at(f"{name} = {text}: {error}; it is in {unit or 'a pure number'}", OPTION) from error
    return set(np.flatnonzero(np.isclose(values, wanted, rtol=CLOSE, atol=0)).tolist())


def _held(axis: Axis, names: Iterable[str]) -> str:
    held = []
    for name in names:
        values = dict.fromkeys(number(value) for value in axis.values(name, 0, min(axis.size, MOST_SHOWN)).tolist())
        held.append(f"{name} {', '.join(values)}{', ...' if axis.size > MOST_SHOWN else ''}")
    return "; ".join(held)
