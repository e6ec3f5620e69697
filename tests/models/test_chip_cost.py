"""Yield, wafer and package costs: what must hold for any of the yield models and orders of assembly.

Published numbers are in test_worked_examples_machine.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from money_cases import CHIP, MM2, PER_CM2

from models.chip_cost import YIELD_MODELS, chip_cost_metrics, chip_first_cost, chip_last_cost, salvaged_yield
from models.inputs import ModelInputError


@given(defects=st.floats(1e-6, 20))
def test_models_meet_in_their_limits(defects: float) -> None:
    d, one = np.asarray(defects), np.asarray(1.0)
    assert YIELD_MODELS["negative_binomial"](d, one) == pytest.approx(YIELD_MODELS["seeds"](d, one))
    assert YIELD_MODELS["bose_einstein"](d, one) == pytest.approx(YIELD_MODELS["seeds"](d, one))
    nearly_poisson = YIELD_MODELS["negative_binomial"](d, np.asarray(1e7))
    assert nearly_poisson == pytest.approx(YIELD_MODELS["poisson"](d, one), rel=1e-4)


@given(
    model=st.sampled_from(sorted(YIELD_MODELS)), defects=st.lists(st.floats(0, 30), min_size=2), shape=st.floats(1, 12)
)
def test_yield_is_one_without_defects_and_falls_with_them(model: str, defects: list[float], shape: float) -> None:
    values = YIELD_MODELS[model](np.sort([0.0, *defects]), np.asarray(shape))
    assert values[0] == 1
    assert (np.diff(values) <= 1e-15).all()
    assert (values > 0).all()


def test_chip_last_is_raw_parts_plus_waste() -> None:
    """Chiplet Actuary's sum: (si + bump)(1/(y1 y2^n y3) - 1) + parts (1/(y2^n y3) - 1) on top of the raw parts."""
    silicon, parts, y1, y2, y3, n = 80.0, 600.0, 0.97, 0.95, 0.99, 4
    wasted = silicon * (1 / (y1 * y2**n * y3) - 1) + parts * (1 / (y2**n * y3) - 1)
    ours = chip_last_cost(np.asarray(parts), np.asarray(silicon / y1), np.asarray(n), np.asarray(y2), np.asarray(y3))
    assert ours == pytest.approx(silicon + parts + wasted)


@pytest.mark.parametrize(("good", "density"), [(0.5, 0.104), (0.2, 0.242), (0.4, 0.138)])
def test_press_yields_as_poisson_defect_densities(good: float, density: float) -> None:
    chip = CHIP | {"die_area": 665.61 * MM2, "yield_model": "poisson", "defect_density": density * PER_CM2}
    assert chip_cost_metrics(chip)["die_yield"] == pytest.approx(good, rel=0.01)


def test_two_dies_beat_one_of_twice_the_area_when_bonding_is_good() -> None:
    big = chip_cost_metrics(CHIP | {"dies": np.asarray([1, 2]), "bonding_yield": 0.99})["chip_cost"]
    assert big[1] < big[0]
    poor = chip_cost_metrics(CHIP | {"dies": np.asarray([1, 2]), "bonding_yield": 0.5})["chip_cost"]
    assert poor[1] > poor[0]


def test_without_a_wafer_price_nothing_is_claimed() -> None:
    assert chip_cost_metrics({name: value for name, value in CHIP.items() if name != "wafer_price"}) == {}


def test_unknown_yield_model_is_refused_by_name() -> None:
    with pytest.raises(ModelInputError, match="rayleigh"):
        chip_cost_metrics(CHIP | {"yield_model": "rayleigh"})


@given(good=st.floats(0, 1), salvage=st.floats(0, 1))
def test_salvage_only_helps(good: float, salvage: float) -> None:
    assert good <= salvaged_yield(np.asarray(good), np.asarray(salvage)) * (1 + 1e-12)
    assert salvaged_yield(np.asarray(good), np.asarray(salvage)) <= 1 + 1e-12


@given(st.floats(0.3, 1), st.floats(0.3, 1), st.floats(0.3, 1), st.integers(1, 8))
def test_chip_first_scraps_dies_with_bad_carriers(carrier_yield: float, bond: float, last: float, dies: int) -> None:
    """Dearer than chip-last by the dies on bad carriers: ``contents (1 / y_carrier - 1) / (y_bond^n y_pack)``."""
    parts = (np.asarray(600.0), np.asarray(80.0), np.asarray(dies), np.asarray(bond), np.asarray(last))
    first = chip_first_cost(*parts, np.asarray(carrier_yield))
    tested = chip_last_cost(np.asarray(600.0), np.asarray(80.0 / carrier_yield), *parts[2:])
    assert first - tested == pytest.approx(600 * (1 / carrier_yield - 1) / (bond**dies * last), rel=1e-9, abs=1e-9)


def test_order_of_assembly_matters_only_with_bad_carriers() -> None:
    chip = CHIP | {"packaging_price": 750.0, "carrier_yield": np.asarray([1.0, 0.9])}
    last, first = (
        chip_cost_metrics(chip | {"assembly_order": order})["chip_cost"] for order in ("chip_last", "chip_first")
    )
    assert first[0] == last[0]
    assert first[1] > last[1] > last[0]


def test_unknown_order_of_assembly_is_refused_by_name() -> None:
    with pytest.raises(ModelInputError, match="chip_middle"):
        chip_cost_metrics(CHIP | {"assembly_order": "chip_middle"})


def test_more_patterning_adds_to_the_price_of_a_wafer() -> None:
    """SMIC is said to take half as much again as TSMC (Financial Times, February 2024)."""
    dearer = chip_cost_metrics(CHIP | {"wafer_premium": np.asarray([0.0, 0.5])})["die_cost"]
    assert dearer[1] == pytest.approx(1.5 * dearer[0])
