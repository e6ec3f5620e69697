"""Money against published cost models, in the chain power -> economics, at the numbers their sources print."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from models.economics import annuity, capital_recovery_factor, cost_per_token, economics_stage, serving_costs
from models.power import YEAR, power_stage

HOUR, MONTH, KWH, MTOKEN = 3600.0, YEAR / 12, 3.6e6, 1e6
FREE: dict[str, Any] = {
    "phase": "train",
    "precision": "bf16",
    "peak_bf16": 1e15,
    "chips": 8,
    "chips_used": 8,
    "scale_up_bandwidth": 450e9,
    "goodput": 1.0,
    "tokens_per_second": 1e6,
    "time_to_train": 1e6,
    "training_tokens": 1e12,
    "utilisation": 1.0,
    "power_usage_effectiveness": 1.0,
    "wacc": 0.0,
    "equipment_life": YEAR,
    "shell_life": YEAR,
    "train_power_fraction": 1.0,
    "staff_multiplier": 1.0,
    **dict.fromkeys(
        (
            *("chip_power", "host_power", "idle_power_fraction", "scale_up_power_per_bandwidth", "nic_power"),
            *("scale_out_switch_power", "transceiver_power", "nics", "scale_out_switches", "scale_out_transceivers"),
            *("chip_price", "scale_up_price_per_bandwidth", "nic_price", "scale_out_switch_price"),
            *("transceiver_price", "storage_price_per_chip", "installation_fraction", "import_tariff"),
            *("shell_price_per_power", "power_price", "demand_charge", "staff_cost", "colocation_rent"),
            *("maintenance_fraction", "residual_fraction"),
        ),
        0.0,
    ),
}
"""A server that costs and draws nothing: each test adds what its source counts."""


def costs(**known: Any) -> dict[str, Any]:
    inputs = FREE | known
    return economics_stage(inputs | power_stage(inputs))


def test_monthly_payment_of_an_h200_server() -> None:
    """361,255 USD at 10.25 % over 6 years: 6,738.18 a month, 1.15 USD per GPU-hour of 730 h months (SemiAnalysis)."""
    payment = annuity(np.asarray(361_255.0), np.asarray(0.1025 / 12), np.asarray(72.0))
    assert payment == pytest.approx(6_738.185, abs=5e-3)
    assert payment / (8 * 730) == pytest.approx(1.1538, abs=5e-5)


def test_capital_of_an_h200_server_adds_up() -> None:
    """258,001 + 76,155 + 11,732 + 8,000 + 4,500 + 2,867 = 361,255 USD; 45,157 per GPU."""
    rest = 11_732 + 8_000 + 4_500 + 2_867
    bought = costs(chip_price=258_001 / 8, nics=8, nic_price=76_155 / 8, storage_price_per_chip=rest / 8)
    assert bought["equipment_cost"] == pytest.approx(361_255)
    assert bought["network_cost"] == pytest.approx(76_155)
    assert bought["equipment_cost"] / 8 == pytest.approx(45_157, abs=0.2)


def test_running_cost_of_an_h200_server() -> None:
    """10.93 kW at 80 % and PUE 1.35 for 0.087 USD/kWh, 150 USD/kW-month of colocation, 131 + 39 USD of support.

    The source prints 68.59 USD per kW-month of energy, 2,388.27 + 170 in all (kW rounded) and 0.44 + 1.15 = 1.59 USD
    per GPU-hour; from the rounded inputs it is 2,559.2.
    """
    server = costs(
        chip_power=10.93e3 / 8,
        train_power_fraction=0.8,
        power_usage_effectiveness=1.35,
        power_price=0.087 / KWH,
        colocation_rent=150 / 1e3 / MONTH,
        staff_cost=170 / 10.93e3 / MONTH,
    )
    assert server["annual_energy_cost"] * MONTH / 10.93 == pytest.approx(68.5908, abs=5e-5)
    assert server["annual_cost"] * MONTH == pytest.approx(2_559.2, abs=0.05)
    assert server["cost_per_chip_hour"] * HOUR == pytest.approx(0.438, abs=5e-4)
    assert server["cost_per_chip_hour"] * HOUR + 6_738.185 / (8 * 730) == pytest.approx(1.59, abs=5e-3)


@pytest.mark.parametrize(("periods", "years", "hourly"), [(1, 4, 1.340), (12, 4, 1.282)])
def test_h200_at_13_percent(periods: int, years: int, hourly: float) -> None:
    """34,698 USD, 13.3 %, 4 years. A repost prints 11,928 a year and 1.362: a slip of arithmetic, 11,738 is right."""
    price, rate = np.asarray(34_698.0), np.asarray(0.133 / periods)
    payment = annuity(price, rate, np.asarray(float(periods * years)))
    assert payment * periods / 8760 == pytest.approx(hourly, abs=5e-4)
    if periods == 1:
        assert payment == pytest.approx(11_738, abs=0.5)


def test_capital_recovery_factor_at_seven_percent() -> None:
    assert capital_recovery_factor(np.asarray(0.07), np.asarray(20.0)) == pytest.approx(0.094393, abs=5e-7)


def test_gb200_over_h100_capital_per_chip() -> None:
    """All-in 3.9 M and 250 k USD: 54,167 and 31,250 per GPU, 1.733; the source says 1.6-1.7 over buyers."""
    fabric = {"scale_up_price_per_bandwidth": 5e-9, "scale_up_bandwidth": 900e9}
    gb200 = costs(chips=72, chips_used=72, chip_price=3.9e6 / 72 - 5e-9 * 900e9, **fabric)["equipment_cost"] / 72
    h100 = costs(chip_price=250e3 / 8)["equipment_cost"] / 8
    assert gb200 == pytest.approx(54_167, abs=0.5)
    assert gb200 / h100 == pytest.approx(1.733, abs=5e-4)


def test_barroso_total_cost_of_a_server() -> None:
    """A 10,000 USD, 1 kW server over 3 years at 8 %, in a 10 USD/W building of 12 years: 19,722.88 USD.

    Defaults of the form in Barroso, Hölzle and Ranganathan as reallm (4c550c3) has them, with its year of 8,640 h and
    monthly compounding; both are adjusted for here.
    """
    monthly = np.asarray(0.08 / 12)
    building = 36 * annuity(np.asarray(10.0 * 1000), monthly, np.asarray(144.0))
    server = 36 * annuity(np.asarray(10_000.0), monthly, np.asarray(36.0))
    assert building == pytest.approx(2_500 + 1_396.83, abs=0.01)
    assert server == pytest.approx(10_000 + 1_281.09, abs=0.01)
    running = costs(
        chips=1,
        chips_used=1,
        chip_power=1000.0,
        power_usage_effectiveness=1.5,
        power_price=0.067 / KWH * 8640 / 8760,
        colocation_rent=0.04 / MONTH,
        chip_price=10_000.0,
        maintenance_fraction=0.05 / (3 * YEAR),
        equipment_life=math.inf,
    )
    assert running["annual_energy_cost"] * 3 * YEAR == pytest.approx(1_736.64 + 868.32)
    assert building + server + running["annual_cost"] * 3 * YEAR == pytest.approx(19_722.88, abs=0.01)


@pytest.mark.parametrize(("pue", "millions"), [(1.5, 30.222), (0.1, 2.015)])
def test_energy_of_twenty_megawatts_in_asia(pue: float, millions: float) -> None:
    """0.115 USD/kWh: the source prints 30.2 M, and 1.9 M for 0.1 of PUE, which is 2.015 M by its own numbers."""
    site = costs(chip_power=20e6 / 8, power_usage_effectiveness=pue, power_price=0.115 / KWH)
    assert site["annual_energy_cost"] * YEAR / 1e6 == pytest.approx(millions, abs=5e-4)


@pytest.mark.parametrize(
    ("chips", "hours", "watts", "pue", "price", "value", "energy", "total"),
    [
        (16_384, 2_142.0, 1275.0, 1.10, 0.0771, 30_248, 2_846_151, 51_040_524.06),
        (25_000, 57e6 / 25_000, 812.5, 1.25, 0.0806, 14_374, 3_499_488, 40_695_706.40),
    ],
)
def test_epoch_amortised_training_cost(
    chips: int, hours: float, watts: float, pue: float, price: float, value: float, energy: float, total: float
) -> None:
    """Llama 3.1 405B and GPT-4 (Cottier et al. 2024, arXiv:2405.21015, model_costs.csv).

    Value falls by 0.14 decades a year of 8,766 h: straight-line recovery over 1/k without interest. Interconnect is
    19 % of the cluster, chips with servers draw 0.75 of their rating. The source prints the totals; the hardware
    values are those its totals imply, rounded to a dollar.
    """
    run = costs(
        chips=chips,
        chips_used=chips,
        time_to_train=hours * HOUR,
        training_tokens=15e12,
        chip_price=float(value),
        installation_fraction=1 / (1 - 0.19) - 1,
        equipment_life=8766 * HOUR / (0.14 * math.log(10)),
        chip_power=watts,
        train_power_fraction=0.75,
        power_usage_effectiveness=pue,
        power_price=price / KWH,
    )
    assert run["energy_cost_to_train"] == pytest.approx(energy, abs=1)
    assert run["cost_to_train"] == pytest.approx(total, rel=4e-5)


def test_rented_gpu_cost_per_million_tokens() -> None:
    """442 token/s at 75 % for 2 USD/h: 1.676 USD per Mtoken, a margin of 16.2 % at a price of 2.00."""
    cost = cost_per_token(np.asarray(2 / HOUR), np.asarray(442.0), np.asarray(0.75)) * MTOKEN
    assert cost == pytest.approx(1.676, abs=5e-4)
    assert 1 - cost / 2.00 == pytest.approx(0.162, abs=5e-4)


def test_deepseek_day() -> None:
    """226.75 nodes of 8 at 2 USD/h cost 87,072 USD a day; theoretical revenue 562,027 is a margin of 545 %."""
    output_tokens = 168e9
    rate = np.asarray(226.75 * 8 * 2 / HOUR)
    day = output_tokens * cost_per_token(rate, np.asarray(output_tokens / 86400), np.asarray(1.0))
    assert day == pytest.approx(87_072)
    assert (562_027 - day) / day == pytest.approx(5.4548, abs=1e-4)
    revenue = 342e9 * 0.14e-6 + 266e9 * 0.55e-6 + output_tokens * 2.19e-6
    assert revenue == pytest.approx(562_027, rel=2e-4)  # its tokens are rounded


def test_h800_node_prefill_and_decode_apart() -> None:
    """A node at 16 USD/h decodes 14.8 k token/s (0.3003 USD/Mtoken) or prefills 73.7 k (0.0603)."""
    known = FREE | {"phase": "serve", "prefill_chips": 8, "decode_chips": 8, "input_tokens_per_second": 73.7e3}
    split = serving_costs(known | {"tokens_per_second": 14.8e3}, np.asarray(2 * 16 / HOUR))
    assert split["cost_per_output_token"] * MTOKEN == pytest.approx(0.3003, abs=5e-5)
    assert split["cost_per_input_token"] * MTOKEN == pytest.approx(0.0603, abs=5e-5)


@pytest.mark.parametrize(("tokens", "per_million", "total"), [(300e9, 0.542, 162.6e3), (15e12, 1.95, 29.25e6)])
def test_published_cost_of_a_run_from_its_cost_per_token(tokens: float, per_million: float, total: float) -> None:
    """GPT-3 175B in fp8 and Llama 3 405B on H100: printed as 162 k and 29.1 M USD (SemiAnalysis, 2025-08-20)."""
    price = per_million / MTOKEN * 1e6 * YEAR / 8  # per chip of a machine that lasts a year and makes 1e6 token/s
    run = costs(chip_price=price, training_tokens=tokens, time_to_train=tokens / 1e6)
    assert run["cost_per_token"] * MTOKEN == pytest.approx(per_million)
    assert run["cost_to_train"] == pytest.approx(total)


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
    machine = costs(chip_price=1e4, import_tariff=np.asarray([0.25, -0.25]), installation_fraction=0.1)
    assert machine["equipment_cost"] == pytest.approx([8e4 * 1.35, 8e4 * 0.85])
