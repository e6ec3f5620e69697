"""Power and carbon against published budgets, and the laws that hold at any numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.carbon import emissions
from models.power import YEAR, power_stage

KWH = 3.6e6
SYSTEM: dict[str, Any] = {
    "phase": "train",
    "chips": 72,
    "chips_used": 72,
    "chip_power": 1200.0,
    "host_power": 400.0,
    "train_power_fraction": 1.0,
    "prefill_power_fraction": 0.9,
    "decode_power_fraction": 0.5,
    "idle_power_fraction": 0.1,
    "scale_up_bandwidth": 900e9,
    "scale_up_power_per_bandwidth": 100 / 900e9,
    "nics": 72,
    "nic_power": 25.0,
    "scale_out_switches": 5,
    "scale_out_switch_power": 747.0,
    "scale_out_transceivers": 288,
    "transceiver_power": 9.5,
    "power_usage_effectiveness": 1.35,
    "utilisation": 1.0,
    "goodput": 1.0,
    "tokens_per_second": 1e5,
    "time_to_train": 1e6,
    "carbon_intensity": 0.3695 / KWH,
}


def published(power: float, chips: int, **others: Any) -> dict[str, Any]:
    """Inputs of a system of which only the all-in power [W] is published: all of it is put on the chips."""
    nothing = dict.fromkeys(("host_power", "nic_power", "scale_out_switch_power", "transceiver_power"), 0.0)
    power_per_chip = {"chip_power": power / chips, "chips": chips, "chips_used": chips}
    return SYSTEM | nothing | power_per_chip | {"scale_up_power_per_bandwidth": 0.0} | others


@pytest.mark.parametrize(
    ("cloudmatrix", "per_system", "per_flop"),
    [(559e3, 3.855, 2.313), (600e3, 4.14, 2.483)],
)
def test_articles_power_ratios_of_cloudmatrix_over_nvl72(
    cloudmatrix: float, per_system: float, per_flop: float
) -> None:
    """559/145 kW = 3.9 and 2.3 per FLOP/s at 300 and 180 PFLOP/s; revised by the same source to 600 kW: 4.1, 2.5."""
    huawei = power_stage(published(cloudmatrix, 384))["it_power_peak"]
    nvidia = power_stage(published(145e3, 72))["it_power_peak"]
    assert huawei / nvidia == pytest.approx(per_system, abs=0.005)
    assert (huawei / 300e15) / (nvidia / 180e15) == pytest.approx(per_flop, abs=0.002)


def test_year_of_an_nvl72_at_80_percent() -> None:
    """145 kW, power utilisation 0.8, PUE 1.35, 8,760 h: 1,371,816 kWh and, at 369.5 g/kWh, 506.9 t."""
    metrics = power_stage(published(145e3, 72, utilisation=0.8, idle_power_fraction=0.0))
    assert metrics["annual_energy"] / KWH == pytest.approx(1_371_816, abs=0.5)
    assert metrics["annual_carbon"] / 1e3 == pytest.approx(506.9, abs=0.05)


def test_h100_node_in_training_draws_18_percent_below_its_rating() -> None:
    """8.4 of 10.2 kW at most in training (arXiv:2412.08602): the ratio prints as 18 % lower."""
    node = power_stage(published(10.2e3, 8, train_power_fraction=8.4 / 10.2))
    assert 1 - node["it_power"] / node["it_power_peak"] == pytest.approx(0.18, abs=0.005)


def test_emissions_of_the_us_grid_in_pounds_and_grams() -> None:
    """eGRID prints 771.179 lb/MWh, which is 349.8 g/kWh; a MWh emits 771.179 lb."""
    pound = 0.453592
    intensity = np.asarray(0.3498 / KWH)
    assert emissions(np.asarray(1000 * KWH), intensity) / pound == pytest.approx(771.179, rel=1e-4)


def test_energy_of_a_run_in_households() -> None:
    """8.8 J/token for 15e12 tokens is 36.7 GWh (SemiAnalysis, 2025-08-20)."""
    one = power_stage(published(8.8e5, 72, power_usage_effectiveness=1.0, time_to_train=15e12 / 1e5))
    assert one["energy_per_token"] == pytest.approx(8.8)
    assert one["energy_to_train"] / (1e6 * KWH) == pytest.approx(36.7, abs=0.05)
    assert one["energy_to_train"] / (10_791 * KWH) == pytest.approx(3400, abs=3)


def test_every_part_adds_to_the_peak() -> None:
    metrics = power_stage(SYSTEM)
    network = 72 * 100 + 72 * 25 + 5 * 747 + 288 * 9.5
    assert metrics["network_power"] == pytest.approx(network)
    assert metrics["it_power_peak"] == pytest.approx(72 * 1600 + network)
    assert metrics["facility_power"] == pytest.approx(1.35 * (72 * 1600 + network))


def test_idle_chips_draw_idle_power() -> None:
    used, bought = power_stage(SYSTEM | {"chips_used": 64}), power_stage(SYSTEM)
    assert bought["it_power"] - used["it_power"] == pytest.approx(8 * 0.9 * 1200)
    assert bought["it_power_peak"] == used["it_power_peak"]


def test_a_faster_scale_up_fabric_draws_more_in_proportion() -> None:
    metrics = power_stage(SYSTEM | {"scale_up_bandwidth": 900e9 * np.asarray([0.0, 1.0, 2.0])})
    assert np.diff(metrics["network_power"]) == pytest.approx([7200, 7200])


def test_serving_weighs_prefill_and_decode_by_their_chips() -> None:
    split = power_stage(SYSTEM | {"phase": "serve", "prefill_chips": 18, "decode_chips": 54})
    assert split["chip_power_mean"] == pytest.approx(1200 * (0.25 * 0.9 + 0.75 * 0.5))
    assert "energy_to_train" not in split


def test_hosts_follow_their_chips_in_training_and_prefill_but_not_in_decode() -> None:
    """The fractions of training and prefill are of whole servers (8.4 of 10.2 kW), that of decode is of the chip."""
    network = power_stage(SYSTEM)["network_power"]
    training = power_stage(SYSTEM | {"train_power_fraction": 0.76})
    assert training["it_power"] == pytest.approx(72 * 0.76 * 1600 + network)
    split = power_stage(SYSTEM | {"phase": "serve", "prefill_chips": 18, "decode_chips": 54})
    assert split["it_power"] == pytest.approx(18 * 0.9 * 1600 + 54 * (0.5 * 1200 + 400) + network)
    decode = power_stage(SYSTEM | {"phase": "serve"})
    assert decode["it_power"] == pytest.approx(72 * (0.5 * 1200 + 400) + network)


def test_serving_without_a_split_draws_decode_power() -> None:
    assert power_stage(SYSTEM | {"phase": "serve"})["chip_power_mean"] == 600


def test_no_tokens_have_no_energy_each() -> None:
    assert np.isnan(power_stage(SYSTEM | {"goodput": 0.0})["energy_per_token"])


def test_unknown_chip_power_leaves_the_network_known() -> None:
    metrics = power_stage({name: value for name, value in SYSTEM.items() if name != "chip_power"})
    assert np.isnan(metrics["facility_power"])
    assert metrics["network_power"] > 0


@given(
    used=st.integers(0, 72),
    pue=st.floats(1, 3),
    goodput=st.floats(0.01, 1),
    fraction=st.floats(0, 1),
    utilisation=st.floats(0, 1),
)
def test_facility_takes_at_least_the_it_energy(
    used: int, pue: float, goodput: float, fraction: float, utilisation: float
) -> None:
    known = SYSTEM | {"chips_used": used, "power_usage_effectiveness": pue, "goodput": goodput}
    metrics = power_stage(known | {"train_power_fraction": fraction, "utilisation": utilisation})
    assert metrics["energy_per_token"] >= metrics["it_power"] / known["tokens_per_second"]
    assert metrics["energy_to_train"] >= metrics["it_power"] * known["time_to_train"]
    assert metrics["facility_power"] >= metrics["it_power_peak"] >= metrics["it_power"] * (1 - 1e-12)
    assert metrics["annual_energy"] <= metrics["facility_power"] * YEAR * (1 + 1e-12)
