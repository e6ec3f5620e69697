"""How far the model may be off, as far as published runs tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sweep.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class ModelError:
    """The mean absolute error of the step time on published runs of one system's chip [fraction].

    ``known`` is false when nothing is published for the chip: then ``value`` is the largest error known of any chip,
    since an unknown error is not a small one. It is infinite when no error is known at all.
    """

    value: float
    known: bool


def model_error(catalogue: Catalogue, system: str) -> ModelError:
    """Return the model's error for a system, from the fact ``step_time_error`` of its chip."""
    found = _step_time_error(catalogue, system)
    if found is not None:
        return ModelError(found, known=True)
    others = [_step_time_error(catalogue, other) for other in catalogue.names("systems")]
    return ModelError(max((other for other in others if other is not None), default=math.inf), known=False)


def joint(first: ModelError, second: ModelError) -> float:
    """Return the error of the ratio of two systems [fraction]: their errors added in quadrature, as if independent."""
    return math.hypot(first.value, second.value)


def _step_time_error(catalogue: Catalogue, system: str) -> float | None:
    fact = catalogue.facts(system, None, None).get("step_time_error")
    return None if fact is None or fact.value is None else float(fact.value)
