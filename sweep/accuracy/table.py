"""A table of measured training runs: its columns, and one row with the place where it stands.

The columns are those of ``configs/measurements/training.csv`` (its README says what each holds). Blank means not
stated. A column that is not known, a number that is none, a word that is not allowed: each is a fault of the file, and
all faults are reported together.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sweep.errors import Problem, StudyError, nearest

COUNTS: Final = (
    "n_layers",
    "hidden",
    "ffn_hidden",
    "n_heads",
    "n_kv_heads",
    "vocab",
    "seq_len",
    "moe_experts",
    "moe_topk",
    "moe_ffn_hidden",
    "shared_experts",
    "n_chips",
    "chips_per_node",
    "scale_up_domain",
    "tp",
    "pp",
    "dp",
    "cp",
    "ep",
    "vpp",
    "micro_batch",
    "global_batch_sequences",
    "packed_length",
)
"""Columns that hold whole numbers; none but ``shared_experts`` may be zero."""

NUMBERS: Final = (
    "measured_step_time_s",
    "measured_tokens_per_s_per_chip",
    "measured_tflops_per_chip",
    "measured_mfu",
    "node_network_GBps",
)
"""Columns that hold numbers above zero."""

CHOICES: Final = {
    "recompute": ("none", "selective", "full"),
    "attention_kernel": ("fused", "unfused"),
    "sequence_parallel": ("yes", "no"),
    "tensor_overlap": ("yes", "no"),
    "trained": ("full", "adapters"),
    "purpose": ("run", "microbenchmark"),
}
"""Columns that hold one of a few words."""

TEXTS: Final = (
    "id",
    "source_url",
    "source_kind",
    "date",
    "model",
    "chip",
    "precision",
    "zero_stage/dist_optimizer",
    "other_features",
    "mfu_convention",
    "note",
    "family",
)

COLUMNS: Final = (*COUNTS, *NUMBERS, *CHOICES, *TEXTS)

REQUIRED: Final = ("id", "date", "model", "chip", "n_chips", "seq_len", "global_batch_sequences")
"""Columns without which no row can be a run; every other column may be missing, which is as if it were blank."""

DATE: Final = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?(?:-\d\d)?")


class LeftOutError(Exception):
    """A row that the model does not predict; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, checked: ``where`` is file and line; cells are as written, without spaces around them."""

    where: str
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Text of a cell; empty when it is blank or the file lacks the column."""
        return self.cells.get(column, "")

    def count(self, column: str) -> int | None:
        """Whole number of a cell, None when it is blank."""
        text = self.text(column)
        return int(float(text)) if text else None

    def number(self, column: str) -> float | None:
        """Return the number of a cell, None when it is blank."""
        text = self.text(column)
        return float(text) if text else None

    def need(self, column: str, what: str) -> int:
        """Whole number of a cell; raises ``LeftOutError`` that says ``what`` is not stated."""
        value = self.count(column)
        if value is None:
            raise LeftOutError(f"{what} not stated")
        return value

    def completed(self, cells: Mapping[str, str]) -> Row:
        """Return the row with cells that it leaves blank filled in."""
        return Row(self.where, {**cells, **{name: text for name, text in self.cells.items() if text}})

    @property
    def features(self) -> str:
        """What the source says about the software, in lower case."""
        return self.text("other_features").lower()

    @property
    def source(self) -> str:
        """Prefix of the name: the source of the row."""
        return self.text("id").rsplit("-", 1)[0]

    @property
    def year(self) -> float:
        """Date as years: the month counts a twelfth, a year alone is its middle."""
        match = DATE.fullmatch(self.text("date"))
        assert match is not None  # checked when the table was read
        return int(match[1]) + ((int(match[2]) - 1) / 12 if match[2] else 0.5)


def read_table(path: Path) -> list[Row]:
    """Read a table of runs. Raises ``StudyError`` with every fault found, each with file and line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _rows(str(path), csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError.at(f"cannot be read as a table: {error}", str(path)) from error


def _rows(file: str, lines: Iterator[list[str]]) -> list[Row]:
    header = [name.strip() for name in next(lines, [])]
    problems = list(_header_faults(header, file))
    if problems:
        raise StudyError(problems)
    rows: list[Row] = []
    names: dict[str, str] = {}
    end = 1
    for values in lines:
        where, end = f"{file}:{end + 1}", lines.line_num  # type: ignore[attr-defined]
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            problems.append(Problem(f"has {len(values)} cells, the header has {len(header)}", where))
            continue
        row = Row(where, {name: value.strip() for name, value in zip(header, values, strict=True)})
        problems += _row_faults(row, names)
        rows.append(row)
    if problems:
        raise StudyError(problems)
    return rows


def _header_faults(header: list[str], file: str) -> Iterator[Problem]:
    for name in header:
        if name not in COLUMNS:
            yield Problem(f"{name!r} is no column of a table of runs" + nearest(name, COLUMNS), f"{file}:1")
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield Problem(f"has the column {name} twice", f"{file}:1")
    for name in REQUIRED:
        if name not in header:
            yield Problem(f"lacks the column {name}", f"{file}:1")


def _row_faults(row: Row, names: dict[str, str]) -> Iterator[Problem]:
    """Faults of the cells of a row; ``names`` are those of the rows before, by their places."""
    name = row.text("id")
    if not name or name in names:
        hint = f"is the name of the row at {names[name]}; every row needs its own" if name else "a row needs a name"
        yield Problem(f"{name!r} {hint}" if name else hint, row.where, "id")
    names[name] = row.where
    if not DATE.fullmatch(row.text("date")):
        yield Problem(f"{row.text('date')!r} is no date; write YYYY or YYYY-MM", row.where, "date")
    for columns, valid, kind in (
        (COUNTS, _is_count, "whole number above zero"),
        (NUMBERS, _is_positive, "number above zero"),
    ):
        for column in columns:
            text = row.text(column)
            if text and not valid(text) and not (column == "shared_experts" and _is_zero(text)):
                yield Problem(f"{text!r} is no {kind}; leave it blank when it is not stated", row.where, column)
    for column, allowed in CHOICES.items():
        text = row.text(column)
        if text and text not in allowed:
            yield Problem(f"{text!r} is not allowed" + nearest(text, allowed), row.where, column)


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_positive(text: str) -> bool:
    return 0 < _value(text) < math.inf


def _is_count(text: str) -> bool:
    return _is_positive(text) and _value(text).is_integer()


def _is_zero(text: str) -> bool:
    return _value(text) == 0
