"""The design that stands for a system, with all its numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.quantities import quantities
from sweep.compare.side import Side
from sweep.explain import Shown, human
from sweep.units import factor

OTHER_PARTS = {
    "network": ("nic_price", "scale_out_switch_price", "transceiver_price", "scale_up_price_per_bandwidth"),
    "storage": ("storage_price_per_chip",),
    "shell": ("shell_price_per_power",),
}
"""Parts of the capital besides the chips, by the prices that make them; installation and duty are in every part."""

SMALL = 1e-9
PETA = 1e15


@dataclass(frozen=True)
class Design:
    """One design: ``values`` by quantity in the unit of the quantity table (None: unknown).

    ``peak`` is that of all chips bought at the precision [PFLOP/s].
    ``capital`` are the parts of the capital cost and ``annual`` those of the annual cost, in the units of the whole;
    each adds up to it.
    """

    system: str
    region: str
    precision: str
    peak: float | None
    values: Mapping[str, Shown]
    capital: Mapping[str, float]
    annual: Mapping[str, float]

    def number(self, name: str) -> float | None:
        """Return a number, None where it is unknown or there is none."""
        value = self.values.get(name)
        return float(value) if isinstance(value, int | float) else None


def design_of(side: Side) -> Design | None:
    """Return the design taken, None when no design keeps the limit."""
    place = side.chosen
    if place is None:
        return None
    rows = {name: row for name, row in quantities().items() if name in side.found and name not in {"status", "reason"}}
    values = {name: human(row, _one(side.found[name], place)) for name, row in rows.items()}
    inputs = side.machine.inputs(side.region).values
    catalogue, region = side.machine.catalogue, side.region
    precision = str(inputs["precision"])
    peak = float(inputs.get(f"peak_{precision}", np.nan)) * float(_one(side.found["chips"], place)) / PETA
    return Design(
        system=side.system,
        region=catalogue.entry("systems", side.system).links["home_region"] if region == "own" else region,
        precision=precision,
        peak=None if np.isnan(peak) else peak,
        values=values,
        capital=_capital(side, place, inputs),
        annual=_annual(values),
    )


def _one(values: Any, place: int) -> Any:
    """Return the value of one of n designs."""
    found = np.asarray(values)
    return found if found.ndim == 0 else found.reshape(-1)[0 if found.size == 1 else place]


def _capital(side: Side, place: int, inputs: Mapping[str, Any]) -> dict[str, float]:
    """Return the parts of the capital cost [unit of the table]: what it falls by when their prices are zero."""
    count = (side.counts[place],)

    def capital(changes: Mapping[str, float]) -> float:
        found = side.machine.evaluate(side.region, count, changes)
        row = quantities()["capital_cost"]
        return float(np.asarray(found["capital_cost"]).reshape(-1)[0]) * factor(row.si_unit, row.unit)

    # What the chip is bought for, held while other prices move: it may be derived from them.
    bought = "chip_markup" if inputs.get("chip_markup") is not None else "chip_price"
    row = quantities()[bought]
    own = {bought: float(inputs[bought]) * factor(row.si_unit, row.unit)}
    whole = capital({})
    parts = {"chips, hosts": whole - capital({bought: 0.0})}
    for part, prices in OTHER_PARTS.items():
        parts[part] = whole - capital(own | dict.fromkeys(prices, 0.0))
    rest = whole - sum(parts.values())
    return parts | ({"other": rest} if abs(rest) > SMALL * whole else {})


def _annual(values: Mapping[str, Shown]) -> dict[str, float]:
    """Return the parts of the annual cost that are not zero."""
    names = [name for name in values if name.startswith("annual_") and name.endswith("_cost") and name != "annual_cost"]
    found = {name.removeprefix("annual_").removesuffix("_cost"): values[name] for name in names}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float) and value}
