"""The scenarios of a study: what the world decides, for everybody or for one system, and the nominal case.

A scenario axis is common when all systems share its value (the power price), and a system's own when it stands in the
section of that system (its chip price, its staffing): then every value of one system meets every value of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.dataset.columns import TIMES
from sweep.space import Axis, Block, SampleAxis
from sweep.study import Study
from sweep.units import factor

Point = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ScenarioAxis:
    """Columns of the dataset that move together, and the points they take [units of the columns].

    ``system`` names whose own axis it is; it is empty for a common one. ``nominal`` is the point at which single
    numbers are quoted.
    """

    columns: tuple[str, ...]
    points: tuple[Point, ...]
    system: str
    nominal: Point

    @property
    def label(self) -> tuple[str, ...]:
        """What tells it from the other axes."""
        return (self.system, *self.columns)

    @property
    def numeric(self) -> bool:
        """Whether it is one number, so that a break-even means something."""
        return len(self.columns) == 1 and _is_number(self.columns[0])


@dataclass(frozen=True, slots=True)
class Scenarios:
    """The scenario axes of a study, by system; common axes are the same objects for all of their systems."""

    axes: Mapping[str, tuple[ScenarioAxis, ...]]

    @property
    def columns(self) -> tuple[str, ...]:
        """All scenario columns."""
        return tuple(dict.fromkeys(name for axes in self.axes.values() for axis in axes for name in axis.columns))

    def common(self, first: str, second: str) -> tuple[str, ...]:
        """Return the columns that have one value for both systems."""
        others = {axis.label for axis in self.axes[second]}
        return tuple(name for axis in self.axes[first] if axis.label in others for name in axis.columns)

    def of(self, first: str, second: str) -> tuple[ScenarioAxis, ...]:
        """Return the axes of two systems, each once."""
        return tuple({axis.label: axis for axis in (*self.axes[first], *self.axes[second])}.values())

    def nominal(self, system: str) -> dict[str, Any]:
        """Return the nominal value of every scenario column of a system."""
        pairs = [pair for axis in self.axes[system] for pair in zip(axis.columns, axis.nominal, strict=True)]
        return dict(pairs)


def scenarios_of(study: Study, catalogue: Catalogue) -> Scenarios:
    """Return the scenarios of a study, workloads aside.

    The nominal point of an axis is the one nearest to what holds without the sweep: a multiplier of 1, ``own`` among
    regions, otherwise the catalogue's value for the system (the first system of the study where the axis is common) at
    home, or the default of the quantity table; the middle one where neither says anything.
    """
    systems = systems_of(study)
    found: dict[tuple[str, tuple[str, ...]], dict[Point, None]] = {}
    for block in study.space.blocks:
        for axis in block.axes:
            columns, points = scenario_points(axis, study)
            if len(points) > 1:
                for system in systems_in(block):
                    found.setdefault((system, columns), {}).update(dict.fromkeys(points))
    axes: dict[str, list[ScenarioAxis]] = {system: [] for system in systems}
    for (system, columns), met in found.items():
        own = system if {name.removesuffix(TIMES) for name in columns} & study.own.get(system, frozenset()) else ""
        listed = tuple(met)
        nominal = _nominal(columns, listed, _references(catalogue, own or systems[0]))
        axes[system].append(ScenarioAxis(columns, listed, own, nominal))
    return Scenarios({system: tuple(each) for system, each in axes.items()})


def nominal_place(axis: Axis, block: Block, study: Study, catalogue: Catalogue) -> int:
    """Return the nominal point of one scenario axis of a block, as ``scenarios_of`` has it; 0 among workloads."""
    columns, points = scenario_points(axis, study)
    if len(points) < 2:
        return 0
    system = owner_of(columns, block, study) or systems_of(study)[0]
    nominal = _nominal(columns, points, _references(catalogue, system))
    values = zip(*(axis.values(name.removesuffix(TIMES), 0, axis.size).tolist() for name in columns), strict=True)
    return list(values).index(nominal)


def owner_of(columns: Iterable[str], block: Block, study: Study) -> str:
    """Return the system whose own an axis of a block is; empty for a common one."""
    names = {name.removesuffix(TIMES) for name in columns}
    return next((system for system in systems_in(block) if names & study.own.get(system, frozenset())), "")


def scenario_points(axis: Axis, study: Study) -> tuple[tuple[str, ...], tuple[Point, ...]]:
    """Return the scenario columns of an axis and their points; none for levers and for what tells workloads apart.

    A point that an axis has twice is listed once.
    """
    names = [name for name in axis.names if study.roles.get(name) == "scenario"]
    if not names or {"workload", "phase"} & set(axis.names):  # nor for draws, which are no scenarios
        return (), ()
    if isinstance(axis, SampleAxis):
        return (axis.index,), tuple((place,) for place in range(axis.size))
    columns = tuple(name + TIMES if name in axis.times else name for name in names)
    values = [axis.values(name, 0, axis.size).tolist() for name in names]
    return columns, tuple(dict.fromkeys(zip(*values, strict=True)))


def systems_of(study: Study) -> list[str]:
    """Return the systems of a study in its order."""
    return list(dict.fromkeys(system for block in study.space.blocks for system in systems_in(block)))


def systems_in(block: Block) -> list[str]:
    """Return the systems of a block, each once."""
    if "system" in block.constants:
        return [str(block.constants["system"])]
    axis = next(axis for axis in block.axes if "system" in axis.names)
    return list(dict.fromkeys(axis.values("system", 0, axis.size).tolist()))


def _references(catalogue: Catalogue, system: str) -> Mapping[str, Any]:
    """Return what holds for a system at home, by quantity [unit of the table]."""
    found: dict[str, Any] = {name: row.default for name, row in quantities().items() if row.default is not None}
    for name, fact in catalogue.facts(system, None, "own").items():
        row = quantities().get(name)
        if row is not None and fact.value is not None:
            is_text = isinstance(fact.value, str)
            found[name] = fact.value if is_text else float(fact.value) * factor(row.si_unit, row.unit)
    return found | {"region": "own"}


def _nominal(columns: Sequence[str], points: Sequence[Point], references: Mapping[str, Any]) -> Point:
    known = {
        place: 1.0 if name.endswith(TIMES) else references[name]
        for place, name in enumerate(columns)
        if name.endswith(TIMES) or name in references
    }
    if not known:
        return points[len(points) // 2] if _is_number(columns[0]) else points[0]
    spans = {place: _span(point[place] for point in points) for place in known}
    return min(points, key=lambda point: sum(_distance(point[p], known[p], spans[p]) for p in known))


def _distance(value: Any, reference: Any, span: float) -> float:
    """Return how far a value is from the reference, over the range of the values; words are equal or not."""
    if isinstance(value, str) or isinstance(reference, str):
        return float(value != reference)
    return abs(value - reference) / span if span else 0.0


def _span(values: Iterable[Any]) -> float:
    listed = list(values)
    return 0.0 if isinstance(listed[0], str) else float(max(listed) - min(listed))


def _is_number(column: str) -> bool:
    row = quantities().get(column.removesuffix(TIMES))
    return row is not None and row.dtype != "text"
