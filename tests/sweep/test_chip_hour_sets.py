"""Published alternatives put into the chip-hours of all chips alike."""

from __future__ import annotations

from functools import cache

import pytest

from models.quantities import quantities
from sweep.accuracy.chip_hour_sets import (
    BASE,
    CAPITAL,
    LIFE,
    NEAR,
    SETS,
    SINGLE,
    Choice,
    Differences,
    differences,
    system_prices,
)
from sweep.accuracy.chip_hours import OWNERS, chip_hour
from sweep.catalogue import Catalogue
from sweep.units import factor


@cache
def catalogue() -> Catalogue:
    return Catalogue.load()


@cache
def sets() -> Differences:
    return differences(catalogue())


def test_every_alternative_is_one_of_the_catalogue() -> None:
    row = quantities()["equipment_life"]
    lives = catalogue().entry("defaults", "hyperscaler").facts["equipment_life"].alternatives
    assert LIFE * factor(row.unit, row.si_unit) in [each.si for each in lives]
    for owner in OWNERS:
        rates = catalogue().entry("defaults", owner).facts["wacc"].alternatives
        assert CAPITAL[owner] in [each.si for each in rates]
    assert system_prices(catalogue(), "gb200") == [3.1e6, 3.0e6, 3.4e6, 4.0e6]
    assert system_prices(catalogue(), "mi300x") == []


def test_sets_are_all_combinations_and_every_one_holds_for_all_rows() -> None:
    assert len(set(SETS)) == 3 * 2 * 2 * 2
    assert set(SINGLE) < set(SETS)
    assert all(set(found) == set(sets().rows) for found in sets().found.values())
    assert len(sets().rows) == 14


@pytest.mark.parametrize(
    ("choice", "given"),
    [
        (BASE, {}),
        (Choice(price="highest"), {"system_price": 4.0e6}),
        (
            Choice(price="lowest", capital="other", life="other"),
            {"system_price": 3e6, "wacc": 0.133, "equipment_life": 5},
        ),
    ],
)
def test_a_set_puts_its_facts_in(choice: Choice, given: dict[str, float]) -> None:
    cost = chip_hour(catalogue(), "gb200", "neocloud", given)
    assert sets().found[choice]["gb200", "neocloud"] == pytest.approx(cost.difference)


def test_no_set_brings_all_rows_within_a_tenth() -> None:
    """What the page says of itself; GB300, whose published cost is no more than that of GB200 times 1.2, never is."""
    assert all(len(sets().near(choice)) < len(sets().rows) for choice in SETS)
    assert sets().sets_near(("gb300", "neocloud")) == 0
    assert len(sets().near(sets().best())) == max(len(sets().near(choice)) for choice in SETS)
    for row in sets().near(BASE):
        assert abs(chip_hour(catalogue(), *row).difference) <= NEAR
