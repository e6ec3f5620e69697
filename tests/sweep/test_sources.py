"""The table of sources of a run: prices with their year, and what a foreign currency was counted for."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from study_files import catalogue, changed, load_text

from sweep.engine.sources import sources_csv


def rows(folder: Path, text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(sources_csv(load_text(folder, text), catalogue()).decode().splitlines()))


def test_a_price_in_euro_shows_its_year_and_its_exchange_rate(tmp_path: Path) -> None:
    found = rows(tmp_path, changed("region: [own, us-texas]", "region: eu-germany"))
    price = next(row for row in found if row["fact"] == "power_price")
    assert price["unit"] == "EUR/kWh"
    assert price["currency_year"] == "2025"
    assert float(price["exchange_rate"]) == catalogue().exchange_rate("EUR") == pytest.approx(1.13, abs=0.05)
    dollars = next(row for row in found if row["fact"] == "nic_price")
    assert (dollars["unit"], dollars["exchange_rate"]) == ("USD", "")


def test_every_price_taken_has_a_year(tmp_path: Path) -> None:
    priced = [row for row in rows(tmp_path, changed("[own, us-texas]", "[own, eu-average]")) if "USD" in row["unit"]]
    assert len(priced) > 10
    for row in priced:
        assert row["currency_year"] or not row["value"] or row["formula"], row["fact"]


def test_both_prices_of_a_place_with_a_subsidy_are_listed(tmp_path: Path) -> None:
    """One is paid by the system with domestic chips, the other by the one with foreign chips."""
    found = rows(tmp_path, changed("region: [own, us-texas]", "region: china-west"))
    assert sorted(row["value"] for row in found if row["fact"] == "power_price") == ["0.056", "0.088"]
