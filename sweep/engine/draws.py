"""A cell in every draw of the uncertain inputs: one dimension more, which what no draw changes does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluate import evaluate
from models.inputs import ModelInputError
from sweep.catalogue import Catalogue
from sweep.dataset.columns import Column
from sweep.engine.cells import Cell
from sweep.engine.verdict import verdict_of
from sweep.inputs import inputs_with_origins
from sweep.study import Study
from sweep.uncertain import DRAW
from sweep.uncertain.statistics import FEASIBLE, statistics, summarised


@dataclass(frozen=True, slots=True)
class Drawn:
    """The results of a cell in some draws, the last dimension; ``known`` in SI, ``feasible`` with every requirement."""

    known: Mapping[str, Any]
    feasible: NDArray[np.bool_]


def evaluate_draws(study: Study, catalogue: Catalogue, cell: Cell, draws: NDArray[np.int64] | None) -> Drawn:
    """Return the results of every design of a cell in some draws; arrays have the dimensions of the cell, then draws.

    Without draws they are those at nominal values, with the dimensions of the cell alone. Raises ``StudyError`` when
    the catalogue or the study lacks what the model needs.
    """
    wide = cell if draws is None else _with_draws(cell, draws)
    inputs = inputs_with_origins(study, catalogue, wide.structural, wide.mesh, wide.times)
    try:
        results = evaluate(inputs.values)
    except ModelInputError as fault:
        raise inputs.error(fault) from fault
    known: dict[str, Any] = {**inputs.values, **results}
    for name, metric in study.metrics.items():
        known[name] = metric.evaluate(known)
    verdict = verdict_of(study.require, known, np.asarray(known["status"]) != 0)
    return Drawn(known, verdict == 0)


def _with_draws(cell: Cell, draws: NDArray[np.int64]) -> Cell:
    mesh = {name: values[..., np.newaxis] if values.ndim else values for name, values in cell.mesh.items()}
    mesh[DRAW] = draws.reshape((1,) * len(cell.shape) + (-1,))
    return replace(cell, mesh=mesh, shape=(*cell.shape, draws.size))


def drawn_statistics(
    study: Study, catalogue: Catalogue, cell: Cell, columns: Iterable[Column]
) -> dict[str, NDArray[np.float64]]:
    """Return every column that keeps statistics of draws, broadcastable to the cell [unit of the column].

    Statistics are of the draws in which a design is feasible; NaN where it never is. Nothing where the study keeps no
    statistics.
    """
    kept = statistics(study.uncertain)
    if study.uncertain is None or not kept:
        return {}
    drawn = evaluate_draws(study, catalogue, cell, np.arange(study.uncertain.draws))
    lead = (1,) * len(cell.shape)
    feasible = drawn.feasible.reshape(drawn.feasible.shape or (*lead, 1))
    found = {FEASIBLE: feasible.mean(axis=-1)}
    firsts: dict[str, Column] = {
        column.of: column for column in columns if column.statistic and column.name != FEASIBLE
    }
    for name, column in firsts.items():
        values = np.asarray(drawn.known.get(name, np.nan), dtype=np.float64)
        values = column.from_si(values.reshape(values.shape or (*lead, 1)))
        found |= {f"{name}_{suffix}": value for suffix, value in summarised(values, feasible, kept).items()}
    return found
