"""The columns of a dataset and their Arrow schema, made from the quantity table and the study.

Every field carries ``unit``, ``description`` and ``role`` as metadata. Numbers are in the unit people write (the
table's ``unit``); an axis column holds exactly what the study says, so 0.02 USD/kWh stays 0.02.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.quantities import Kind, Quantity
from sweep.expressions import Expression
from sweep.units import factor

DESIGN = "design"
TIMES = "_times"
INT32_MAXIMUM = 2**31 - 1
Floats = Literal["float32", "float64"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what its numbers mean and how they are stored.

    ``axis`` columns are what the study sweeps. ``si_unit`` is what the model computes in. ``bits`` is the width of an
    int, 0 for other kinds. ``multiplies`` names the quantity whose multiplier the column holds. ``statistic`` is what
    the column keeps of the draws of the result ``of``: ``mean``, the share of a quantile such as ``0.05``, or
    ``feasible``.
    """

    name: str
    kind: Kind
    unit: str
    si_unit: str
    role: str
    description: str
    axis: bool = False
    bits: int = 0
    multiplies: str = ""
    statistic: str = ""
    of: str = ""

    def from_si(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return SI numbers in the unit of the column; dividing by the larger unit keeps 392 GB/s at 392."""
        per_unit = factor(self.unit, self.si_unit)
        return values / per_unit if per_unit >= 1 else values * factor(self.si_unit, self.unit)

    def arrow_type(self, floats: Floats) -> pa.DataType:
        """Return the Arrow type; axes keep float64, so that a value can be compared with the study's."""
        if self.kind == "text":
            return pa.dictionary(pa.int32(), pa.string())
        if self.kind == "int":
            return pa.int32() if self.bits == 32 else pa.int64()
        return pa.float32() if floats == "float32" and not self.axis else pa.float64()


def design_column() -> Column:
    """Return the column that addresses a design."""
    text = "Index of the design in the study's unpruned space; the same number always means the same design"
    return Column(DESIGN, "int", "", "", "id", text, axis=True, bits=64)


def sample_column(name: str) -> Column:
    """Return the column that numbers the points of a sample."""
    return Column(
        name, "int", "", "", "id", "Number of the sampled point; the same number draws the same values", bits=64
    )


def quantity_column(quantity: Quantity, *, axis: bool = False, role: str = "") -> Column:
    """Return the column of a quantity of the table; ``role`` is the study's view of it when it has one."""
    narrow = quantity.maximum is not None and quantity.maximum <= INT32_MAXIMUM
    return Column(
        name=quantity.name,
        kind=quantity.dtype,
        unit=quantity.unit,
        si_unit=quantity.si_unit,
        role=role or quantity.role,
        description=quantity.description,
        axis=axis,
        bits=(32 if narrow else 64) if quantity.dtype == "int" else 0,
    )


def times_column(quantity: Quantity, role: str) -> Column:
    """Return the column of the multiplier that a study puts on a quantity."""
    text = f"Multiplier of the design's own {quantity.name}"
    return Column(
        quantity.name + TIMES, "float", "", "", role or quantity.role, text, axis=True, multiplies=quantity.name
    )


def expression_column(name: str, expression: Expression) -> Column:
    """Return the column of an input or metric that the study defines; its numbers are SI, its truths 0 and 1."""
    text = f"Defined by the study: {expression.text}"
    unit = "" if expression.kind == "text" else expression.si_unit
    return Column(name, "text" if expression.kind == "text" else "float", unit, unit, "metric", text)


def statistic_column(of: Column, suffix: str, share: float | None, words: str, draws: int) -> Column:
    """Return the column of a statistic of the draws of a result; ``share`` is that of a quantile, None of the mean."""
    text = f"{words} over {draws:,} draws of the uncertain inputs, of those that are feasible: {of.description}"
    statistic = "mean" if share is None else f"{share:g}"
    return Column(f"{of.name}_{suffix}", "float", of.unit, of.si_unit, "metric", text, statistic=statistic, of=of.name)


def feasible_column(name: str, draws: int) -> Column:
    """Return the column of the share of draws in which a design is feasible and meets every requirement."""
    text = (
        f"Share of {draws:,} draws of the uncertain inputs in which the design is feasible and meets every requirement"
    )
    return Column(name, "float", "", "", "metric", text, statistic="feasible", of="status")


def arrow_schema(columns: Iterable[Column], floats: Floats, about: Mapping[str, str]) -> pa.Schema:
    """Return the schema of every part of a run; ``about`` goes into the schema's own metadata."""
    fields = [
        pa.field(
            column.name,
            column.arrow_type(floats),
            nullable=column.name != DESIGN,
            metadata=_metadata(column),
        )
        for column in columns
    ]
    return pa.schema(fields, metadata=dict(about))


def _metadata(column: Column) -> dict[str, str]:
    """Return what a field says about itself; a statistic of draws also says which, and of what."""
    about = {"unit": column.unit, "description": column.description, "role": column.role}
    return about | ({"statistic": column.statistic, "of": column.of} if column.statistic else {})


def columns_csv(columns: Iterable[Column], floats: Floats) -> bytes:
    """Return the data dictionary that lies beside the data: name, type, unit, role, description."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "type", "unit", "role", "description"))
    for column in columns:
        arrow = column.arrow_type(floats)
        kind = "text" if column.kind == "text" else "double" if arrow == pa.float64() else str(arrow)
        writer.writerow((column.name, kind, column.unit, column.role, column.description))
    return text.getvalue().encode()
