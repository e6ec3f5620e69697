"""The design that stands for a system, with all its numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.quantities import quantities
from sweep.compare.side import Side
from sweep.explain import Shown, human

CAPITAL: Final[Mapping[str, str]] = {
    "chips, hosts": "server_cost",
    "network": "network_cost",
    "storage": "storage_cost",
    "shell": "shell_cost",
}
"""Parts of the capital cost by what people call them."""

ANNUAL: Final[Mapping[str, str]] = {
    "capital": "annual_capital_cost",
    "energy": "annual_energy_cost",
    "staff": "annual_staff_cost",
    "colocation": "annual_colocation_cost",
    "maintenance": "annual_maintenance_cost",
}
"""Parts of the annual cost likewise."""

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
        capital=_parts(CAPITAL, values),
        annual=_parts(ANNUAL, values),
    )


def _one(values: Any, place: int) -> Any:
    """Return the value of one of n designs."""
    found = np.asarray(values)
    return found if found.ndim == 0 else found.reshape(-1)[0 if found.size == 1 else place]


def _parts(names: Mapping[str, str], values: Mapping[str, Shown]) -> dict[str, float]:
    """Return the parts of a cost that are known and not zero."""
    found = {part: values.get(name) for part, name in names.items()}
    return {part: float(value) for part, value in found.items() if isinstance(value, int | float) and value}
