"""From a chunk to the rows of its part: the model's open-mesh results, flattened into the study's columns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.evaluate import evaluate
from models.inputs import ModelInputError
from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.dataset.arrays import coded_array, number_array
from sweep.dataset.columns import DESIGN, Column
from sweep.engine.cells import CELL_ROWS, Cell, cells
from sweep.engine.draws import drawn_statistics
from sweep.engine.verdict import Mask, all_true, reasons, verdict_of
from sweep.inputs import inputs_with_origins
from sweep.space import Chunk
from sweep.study import Study
from sweep.uncertain.statistics import statistics

Values = NDArray[Any]
NEARLY_WHOLE = 1e-6
SERVING_POINTS = 64
"""By how much smaller cells are in which every draw of a design has its own batches and layouts."""
SPEEDS = frozenset({"workload", "chip", "fabric", "mapping", "performance"})
"""Groups of quantities that the training and serving models read."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one chunk; of ``seconds``, ``model_seconds`` went into the model, the rest into flattening."""

    table: pa.Table
    model_seconds: float
    seconds: float


def evaluate_chunk(
    study: Study, catalogue: Catalogue, chunk: Chunk, columns: Sequence[Column], schema: pa.Schema
) -> Rows:
    """Return the rows of a chunk in the order of their ids, with the given columns and their schema.

    Every design that passes ``where`` has one. ``require`` makes a row infeasible and names itself as the reason; where
    the model finds no feasible design its results are null, and so is every number that depends on an unknown fact.
    """
    started = time.perf_counter()
    ids = np.arange(chunk.first, chunk.first + chunk.rows, dtype=np.int64)
    block = _Block(columns, schema, chunk.rows)
    model_seconds = 0.0
    for cell in cells(chunk, cell_rows(study)):
        with np.errstate(all="ignore"):  # NaN and infinity are values here: unknown, or never
            model_seconds += _fill(block, study, catalogue, cell)
    return Rows(block.table(ids), model_seconds, time.perf_counter() - started)


def cell_rows(study: Study) -> int:
    """Return the most designs of one cell: fewer where each is evaluated in many draws.

    The serving model has dimensions of its own for batches and layouts, which draws of speeds multiply.
    """
    uncertain = study.uncertain
    if uncertain is None or not statistics(uncertain):
        return CELL_ROWS
    inner = SERVING_POINTS if serves(study) and any(is_speed(each.name) for each in uncertain.inputs) else 1
    return max(CELL_ROWS // (uncertain.draws * inner), 1)


def serves(study: Study) -> bool:
    """Return whether some design of a study serves."""
    constants = (block.constants.get("phase") for block in study.space.blocks)
    axes = (axis for block in study.space.blocks for axis in block.axes if "phase" in axis.names)
    return "serve" in constants or any("serve" in axis.values("phase", 0, axis.size) for axis in axes)


def is_speed(name: str) -> bool:
    """Return whether a quantity may change how fast a design is."""
    return quantities()[name].group in SPEEDS


def _fill(block: _Block, study: Study, catalogue: Catalogue, cell: Cell) -> float:
    """Put the results of a cell into the columns; return the seconds until they were known."""
    started = time.perf_counter()
    inputs = inputs_with_origins(study, catalogue, cell.structural, cell.mesh, cell.times)
    passing = all_true(study.where, inputs.values)
    block.keep[cell.rows] = np.broadcast_to(passing, cell.shape).reshape(-1)
    if not passing.any():
        return time.perf_counter() - started
    try:
        results = evaluate(inputs.values)
    except ModelInputError as fault:
        raise inputs.error(fault) from fault
    known = {**inputs.values, **results}
    for name, metric in study.metrics.items():
        known[name] = metric.evaluate(known)
    solved = {*results, *study.metrics} - {*cell.structural, *cell.mesh}
    drawn = drawn_statistics(study, catalogue, cell, block.columns)
    unsolved = np.asarray(known["status"]) != 0
    verdict = verdict_of(study.require, known, unsolved)
    seconds = time.perf_counter() - started
    for column in block.columns:
        if column.name == "status":
            block.put_codes(column, cell, ("ok", "infeasible"), (verdict != 0).astype(np.int32))
        elif column.name == "reason":
            block.put_codes(column, cell, reasons(study), verdict)
        elif column.name in drawn:
            block.put(column, cell, drawn[column.name], None)
        elif column.name != DESIGN:
            block.put(column, cell, _value(column, cell, known), unsolved if column.name in solved else None)
    return seconds


def _value(column: Column, cell: Cell, known: Mapping[str, Any]) -> Any:
    """Return what a column holds in a cell [the column's unit]: what the study wrote, otherwise what the model says."""
    name = column.multiplies or column.name
    if column.multiplies:
        return cell.value(name) if name in cell.times else 1.0
    written = None if name in cell.times else cell.value(name)
    if written is not None:
        return written
    value = known.get(name)
    if column.kind == "text":
        return value
    return column.from_si(np.asarray(np.nan if value is None else value, dtype=np.float64))


class _Block:
    """Columns of a chunk under construction: numbers with NaN for null, text as codes with -1 for null."""

    def __init__(self, columns: Sequence[Column], schema: pa.Schema, rows: int) -> None:
        self.columns = columns
        self.schema = schema
        self.keep = np.zeros(rows, dtype=np.bool_)
        self._words: dict[str, dict[str, int]] = {column.name: {} for column in columns if column.kind == "text"}
        self._arrays = {column.name: self._empty(column, rows) for column in columns if column.name != DESIGN}

    def _empty(self, column: Column, rows: int) -> Values:
        if column.kind == "text":
            return np.empty(rows, dtype=np.int32)
        narrow = self.schema.field(column.name).type == pa.float32()
        return np.empty(rows, dtype=np.float32 if narrow else np.float64)

    def put(self, column: Column, cell: Cell, value: Any, null: Mask | None) -> None:
        """Write a value that broadcasts to the cell; it becomes null where ``null`` is true."""
        if column.kind == "text":
            self._put_text(column, cell, value, null)
            return
        numbers = np.asarray(value)
        if column.kind == "int":
            numbers = whole(column.name, numbers)
        self._write(column.name, cell, numbers if null is None else np.where(null, np.nan, numbers))

    def put_codes(self, column: Column, cell: Cell, words: Sequence[str | None], codes: NDArray[np.int32]) -> None:
        """Write text given as codes into ``words``; the word None is null."""
        used, inverse = np.unique(codes, return_inverse=True)
        own = np.array([self._code(column.name, words[code]) for code in used.tolist()], dtype=np.int32)
        self._write(column.name, cell, own[inverse].reshape(codes.shape))

    def _put_text(self, column: Column, cell: Cell, value: Any, null: Mask | None) -> None:
        words, inverse = np.unique(np.asarray("" if value is None else value, dtype=np.str_), return_inverse=True)
        own = np.array([self._code(column.name, word or None) for word in words.tolist()], dtype=np.int32)
        codes = own[inverse].reshape(np.shape(value))
        self._write(column.name, cell, codes if null is None else np.where(null, np.int32(-1), codes))

    def _code(self, name: str, word: str | None) -> int:
        known = self._words[name]
        return -1 if word is None else known.setdefault(word, len(known))

    def _write(self, name: str, cell: Cell, values: Values) -> None:
        shape = cell.shape
        if isinstance(cell.rows, slice):
            target = self._arrays[name][cell.rows].reshape(shape)
            target[...] = values if values.size == target.size else values.astype(target.dtype)  # before it is repeated
        else:
            self._arrays[name][cell.rows] = np.broadcast_to(values, shape).reshape(-1)

    def table(self, ids: NDArray[np.int64]) -> pa.Table:
        """Return the kept rows as an Arrow table."""
        everything = bool(self.keep.all())
        arrays = []
        for column, field in zip(self.columns, self.schema, strict=True):
            values = ids if column.name == DESIGN else self._arrays.pop(column.name)
            arrays.append(self._arrow(column, field, values if everything else values[self.keep]))
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _arrow(self, column: Column, field: pa.Field, values: Values) -> pa.Array:
        if column.kind == "text":
            return _text_array(values, list(self._words[column.name]))
        if column.kind == "int" and values.dtype.kind == "f":
            null = np.isnan(values)
            return number_array(np.where(null, 0, values).astype(np.int64), null).cast(field.type)
        return number_array(values, np.isnan(values) if values.dtype.kind == "f" else None).cast(field.type)


def whole(name: str, numbers: Values) -> Values:
    """Return counts as whole numbers, NaN kept. Raises ``ValueError`` when one is not whole: the model has a defect."""
    if numbers.dtype.kind != "f":
        return numbers
    rounded = np.rint(numbers)
    if (np.abs(numbers - rounded) > NEARLY_WHOLE * np.maximum(np.abs(numbers), 1)).any():
        raise ValueError(f"{name} is a count, and the model returns one that is not whole")
    return rounded


def _text_array(codes: NDArray[np.int32], words: list[str]) -> pa.DictionaryArray:
    """Return text as an Arrow dictionary that holds the words in use only, sorted."""
    used = np.unique(codes[codes >= 0])
    order = sorted(used.tolist(), key=lambda code: words[code])
    place = np.full(len(words) + 1, 0, dtype=np.int32)  # the last entry is what -1 reads
    place[order] = np.arange(len(order), dtype=np.int32)
    return coded_array(np.where(codes < 0, codes, place[codes]), [words[code] for code in order])
