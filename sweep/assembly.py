"""The steps by which the inputs of one cell come together; ``sweep.inputs`` calls them in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.catalogue import Resolved
from sweep.errors import StudyError
from sweep.expressions import Expression, compile_expression
from sweep.study.conditions import quantity_units
from sweep.study.study import Study
from sweep.uncertain import UncertainInput
from sweep.units import factor

Kind = Literal["default", "fact", "unknown", "study", "axis", "formula", "times", "uncertain", "derive"]
PlacedFacts = Mapping[str, tuple[Resolved | None, ...]]
"""By quantity: one fact for the whole cell, or one for each point of the region axis."""
World = Sequence[tuple[UncertainInput, Any]]
"""Uncertain inputs of one system with their values: numbers, or arrays on the mesh [table units, or multipliers]."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one input comes from.

    ``kind`` is the last source that decided it, ``where`` its ``file:line``, ``text`` the formula of a fact or of a
    derived input. ``facts`` are the catalogue facts behind it: one, or one for each point of the region axis.
    """

    name: str
    kind: Kind
    where: str = ""
    text: str = ""
    facts: tuple[Resolved, ...] = ()


@cache
def fact_formula(text: str, where: str) -> Expression:
    """Return the compiled formula of a catalogue fact."""
    return compile_expression(text, quantity_units(), where)


class Assembly:
    """The inputs of one cell while they come together.

    ``given`` holds the values of the space in this cell [units of the quantity table]: scalars, and arrays on an open
    mesh; ``times`` names those that are multipliers.
    """

    def __init__(self, study: Study, given: Mapping[str, Any], times: Collection[str]) -> None:
        self.study = study
        self.given = given
        self.times = times
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}
        self._absolute: set[str] = set()

    def take_defaults(self) -> None:
        """Take what the quantity table gives when nobody else does."""
        for name, row in quantities().items():
            if row.is_input and row.default is not None:
                self._put(name, row.default, Origin(name, "default", "quantity table"))

    def take_facts(self, facts: PlacedFacts) -> None:
        """Take the numbers and words of the catalogue; an unknown fact leaves the default in place."""
        for name, row in facts.items():
            found = tuple(fact for fact in row if fact is not None)
            known = [None if fact is None else fact.value for fact in row]
            if all(value is None for value in known):
                self.origins.setdefault(name, Origin(name, "unknown", found[0].where, facts=found))
            elif len(known) == 1 or len(set(known)) == 1:
                self._put(name, known[0], Origin(name, "fact", found[0].where, facts=found), si=True)
            elif quantities()[name].dtype != "text":
                values = [np.nan if value is None else value for value in known]
                self.values[name] = self._along_region(values)
                self.origins[name] = Origin(name, "fact", found[0].where, facts=found)

    def take_country(self, countries: Sequence[str]) -> None:
        """Take the buyer's country from the region: one for the whole cell, or one for each point of the region."""
        origin = Origin("buyer_country", "fact", "country of the region")
        value = countries[0] if len(set(countries)) == 1 else self._along_region(list(countries))
        self._put("buyer_country", value, origin)

    def take_constants(self) -> None:
        """Take the facts that the study replaces, for every system first."""
        system = self.given["system"]
        for constant in self.study.facts:
            if constant.system in {"", system}:
                self._absolute.add(constant.name)
                self._put(constant.name, constant.value, Origin(constant.name, "study", constant.where))

    def take_axes(self) -> None:
        """Take the values of the cell that are no multipliers."""
        for name, value in self.given.items():
            if name in quantities() and name not in self.times:
                self._absolute.add(name)
                self._put(name, value, Origin(name, "axis", self.study.places.get(name, "")))

    def take_draws(self, world: World) -> None:
        """Take the uncertain inputs that are no multipliers, and multiply those that no formula gives.

        A published total that is uncertain, such as the power of a system, thus reaches the formulas that need it.
        """
        for each, value in world:
            if not each.times:
                self._absolute.add(each.name)
                self._put(each.name, value, Origin(each.name, "uncertain", each.where, each.text))
        for each, value in world:
            for own, others in each.displaced:
                self._displace(each, np.asarray(value) == own, others)
        self._scale([pair for pair in world if not self._by_formula(pair[0].name)])

    def _displace(self, each: UncertainInput, here: NDArray[np.bool_], others: Sequence[tuple[str, float]]) -> None:
        """Set the facts that a value of an uncertain input takes the place of, where it has that value."""
        if not here.any():
            return
        for name, number in others:
            row = quantities()[name]
            before = self.values.get(name, np.nan)
            self.values[name] = np.where(here, number * factor(row.unit, row.si_unit), before)
            self.origins[name] = Origin(name, "uncertain", each.where, f"with {each.label}")

    def multiply_draws(self, world: World) -> None:
        """Multiply the uncertain inputs that a formula of the catalogue gives."""
        self._scale([pair for pair in world if self._by_formula(pair[0].name)])

    def _by_formula(self, name: str) -> bool:
        origin = self.origins.get(name)
        return name not in self._absolute and origin is not None and any(fact.formula for fact in origin.facts)

    def _scale(self, world: World) -> None:
        for each, value in world:
            if each.times and each.name in self.values:
                before = self.origins[each.name]
                self.values[each.name] = self.values[each.name] * np.asarray(value, dtype=np.float64)
                self.origins[each.name] = Origin(each.name, "uncertain", each.where, each.text, before.facts)

    def take_formulas(self, facts: PlacedFacts) -> None:
        """Compute the facts that the catalogue gives as formulas, unless the study states the quantity itself."""
        formulas = {
            name: row
            for name, row in facts.items()
            if name not in self._absolute and any(fact is not None and fact.formula for fact in row)
        }
        needs = {name: _needs(row) & set(formulas) - {name} for name, row in formulas.items()}
        try:
            order = list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            raise StudyError.at(
                f"catalogue formulas need each other in a circle: {' -> '.join(error.args[1])}"
            ) from error
        for name in order:
            self._formula(name, formulas[name])

    def _formula(self, name: str, row: tuple[Resolved | None, ...]) -> None:
        found = tuple(fact for fact in row if fact is not None)
        texts = dict.fromkeys((fact.formula, fact.where) for fact in found if fact.formula)
        value: Any = self.values.get(name, np.nan)
        for text, where in texts:
            assert text is not None
            computed = self._computed(fact_formula(text, where), quantities()[name].si_unit)
            if len(row) == 1:
                value = computed
            else:
                here = self._along_region([fact is not None and fact.formula == text for fact in row])
                value = np.where(here, computed, value)
        self.values[name] = value
        self.origins[name] = Origin(name, "formula", found[0].where, next(iter(texts))[0] or "", found)

    def multiply(self) -> None:
        """Multiply by the axis values that are relative to each system's own figure; what is unknown stays unknown."""
        for name in self.times:
            if name in self.values:
                before = self.origins[name]
                self.values[name] = self.values[name] * np.asarray(self.given[name], dtype=np.float64)
                where = self.study.places.get(name, "")
                self.origins[name] = Origin(name, "times", where, before.text or before.kind, before.facts)

    def derive(self) -> None:
        """Compute the inputs that the study derives from others."""
        for name, expression in self.study.derive.items():
            unit = quantities()[name].si_unit if name in quantities() else expression.si_unit
            self.values[name] = self._computed(expression, unit)
            self.origins[name] = Origin(name, "derive", self.study.places.get(name, ""), expression.text)

    def _computed(self, expression: Expression, unit: str) -> Any:
        """Return the value of an expression [``unit``]; unknown where it needs something unknown."""
        known = {name: self.values.get(name, np.nan) for name in expression.names}
        scale = factor(expression.si_unit, unit) if expression.si_unit != unit else 1.0
        value = expression.evaluate(known)
        return value if scale == 1.0 else value * scale

    def _along_region(self, values: list[Any]) -> NDArray[Any]:
        return np.array(values).reshape(np.shape(self.given["region"]))

    def _put(self, name: str, value: Any, origin: Origin, *, si: bool = False) -> None:
        """Set one input from a value in the unit of its quantity (or in SI)."""
        row = quantities()[name]
        self.origins[name] = origin
        if row.dtype == "text":
            self.values[name] = value
            return
        scale = 1.0 if si or row.unit == row.si_unit else factor(row.unit, row.si_unit)
        if row.structural and np.ndim(value) == 0:
            self.values[name] = int(value) if row.dtype == "int" else float(value) * scale
        else:
            number = np.asarray(value, dtype=np.float64)
            self.values[name] = number if scale == 1.0 else number * scale


def _needs(row: tuple[Resolved | None, ...]) -> set[str]:
    formulas = [fact_formula(fact.formula, fact.where) for fact in row if fact is not None and fact.formula]
    return {name for formula in formulas for name in formula.names}
