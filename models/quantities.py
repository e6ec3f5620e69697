"""The quantity table: name, role, unit, bounds and meaning of every input and output.

The rows live in ``quantities/*.csv`` beside this file, one file per group. Study checks, unit conversion, the Arrow
schema, the data dictionary and the reference page are all made from this table; nothing repeats a unit by hand.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["lever", "scenario", "fact", "solved", "metric"]
Kind = Literal["float", "int", "text"]

MICRO = 1e-6

TABLE = Path(__file__).parent / "quantities"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the table.

    ``unit`` is what people write and read (studies, Parquet, terminal); ``si_unit`` is what the model computes in.
    Both are empty for pure numbers and for text. ``structural`` quantities change the set of legal mappings: they are
    looped over, never broadcast. A ``solved`` quantity is chosen by the model unless the study fixes it.
    """

    name: str
    group: str
    role: Role
    dtype: Kind
    unit: str
    si_unit: str
    structural: bool
    default: float | int | str | None
    minimum: float | None
    maximum: float | None
    description: str

    @property
    def default_si(self) -> float | int | str | None:
        """Default in the unit of the model; the units of facts with a default are the SI unit or its micro part."""
        scale = MICRO if self.unit == f"u{self.si_unit}" else 1.0
        return self.default * scale if isinstance(self.default, float) else self.default

    @property
    def is_input(self) -> bool:
        """Whether a study may set it."""
        return self.role != "metric"


def _number(text: str) -> float | None:
    return float(text) if text else None


def _default(text: str, kind: Kind) -> float | int | str | None:
    if not text:
        return None
    if kind == "text":
        return text
    return int(text) if kind == "int" else float(text)


def _read(path: Path) -> list[Quantity]:
    group = path.stem.split("_", 1)[1]
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Quantity(
                name=row["name"],
                group=group,
                role=cast("Role", row["role"]),
                dtype=cast("Kind", row["dtype"]),
                unit=row["unit"],
                si_unit=row["si_unit"],
                structural=row["structural"] == "yes",
                default=_default(row["default"], cast("Kind", row["dtype"])),
                minimum=_number(row["minimum"]),
                maximum=_number(row["maximum"]),
                description=row["description"],
            )
            for row in csv.DictReader(file)
        ]


@cache
def quantities() -> Mapping[str, Quantity]:
    """All quantities by name, in the order of the table."""
    rows = [row for path in sorted(TABLE.glob("*.csv")) for row in _read(path)]
    return MappingProxyType({row.name: row for row in rows})
