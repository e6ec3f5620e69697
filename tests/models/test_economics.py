"""What enters which cost, in the chain power -> economics. Published numbers are in test_worked_examples_money."""

from __future__ import annotations

import numpy as np
import pytest
from money_cases import HOUR, KWH, MONTH, costs

from models.economics import annuity
from models.power import YEAR


def test_utilisation_spreads_the_year_over_the_paid_hours() -> None:
    machine = costs(chip_price=1e4, utilisation=np.asarray([1.0, 0.5]))
    assert machine["annual_cost"] == pytest.approx(8e4 / YEAR)
    assert machine["cost_per_chip_hour"][1] == pytest.approx(2 * machine["cost_per_chip_hour"][0])
    assert machine["cost_to_train"][1] == pytest.approx(2 * machine["cost_to_train"][0])


def test_peak_performance_prices_a_petaflops_year() -> None:
    machine = costs(chip_price=1e4, peak_bf16=np.asarray([0.5e15, np.nan]))
    assert machine["cost_per_petaflops_year"][0] * YEAR == pytest.approx(2e4)
    assert np.isnan(machine["cost_per_petaflops_year"][1])


def test_an_unknown_price_leaves_energy_known() -> None:
    machine = costs(chip_price=np.nan, chip_power=1000.0, power_price=0.1 / KWH)
    assert np.isnan(machine["cost_per_token"])
    assert machine["annual_energy_cost"] * YEAR == pytest.approx(8 * 8760 * 0.1)


def test_markup_replaces_the_stated_price_by_the_bottom_up_cost() -> None:
    wafer = {"dies": 1, "die_area": 814e-6, "wafer_price": 16_988.0, "die_yield": 0.5, "die_salvage": 0.0}
    package = {"packaging_price": 0.0, "bonding_yield": 1.0, "packaging_yield": 1.0, "chip_test_price": 100.0}
    memory = {"hbm_capacity": 80e9, "memory_price": 15 / 1e9}
    built = costs(chip_price=1.0, chip_markup=10.0, **wafer, **package, **memory)
    assert built["chip_cost"] == pytest.approx(16_988 / (63.48 * 0.5) + 1200 + 100, rel=1e-4)
    assert built["equipment_cost"] == pytest.approx(80 * built["chip_cost"])


def test_net_present_cost_discounts_the_years_of_the_equipment() -> None:
    machine = costs(staff_cost=1.0 / YEAR, chip_power=1000.0, wacc=0.1, equipment_life=3 * YEAR)
    discounted = sum(8000 / 1.1**year for year in (1, 2, 3))
    assert machine["net_present_cost"] == pytest.approx(discounted)


def test_tariff_installation_and_subsidy_fall_on_the_equipment() -> None:
    tariff, subsidy = np.asarray([0.25, 0.0, 0.25]), np.asarray([0.0, 0.25, 0.25])
    machine = costs(chip_price=1e4, import_tariff=tariff, equipment_subsidy=subsidy, installation_fraction=0.1)
    assert machine["equipment_cost"] == pytest.approx([8e4 * 1.35, 8e4 * 0.85, 8e4 * 1.1])


def test_network_and_storage_have_a_life_and_a_residual_value_of_their_own() -> None:
    parts = {
        "chip_price": 1e4,
        "nics": 8,
        "nic_price": 2e3,
        "storage_price_per_chip": 1e3,
        "shell_price_per_power": 10.0,
    }
    common = {
        "chip_power": 1e3,
        "colocation_share": 0.0,
        "wacc": 0.1,
        "equipment_life": 5 * YEAR,
        "shell_life": 15 * YEAR,
    }
    machine = costs(**parts, **common, residual_fraction=0.2, network_life=8 * YEAR, storage_residual_fraction=0.5)
    expected = {"server": (8e4, 5, 0.2), "network": (1.6e4, 8, 0.2), "storage": (8e3, 5, 0.5), "shell": (8e4, 15, 0.0)}
    for name, (price, years, residual) in expected.items():
        assert machine[f"{name}_cost"] == pytest.approx(price)
        payment = annuity(np.asarray(price), np.asarray(0.1), np.asarray(float(years)), residual)
        assert machine[f"annual_{name}_capital_cost"] * YEAR == pytest.approx(payment), name
    assert machine["annual_capital_cost"] == pytest.approx(
        sum(machine[f"annual_{name}_capital_cost"] for name in expected)
    )
    straight = sum(price * (1 - residual) / years for price, years, residual in expected.values())
    assert (machine["annual_capital_cost"] - machine["annual_interest_cost"]) * YEAR == pytest.approx(straight)


def test_monthly_payments_of_an_h200_server_through_the_chain() -> None:
    """10.25 % over 6 years, compounded monthly: 6,738.18 USD a month for 361,255 USD (SemiAnalysis)."""
    server = costs(chip_price=361_255 / 8, wacc=0.1025, equipment_life=6 * YEAR, payments_per_year=12)
    assert server["annual_cost"] * MONTH == pytest.approx(6_738.185, abs=5e-4)
    assert server["net_present_cost"] == pytest.approx(361_255)  # the payments discounted are the price again


def test_rented_space_takes_the_place_of_a_shell() -> None:
    place = {"chip_power": 1e3, "shell_price_per_power": 10.0, "colocation_rent": 0.15 / MONTH}
    machine = costs(**place, colocation_share=np.asarray([0.0, 0.25, 1.0]))
    assert machine["shell_cost"] == pytest.approx([8e4, 6e4, 0])
    assert machine["annual_colocation_cost"] * MONTH == pytest.approx([0, 300, 1200])


def test_staff_counts_power_and_systems_and_multiplies_both() -> None:
    site = costs(
        chip_power=1e3, domains=3, staff_cost=0.15 / YEAR, staff_cost_per_system=1e4 / YEAR, staff_multiplier=3.0
    )
    assert site["annual_staff_cost"] * YEAR == pytest.approx(3 * (8e3 * 0.15 + 3 * 1e4))


def test_a_duty_falls_on_the_class_it_is_on() -> None:
    parts = {"chip_price": 1e4, "nics": 8, "nic_price": 1e3, "storage_price_per_chip": 500.0, "import_tariff": 0.1}
    base = costs(**parts)
    for name, cost in (("server", 8e4), ("network", 8e3), ("storage", 4e3)):
        taxed = costs(**parts, **{f"{name}_tariff": 0.25})
        assert taxed[f"{name}_cost"] == pytest.approx(cost * 1.35)
        assert taxed["equipment_cost"] - base["equipment_cost"] == pytest.approx(cost * 0.25)


def test_failed_modules_are_bought_anew() -> None:
    """6,912 modules of CloudMatrix 384 with 1e6 h between failures: 60.5 a year, at 100 USD each."""
    modules = {"scale_up_transceivers": 5_376, "scale_out_transceivers": 1_536, "transceiver_price": 100.0}
    modules["maintenance_fraction"] = 0.02 / YEAR
    without, replaced = costs(**modules), costs(**modules, transceiver_replacement_rate=1 / (1e6 * HOUR))
    more = replaced["annual_maintenance_cost"] - without["annual_maintenance_cost"]
    assert more * YEAR == pytest.approx(6_912 * 8_760 / 1e6 * 100)
    assert more * YEAR == pytest.approx(6_055, abs=1)
