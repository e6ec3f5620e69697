"""Prices of a study: none without a currency, and every currency of the price list by the rate of the catalogue."""

from __future__ import annotations

import csv
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_files import SMALL, catalogue, changed, load_text

from sweep.engine.sources import sources_csv
from sweep.errors import StudyError
from sweep.money import exchanged, foreign, in_dollars
from sweep.study import Study
from sweep.uncertain.distributions import Gaussian
from sweep.units import UnitError, factor

CURRENCIES = sorted(catalogue().entry("prices", "parts").sections["exchange"])
RATES = {currency: catalogue().exchange_rate(currency) for currency in CURRENCIES}


def constant(study: Study, name: str) -> float:
    """Return the value of a fact that a study replaces [table unit]."""
    return float(next(each.value for each in study.facts if each.name == name))


def prices(study: Study) -> list[float]:
    """Return every power price of a study [table unit]."""
    axis = next(axis for axis in study.space.blocks[0].axes if "power_price" in axis.names)
    return [float(value) for value in np.unique(axis.values("power_price", 0, axis.size))]


@pytest.mark.parametrize("currency", CURRENCIES)
def test_every_currency_of_the_price_list_is_worth_its_rate_wherever_a_price_may_stand(
    tmp_path: Path, currency: str
) -> None:
    rate = RATES[currency]
    text = changed("[0.02, 0.20], steps: 4, unit: USD/kWh", f"[0.1, 0.4], steps: 4, unit: {currency}/kWh")
    text = text.replace("500 MUSD", f"500 M{currency}")
    text += f"facts: {{chip_price: 30 k{currency}, gb200-nvl72: {{nic_price: 9e3 {currency}}}}}\n"
    text += f"uncertain: {{inputs: {{staff_cost: {{normal: {{mean: 100, sd: 10}}, unit: {currency}/kW/yr}}}}}}\n"
    study = load_text(tmp_path, text)
    assert constant(study, "chip_price") == pytest.approx(30e3 * rate, rel=1e-12)
    assert constant(study, "nic_price") == pytest.approx(9e3 * rate, rel=1e-12)
    assert prices(study) == pytest.approx([0.1 * rate, 0.2 * rate, 0.3 * rate, 0.4 * rate], rel=1e-9)
    assert next(each.limit for each in study.basis if each.name == "budget") == pytest.approx(500e6 * rate, rel=1e-12)
    assert study.uncertain is not None
    drawn = study.uncertain.inputs[0]
    assert drawn.nominal == pytest.approx(100 * rate, rel=1e-12)
    assert isinstance(drawn.marginal, Gaussian)
    assert drawn.marginal.spread == pytest.approx(10 * rate, rel=1e-12)
    assert {each.name for each in study.exchanges} == {
        "budget", "chip_price", "nic_price", "power_price", "staff_cost",
    }  # fmt: skip
    assert {each.rate for each in study.exchanges} == {rate}
    assert pickle.loads(pickle.dumps(study)).exchanges == study.exchanges


def test_an_amount_in_a_condition_is_in_dollars_too(tmp_path: Path) -> None:
    text = SMALL + "where: power_price <= 0.5 CNY/kWh\nrequire: [capital_cost <= 500 MCNY, time_to_train < 90 d]\n"
    text += "derive: {memory_price: 1e2CNY/GB + 0 * hbm_capacity * 1 EUR/GB/GB}\n"
    study = load_text(tmp_path, text)
    rate = RATES["CNY"]
    (below,) = study.where
    prices = np.array([0.49, 0.51]) * rate / 3.6e6
    assert below.evaluate({"power_price": prices}).tolist() == [True, False]
    costs = np.array([499e6, 501e6]) * rate
    assert study.require[0].evaluate({"capital_cost": costs}).tolist() == [True, False]
    derived = study.derive["memory_price"].evaluate({"hbm_capacity": np.ones(())})
    assert derived * factor(study.derive["memory_price"].si_unit, "USD/GB") == pytest.approx(100 * rate)
    assert {(each.name, each.unit) for each in study.exchanges} == {
        ("where", "CNY"), ("require", "MCNY"), ("derive", "CNY"), ("derive", "EUR"),
    }  # fmt: skip


def test_what_a_currency_was_counted_for_is_logged_with_the_run(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL + "facts: {chip_price: 30 kCNY, nic_price: 9e3 USD}\n")
    found = [
        row for row in csv.DictReader(sources_csv(study, catalogue()).decode().splitlines()) if row["kind"] == "study"
    ]
    logged = {row["fact"]: (row["value"], row["unit"], row["exchange_rate"]) for row in found}
    assert logged == {"chip_price": ("30.0", "kCNY", str(RATES["CNY"])), "nic_price": ("9000.0", "USD", "")}
    (exchange,) = study.exchanges
    dollars = 30e3 * RATES["CNY"]
    assert str(exchange).endswith(f": chip_price of 30 kCNY is {dollars:,.0f} USD, at {RATES['CNY']:g} USD per CNY")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("facts.chip_price=30000", "30000 is a price without a currency; write it as 30000 USD"),
        ("facts.gb200-nvl72.system_price=8.2e6", "8200000 is a price without a currency; write it as 8200000 USD"),
        ("facts.memory_price='15'", "15 is a price without a currency; write it as 15 USD/GB"),
        ("scenarios.staff_cost=[1, 2]", "prices without a currency; write it as {values: [...], unit: USD/kW/yr}"),
        ("basis.budget=500", "500 has no unit; write it as 2000 MUSD"),
        ("basis.budget=500 MGBP", "the price list has no exchange rate for GBP"),
        ("facts.chip_price=3 kCNY/W", "cannot be converted to USD"),
    ],
)
def test_a_price_without_a_known_currency_is_one_sentence(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(StudyError) as error:
        load_text(tmp_path, SMALL, [override])
    (problem,) = error.value.problems
    assert said in problem.message
    assert problem.where == f"--set {override}"


def test_the_example_of_a_message_is_accepted(tmp_path: Path) -> None:
    study = load_text(
        tmp_path, SMALL, ["facts.chip_price=8200000 USD", "scenarios.staff_cost={values: [1], unit: USD/kW/yr}"]
    )
    assert constant(study, "chip_price") == 8.2e6


@given(value=st.floats(1e-3, 1e12), currency=st.sampled_from(CURRENCIES), per=st.sampled_from(["", "/kWh", "/(GB/s)"]))
def test_a_price_in_another_currency_is_its_rate_times_the_same_in_dollars(
    value: float, currency: str, per: str
) -> None:
    unit = f"k{currency}{per}"
    assert (foreign(unit), in_dollars(unit)) == (currency, f"kUSD{per}")
    dollars, rate = exchanged(value, unit, f"USD{per}", catalogue().exchange_rate)
    assert (dollars, rate) == (pytest.approx(1000 * value * RATES[currency], rel=1e-12), RATES[currency])


@pytest.mark.parametrize("unit", ["USD", "MUSD/yr", "TFLOP/s", "TOP/s", "POP/s", "W/GPU", "kWh", "", "USD/CNY"])
def test_what_is_no_other_currency_stays_as_it_is(unit: str) -> None:
    assert foreign(unit) == ""
    assert in_dollars(unit) == unit


def test_a_currency_without_a_rate_is_refused() -> None:
    assert math.isnan(catalogue().exchange_rate("GBP"))
    with pytest.raises(UnitError, match="no exchange rate for GBP"):
        exchanged(1.0, "GBP", "USD", catalogue().exchange_rate)
