"""What a machine draws without work, and what that adds to its energy of a year.

Fabrics draw their full power always, and no source says what hosts and fans draw without load: only chips go down to
their idle power. Beside it stands the rule that is easily taken instead, the whole machine at the fraction of a chip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from models.power import YEAR, idle_power
from sweep.accuracy.chip_hours import evaluated
from sweep.catalogue import Catalogue

MACHINES: Final = ("cloudmatrix384", "gb200-nvl72", "dgx-h100")
UTILISATION: Final = 0.8
"""Share of the year that is paid."""

OWNER: Final = "neocloud"


@dataclass(frozen=True, slots=True)
class IdleEnergy:
    """Power per chip at work and idle [W], energy of a year at ``UTILISATION`` per chip [J].

    ``fabrics``: energy by the rule of chips for all but the fabrics; ``proportional``: for the whole machine.
    """

    system: str
    at_work: float
    idle: float
    energy: float
    fabrics: float
    proportional: float


def idle_energy(catalogue: Catalogue, system: str) -> IdleEnergy:
    """Return what a cluster of about 2,048 chips draws in training and idle."""
    known = evaluated(catalogue, system, OWNER, {"utilisation": UTILISATION})
    chips, at_work = float(known["chips"]), float(known["it_power"])
    fraction = float(known["idle_power_fraction"])
    whole = fraction * float(known["it_power_peak"])
    fabrics = whole + (1 - fraction) * float(known["network_power"])
    return IdleEnergy(
        system=system,
        at_work=at_work / chips,
        idle=float(idle_power(known, known["it_power"], known["chip_power_mean"] / known["chip_power"])) / chips,
        energy=float(known["annual_energy"]) / chips,
        fabrics=_year(known, at_work, fabrics) / chips,
        proportional=_year(known, at_work, whole) / chips,
    )


def _year(known: dict[str, Any], at_work: float, idle: float) -> float:
    mean = UTILISATION * at_work + (1 - UTILISATION) * idle
    return float(known["power_usage_effectiveness"]) * YEAR * mean
