"""From one cell of a study to the flat inputs of the model, in SI, each with its origin.

Later sources win: defaults of the quantity table, catalogue facts (those of the region along the region axis),
constants of the study, axis values, uncertain inputs, formula facts that nothing absolute has replaced, multipliers,
derived inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from models.inputs import ModelInputError
from models.quantities import quantities
from models.transformer import Transformer
from sweep.assembly import Assembly, Origin, PlacedFacts, World
from sweep.catalogue import Catalogue
from sweep.errors import StudyError
from sweep.ranges import anywhere, breaches
from sweep.study.study import Study
from sweep.uncertain import DRAW
from sweep.uncertain.inputs import all_draws

__all__ = ["Inputs", "Origin", "inputs_with_origins"]

KNOWN_PLACES = 512


@dataclass(frozen=True)
class Inputs:
    """What the model takes for one cell: ``values`` in SI, and the origin of each (of unknown facts, too)."""

    values: Mapping[str, Any]
    origins: Mapping[str, Origin]

    def error(self, fault: ModelInputError) -> StudyError:
        """Return the user's sentence for a quantity that the model needs and that no source gives."""
        origin = self.origins.get(fault.quantity)
        system = self.values["system"]
        note = origin.facts[0].fact.note if origin is not None and origin.facts else ""
        advice = f"give it in the study: facts: {{{system}: {{{fault.quantity}: ...}}}}"
        message = f"system {system}: {fault}{f' ({note})' if note else ''}; {advice}"
        return StudyError.at(message, origin.where if origin is not None else "")


def inputs_with_origins(
    study: Study,
    catalogue: Catalogue,
    scalars: Mapping[str, Any],
    arrays: Mapping[str, Any],
    times: Collection[str] = (),
    worlds: Mapping[str, Any] | None = None,
) -> Inputs:
    """Return what ``models.evaluate`` takes, with the origin of each input.

    Parameters
    ----------
    scalars
        Single values [unit of the quantity table]; system and workload are among them, and every structural quantity
        when the model is to be evaluated.
    arrays
        The other values of the space, on an open mesh [unit of the quantity table].
    times
        Quantities whose values are multipliers.
    worlds
        Values of the uncertain inputs by label [unit of the quantity table, or multipliers], on the mesh. Without them
        ``arrays`` may number draws of the study under ``draw``; otherwise uncertain inputs are at their nominal values.

    Returns
    -------
    Flat values in SI: scalars for structural quantities, ``shape`` for the shape of the model, ``coefficients`` for
    those of the calibration, float64 arrays that broadcast against the mesh for numbers. Unknown facts are absent, or
    NaN where only some regions know them. ``impossible`` says where an input that follows from others lies outside its
    bounds, if one does anywhere. ``decided_at`` holds the nominal values of what is uncertain where the study
    keeps the mapping that is best there.

    Raises ``StudyError`` when the catalogue cannot describe the cell.
    """
    given = {**scalars, **arrays}
    found = _assembled(study, catalogue, given, times, worlds)
    broken = breaches(found.values, found.origins)
    if broken:
        found = Inputs({**found.values, "impossible": anywhere(broken)}, found.origins)
    uncertain = study.uncertain
    if uncertain is None or uncertain.mapping == "each" or (worlds is None and DRAW not in given):
        return found
    nominal = _assembled(study, catalogue, given, times, uncertain.nominal())
    decided = {name: value for name, value in nominal.values.items() if _moves(value, found.values[name])}
    return Inputs({**found.values, "decided_at": decided}, found.origins)


def _moves(nominal: Any, drawn: Any) -> bool:
    """Return whether a number differs between a nominal world and others."""
    numbers = isinstance(drawn, np.ndarray | np.floating) and drawn.dtype.kind == "f"
    return numbers and drawn is not nominal and not np.array_equal(nominal, drawn, equal_nan=True)


def _assembled(
    study: Study,
    catalogue: Catalogue,
    given: Mapping[str, Any],
    times: Collection[str],
    worlds: Mapping[str, Any] | None,
) -> Inputs:
    work = _gathered(study, catalogue, given, times, worlds)
    work.values["shape"] = _shape(catalogue, str(given["workload"]))
    work.values["coefficients"] = catalogue.coefficients()
    return Inputs(work.values, work.origins)


def gathered(study: Study, catalogue: Catalogue, given: Mapping[str, Any]) -> Inputs:
    """Return the inputs without what describes the workload, at nominal values; ``given`` need not name a workload."""
    work = _gathered(study, catalogue, given, (), None)
    return Inputs(work.values, work.origins)


def _gathered(
    study: Study,
    catalogue: Catalogue,
    given: Mapping[str, Any],
    times: Collection[str],
    worlds: Mapping[str, Any] | None,
) -> Assembly:
    system, workload = str(given["system"]), given.get("workload")
    regions = tuple(str(region) for region in np.asarray(given.get("region", "own")).reshape(-1))
    facts = placed_facts(catalogue, system, workload, regions)
    stated = {name for name in given if name not in times}
    world = [pair for pair in _world(study, system, given.get(DRAW), worlds) if pair[0].name not in stated]
    work = Assembly(study, given, times)
    work.take_defaults()
    work.take_facts(facts)
    work.take_country(_countries(catalogue, system, regions))
    work.take_constants()
    work.take_axes()
    work.take_draws(world)
    work.take_formulas(facts)
    work.multiply_draws(world)
    work.multiply()
    work.derive()
    return work


def _world(study: Study, system: str, draws: Any, worlds: Mapping[str, Any] | None) -> World:
    """Return the uncertain inputs of a system with their values: those of some worlds or draws, or the nominal ones."""
    if study.uncertain is None:
        return ()
    values = worlds
    if values is None and draws is not None:
        values = {label: drawn[np.asarray(draws)] for label, drawn in all_draws(study.uncertain).items()}
    known = study.uncertain.nominal() if values is None else values
    return [(each, known[each.label]) for each in study.uncertain.of(system).values()]


@lru_cache(maxsize=KNOWN_PLACES)
def placed_facts(catalogue: Catalogue, system: str, workload: str | None, regions: tuple[str, ...]) -> PlacedFacts:
    """Return the facts of a cell by quantity: one for all its regions, or one for each."""
    tables = {region: catalogue.facts(system, workload, region) for region in dict.fromkeys(regions)}
    names = dict.fromkeys(name for table in tables.values() for name in table if name in quantities())
    rows = {name: tuple(tables[region].get(name) for region in regions) for name in names}
    return {name: row[:1] if len(set(row)) == 1 else row for name, row in rows.items()}


def _shape(catalogue: Catalogue, workload: str) -> Transformer:
    entry = catalogue.entry("workloads", workload)
    if entry.shape is None:
        raise StudyError.at(f"the model {workload} has no known shape, so nothing can be computed for it", entry.file)
    return entry.shape


@lru_cache(maxsize=KNOWN_PLACES)
def _countries(catalogue: Catalogue, system: str, regions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the country of each region; ``own`` is the system's home region."""
    home = catalogue.entry("systems", system).links["home_region"]
    places = {region: home if region == "own" else region for region in dict.fromkeys(regions)}
    country = {region: catalogue.entry("regions", place).labels["country"] for region, place in places.items()}
    return tuple(country[region] for region in regions)
