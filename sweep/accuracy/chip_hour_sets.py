"""Published alternatives put into the cost of a chip-hour, each into every chip of an owner alike.

Picking an alternative for every chip can explain nearly anything. Here one set of choices holds for all chips: which of
the published prices of a system, which cost of capital, over how many years equipment is recovered, and whose power.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, fields
from typing import Final

from sweep.accuracy.chip_hours import OWNERS, PLACE, SYSTEMS, Given, chip_hour, evaluated, published
from sweep.catalogue import Catalogue

NEAR: Final = 0.10
"""Largest difference that counts as met."""

PRICE: Final = "system_price"
CAPITAL: Final = {"hyperscaler": 0.1025, "neocloud": 0.133}
"""The published alternative of each owner's cost of capital."""

LIFE: Final = 5.0
"""The published alternative of a hyperscaler [yr], put in for both owners."""

WORDS: Final = {
    ("price", "lowest"): "lowest published price of each system",
    ("price", "highest"): "highest published price of each system",
    ("capital", "other"): "cost of capital 10.25 % (hyperscaler), 13.3 % (neocloud)",
    ("life", "other"): "equipment recovered over 5 years",
    ("power", "other"): "the publisher's power per chip",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One set of alternatives, for all chips; empty words are what the page takes."""

    price: str = ""
    capital: str = ""
    life: str = ""
    power: str = ""

    @property
    def words(self) -> str:
        """What differs from the page."""
        made = ((field.name, getattr(self, field.name)) for field in fields(self))
        return "; ".join(WORDS[each] for each in made if each[1]) or "as above"


BASE: Final = Choice()
SINGLE: Final = (
    BASE,
    Choice(price="lowest"),
    Choice(price="highest"),
    Choice(capital="other"),
    Choice(life="other"),
    Choice(power="other"),
)
SETS: Final = tuple(
    Choice(*each) for each in itertools.product(("", "lowest", "highest"), ("", "other"), ("", "other"), ("", "other"))
)
"""All combinations of the alternatives."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Cost over the published one, less one, by chip and owner, under every set; chips without a price are left out."""

    found: dict[Choice, dict[tuple[str, str], float]]

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """The chips and owners compared."""
        return tuple(self.found[BASE])

    def near(self, choice: Choice) -> list[tuple[str, str]]:
        """Return the rows within a tenth under a set."""
        return [row for row, difference in self.found[choice].items() if abs(difference) <= NEAR]

    def best(self) -> Choice:
        """Return the set under which most rows are within a tenth, the first of equals."""
        return max(self.found, key=lambda choice: len(self.near(choice)))

    def sets_near(self, row: tuple[str, str]) -> int:
        """Return how many of the sets bring a row within a tenth."""
        return sum(row in self.near(choice) for choice in self.found)


def differences(catalogue: Catalogue) -> Differences:
    """Return the differences under every set of alternatives."""
    rows = [(chip, owner) for chip in SYSTEMS for owner in OWNERS]
    priced = [row for row in rows if not math.isnan(chip_hour(catalogue, *row).cost)]
    return Differences(
        {
            choice: {row: chip_hour(catalogue, *row, _given(catalogue, *row, choice)).difference for row in priced}
            for choice in SETS
        }
    )


def _given(catalogue: Catalogue, chip: str, owner: str, choice: Choice) -> Given:
    """Return the facts that a set puts in [unit of the quantity table]."""
    given: dict[str, float] = {}
    if choice.price:
        extreme = min if choice.price == "lowest" else max
        given |= {PRICE: extreme(prices)} if (prices := system_prices(catalogue, chip)) else {}
    if choice.capital:
        given["wacc"] = CAPITAL[owner]
    if choice.life:
        given["equipment_life"] = LIFE
    if choice.power:
        ours = chip_hour(catalogue, chip, owner).power
        host = float(evaluated(catalogue, SYSTEMS[chip], owner, {})["host_power"])
        given["host_power"] = host + 1e3 * (published(catalogue, f"{chip}_power") - ours)
    return given


def system_prices(catalogue: Catalogue, chip: str) -> list[float]:
    """Return the published prices of a chip's system [USD], the catalogue's first; none where only chips have one."""
    fact = catalogue.facts(SYSTEMS[chip], None, PLACE)[PRICE]
    if fact.value is None:
        return []
    others = [other.si for other in fact.fact.others]
    return [float(fact.value), *(float(other) for other in others if isinstance(other, (int, float)))]
