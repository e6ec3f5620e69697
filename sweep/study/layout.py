"""From the sections of a study to blocks: products of axes, one block for all systems that share theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sweep.errors import nearest
from sweep.study import grammar
from sweep.study.axes import Grid, Grids, Listed, Reader
from sweep.study.spaces import listed
from sweep.study.study import Role
from sweep.study.workloads import Job
from sweep.yaml_source import Path_


@dataclass(frozen=True, slots=True)
class Layout:
    """The axes of one sub-sweep before systems are told apart.

    ``shared`` hold for every system, ``own`` (by system) replace shared ones of the same names or join them. ``roles``
    says of each name whether the study treats it as lever or scenario, ``places`` where it stands in the file.
    """

    shared: tuple[Grids, ...] = ()
    own: Mapping[str, tuple[Grids, ...]] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    places: Mapping[str, Path_] = field(default_factory=dict)

    def replaced_by(self, other: Layout) -> Layout:
        """Return this layout with what the other names in place of its own."""
        own = dict(self.own)
        for system, axes in other.own.items():
            own[system] = merged(own.get(system, ()), axes)
        return Layout(
            merged(self.shared, other.shared), own, {**self.roles, **other.roles}, {**self.places, **other.places}
        )


def merged(axes: Sequence[Grids], others: Sequence[Grids]) -> tuple[Grids, ...]:
    """Return axes in which every quantity that the others hold stands as they say; new ones come last."""
    taken = {grid.name for grids in others for grid in grids}
    kept = [tuple(grid for grid in grids if grid.name not in taken) for grids in axes]
    return (*(grids for grids in kept if grids), *others)


class SectionReader:
    """Reads ``levers`` and ``scenarios``; notes names given twice and sections of systems not in the catalogue."""

    def __init__(self, reader: Reader, from_workload: Sequence[str]) -> None:
        self.reader = reader
        self.from_workload = from_workload
        self.systems = reader.vocabulary.words["system"]

    def read(self, levers: grammar.Section, scenarios: grammar.Section, path: Path_ = ()) -> Layout:
        """Return the layout of one pair of sections found at a path."""
        found = self._section(levers, "lever", (*path, "levers"))
        return self._joined(found, self._section(scenarios, "scenario", (*path, "scenarios")))

    def _joined(self, first: Layout, second: Layout) -> Layout:
        own = {
            system: (*first.own.get(system, ()), *second.own.get(system, ())) for system in {**first.own, **second.own}
        }
        both = set(first.places) & set(second.places)
        for name in sorted(both):
            self.reader.faults.add(second.places[name], "is given under levers as well; keep one")
        return Layout(
            (*first.shared, *second.shared), own, {**first.roles, **second.roles}, {**first.places, **second.places}
        )

    def _section(self, section: grammar.Section, role: Role, path: Path_) -> Layout:
        shared: list[Grids] = []
        own: dict[str, tuple[Grids, ...]] = {}
        places: dict[str, Path_] = {}
        for key, entry in section.items():
            here = (*path, key)
            if key == "zip":
                for group, where in groups_in(entry, here):
                    shared.append(self._noted(self.reader.group(group, where), where, places))
            elif isinstance(entry, dict):
                own |= self._own(key, entry, here, places)
            elif key in self.systems:
                self.reader.faults.add(here, "names a system; write the quantities of that system below it")
            elif (grid := self.reader.axis(key, entry, here)) is not None:
                shared.append(self._noted((grid,), path, places))
        roles = dict.fromkeys([grid.name for axes in (shared, *own.values()) for grids in axes for grid in grids], role)
        return Layout(tuple(grids for grids in shared if grids), own, roles, places)

    def _own(
        self, system: str, entry: Mapping[str, object], path: Path_, places: dict[str, Path_]
    ) -> dict[str, tuple[Grids, ...]]:
        if system not in self.systems:
            self.reader.faults.add(path, self._no_system(system))
            return {}
        found = [self.reader.axis(name, item, (*path, name)) for name, item in entry.items()]
        return {system: tuple(self._noted((grid,), path, places, own=True) for grid in found if grid is not None)}

    def _no_system(self, key: str) -> str:
        if self.reader.vocabulary.is_quantity(key):
            return "needs values, linspace, log, times, or from and to; see the example studies"
        return f"is neither a quantity nor a system{nearest(key, self.systems)}"

    def _noted(self, grids: Grids, path: Path_, places: dict[str, Path_], *, own: bool = False) -> Grids:
        for grid in grids:
            here = (*path, grid.name)
            if grid.name in self.from_workload:
                self.reader.faults.add(here, "is already set by the workload; change it there")
            elif grid.name in places and not own:
                self.reader.faults.add(here, "is given twice in this section; keep one")
            elif grid.name == "system" and own:
                self.reader.faults.add(here, "cannot stand in the section of one system")
            places.setdefault(grid.name, here)
        return grids


def groups_in(entry: object, path: Path_) -> list[tuple[Mapping[str, object], Path_]]:
    """Return the groups of a ``zip``, one or a list of them, each with its path."""
    if isinstance(entry, dict):
        return [(entry, path)]
    if isinstance(entry, list):
        return [(group, (*path, index)) for index, group in enumerate(entry) if isinstance(group, dict)]
    return []


def systems_of(axes: Sequence[Grids]) -> tuple[str, ...]:
    """Return the systems that the axes span, each once, in the order of the study."""
    values = [
        value
        for grids in axes
        for grid in grids
        if isinstance(grid, Listed) and grid.name == "system"
        for value in grid.values
    ]
    return tuple(dict.fromkeys(str(value) for value in values))


def split_by_system(layout: Layout, jobs: Sequence[Job]) -> list[tuple[tuple[str, ...], tuple[Grids, ...]]]:
    """Return the systems and axes of each block: systems whose axes and precisions are the same share one."""
    blocks: dict[object, list[str]] = {}
    for system in systems_of(layout.shared):
        key = (system if system in layout.own else "", tuple(job.precision.get(system, "") for job in jobs))
        blocks.setdefault(key, []).append(system)
    return [
        (tuple(systems), merged(_only(layout.shared, systems), layout.own.get(systems[0], ())))
        for systems in blocks.values()
    ]


def _only(axes: Sequence[Grids], systems: Sequence[str]) -> tuple[Grids, ...]:
    """Return the axes with the system axis, and what changes together with it, cut to some systems."""
    return tuple(_cut(grids, systems) if any(grid.name == "system" for grid in grids) else grids for grids in axes)


def _cut(grids: Grids, systems: Sequence[str]) -> Grids:
    axis = next(grid for grid in grids if grid.name == "system")
    assert isinstance(axis, Listed)
    keep = [index for index, value in enumerate(axis.values) if value in systems]
    return tuple(_taken(grid, keep) for grid in grids)


def _taken(grid: Grid, keep: Sequence[int]) -> Grid:
    values = listed(grid)
    return Listed(
        grid.name, tuple(values[index] for index in keep), grid.times, isinstance(grid, Listed) and grid.scalar
    )
