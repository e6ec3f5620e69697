"""How far predictions are from measurements: one error per run, and what is said about many of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sweep.accuracy.case import Case, Prediction

Array = npt.NDArray[np.float64]


def errors(predictions: Sequence[Prediction]) -> Array:
    """Signed relative errors of predicted step times, shape (n,).

    The distance from the measured time to the predicted range over the measured time: 0 inside the range, above 0 where
    the model is too slow. Where the range is one number that is predicted over measured, less one.
    """
    low, high, measured = _times(predictions)
    return (np.maximum(low - measured, 0.0) - np.maximum(measured - high, 0.0)) / measured


def widths(predictions: Sequence[Prediction]) -> Array:
    """Widths of the predicted ranges over the measured time, shape (n,); 0 where a prediction is one number."""
    low, high, measured = _times(predictions)
    return (high - low) / measured


def _times(predictions: Sequence[Prediction]) -> tuple[Array, Array, Array]:
    """Predicted range and measured step times [s], shape (n,) each."""
    low, high, measured = np.array([(each.low, each.high, each.case.seconds) for each in predictions]).reshape(-1, 3).T
    return low, high, measured


@dataclass(frozen=True, slots=True)
class Statistics:
    """Errors of many predictions, as fractions; NaN where there are none.

    ``mean``, ``median`` and ``ninetieth`` (percentile) are of absolute errors, ``bias`` is the mean of the signed ones,
    ``source_mean`` the mean over sources of each source's mean absolute error. ``within_10`` and ``within_20`` are the
    shares of rows with at most 10 % and 20 %. ``ranges`` counts predictions that are ranges, ``width`` is the median
    width of those.
    """

    rows: int
    sources: int
    mean: float
    median: float
    ninetieth: float
    bias: float
    within_10: float
    within_20: float
    source_mean: float
    ranges: int
    width: float


def statistics(predictions: Sequence[Prediction]) -> Statistics:
    """Return what is said about the errors of predictions."""
    signed = errors(predictions)
    size = np.abs(signed)
    wide = widths(predictions)
    wide = wide[wide > 0]
    by_source = grouped(predictions, lambda case: (case.source,))
    means = [_mean(np.abs(errors(found))) for found in by_source.values()]
    return Statistics(
        rows=len(predictions),
        sources=len(by_source),
        mean=_mean(size),
        median=_quantile(size, 0.5),
        ninetieth=_quantile(size, 0.9),
        bias=_mean(signed),
        within_10=_mean(size <= 0.1),
        within_20=_mean(size <= 0.2),
        source_mean=_mean(np.array(means)),
        ranges=len(wide),
        width=_quantile(wide, 0.5),
    )


def grouped(predictions: Iterable[Prediction], groups: Callable[[Case], Iterable[str]]) -> dict[str, list[Prediction]]:
    """Return predictions by group, the groups sorted; ``groups`` says in which ones a run is."""
    found: dict[str, list[Prediction]] = {}
    for each in predictions:
        for group in groups(each.case):
            found.setdefault(group, []).append(each)
    return dict(sorted(found.items()))


def worst(predictions: Sequence[Prediction], count: int) -> list[Prediction]:
    """Return the predictions with the largest absolute errors, the largest first."""
    order = np.argsort(-np.abs(errors(predictions)), kind="stable")[:count]
    return [predictions[place] for place in order]


def noise_floor(predictions: Sequence[Prediction]) -> tuple[int, float]:
    """Error that a perfect model would still have, since repeats of one configuration differ.

    Returns
    -------
    rows
        Runs whose configuration was measured more than once.
    error
        Mean distance of those from the median of their configuration, over that median; NaN without any.
    """
    times: dict[tuple[object, ...], list[float]] = {}
    for each in predictions:
        times.setdefault(each.case.configuration, []).append(each.case.seconds)
    repeated = [np.array(found) for found in times.values() if len(found) > 1]
    if not repeated:
        return 0, math.nan
    away = np.concatenate([np.abs(found / np.median(found) - 1.0) for found in repeated])
    return len(away), float(away.mean())


def shares(parts: Mapping[str, float]) -> dict[str, float]:
    """Return the parts of a step as fractions of their sum, the largest first."""
    total = sum(parts.values())
    return {name: value / total for name, value in sorted(parts.items(), key=lambda item: -item[1]) if value > 0}


def _mean(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _quantile(values: Array, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else math.nan
