"""What a study would do: how many designs and rows, how long, how many bytes. Nothing is written, Ray is not started.

Time and bytes come from a calibration: a few pieces of the study, as large as those the engine works on, are computed
in this process. They are estimates; the first rows are real.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from sweep.catalogue import Catalogue
from sweep.counting import Count, require_designs
from sweep.dataset.arrays import number_array
from sweep.dataset.columns import DESIGN, arrow_schema
from sweep.dataset.parts import parquet_bytes
from sweep.engine.cells import is_structural
from sweep.engine.columns import study_columns
from sweep.engine.rows import cell_rows, evaluate_chunk
from sweep.inputs import inputs_with_origins
from sweep.space import Axis, Block, Chunks, Space, zip_axis
from sweep.study import Study

NEEDED = ("chips_per_node", "chip_power", "host_power", "chip_price", "power_price")
"""Facts without which the model still tells the speed, but not the power, the goodput or the cost."""

FIRST_ROWS = 5
FIRST_DESIGNS = 64
CALIBRATION_SECONDS = 0.15
CALIBRATION_PIECES = 8


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the pieces computed here cost.

    ``seconds`` are of one core for one piece of each block (NaN for a block not tried), ``bytes_per_row`` and
    ``bytes_per_part`` the size of Parquet.
    """

    pieces: int
    designs: int
    seconds: tuple[float, ...]
    bytes_per_row: float
    bytes_per_part: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a study.

    ``designs`` counts before ``where``, ``rows`` after it. ``cells`` are structural combinations, each with its own
    mapping search; ``pieces`` are what one call of the model computes. ``kept`` is how many rows stay under ``keep``
    at most; None when that depends on the results. ``core_seconds`` and ``bytes`` are estimates. ``unknown`` lists, by
    system, the facts among ``NEEDED`` that neither the catalogue nor the study gives.
    """

    study: str
    designs: int
    rows: Count
    cells: int
    pieces: int
    chunks: int
    kept: int | None
    core_seconds: float
    bytes: int
    cores: int
    columns: int
    unknown: Mapping[str, tuple[str, ...]]
    first_rows: pa.Table
    calibration: Calibration

    def seconds(self, cores: int | None = None) -> float:
        """Return the time on some cores (this machine's by default), if all of them are kept busy [s]."""
        return self.core_seconds / min(cores or self.cores, max(self.chunks, 1))

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain data for JSON."""
        return {
            "study": self.study,
            "designs": self.designs,
            "rows": {
                "estimate": self.rows.rows,
                "low": self.rows.low,
                "high": self.rows.high,
                "exact": self.rows.exact,
            },
            "cells": self.cells,
            "chunks": self.chunks,
            "kept": self.kept,
            "core_seconds": self.core_seconds,
            "cores": self.cores,
            "seconds": self.seconds(),
            "bytes": self.bytes,
            "columns": self.columns,
            "unknown": {system: list(names) for system, names in self.unknown.items()},
            "first_rows": self.first_rows.to_pylist(),
        }


def plan(study: Study, catalogue: Catalogue) -> Plan:
    """Return the plan of a study. Raises ``StudyError`` when ``where`` leaves nothing or a needed fact is unknown."""
    rows = require_designs(study, catalogue)
    kept = kept_rows(study, rows.rows)
    first, calibration = _calibrated(study, catalogue)
    most = cell_rows(study)
    pieces = [_cells(block) * max(-(-_numeric(block) // most), 1) for block in study.space.blocks]
    known = [cost for cost in calibration.seconds if not math.isnan(cost)]
    costs = [sum(known) / len(known) if math.isnan(cost) else cost for cost in calibration.seconds]
    chunks = Chunks(study.space, study.rows_per_part).count
    stored = rows.rows if kept is None else min(kept, rows.rows)
    return Plan(
        study=study.name,
        designs=study.space.size,
        rows=rows,
        cells=sum(_cells(block) for block in study.space.blocks),
        pieces=sum(pieces),
        chunks=chunks,
        kept=kept,
        core_seconds=sum(number * cost for number, cost in zip(pieces, costs, strict=True)),
        bytes=round(stored * calibration.bytes_per_row + min(chunks, stored) * calibration.bytes_per_part),
        cores=os.cpu_count() or 1,
        columns=first.num_columns,
        unknown=unknown_facts(study, catalogue),
        first_rows=first,
        calibration=calibration,
    )


def kept_rows(study: Study, rows: int) -> int | None:
    """Return how many rows ``keep`` leaves at most; None for a Pareto front, whose size nobody knows beforehand."""
    keep = study.keep
    if keep.kind == "pareto":
        return None
    if keep.kind == "sample":
        return math.ceil(rows * keep.number)
    if keep.kind == "all":
        return rows
    scenarios = sum(
        math.prod(axis.size for axis in block.axes if any(name in study.scenarios for name in axis.names))
        for block in study.space.blocks
    )
    return min(rows, scenarios * (int(keep.number) if keep.kind == "top" else 1))


def unknown_facts(study: Study, catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """Return the needed facts that a system lacks in the first design that has it; systems that lack none are out."""
    found: dict[str, tuple[str, ...]] = {}
    for block in study.space.blocks:
        times = frozenset(name for axis in block.axes for name in axis.times)
        place = next((at for at, axis in enumerate(block.axes) if "system" in axis.names), None)
        for point in range(1 if place is None else block.shape[place]):
            indices = [point if at == place else 0 for at in range(len(block.axes))]
            values = inputs_with_origins(study, catalogue, block.design(block.number(indices)), {}, times).values
            lacking = tuple(name for name in NEEDED if np.isnan(values.get(name, np.nan)))
            if lacking:
                found.setdefault(str(values["system"]), lacking)
    return found


def _is_structural(axis: Axis) -> bool:
    return any(is_structural(name) for name in axis.names)


def _cells(block: Block) -> int:
    return math.prod(axis.size for axis in block.axes if _is_structural(axis))


def _numeric(block: Block) -> int:
    return math.prod(axis.size for axis in block.axes if not _is_structural(axis))


@dataclass(frozen=True)
class _Piece:
    """A part of a block with one point of every structural axis, from ``starts`` on."""

    whole: Block
    cut: Block
    starts: tuple[int, ...]

    def ids(self, rows: Iterable[int]) -> list[int]:
        """Return the ids in the study of rows numbered within the piece."""
        places = ([start + at for start, at in zip(self.starts, self.cut.indices(row), strict=True)] for row in rows)
        return [self.whole.offset + self.whole.number(point) for point in places]


def _calibrated(study: Study, catalogue: Catalogue) -> tuple[pa.Table, Calibration]:
    """Return the first rows, and what pieces of the study cost; the first rows also warm the caches up."""
    head = _piece(study.space.blocks[0], (0,) * len(study.space.blocks[0].axes), FIRST_DESIGNS)
    first = _first(head, _evaluated(study, catalogue, head))
    overhead = parquet_bytes(first.slice(0, 0), study.input_names).size
    seconds: list[list[float]] = [[] for _ in study.space.blocks]
    pieces = designs = rows = size = 0
    started = time.perf_counter()
    for number, places in _sites(study):
        begun = time.perf_counter()
        if pieces and begun - started > CALIBRATION_SECONDS:
            break
        piece = _piece(study.space.blocks[number], places, cell_rows(study))
        table = _evaluated(study, catalogue, piece)
        size += parquet_bytes(table, study.input_names).size - overhead
        seconds[number].append(time.perf_counter() - begun)
        pieces, designs, rows = pieces + 1, designs + piece.cut.size, rows + table.num_rows
        first = first if first.num_rows else _first(piece, table)
    costs = tuple(sum(found) / len(found) if found else math.nan for found in seconds)
    return first, Calibration(pieces, designs, costs, max(size, 0) / max(rows, 1), overhead)


def _first(piece: _Piece, table: pa.Table) -> pa.Table:
    """Return the first rows of a piece, with the ids they have in the study."""
    rows = table.slice(0, FIRST_ROWS)
    ids = number_array(np.array(piece.ids(rows[DESIGN].to_pylist()), dtype=np.int64))
    return rows.set_column(0, rows.schema.field(DESIGN), ids)


def _sites(study: Study) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield where to calibrate: blocks in turn, random points on their structural axes, the same every time."""
    random = np.random.Generator(np.random.Philox(study.seed))
    blocks = study.space.blocks
    for turn in range(max(CALIBRATION_PIECES, len(blocks))):
        number = turn % len(blocks)
        axes = blocks[number].axes
        yield number, tuple(int(random.integers(axis.size)) if _is_structural(axis) else 0 for axis in axes)


def _piece(block: Block, starts: tuple[int, ...], most: int) -> _Piece:
    """Return a piece of at most ``most`` designs: axes are cut as the engine cuts cells, the fastest stay whole."""
    axes: list[Axis] = []
    room = most
    for axis, start in zip(reversed(block.axes), reversed(starts), strict=True):
        size = 1 if _is_structural(axis) else min(axis.size, room)
        axes.append(_cut(axis, start, start + size))
        room //= size
    return _Piece(block, replace(block, axes=tuple(reversed(axes)), offset=0, partition=()), starts)


def _cut(axis: Axis, start: int, stop: int) -> Axis:
    return zip_axis({name: axis.values(name, start, stop).tolist() for name in axis.names}, axis.times)


def _evaluated(study: Study, catalogue: Catalogue, piece: _Piece) -> pa.Table:
    columns = study_columns(study)
    schema = arrow_schema(columns, study.float_type, {})
    small = replace(study, space=Space.of([piece.cut]))
    return evaluate_chunk(small, catalogue, Chunks(small.space, piece.cut.size)[0], columns, schema).table
