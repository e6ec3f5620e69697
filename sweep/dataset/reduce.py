"""What a study keeps: all rows, the best, the Pareto front or the top of each scenario, or a sample.

``best``, ``top`` and ``pareto`` choose among levers within each combination of scenario values, since minimising over
a price that the world sets only picks the lowest price. They are idempotent and may be applied in any grouping:
reducing the union of reduced chunks equals reducing everything. The lowest design id breaks every tie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.dataset.columns import DESIGN

Indices = NDArray[np.int64]
KeepKind = Literal["all", "best", "top", "pareto", "sample", "trials"]
BY_CHUNK_KINDS = frozenset({"all", "sample"})
MERGED_KINDS = frozenset({"best", "top", "pareto"})


@dataclass(frozen=True, slots=True)
class Goal:
    """A column, and whether less of it is better."""

    column: str
    maximize: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """Which rows of a study stay.

    ``goals`` is the objective for ``best`` and ``top``, the axes of the front for ``pareto``. ``scenarios`` are the
    columns whose combinations are kept apart. ``count`` belongs to ``top``, ``fraction`` and ``seed`` to ``sample``.
    ``trials`` are the designs that a search proposed.
    """

    kind: KeepKind = "all"
    goals: tuple[Goal, ...] = ()
    scenarios: tuple[str, ...] = ()
    count: int = 1
    fraction: float = 1.0
    seed: int = 0

    @property
    def merged(self) -> bool:
        """Whether parts of chunks must be reduced once more together."""
        return self.kind in MERGED_KINDS

    @property
    def by_chunk(self) -> bool:
        """Whether every part holds one chunk, so that the parts follow each other through the space."""
        return self.kind in BY_CHUNK_KINDS


def reduce(table: pa.Table, keep: Keep) -> pa.Table:
    """Return the rows that stay, in the order of their ids; ``table`` must be in that order."""
    if keep.kind == "all":
        return table
    if keep.kind == "sample":
        return table.filter(pa.array(sampled(_ids(table), keep.fraction, keep.seed)))
    values = [_goal(table, goal) for goal in keep.goals]
    alive = np.flatnonzero(_feasible(table) & ~np.isnan(values).any(axis=0))
    if alive.size == 0:
        return table.slice(0, 0)
    groups = scenario_groups(table.select(keep.scenarios).take(alive), alive.size)
    points = np.stack([value[alive] for value in values], axis=-1)
    if keep.kind == "pareto":
        chosen = _pareto(points, groups)
    else:
        chosen = _lowest(points[:, 0], groups, keep.count if keep.kind == "top" else 1)
    return table.take(pa.array(alive[chosen]))


def sampled(ids: Indices, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Return which designs a sample keeps: those whose hashed id lies in the lowest ``fraction`` of 2**64.

    The hash is the output function of splitmix64 (Steele, Lea and Flood 2014), so the choice depends on the id and the
    seed only, never on chunks or workers.
    """
    if fraction >= 1:
        return np.ones(ids.shape, dtype=np.bool_)
    mixed = _mix(ids.astype(np.uint64) + _mix(np.array([seed], dtype=np.uint64)))
    return mixed < np.uint64(int(fraction * 2**64))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def scenario_groups(scenarios: pa.Table, rows: int) -> Indices:
    """Return a group number per row: equal numbers mean equal values in every column (null equals null)."""
    groups = np.zeros(rows, dtype=np.int64)
    for column in scenarios.columns:
        codes = column.combine_chunks()
        if not pa.types.is_dictionary(codes.type):
            codes = codes.dictionary_encode()
        size = len(codes.dictionary)
        indices = codes.indices.fill_null(size).to_numpy(zero_copy_only=False).astype(np.int64)
        groups = np.unique(groups * (size + 1) + indices, return_inverse=True)[1].astype(np.int64)
    return groups


def _ids(table: pa.Table) -> Indices:
    return cast("Indices", table[DESIGN].to_numpy())


def _feasible(table: pa.Table) -> NDArray[np.bool_]:
    column = table["status"].combine_chunks()
    good = column.dictionary.to_pylist().index("ok") if "ok" in column.dictionary.to_pylist() else -1
    return cast("NDArray[np.bool_]", column.indices.to_numpy(zero_copy_only=False) == good)


def _goal(table: pa.Table, goal: Goal) -> NDArray[np.float64]:
    """Return the column as numbers of which less is better; unknown is NaN."""
    column = table[goal.column].cast(pa.float64()).to_numpy()
    return cast("NDArray[np.float64]", -column if goal.maximize else column)


def _lowest(values: NDArray[np.float64], groups: Indices, count: int) -> Indices:
    """Return the positions of the ``count`` lowest values of each group, ascending; earlier rows win ties."""
    order = np.lexsort((np.arange(values.size), values, groups))
    grouped = groups[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=grouped[0] - 1))
    rank = np.arange(order.size) - np.repeat(starts, np.diff(starts, append=order.size))
    return np.sort(order[rank < count])


def _pareto(points: NDArray[np.float64], groups: Indices) -> Indices:
    """Return the positions of the points that no other of their group dominates; of equal points the first."""
    from moocore import is_nondominated  # noqa: PLC0415  (only this reduction needs it, and it costs 0.1 s)

    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    fronts = [rows[is_nondominated(points[rows])] for rows in np.split(order, starts[1:])]
    return np.sort(np.concatenate(fronts))
