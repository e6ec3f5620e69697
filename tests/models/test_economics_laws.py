"""Laws of the money model: homogeneity, limits of capital recovery, and results that do not depend on array layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.economics import annuity, capital_recovery_factor, economics_stage
from models.power import YEAR, power_stage
from models.quantities import quantities
from models.reliability import reliability_stage

PRICES = [q.name for q in quantities().values() if q.is_input and "USD" in q.unit]
MONEY = [q.name for q in quantities().values() if not q.is_input and "USD" in q.unit]
PARTS = ("capital", "energy", "staff", "colocation", "maintenance")
CLUSTER: dict[str, Any] = {
    "phase": "train",
    "precision": "bf16",
    "chips": 768,
    "chips_used": 704,
    "chips_per_node": 8,
    "scale_up_size": 384,
    "domains": 2,
    "peak_bf16": 708e12,
    "scale_up_bandwidth": 392e9,
    "nics": 768,
    "scale_out_switches": 36,
    "scale_out_transceivers": 3072,
    "scale_up_transceivers": 10752,
    "chip_power": 850.0,
    "host_power": 300.0,
    "scale_up_power_per_bandwidth": 2e-10,
    "nic_power": 20.0,
    "fan_power": 30.0,
    "power_conversion_efficiency": 0.95,
    "power_cap": 0.9,
    "scale_out_switch_power": 747.0,
    "transceiver_power": 9.5,
    "idle_power_fraction": 0.15,
    "train_power_fraction": 0.75,
    "prefill_power_fraction": 0.8,
    "decode_power_fraction": 0.4,
    "power_usage_effectiveness": 1.3,
    "carbon_intensity": 1e-7,
    "chip_failure_rate": 0.09 / YEAR,
    "host_failure_rate": 0.5 / YEAR,
    "transceiver_failure_rate": 0.015 / YEAR,
    "nic_failure_rate": 0.003 / YEAR,
    "switch_failure_rate": 0.01 / YEAR,
    "checkpoint_write_time": 60.0,
    "restart_time": 600.0,
    "repair_time": 0.0,
    "spare_fraction": 0.0,
    "training_tokens": 1e12,
    "tokens_per_second": 1e5,
    "input_tokens_per_second": 4e5,
    "prefill_chips": 200,
    "decode_chips": 504,
    "chip_price": 15_000.0,
    "scale_up_price_per_bandwidth": 6e-9,
    "nic_price": 1_500.0,
    "scale_out_switch_price": 30_000.0,
    "transceiver_price": 400.0,
    "storage_price_per_chip": 500.0,
    "installation_fraction": 0.05,
    "import_tariff": 0.1,
    "shell_price_per_power": 12.0,
    "wacc": 0.08,
    "equipment_life": 5 * YEAR,
    "shell_life": 15 * YEAR,
    "payments_per_year": 12.0,
    "network_life": 7 * YEAR,
    "storage_residual_fraction": 0.05,
    "shell_residual_fraction": 0.2,
    "residual_fraction": 0.1,
    "power_price": 0.06 / 3.6e6,
    "demand_charge": 10 / 1e3 / (YEAR / 12),
    "colocation_rent": 5 / 1e3 / (YEAR / 12),
    "staff_cost": 120 / 1e3 / YEAR,
    "staff_multiplier": 3.0,
    "staff_cost_per_system": 5e4 / YEAR,
    "colocation_share": 0.3,
    "network_tariff": 0.05,
    "equipment_subsidy": 0.2,
    "transceiver_replacement_rate": 0.00876 / YEAR,
    "maintenance_fraction": 0.05 / YEAR,
    "utilisation": 0.8,
    "dies": 2,
    "die_area": 1331e-6,
    "hbm_capacity": 128e9,
    "wafer_price": 14_000.0,
    "defect_density": 0.14e4,
    "yield_shape": 10.0,
    "die_salvage": 0.0,
    "memory_price": 15e-9,
    "packaging_price": 700.0,
    "bonding_yield": 0.99,
    "packaging_yield": 0.99,
    "chip_test_price": 100.0,
}


def chain(known: dict[str, Any]) -> dict[str, Any]:
    """Outputs of reliability, power and economics."""
    outputs = reliability_stage(known)
    outputs |= power_stage(known | outputs)
    return outputs | economics_stage(known | outputs)


@given(factor=st.floats(1e-3, 1e3), phase=st.sampled_from(["train", "serve"]), markup=st.none() | st.floats(1, 20))
def test_costs_are_homogeneous_of_degree_one_in_all_prices(factor: float, phase: str, markup: float | None) -> None:
    known = CLUSTER | {"phase": phase} | ({} if markup is None else {"chip_markup": markup})
    before = chain(known)
    after = chain(known | {name: known[name] * factor for name in PRICES if name in known})
    changed = set(after) & set(MONEY)
    assert {"cost_per_token", "annual_cost", "chip_cost", "net_present_cost"} < changed
    for name in changed:
        assert after[name] == pytest.approx(factor * before[name], rel=1e-12), name
    for name in set(after) - changed:
        assert np.array_equal(after[name], before[name]), name


@pytest.mark.parametrize("price", [name for name in PRICES if name in CLUSTER])
def test_costs_are_affine_and_do_not_fall_in_each_price(price: str) -> None:
    metrics = chain(CLUSTER | {price: CLUSTER[price] * np.asarray([0.0, 1.0, 2.0])})
    for name in MONEY:
        if name in metrics:
            low, middle, high = np.broadcast_to(metrics[name], 3)
            assert high - middle == pytest.approx(middle - low, rel=1e-6, abs=1e-12 * abs(middle)), name
            assert high >= middle >= low, name


RATES = ("staff_multiplier", "import_tariff", "server_tariff", "network_tariff", "storage_tariff", "colocation_share")


@pytest.mark.parametrize("rate", [*RATES, "maintenance_fraction", "transceiver_replacement_rate", "wafer_premium"])
@pytest.mark.parametrize("markup", [None, 5.0])
def test_costs_are_affine_in_each_rate_on_a_price(rate: str, markup: float | None) -> None:
    """A break-even in one of them is where two straight lines meet."""
    known = CLUSTER | ({} if markup is None else {"chip_markup": markup})
    metrics = chain(known | {rate: np.asarray([0.0, 0.4, 0.8])})
    for name in MONEY:
        if name in metrics:
            low, middle, high = np.broadcast_to(metrics[name], 3)
            assert high - middle == pytest.approx(middle - low, rel=1e-6, abs=1e-12 * abs(middle)), name


RANGES = {
    name: (quantities()[name].minimum, quantities()[name].maximum)
    for name in ("import_tariff", "server_tariff", "network_tariff", "storage_tariff", "equipment_subsidy")
}


@given(st.data())
def test_no_duty_and_no_subsidy_that_may_be_set_makes_a_cost_negative(data: st.DataObject) -> None:
    extra = {
        name: data.draw(st.floats(low, 10.0 if high is None else high, exclude_max=high is not None), label=name)
        for name, (low, high) in RANGES.items()
    }
    metrics = chain(CLUSTER | extra | {"installation_fraction": 0.0})
    parts = ("equipment_cost", "server_cost", "network_cost", "storage_cost", "capital_cost", "annual_capital_cost")
    assert min(float(metrics[name]) for name in parts) >= 0


def test_costs_are_affine_in_a_subsidy_and_fall() -> None:
    metrics = chain(CLUSTER | {"equipment_subsidy": np.asarray([0.0, 0.4, 0.8])})
    for name in ("equipment_cost", "annual_cost", "cost_per_token", "net_present_cost"):
        low, middle, high = metrics[name]
        assert low > middle > high > 0, name
        assert high - middle == pytest.approx(middle - low, rel=1e-6), name


@given(rate=st.floats(1e-12, 1.0), years=st.floats(0.5, 60))
def test_capital_recovery_lies_above_interest_and_above_straight_line(rate: float, years: float) -> None:
    factor = capital_recovery_factor(np.asarray(rate), np.asarray(years))
    assert factor >= rate * (1 - 1e-12)
    if years >= 1:  # below one period interest is due on less than a period, and the two may cross
        assert factor >= (1 - 1e-9) / years


@given(years=st.floats(0.5, 60), rate=st.floats(1e-3, 1.0))
def test_limits_of_capital_recovery(years: float, rate: float) -> None:
    n, r = np.asarray(years), np.asarray(rate)
    assert capital_recovery_factor(np.zeros(()), n) == 1 / years
    assert capital_recovery_factor(np.asarray(1e-9), n) == pytest.approx(1 / years, rel=1e-6)
    assert capital_recovery_factor(r, np.asarray(np.inf)) == rate
    assert capital_recovery_factor(r, n) == pytest.approx(rate * (1 + rate) ** years / ((1 + rate) ** years - 1))


@given(rate=st.floats(1e-3, 0.5), years=st.integers(1, 30), residual=st.floats(0, 1))
def test_payments_and_residual_value_repay_the_price(rate: float, years: int, residual: float) -> None:
    payment = annuity(np.asarray(1000.0), np.asarray(rate), np.asarray(float(years)), np.asarray(residual))
    present = sum(float(payment) / (1 + rate) ** year for year in range(1, years + 1))
    assert present + 1000 * residual / (1 + rate) ** years == pytest.approx(1000)


@given(phase=st.sampled_from(["train", "serve"]), power_price=st.floats(0, 1e-7), staff=st.floats(0, 1e-7))
def test_parts_of_the_year_add_to_the_whole(phase: str, power_price: float, staff: float) -> None:
    """Hamilton's shares sum to 100 %; so must ours."""
    metrics = chain(CLUSTER | {"phase": phase, "power_price": power_price, "staff_cost": staff})
    parts = [metrics[f"annual_{part}_cost"] for part in PARTS]
    assert sum(parts) / metrics["annual_cost"] == pytest.approx(1, rel=1e-12)
    assert min(parts) >= 0


def test_a_year_of_runs_pays_for_the_year() -> None:
    metrics = chain(CLUSTER)
    runs = CLUSTER["utilisation"] * YEAR / metrics["time_to_train"]
    assert runs * metrics["cost_to_train"] == pytest.approx(metrics["annual_cost"] * YEAR)
    assert metrics["cost_per_token"] * CLUSTER["training_tokens"] == pytest.approx(metrics["cost_to_train"])
    assert 0 < metrics["energy_cost_to_train"] < metrics["cost_to_train"]


def test_input_and_output_tokens_share_the_whole_cost() -> None:
    metrics = chain(CLUSTER | {"phase": "serve"})
    paid = CLUSTER["utilisation"] * metrics["goodput"]
    earned = CLUSTER["tokens_per_second"] * metrics["cost_per_output_token"]
    earned = earned + CLUSTER["input_tokens_per_second"] * metrics["cost_per_input_token"]
    assert paid * earned == pytest.approx(metrics["annual_cost"])
    assert metrics["cost_per_token"] * paid * CLUSTER["tokens_per_second"] == pytest.approx(metrics["annual_cost"])


def test_chips_that_do_both_have_no_split() -> None:
    metrics = chain(CLUSTER | {"phase": "serve", "prefill_chips": 0})
    assert np.isnan(metrics["cost_per_input_token"])
    assert np.isnan(metrics["cost_per_output_token"])
    assert metrics["cost_per_token"] > 0


def test_a_machine_without_progress_costs_money_and_has_no_unit_cost() -> None:
    metrics = chain(CLUSTER | {"chip_failure_rate": 1e4 / YEAR})
    assert metrics["goodput"] == 0
    assert metrics["annual_cost"] > 0
    for name in ("time_to_train", "energy_per_token", "energy_to_train", "cost_per_token", "cost_to_train"):
        assert np.isnan(metrics[name]), name


AXES: dict[str, Any] = {
    "power_price": CLUSTER["power_price"] * np.asarray([0.5, 1.0, 3.0]),
    "staff_multiplier": np.asarray([1.0, 5.0]),
    "chip_price": np.asarray([8e3, 15e3, np.nan, 30e3]),
    "scale_up_bandwidth": 392e9 * np.asarray([0.25, 1.0]),
    "wacc": np.asarray([0.0, 0.05, 0.13]),
    "chip_failure_rate": np.asarray([0.0, 0.09]) / YEAR,
    "power_cap": np.asarray([0.7, 1.0]),
}


def open_mesh() -> dict[str, Any]:
    return dict(zip(AXES, np.ix_(*AXES.values()), strict=True))


@pytest.mark.parametrize("phase", ["train", "serve"])
def test_open_mesh_dense_arrays_and_scalars_agree_to_the_bit(phase: str) -> None:
    cluster = CLUSTER | {"phase": phase}
    mesh = chain(cluster | open_mesh())
    dense_axes = dict(zip(AXES, np.meshgrid(*AXES.values(), indexing="ij"), strict=True))
    dense = chain(cluster | dense_axes)
    shape = dense["annual_cost"].shape
    for name, value in mesh.items():
        assert np.array_equal(np.broadcast_to(value, shape), np.broadcast_to(dense[name], shape), equal_nan=True), name
    for place in np.ndindex(shape):
        if sum(place) % 7 == 0:  # a seventh of the designs, spread over all axes
            alone = chain(cluster | {name: float(axis[place]) for name, axis in dense_axes.items()})
            for name, value in alone.items():
                assert np.array_equal(value, np.broadcast_to(dense[name], shape)[place], equal_nan=True), name


def test_a_mesh_stays_as_small_as_what_it_depends_on() -> None:
    mesh = chain(CLUSTER | open_mesh())
    assert mesh["cost_per_token"].shape == tuple(len(axis) for axis in AXES.values())
    assert mesh["annual_cost"].size == 3 * 2 * 4 * 2 * 3 * 2
    assert mesh["equipment_cost"].size == 4 * 2
    assert mesh["annual_energy_cost"].size == 3 * 2 * 2
    assert mesh["goodput"].size == 2
