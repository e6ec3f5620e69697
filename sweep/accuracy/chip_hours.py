"""What an hour of a chip costs its owner, from the catalogue's own inputs, against what SemiAnalysis publishes.

Two owners, each a set of facts in ``configs/defaults``: a neocloud in rented space, a hyperscaler in its own buildings.
The cluster has about 2,048 chips, so that its fabric has two layers. Where a figure is more than a tenth off, published
alternatives of the catalogue are put in one after the other, to see which of them the difference lies in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.economics import economics_stage
from models.fabric import fabric_stage
from models.power import power_stage
from models.quantities import quantities
from sweep.assembly import fact_formula
from sweep.catalogue import Catalogue
from sweep.units import factor

CHIPS: Final = 2048
PLACE: Final = "us-average"
OWNERS: Final = ("hyperscaler", "neocloud")
PUBLISHED: Final = "chip-hours"
SYSTEMS: Final = {
    "h100": "dgx-h100",
    "h200": "dgx-h200",
    "b200": "dgx-b200",
    "gb200": "gb200-nvl72",
    "b300": "dgx-b300",
    "gb300": "gb300-nvl72",
    "mi300x": "mi300x-node",
    "mi325x": "mi325x-node",
    "mi355x": "mi355x-node",
}
"""The system of the catalogue by the publisher's name of the chip."""

LINES: Final = ("server", "network", "storage", "shell")
RUNNING: Final = ("energy", "colocation", "staff", "maintenance")

Given = Mapping[str, float]
ALTERNATIVES: Final[Mapping[tuple[str, str], tuple[tuple[str, Given], ...]]] = {
    ("h100", "neocloud"): (("server at 270,000 USD instead of a hyperscaler's 190,000", {"system_price": 270_000}),),
    ("b200", "hyperscaler"): (("HGX server at 393,600 USD instead of a DGX at 515,000", {"system_price": 393_600}),),
    ("gb200", "hyperscaler"): (("equipment recovered over 5 years instead of 6", {"equipment_life": 5}),),
    ("gb200", "neocloud"): (
        ("rack at 4.0 M USD instead of a hyperscaler's 3.1 M", {"system_price": 4e6}),
        ("and a neocloud's 13.3 % cost of capital instead of 10.25 %", {"wacc": 0.133}),
    ),
}
"""Published alternatives of the catalogue that a difference may lie in, by chip and owner; each on top of the last."""


@dataclass(frozen=True, slots=True)
class ChipHour:
    """Cost of one chip-hour of an owner, by line [USD/h], with what is published.

    ``lines`` are capital by class of asset, then running costs; they add to ``cost``. ``capital`` is all equipment per
    chip [USD], ``implied`` the equipment at which the model gives the published cost. ``power`` and
    ``published_power`` are all-in per chip [kW]. Costs are NaN where the catalogue has no price.
    """

    chip: str
    owner: str
    lines: Mapping[str, float]
    capital: float
    implied: float
    published: float
    power: float
    published_power: float

    @property
    def cost(self) -> float:
        """All lines together [USD/h]."""
        return sum(self.lines.values())

    @property
    def difference(self) -> float:
        """Cost over the published one, less one."""
        return self.cost / self.published - 1


def chip_hour(catalogue: Catalogue, chip: str, owner: str, given: Given | None = None) -> ChipHour:
    """Return the cost of one chip-hour, with other facts put in [unit of the quantity table]."""
    known = evaluated(catalogue, SYSTEMS[chip], owner, given or {})
    chips, hour = float(known["chips"]), 3600.0
    capital = {line: float(known[f"annual_{line}_capital_cost"]) / chips * hour for line in LINES}
    lines = capital | {line: float(known[f"annual_{line}_cost"]) / chips * hour for line in RUNNING}
    target = published(catalogue, f"{chip}_{owner}")
    return ChipHour(
        chip=chip,
        owner=owner,
        lines=lines,
        capital=float(known["equipment_cost"]) / chips,
        implied=_implied(known, target / hour * chips) / chips,
        published=target,
        power=float(known["it_power_peak"]) / chips / 1e3,
        published_power=published(catalogue, f"{chip}_power"),
    )


def at_published_power(catalogue: Catalogue, chip: str, owner: str) -> ChipHour:
    """Return the same with as much more power on the hosts as the publisher counts per chip."""
    ours = chip_hour(catalogue, chip, owner)
    host = float(evaluated(catalogue, SYSTEMS[chip], owner, {})["host_power"])
    return chip_hour(catalogue, chip, owner, {"host_power": host + 1e3 * (ours.published_power - ours.power)})


def published(catalogue: Catalogue, name: str) -> float:
    """Return a figure of the publisher, in the unit of its file."""
    value = catalogue.entry("prices", PUBLISHED).published[name].value
    assert isinstance(value, (int, float))
    return float(value)


def _implied(known: Mapping[str, Any], target: float) -> float:
    """Return the equipment [USD] at which the cluster costs ``target`` [USD/s]: both are affine in the chip's price."""
    at = [economics_stage({**known, "chip_price": price}) for price in (0.0, 1.0)]
    cost, equipment = ([float(each[name]) for each in at] for name in ("annual_cost", "equipment_cost"))
    price = (target - cost[0]) / (cost[1] - cost[0])
    return equipment[0] + price * (equipment[1] - equipment[0])


def steps(catalogue: Catalogue, chip: str, owner: str) -> list[tuple[str, ChipHour]]:
    """Return what the published alternatives make of a figure, one after the other."""
    found: list[tuple[str, ChipHour]] = []
    given: dict[str, float] = {}
    for words, more in ALTERNATIVES.get((chip, owner), ()):
        given |= more
        found.append((words, chip_hour(catalogue, chip, owner, given)))
    return found


def evaluated(catalogue: Catalogue, system: str, owner: str, given: Given) -> dict[str, Any]:
    """Return inputs and results of fabric, power and money for a cluster of the system [SI]."""
    known = _inputs(catalogue, system, owner, given)
    known["domains"] = np.asarray(max(1.0, round(CHIPS / float(known["scale_up_size"]))))
    known["chips"] = known["chips_used"] = known["domains"] * known["scale_up_size"]
    known |= {"phase": "train", "precision": "bf16"}
    with np.errstate(invalid="ignore", divide="ignore"):
        known |= fabric_stage(known)
        known |= power_stage(known)
        known |= economics_stage(known)
    return known


def _inputs(catalogue: Catalogue, system: str, owner: str, given: Given) -> dict[str, Any]:
    """Return defaults, facts of the system at the place, of the owner, and those given; formulas come last [SI]."""
    table = quantities()
    scale = {name: factor(row.unit, row.si_unit) for name, row in table.items() if row.unit != row.si_unit}
    defaults = {name: row.default for name, row in table.items() if row.is_input and row.default is not None}
    known: dict[str, Any] = {
        name: value if isinstance(value, str) else value * scale.get(name, 1.0) for name, value in defaults.items()
    }
    facts = catalogue.facts(system, None, PLACE)
    known |= {name: fact.value for name, fact in facts.items() if fact.value is not None}
    profile = catalogue.entry("defaults", owner).facts
    known |= {name: fact.si for name, fact in profile.items()}
    known |= {name: value * scale.get(name, 1.0) for name, value in given.items()}
    numbers = {name: np.asarray(value, dtype=float) for name, value in known.items() if not isinstance(value, str)}
    for name, fact in facts.items():
        if fact.formula is not None and name not in given:
            formula = fact_formula(fact.formula, fact.where)
            used = {each: numbers.get(each, np.asarray(np.nan)) for each in formula.names}
            known[name] = formula.evaluate(used) * factor(formula.si_unit, table[name].si_unit)
    return known
