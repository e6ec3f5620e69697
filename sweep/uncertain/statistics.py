"""What stays of the draws of a design: the mean and quantiles of its results, and how often it is feasible."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.uncertain.inputs import Uncertain

Array = NDArray[np.float64]
FEASIBLE = "probability_feasible"
"""Column with the share of draws in which a design is feasible and meets every requirement."""
MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Statistic:
    """One number that stays of all draws: a quantile, or the mean where ``share`` is None."""

    suffix: str
    share: float | None

    @property
    def words(self) -> str:
        """What it is, as it stands before the description of a result."""
        return "Mean" if self.share is None else f"{100 * self.share:g} % quantile"


def quantile_suffix(share: float) -> str:
    """Return how the column of a quantile ends: p05 for 0.05, p97_5 for 0.975."""
    whole, _, part = f"{100 * share:.6g}".partition(".")
    return f"p{whole.zfill(2)}_{part}" if part else f"p{whole.zfill(2)}"


@lru_cache(maxsize=16)
def statistics(uncertain: Uncertain | None) -> tuple[Statistic, ...]:
    """Return what stays of each result; nothing where nothing is uncertain, or where every draw has a row."""
    if uncertain is None or uncertain.rows == "draws":
        return ()
    return (Statistic(MEAN, None), *(Statistic(quantile_suffix(share), share) for share in uncertain.quantiles))


def statistic_names(uncertain: Uncertain | None, metrics: Collection[str] = ()) -> tuple[str, ...]:
    """Return every column that the draws may add: each statistic of each number that the model or the study gives."""
    if not statistics(uncertain):
        return ()
    rows = quantities().values()
    names = [row.name for row in rows if row.role in {"metric", "solved"} and row.dtype == "float"]
    return (FEASIBLE, *(f"{name}_{each.suffix}" for name in (*metrics, *names) for each in statistics(uncertain)))


def base_of(name: str, uncertain: Uncertain | None) -> str:
    """Return the result that a column is a statistic of; the name itself when it is none."""
    for each in statistics(uncertain):
        if name.endswith(f"_{each.suffix}"):
            return name.removesuffix(f"_{each.suffix}")
    return name


def bases(columns: Iterable[str], uncertain: Uncertain | None) -> tuple[str, ...]:
    """Return columns with every statistic replaced by the result it is of, each once."""
    if not statistics(uncertain):
        return tuple(columns)
    known = set(quantities())
    names = [name if name in known else base_of(name, uncertain) for name in columns]
    return tuple(dict.fromkeys(name for name in names if name != FEASIBLE))


def summarised(values: Array, feasible: NDArray[np.bool_], wanted: Iterable[Statistic]) -> dict[str, Array]:
    """Return statistics over the last dimension, of the draws that are feasible and known.

    Parameters
    ----------
    values
        A result, shape (..., draws) or (..., 1) where it is the same in every draw.
    feasible
        Whether each draw counts, same shape after broadcasting.
    wanted
        What to compute.

    Returns
    -------
    By suffix, shape (...). NaN where no draw counts. A quantile q of k draws is at place ``q (k - 1)`` among them in
    order, linear between two (Hyndman and Fan 1996, definition 7, as NumPy's default).
    """
    shape = np.broadcast_shapes(values.shape, feasible.shape)
    counted = feasible & np.isfinite(values)
    ordered = np.ascontiguousarray(np.broadcast_to(np.where(counted, values, np.inf), shape))
    ordered = np.sort(ordered, axis=-1)
    count = np.broadcast_to(counted, shape).sum(axis=-1)
    found = {}
    for each in wanted:
        if each.share is None:
            total = np.where(np.isfinite(ordered), ordered, 0.0).sum(axis=-1)
            mean = total / np.where(count > 0, count, np.nan)
            low, high = ordered[..., 0], _at(ordered, np.maximum(count - 1, 0))
            found[each.suffix] = np.where(low == high, low, mean)
        else:
            found[each.suffix] = _quantile(ordered, count, each.share)
    return {suffix: np.where(count > 0, value, np.nan) for suffix, value in found.items()}


def _quantile(ordered: Array, count: NDArray[np.int64], share: float) -> Array:
    place = share * np.maximum(count - 1, 0)
    below = np.floor(place).astype(np.int64)
    low = _at(ordered, below)
    high = _at(ordered, np.minimum(below + 1, np.maximum(count - 1, 0)))
    with np.errstate(invalid="ignore"):  # infinity less infinity, where no draw counts
        return np.where(low == high, low, low + (place - below) * (high - low))


def _at(ordered: Array, place: NDArray[np.int64]) -> Array:
    taken: Array = np.take_along_axis(ordered, place[..., np.newaxis], axis=-1)[..., 0]
    return taken
