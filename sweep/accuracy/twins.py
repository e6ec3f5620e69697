"""Rows of a table that describe the same run, so that one can lend another what that leaves blank."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sweep.accuracy.mappings import is_mapped
from sweep.accuracy.recipes import overlaps_tensor, trained_weights
from sweep.accuracy.table import Row

LENT: Final = ("tp", "pp", "cp", "ep", "vpp", "micro_batch", "recompute")
"""What a row takes from a twin where it is blank; without a mapping of its own also whether messages overlap."""


class Twins:
    """Rows that state their mapping, for those that state less.

    A run of the same model on as many chips of the same kind, with the same batch, sequence and trained weights, is
    taken to be laid out as one of its twins: submitters of a benchmark use one another's scripts, and a recipe returns
    in the next release. A row that lacks only its recomputation takes it from twins with its number format.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._mapped: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            if is_mapped(row):
                self._mapped.setdefault(_key(row), []).append(row)

    def of(self, row: Row) -> list[Row]:
        """Return a row completed by each of its twins that contradict none of its cells; the row itself without."""
        if is_mapped(row) and row.text("recompute"):
            return [row]
        found: dict[tuple[str, ...], Row] = {}
        for twin in self._mapped.get(_key(row), ()):
            cells = {name: twin.text(name) for name in LENT}
            if not is_mapped(row):
                cells["tensor_overlap"] = "yes" if overlaps_tensor(twin) else "no"
            contradicts = any(row.text(name) not in ("", text) for name, text in cells.items())
            contradicts |= overlaps_tensor(row) and not overlaps_tensor(twin)
            if not contradicts and (not is_mapped(row) or _lends_recomputation(twin, row)):
                found.setdefault(tuple(cells.values()), row.completed(cells))
        return list(found.values()) or [row]


def _lends_recomputation(twin: Row, row: Row) -> bool:
    return bool(twin.text("recompute")) and twin.text("precision") == row.text("precision")


def _key(row: Row) -> tuple[Any, ...]:
    counts = (row.count(name) for name in ("n_chips", "seq_len", "global_batch_sequences"))
    return (row.text("model"), row.text("chip"), *counts, trained_weights(row))
