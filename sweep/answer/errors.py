"""How far the model may be off, as far as published runs and measurements tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sweep.catalogue import Catalogue

MEASURED = "measured"
"""Confidence of an error that published figures of the chip itself show."""
FACTS: Final[Mapping[str, str]] = {"train": "step_time_error", "serve": "token_time_error"}
"""The fact that holds the error, by phase."""

MEAN: Final = "It is a mean: if errors are normal, about four in ten ratios are off by more."
"""How wide a band of one mean absolute error is: a normal error exceeds it in 42 % of cases, erfc(1 / sqrt(pi))."""


@dataclass(frozen=True, slots=True)
class ModelError:
    """The mean absolute error of the model on what is published of one system's chip [fraction].

    In training it is that of step times, in serving that of times per output token. ``known`` is false when nothing, or
    too little, is published of the chip: then ``value`` is what the catalogue takes from others, or the largest error
    of any chip, since an unknown error is not a small one. It is infinite when none is known.
    """

    value: float
    known: bool


def model_error(catalogue: Catalogue, system: str, phase: str) -> ModelError:
    """Return the model's error for a system in training (``train``) or serving (``serve``)."""
    found = _stated(catalogue, system, phase)
    if found is not None:
        return found
    others = [_stated(catalogue, other, phase) for other in catalogue.names("systems")]
    return ModelError(max((other.value for other in others if other is not None), default=math.inf), known=False)


def joint(first: ModelError, second: ModelError) -> float:
    """Return the error of the ratio of two systems [fraction]: their errors added in quadrature, as if independent."""
    return math.hypot(first.value, second.value)


def errors_sentence(errors: Mapping[str, ModelError], phase: str) -> str:
    """Return what the errors of some systems are errors of, and how large each is; without an end."""
    listed = ", ".join(
        f"{name} {100 * error.value:.0f} %{'' if error.known else ' (too little published of its chip: from others)'}"
        for name, error in errors.items()
    )
    what = {"train": "step times of published training runs", "serve": "published times per output token"}[phase]
    return f"the model's mean error on {what} ({listed})"


def _stated(catalogue: Catalogue, system: str, phase: str) -> ModelError | None:
    found = catalogue.facts(system, None, None).get(FACTS[phase])
    if found is None or found.value is None:
        return None
    return ModelError(float(found.value), known=found.fact.confidence == MEASURED)
