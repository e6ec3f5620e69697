"""What one domain of a system adds up to: computing power, memory, bandwidth and bill of materials."""

from __future__ import annotations

from typing import Any

from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.text import Table, number
from sweep.units import factor

PER_CHIP = {
    **{f"peak_{name}": "PFLOP/s" for name in ("fp32", "tf32", "bf16", "fp16", "fp8", "fp4", "int8")},
    "hbm_capacity": "TB",
    "hbm_bandwidth": "TB/s",
    "scale_up_bandwidth": "TB/s",
    "scale_out_bandwidth": "TB/s",
    "chip_power": "kW",
}
"""Quantities that add up over the chips of a domain, and the unit for the sum."""

PARTS = (
    "scale_up_switch_chips", "scale_up_spine_chips", "scale_up_transceivers", "scale_up_cables", "nics",
    "scale_out_switches", "scale_out_transceivers", "scale_out_cables",
)  # fmt: skip
"""Parts of one domain that the fabric model counts."""
TRANSCEIVERS = ("scale_up_transceivers", "scale_out_transceivers")


def totals(catalogue: Catalogue, system: str) -> list[dict[str, Any]]:
    """Return name, value, unit and derivation of each total of one domain; unknown ones are left out."""
    facts = catalogue.facts(system, None, None)
    known = {name: fact.value for name, fact in facts.items() if fact.value is not None}
    chips = known.get("scale_up_size")
    if not isinstance(chips, int | float):
        return []
    rows: list[dict[str, Any]] = [{"name": "chips", "value": chips, "unit": "", "from": "scale_up_size"}]
    for name, unit in PER_CHIP.items():
        value = known.get(name)
        if isinstance(value, int | float):
            scale = factor(quantities()[name].si_unit, unit)
            rows.append({"name": name, "value": chips * value * scale, "unit": unit, "from": "chips x per chip"})
    return rows + _parts(known)


def _parts(known: dict[str, Any]) -> list[dict[str, Any]]:
    from models.fabric import fabric_stage  # noqa: PLC0415 - NumPy
    from models.inputs import ModelInputError  # noqa: PLC0415

    try:
        counted = fabric_stage(_defaults() | known | {"domains": 1})
    except ModelInputError:  # a fact that the bill of materials needs is unknown
        return []
    values = {name: float(counted[name]) for name in PARTS if name in counted}
    values["transceivers"] = sum(values.get(name, 0.0) for name in TRANSCEIVERS)
    return [
        {"name": name, "value": value, "unit": "", "from": "fabric model"}
        for name, value in values.items()
        if value == value and value > 0  # noqa: PLR0124 - NaN: not known for this fabric
    ]


def _defaults() -> dict[str, Any]:
    rows = quantities().values()
    return {row.name: row.default for row in rows if row.default is not None and row.unit == row.si_unit}


def table(rows: list[dict[str, Any]]) -> Table:
    """Return the totals as a table."""
    cells = [(row["name"], number(row["value"]), row["unit"], row["from"]) for row in rows]
    return Table("one domain adds up to", ("total", "value>", "unit", "from"), [*cells])
