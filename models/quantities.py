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
    looped over, never broadcast. A ``solved`` quantity is chosen by the model unless the study fixes it. The bounds
    [``unit``] are allowed themselves, unless excluded: ``>0`` and ``<1`` in the table.
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
    minimum_excluded: bool = False
    maximum_excluded: bool = False

    @property
    def default_si(self) -> float | int | str | None:
        """Default in the unit of the model; the units of facts with a default are the SI unit or its micro part."""
        scale = MICRO if self.unit == f"u{self.si_unit}" else 1.0
        return self.default * scale if isinstance(self.default, float) else self.default

    @property
    def is_input(self) -> bool:
        """Whether a study may set it."""
        return self.role != "metric"

    def allows(self, value: float) -> bool:
        """Return whether a number [``unit``] lies within the bounds; one that is unknown (NaN) does not."""
        low, high = self.minimum, self.maximum
        above = low is None or (value > low if self.minimum_excluded else value >= low)
        below = high is None or (value < high if self.maximum_excluded else value <= high)
        return above and below

    @property
    def allowed(self) -> str:
        """The bounds in words: ``at least 0 and less than 1``; empty when there are none."""
        low = "more than" if self.minimum_excluded else "at least"
        high = "less than" if self.maximum_excluded else "at most"
        parts = ((low, self.minimum), (high, self.maximum))
        return " and ".join(f"{word} {limit:g}" for word, limit in parts if limit is not None)


def _number(text: str) -> float | None:
    return float(text.lstrip("<>")) if text else None


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
                minimum_excluded=row["minimum"].startswith(">"),
                maximum_excluded=row["maximum"].startswith("<"),
            )
            for row in csv.DictReader(file)
        ]


@cache
def quantities() -> Mapping[str, Quantity]:
    """All quantities by name, in the order of the table."""
    rows = [row for path in sorted(TABLE.glob("*.csv")) for row in _read(path)]
    return MappingProxyType({row.name: row for row in rows})
