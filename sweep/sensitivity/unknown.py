"""Which fact that nobody knows leaves a metric without a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.evaluate import evaluate
from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.dataset.columns import Column
from sweep.engine.cells import cells
from sweep.errors import StudyError
from sweep.inputs import inputs_with_origins
from sweep.space import Chunk
from sweep.study import Study

SHOWN = 5


def unknown_error(study: Study, catalogue: Catalogue, metric: Column, chunk: Chunk) -> StudyError:
    """Return the sentence that names the unknown facts without which a metric of one design has no value.

    Each unknown input of the design is given a number on trial; the ones that bring the metric to life are named. When
    no single one does, all are.
    """
    cell = next(cells(chunk))
    inputs = inputs_with_origins(study, catalogue, cell.structural, cell.mesh, cell.times)
    system, phase = (cell.structural[name] for name in ("system", "phase"))
    if metric.name not in _known(study, inputs.values):
        return StudyError.at(f"{metric.name} is no result of a workload that the study asks to {phase}", "--metric")
    unknown = [name for name, origin in inputs.origins.items() if origin.kind == "unknown" and name in quantities()]
    missing = [name for name in unknown if quantities()[name].dtype != "text" and name not in inputs.values]
    alone = [name for name in missing if _has_value(study, metric, {**inputs.values, name: _trial(name)})]
    named = [_placed(name, inputs.origins[name].where) for name in alone or missing]
    listed = ", ".join(named[:SHOWN]) + (f" and {len(named) - SHOWN} more" if len(named) > SHOWN else "")
    needs = "it needs" if alone else "it may need"
    why = f"; {needs} {listed}, which the catalogue does not know: give it in the study under facts" if named else ""
    return StudyError.at(f"{metric.name} has no value in any design sampled (such as one of {system}){why}", "--metric")


def _placed(name: str, where: str) -> str:
    return f"{name} ({where})" if where else name


def _trial(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a number that the quantity may have, in SI where that matters no more than for being a number."""
    quantity = quantities()[name]
    low = 0.0 if quantity.minimum is None else quantity.minimum
    high = 1.0 if quantity.maximum is None else quantity.maximum
    return np.asarray(min(max(1.0, low), high) if high >= 1 else (low + high) / 2)


def _has_value(study: Study, metric: Column, values: Mapping[str, Any]) -> bool:
    found = _known(study, values).get(metric.name, np.nan)
    return bool(np.isfinite(np.asarray(found, dtype=np.float64)).any())


def _known(study: Study, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of one design with its results and the metrics of the study."""
    with np.errstate(all="ignore"):  # NaN and infinity are values here: unknown, or never
        known = {**values, **evaluate(values)}
        for name, expression in study.metrics.items():
            known[name] = expression.evaluate(known)
    return known
