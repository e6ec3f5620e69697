"""From one structural cell of a study to the flat inputs of the model, in SI, each with its origin.

Later sources win: defaults of the quantity table, catalogue facts (of the region too, along the region axis), constants of
the study, axis values, formula facts that nothing absolute has replaced, multipliers, derived inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.inputs import ModelInputError
from models.quantities import quantities
from sweep.catalogue import Catalogue, Fact, Resolved
from sweep.errors import StudyError
from sweep.expressions import Expression, compile_expression
from sweep.space import Block, Chunk, Value
from sweep.study.conditions import quantity_units
from sweep.study.spaces import STRUCTURAL
from sweep.study.study import Study
from sweep.units import factor

Kind = Literal["default", "fact", "study", "axis", "formula", "times", "derive"]
Mesh = NDArray[Any]
Facts = Mapping[str, Sequence[Resolved]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one input comes from.

    ``kind`` is the last source that decided it, ``where`` its ``file:line``, ``text`` the formula or the multiplier.
    ``facts`` are the catalogue facts behind it, one for each region of the cell when they differ.
    """

    name: str
    kind: Kind
    where: str = ""
    text: str = ""
    facts: tuple[Resolved, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A part of a block in which every structural quantity has one value.

    ``scalars`` are single values, ``arrays`` values on an open mesh of ``shape``: every other axis of the block is one
    dimension, and an array has length 1 along dimensions it does not vary on. Both in units of the quantity table;
    quantities in ``times`` hold multipliers. ``rows`` counts designs; in a chunk, ``first`` is the id of the first.
    """

    scalars: Mapping[str, Value]
    arrays: Mapping[str, Mesh]
    times: frozenset[str]
    shape: tuple[int, ...]
    first: int = 0

    @property
    def rows(self) -> int:
        """Number of designs before ``where``."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Inputs:
    """What the model takes for one cell: ``values`` in SI, and the origin of each."""

    cell: Cell
    values: Mapping[str, Any]
    origins: Mapping[str, Origin]
    unknown: Mapping[str, Origin] = field(default_factory=dict)

    def error(self, fault: ModelInputError) -> StudyError:
        """Return the user's sentence for a quantity that the model needs and nobody gives."""
        origin = self.unknown.get(fault.quantity) or self.origins.get(fault.quantity)
        where = origin.where if origin is not None else ""
        system = self.cell.scalars.get("system", "this system")
        return StudyError.at(f"{fault} (system {system}); set it under facts: {{{system}: ...}}", where, fault.quantity)


def structural(axis_names: Sequence[str]) -> bool:
    """Whether an axis is looped over: one of its quantities changes the set of legal mappings."""
    return not STRUCTURAL.isdisjoint(axis_names)


def cells(chunk: Chunk) -> Iterator[Cell]:
    """Yield the cells of a chunk in the order of ids; each is one contiguous range of them."""
    block: Block = chunk.block
    looped = [(axis, start, stop) for axis, start, stop in chunk.axes() if structural(axis.names)]
    meshed = [(axis, start, stop) for axis, start, stop in chunk.axes() if not structural(axis.names)]
    shape = tuple(stop - start for _, start, stop in meshed)
    arrays = {
        name: axis.values(name, start, stop).reshape([-1 if place == at else 1 for place in range(len(shape))])
        for at, (axis, start, stop) in enumerate(meshed)
        for name in axis.names
    }
    times = frozenset(name for axis in block.axes for name in axis.times)
    rows = int(np.prod(shape, dtype=np.int64))
    for number, points in enumerate(product(*(range(start, stop) for _, start, stop in looped))):
        scalars = dict(block.constants)
        for (axis, _, _), point in zip(looped, points, strict=True):
            scalars |= {name: axis.value(name, point) for name in axis.names}
        yield Cell(scalars, arrays, times, shape, chunk.first + number * rows)


class InputBuilder:
    """Builds the inputs of cells of one study; keeps what the catalogue says of each system, model and region."""

    def __init__(self, study: Study, catalogue: Catalogue) -> None:
        self.study = study
        self.catalogue = catalogue
        self._facts: dict[tuple[str, str, tuple[str, ...]], PlacedFacts] = {}

    def build(self, cell: Cell) -> Inputs:
        """Return the inputs of one cell. Raises ``StudyError`` when the catalogue cannot describe it."""
        work = Assembly(cell, self.study)
        facts = self._resolved(cell)
        work.take_defaults()
        work.take_facts(facts)
        work.values["shape"] = self._shape(cell)
        work.take_constants()
        work.take_axes()
        work.take_formulas(facts)
        work.multiply()
        work.derive()
        return Inputs(cell, work.values, work.origins, work.unknown)

    def _shape(self, cell: Cell) -> Any:
        name = str(cell.scalars["workload"])
        shape = self.catalogue.entry("workloads", name).shape
        if shape is None:
            raise StudyError.at(f"the model {name} has no shape in the catalogue, so nothing can be computed for it")
        return shape

    def _regions(self, cell: Cell) -> list[str]:
        given = cell.arrays["region"].reshape(-1) if "region" in cell.arrays else [cell.scalars.get("region", "own")]
        return [str(name) for name in given]

    def _resolved(self, cell: Cell) -> PlacedFacts:
        """Return the facts of a cell: for each quantity one entry per point of the region axis, or one for all."""
        system, workload = str(cell.scalars["system"]), str(cell.scalars["workload"])
        key = (system, workload, tuple(self._regions(cell)))
        if key not in self._facts:
            tables = {region: self.catalogue.facts(system, workload, region) for region in dict.fromkeys(key[2])}
            names = dict.fromkeys(name for table in tables.values() for name in table if name in quantities())
            placed = {name: tuple(tables[region].get(name) for region in key[2]) for name in names}
            self._facts[key] = {name: row[:1] if len(set(map(id, row))) == 1 or _same(row) else row
                                for name, row in placed.items()}
        return self._facts[key]
