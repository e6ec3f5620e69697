"""Designs that lie anywhere in the space of a study, evaluated by the engine as one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.dataset.columns import DESIGN, Column, arrow_schema, design_column
from sweep.engine.columns import output_column
from sweep.engine.rows import evaluate_chunk
from sweep.errors import StudyError, nearest
from sweep.sensitivity.inputs import Batch, Inputs
from sweep.sensitivity.sources import Uniforms
from sweep.sensitivity.worlds import in_worlds
from sweep.space import Axis, Block, Chunk, Chunks, Space, Value
from sweep.study import Study
from sweep.uncertain import DRAW

MOST_ROWS = 16_384
"""Most designs that are evaluated in one call."""

DROPPED = "where: dropped before it is evaluated"
UNKNOWN = "not known: a fact it needs is missing"


@dataclass(frozen=True)
class PointsAxis(Axis):
    """Points given one by one, with all quantities of a block along it; equal points are kept."""

    columns: Mapping[str, NDArray[Any]]
    times: frozenset[str]

    @cached_property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Quantities of the points."""
        return tuple(self.columns)

    @property
    def size(self) -> int:
        """Number of points."""
        return len(next(iter(self.columns.values())))

    def at(self, name: str, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of one quantity at any points."""
        return self.columns[name][indices]

    def find(self, design: Mapping[str, Value]) -> int | None:
        """Return the first point with exactly these values."""
        same = np.logical_and.reduce([self.columns[name] == design[name] for name in self.names])
        return int(np.flatnonzero(same)[0]) if same.any() else None


@dataclass(frozen=True)
class Outcome:
    """Metrics of designs, shape (metrics, designs) in the units of their columns, NaN where there is no value.

    ``reasons`` says for each design why it has none: empty when it is feasible.
    """

    values: NDArray[np.float64]
    reasons: NDArray[np.object_]


@dataclass(frozen=True)
class Model:
    """The model of a study as a function from points to some of its metrics."""

    study: Study
    catalogue: Catalogue
    inputs: Inputs
    metrics: tuple[Column, ...]

    @classmethod
    def of(cls, study: Study, catalogue: Catalogue, metrics: Sequence[str]) -> Model:
        """Return the function. Raises ``StudyError`` for a name that is no metric with numbers, or too few inputs."""
        allowed = metric_names(study)
        for name in metrics:
            if name not in allowed:
                raise StudyError.at(f"{name!r} is no metric with numbers{nearest(name, allowed)}", "--metric")
        return cls(study, catalogue, Inputs.of(study), tuple(output_column(study, name) for name in metrics))

    def at(self, uniforms: Uniforms) -> Outcome:
        """Return the metrics at points of the unit cube, shape (points, inputs)."""
        values = np.full((len(self.metrics), len(uniforms)), np.nan)
        reasons = np.full(len(uniforms), DROPPED, dtype=np.object_)
        for start in range(0, len(uniforms), MOST_ROWS):
            for batch in self.inputs.batches(uniforms[start : start + MOST_ROWS]):
                found = self.of_batch(batch)
                values[:, start + batch.rows] = found.values
                reasons[start + batch.rows] = found.reasons
        return Outcome(values, reasons)

    def of_batch(self, batch: Batch) -> Outcome:
        """Return the metrics of points of one block, in their order; equal designs are evaluated once."""
        first, again = _different(batch)
        fewer = replace(batch, rows=first, columns={name: values[first] for name, values in batch.columns.items()})
        columns = (design_column(), output_column(self.study, "reason"), *self.metrics)
        schema = arrow_schema(columns, "float64", {})
        worlds = {label: values[first] for label, values in batch.worlds.items()}
        study = in_worlds(self.study, worlds, first.size)
        rows = evaluate_chunk(study, self.catalogue, self._chunk(fewer), columns, schema)
        found = self._outcome(rows.table, first.size)
        return Outcome(found.values[:, again], found.reasons[again])

    def chunk_at(self, uniforms: Uniforms) -> Chunk:
        """Return the chunk that holds one point, shape (1, inputs)."""
        return self._chunk(next(self.inputs.batches(uniforms)))

    def _chunk(self, batch: Batch) -> Chunk:
        columns = batch.columns if self.study.uncertain is None else {**batch.columns, DRAW: np.arange(batch.rows.size)}
        axes = (PointsAxis(columns, batch.times),) if columns else ()
        space = Space.of([Block(axes, self.study.space.blocks[batch.block].constants)])
        return Chunks(space, space.size)[0]

    def _outcome(self, table: pa.Table, rows: int) -> Outcome:
        values = np.full((len(self.metrics), rows), np.nan)
        reasons = np.full(rows, DROPPED, dtype=np.object_)
        kept = table[DESIGN].to_numpy()
        reasons[kept] = ["" if reason is None else reason for reason in table["reason"].to_pylist()]
        feasible = reasons[kept] == ""
        for place, metric in enumerate(self.metrics):
            numbers = table[metric.name].to_numpy().astype(np.float64)
            values[place, kept] = np.where(feasible & np.isfinite(numbers), numbers, np.nan)
        return Outcome(values, reasons)


def _different(batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the different points of a batch, and for each point which of these it is."""
    columns = [*batch.columns.values(), *batch.worlds.values()]
    if not columns:
        return np.zeros(1, dtype=np.int64), np.zeros(batch.rows.size, dtype=np.int64)
    codes = [np.unique(values, return_inverse=True)[1] for values in columns]
    _, first, again = np.unique(np.stack(codes, axis=1), axis=0, return_index=True, return_inverse=True)
    return first, again.reshape(-1)


def metric_names(study: Study) -> list[str]:
    """Return the metrics with numbers: the model's and the study's."""
    rows = quantities().values()
    model = [row.name for row in rows if row.role in {"metric", "solved"} and row.dtype != "text"]
    return [*(name for name, metric in study.metrics.items() if metric.kind != "text"), *model]
