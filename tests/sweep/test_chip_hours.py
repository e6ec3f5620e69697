"""Costs of a chip-hour from the catalogue against those SemiAnalysis publishes; the page that shows them."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest

from models.quantities import quantities
from sweep.accuracy.chip_hours import (
    ALTERNATIVES,
    OWNERS,
    PLACE,
    SYSTEMS,
    ChipHour,
    at_published_power,
    chip_hour,
    steps,
)
from sweep.accuracy.economics_page import economics_page, main
from sweep.catalogue import Catalogue
from sweep.units import factor

NEAR = 0.10
ASKED = ("h100", "h200", "b200", "gb200")
FAR = {("h100", "neocloud"), ("b200", "hyperscaler"), ("gb200", "hyperscaler"), ("gb200", "neocloud")}


@cache
def catalogue() -> Catalogue:
    return Catalogue.load()


@cache
def hour(chip: str, owner: str) -> ChipHour:
    return chip_hour(catalogue(), chip, owner)


def test_the_neocloud_is_that_of_the_published_model() -> None:
    """SemiAnalysis AI TCO model: 1.59 USD/h for an H200 at 361,255 USD per server, 1.15 of it capital."""
    h200 = hour("h200", "neocloud")
    assert h200.cost == pytest.approx(1.59, abs=0.01)
    assert sum(h200.lines[line] for line in ("server", "network", "storage")) == pytest.approx(1.1538, rel=1e-3)
    assert h200.capital == pytest.approx(361_255 / 8, rel=1e-3)


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("chip", ASKED)
def test_published_costs_within_a_tenth_or_by_a_published_alternative(chip: str, owner: str) -> None:
    ours = hour(chip, owner)
    assert (abs(ours.difference) > NEAR) == ((chip, owner) in FAR)
    if (chip, owner) in FAR:
        *_, (_, last) = steps(catalogue(), chip, owner)
        assert abs(last.difference) < NEAR


@pytest.mark.parametrize(("chip", "owner"), [("mi300x", "hyperscaler"), ("mi300x", "neocloud"), ("b300", "neocloud")])
def test_others_with_a_price_are_within_a_tenth(chip: str, owner: str) -> None:
    assert abs(hour(chip, owner).difference) < NEAR


def test_every_alternative_put_in_is_published_in_the_catalogue() -> None:
    for (chip, owner), changes in ALTERNATIVES.items():
        facts = catalogue().facts(SYSTEMS[chip], None, PLACE)
        profile = catalogue().entry("defaults", owner).facts
        for name, value in ((name, value) for _, given in changes for name, value in given.items()):
            fact = profile[name] if name in profile else facts[name].fact
            row = quantities()[name]
            published = [float(other.si) for other in fact.alternatives if isinstance(other.si, (int, float))]
            assert value * factor(row.unit, row.si_unit) in published, (chip, owner, name)


def test_a_chip_without_a_price_has_an_implied_one_only() -> None:
    mi355x = hour("mi355x", "neocloud")
    assert math.isnan(mi355x.cost)
    assert 20_000 < mi355x.implied < 60_000


def test_the_implied_equipment_gives_the_published_cost() -> None:
    h100 = hour("h100", "neocloud")
    server = (h100.implied - h100.capital) / (1 + 0.0444) * 8 + 190_000
    assert chip_hour(catalogue(), "h100", "neocloud", {"system_price": server}).cost == pytest.approx(h100.published)


def test_power_per_chip_can_be_the_publishers() -> None:
    moved = at_published_power(catalogue(), "h200", "neocloud")
    assert moved.power == pytest.approx(moved.published_power) == pytest.approx(1.73)
    assert moved.cost > hour("h200", "neocloud").cost
    assert moved.lines["server"] == hour("h200", "neocloud").lines["server"]


def test_the_page_is_what_the_model_says(tmp_path, capsys) -> None:
    assert main([str(Path(__file__).parents[2] / "docs"), "--check"]) == 0
    (tmp_path / "economics.md").write_text("old")
    assert main([str(tmp_path), "--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "economics.md").read_text(encoding="utf-8") == economics_page(catalogue())
