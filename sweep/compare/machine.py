"""One system with one workload: its designs over counts of domains, evaluated as one block of the model.

The stages up to the performance of a design take most of the time, and prices do not enter them. What they read is
noted, so that they run again only when something they read has changed; the stages after them run every time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluate import STAGES, performance_stage
from models.inputs import ModelInputError
from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.compare.reading import Reading, unchanged
from sweep.inputs import Inputs, inputs_with_origins
from sweep.study import Study

Array = NDArray[np.float64]
EARLY = STAGES[: STAGES.index(performance_stage)]
LATE = STAGES[STAGES.index(performance_stage) + 1 :]


@dataclass(frozen=True, slots=True)
class _Run:
    """What stages returned, and what they read for it."""

    read: Mapping[str, Any]
    found: Mapping[str, Any]


@dataclass
class Machine:
    """A system of a study with one workload.

    ``choices`` are the values of the study [table units] without region and domains.
    """

    study: Study
    catalogue: Catalogue
    choices: Mapping[str, Any]
    _performances: dict[int, list[_Run]] = field(default_factory=dict)
    _stacks: dict[tuple[int, ...], list[_Run]] = field(default_factory=dict)

    @property
    def system(self) -> str:
        """Its name in the catalogue."""
        return str(self.choices["system"])

    @property
    def serves(self) -> bool:
        """Whether it serves rather than trains."""
        return str(self.choices["phase"]) == "serve"

    def inputs(self, region: str, changes: Mapping[str, Any] | None = None) -> Inputs:
        """Return the inputs of the model in a region; ``changes`` are values in place of its own [table units].

        A change may be an array of shape (m, 1): m variants. Facts that are formulas over what changes follow.
        """
        given = {**self.choices, "region": region, "domains": 1, **(changes or {})}
        fixed = {name: value for name, value in given.items() if _is_structural(name)}
        mesh = {name: np.asarray(value) for name, value in given.items() if name not in fixed}
        return inputs_with_origins(self.study, self.catalogue, fixed, mesh)

    def performs_by(self, name: str) -> bool:
        """Return whether an input entered the performance of any design evaluated so far."""
        return any(name in run.read for runs in self._performances.values() for run in runs)

    def evaluate(
        self, region: str, counts: Sequence[int], changes: Mapping[str, Any] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the metrics of the designs with these counts of domains [SI], shape (1 or m, n), and the inputs.

        Raises ``StudyError`` when the catalogue lacks what the model needs.
        """
        inputs = self.inputs(region, changes)
        try:
            with np.errstate(all="ignore"):  # NaN and infinity are values here: unknown, or never
                known = {**inputs.values, **self._stacked(inputs.values, tuple(counts))}
                for stage in LATE:
                    known.update(stage(known))
                for name, metric in self.study.metrics.items():
                    known[name] = metric.evaluate(known)
        except ModelInputError as fault:
            raise inputs.error(fault) from fault
        return known

    def _stacked(self, inputs: Mapping[str, Any], counts: tuple[int, ...]) -> Mapping[str, Any]:
        runs = self._stacks.setdefault(counts, [])
        for run in runs:
            if unchanged(run.read, inputs):
                return run.found
        read: dict[str, Any] = {}
        rows = [self._early({**inputs, "domains": count}, read) for count in counts]
        names = dict.fromkeys(name for row in rows for name in row)
        found = {name: _side_by_side([row.get(name, np.nan) for row in rows]) for name in names}
        found["domains"] = np.array([counts], dtype=np.float64)
        outside = {name: value for name, value in read.items() if name not in found}
        runs.append(_Run(outside, found))
        return found

    def _early(self, inputs: Mapping[str, Any], read: dict[str, Any]) -> dict[str, Any]:
        """Return what the stages up to the performance find for one count; ``read`` gathers what they read."""
        known, found = dict(inputs), {}
        for stage in EARLY:
            reading = Reading(known)
            values = stage(reading)
            read.update({name: value for name, value in reading.read.items() if name not in found})
            known.update(values)
            found.update(values)
        run = self._performance(known)
        read.update({name: value for name, value in run.read.items() if name not in found})
        return {**found, **run.found}

    def _performance(self, known: Mapping[str, Any]) -> _Run:
        runs = self._performances.setdefault(int(known["domains"]), [])
        for run in runs:
            if unchanged(run.read, known):
                return run
        reading = Reading(known)
        found = performance_stage(reading)
        runs.append(_Run(reading.read, found))
        return runs[-1]


def _is_structural(name: str) -> bool:
    quantity = quantities().get(name)
    return quantity is not None and quantity.structural


def _side_by_side(values: Sequence[Any]) -> NDArray[Any]:
    """Return one column per design; a row per variant where any of them has several."""
    columns = [np.asarray(value).reshape(-1, 1) for value in values]
    rows = max(column.shape[0] for column in columns)
    return np.concatenate([np.broadcast_to(column, (rows, 1)) for column in columns], axis=1)
