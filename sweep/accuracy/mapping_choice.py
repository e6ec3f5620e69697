"""Whether the model ranks mappings as measurements do: published sweeps over mappings, everything else equal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.quantities import quantities
from sweep.accuracy.case import Prediction

FEWEST: Final = 4
"""Mappings that make a sweep: three leave the rank correlation only four values to take."""


@dataclass(frozen=True, slots=True)
class MappingSweep:
    """One job measured under several mappings.

    ``correlation`` is Spearman's between predicted and measured step times; ``loss`` is the measured time of the
    mapping that the model would pick over the best measured one, less one.
    """

    source: str
    model: str
    mappings: int
    correlation: float
    loss: float


def mapping_sweeps(predictions: Sequence[Prediction]) -> list[MappingSweep]:
    """Return the sweeps among runs with a stated mapping.

    Runs belong together when source, model, chip, number format and every input of the model but the mapping are equal.
    Repeats of one mapping count once, with their mean time. Sweeps of fewer than four mappings are left out, and those
    whose times are all predicted or all measured equal, for which no order exists.
    """
    jobs: dict[tuple[Any, ...], dict[tuple[Any, ...], list[tuple[float, float]]]] = {}
    for each in predictions:
        case = each.case
        if not case.stated or case.searched:
            continue
        job, mapping = _divided(case.variants[0])
        times = jobs.setdefault((case.source, case.model, case.system, case.precision, job), {})
        times.setdefault(mapping, []).append(((each.low + each.high) / 2, case.seconds))
    found = []
    for (source, model, *_), mappings in sorted(jobs.items(), key=lambda item: item[0][:2]):
        if len(mappings) < FEWEST:
            continue
        predicted, measured = np.array([np.mean(times, axis=0) for times in mappings.values()]).T
        correlation = rank_correlation(predicted, measured)
        if not math.isnan(correlation):
            loss = float(measured[predicted.argmin()] / measured.min() - 1.0)
            found.append(MappingSweep(source, model, len(mappings), correlation, loss))
    return found


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation of two samples of shape (n,); NaN where one of them is constant.

    Pearson's correlation of the ranks, equal values sharing the mean of their ranks.
    """
    ranks = [_ranks(first), _ranks(second)]
    if any(np.ptp(each) == 0 for each in ranks):
        return math.nan
    return float(np.corrcoef(ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place])


def _divided(inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the inputs of a run that are its job and those that are its mapping, as comparable values."""
    table = quantities()
    job: list[tuple[str, str]] = []
    mapping: list[tuple[str, str]] = []
    for name, value in sorted(inputs.items()):
        row = table.get(name)
        place = mapping if row is not None and row.role == "solved" else job
        place.append((name, repr(value.tolist() if hasattr(value, "tolist") else value)))
    return tuple(job), tuple(mapping)
