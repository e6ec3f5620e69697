"""Yield, wafer and package costs against published tools, and what must hold for any of the yield models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chip_cost import YIELD_MODELS, chip_cost_metrics, chip_last_cost, die_cost, dies_per_wafer, salvaged_yield
from models.inputs import ModelInputError

MM, MM2, PER_CM2 = 1e-3, 1e-6, 1e4
CHIP: dict[str, Any] = {
    "dies": 1,
    "die_area": 814 * MM2,
    "hbm_capacity": 80e9,
    "wafer_price": 16_988.0,
    "yield_model": "negative_binomial",
    "defect_density": 0.11 * PER_CM2,
    "yield_shape": 10.0,
    "die_salvage": 0.0,
    "memory_price": 0.0,
    "packaging_price": 0.0,
    "bonding_yield": 1.0,
    "packaging_yield": 1.0,
    "chip_test_price": 0.0,
}


@pytest.mark.parametrize(
    ("model", "few", "one"),
    [
        ("poisson", 0.92219, 0.36788),
        ("murphy", 0.92270, 0.39958),
        ("seeds", 0.92507, 0.5),
        ("negative_binomial", 0.92318, 0.42188),
    ],
)
def test_yield_models_at_published_points(model: str, few: float, one: float) -> None:
    """Defects per die of 0.081 (a calculator prints 92.2, 92.3, 92.5, 92.3 %) and 1; shape 3."""
    shape = np.asarray(3.0)
    assert YIELD_MODELS[model](np.asarray(0.081), shape) == pytest.approx(few, abs=5e-6)
    assert YIELD_MODELS[model](np.asarray(1.0), shape) == pytest.approx(one, abs=5e-6)


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


@pytest.mark.parametrize(("area", "dies"), [(814, 63.48), (665.61, 80.37), (826, 62.39)])
def test_simple_dies_per_wafer(area: float, dies: float) -> None:
    """H100, Ascend 910B and A100 on a 300 mm wafer."""
    assert dies_per_wafer(np.asarray(area * MM2)) == pytest.approx(dies, abs=0.005)


@pytest.mark.parametrize(
    ("wafer", "density", "area", "dies", "good", "raw_price", "good_price"),
    [
        (16_988, 0.11, 800, 58.793, 0.4302, 288.95, 671.59),
        (9_346, 0.09, 400, None, None, 71.9, 102.41),
        (16_988, 0.11, 400, None, None, 130.69, 201.03),
    ],
)
def test_chiplet_actuary_die_cost(
    wafer: float,
    density: float,
    area: float,
    dies: float | None,
    good: float | None,
    raw_price: float,
    good_price: float,
) -> None:
    """Executed from the formulas of Chiplet Actuary (c91fb92): edge 5 mm, scribe 0.2 mm, shape 10."""
    per_wafer = dies_per_wafer(np.asarray(area * MM2), edge=5 * MM, scribe=0.2 * MM)
    share = YIELD_MODELS["negative_binomial"](np.asarray(area * MM2 * density * PER_CM2), np.asarray(10.0))
    if dies is not None:
        assert per_wafer == pytest.approx(dies, abs=5e-4)
        assert share == pytest.approx(good, abs=5e-5)
    assert die_cost(np.asarray(wafer), per_wafer, np.asarray(1.0)) == pytest.approx(raw_price, abs=0.005)
    assert die_cost(np.asarray(wafer), per_wafer, share) == pytest.approx(good_price, abs=0.05)


@pytest.mark.parametrize(("length", "width", "scribe", "gross"), [(25.8, 25.8, 0.1, 78), (6.7, 5.0, 0.1, 1887)])
def test_gross_dies_of_a_rectangle_near_googles_count(length: float, width: float, scribe: float, gross: int) -> None:
    """Google takes the 6 mm of rim off once, pi (D - 6) D / 4 A; ours off both factors of the area: within 4 %."""
    area = np.asarray((length + scribe) * (width + scribe) * MM2)
    assert dies_per_wafer(area, edge=3 * MM) == pytest.approx(gross, rel=0.04)


def test_assembly_loss_of_googles_unit_test() -> None:
    """Two bonds of 95 %: (10,204,081.63 + 157,969,593.24) x (1 - 0.95^2) = 16,396,933.30 is scrapped."""
    spent = 10_204_081.63 + 157_969_593.24
    sold = np.asarray(spent * 0.95**2)
    built = chip_last_cost(sold, np.zeros(()), np.asarray(2), np.asarray(0.95), np.asarray(1.0))
    assert built - sold == pytest.approx(16_396_933.30, abs=0.005)


def test_chip_last_is_raw_parts_plus_waste() -> None:
    """Chiplet Actuary's sum: (si + bump)(1/(y1 y2^n y3) - 1) + parts (1/(y2^n y3) - 1) on top of the raw parts."""
    silicon, parts, y1, y2, y3, n = 80.0, 600.0, 0.97, 0.95, 0.99, 4
    wasted = silicon * (1 / (y1 * y2**n * y3) - 1) + parts * (1 / (y2**n * y3) - 1)
    ours = chip_last_cost(np.asarray(parts), np.asarray(silicon / y1), np.asarray(n), np.asarray(y2), np.asarray(y3))
    assert ours == pytest.approx(silicon + parts + wasted)


def test_h100_from_formulas_costs_twice_its_published_logic() -> None:
    """630.9 USD against 300 in a published bill of materials: salvage closes the gap."""
    metrics = chip_cost_metrics(CHIP)
    assert metrics["die_yield"] == pytest.approx(0.4242, abs=5e-5)
    assert metrics["die_cost"] == pytest.approx(630.9, abs=0.1)
    assert chip_cost_metrics(CHIP | {"die_salvage": 0.8})["die_cost"] < 310


def test_h100_bill_of_materials_adds_up() -> None:
    """300 + 1,350 + 750 + 920 = 3,320 USD (siliconanalysts.com, 2026-02)."""
    parts = {"memory_price": 1350 / 80e9, "packaging_price": 750.0, "chip_test_price": 920.0, "die_yield": 0.5}
    logic = chip_cost_metrics(CHIP | parts)["die_cost"]
    assert chip_cost_metrics(CHIP | parts)["chip_cost"] - logic == pytest.approx(3320 - 300)


def test_b200_bill_of_materials_and_its_packaging_loss() -> None:
    """Means 900 + 2,900 + 1,100 + 1,100 (yield loss) + 480 = 6,480; published mean of distributions 6,400."""
    loss = 4900 / (4900 + 1100)
    package = chip_last_cost(np.asarray(900 + 2900), np.asarray(1100), np.asarray(2), np.asarray(1.0), np.asarray(loss))
    assert package + 480 == pytest.approx(6480)
    assert package + 480 == pytest.approx(6400, rel=0.02)


@pytest.mark.parametrize(("good", "price"), [(0.5, 348.9), (0.2, 872.1)])
def test_ascend_910b_die_at_press_yields(good: float, price: float) -> None:
    """TSMC's 9,346 USD wafer with a 50 % premium for multi-patterning; premium and yields are press claims."""
    chip = CHIP | {"die_area": 665.61 * MM2, "wafer_price": 9_346 * 1.5, "die_yield": good}
    assert chip_cost_metrics(chip)["die_cost"] == pytest.approx(price, abs=0.15)


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
