"""How far the model may be off, as far as published runs tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sweep.catalogue import Catalogue

MEASURED = "measured"
"""Confidence of an error that published runs on the chip itself show."""


@dataclass(frozen=True, slots=True)
class ModelError:
    """The mean absolute error of the step time on published runs of one system's chip [fraction].

    ``known`` is false when no run on the chip is published: then ``value`` is what the catalogue takes from others,
    or the largest error of any chip, since an unknown error is not a small one. It is infinite when none is known.
    """

    value: float
    known: bool


def model_error(catalogue: Catalogue, system: str) -> ModelError:
    """Return the model's error for a system, from the fact ``step_time_error`` of its chip."""
    found = _step_time_error(catalogue, system)
    if found is not None:
        return found
    others = [_step_time_error(catalogue, other) for other in catalogue.names("systems")]
    return ModelError(max((other.value for other in others if other is not None), default=math.inf), known=False)


def joint(first: ModelError, second: ModelError) -> float:
    """Return the error of the ratio of two systems [fraction]: their errors added in quadrature, as if independent."""
    return math.hypot(first.value, second.value)


def _step_time_error(catalogue: Catalogue, system: str) -> ModelError | None:
    found = catalogue.facts(system, None, None).get("step_time_error")
    if found is None or found.value is None:
        return None
    return ModelError(float(found.value), known=found.fact.confidence == MEASURED)
