"""Published worked examples of power, carbon, failures, chips and networks. Numbers as in the file on money."""

from __future__ import annotations

import math

import numpy as np
import pytest
from money_cases import CHIP, DAY, HOUR, KWH, LLAMA3, MM, MM2, PER_CM2, cluster, published

from models.carbon import emissions
from models.chip_cost import YIELD_MODELS, chip_cost_metrics, chip_last_cost, die_cost, dies_per_wafer
from models.fabric import fabric_stage, fat_tree_reach
from models.power import power_stage
from models.reliability import optimal_checkpoint_interval, reliability_stage, spares_suffice

GB = 1e9
YEAR = 365 * DAY


def test_5e_energy_of_a_run_in_households() -> None:
    """8.8 J/token x 15e12: 36.7 GWh, 3,400 households of 10,791 kWh (3,398). 2.46 J/token: 15.8e9 a household."""
    run = power_stage(published(8.8e5, 72, power_usage_effectiveness=1.0, time_to_train=15e12 / 1e5))
    assert run["energy_per_token"] == pytest.approx(8.8)
    assert run["energy_to_train"] / (1e6 * KWH) == pytest.approx(36.7, abs=0.05)
    assert run["energy_to_train"] / (10_791 * KWH) == pytest.approx(3_398, abs=0.5)
    assert run["energy_to_train"] / (10_791 * KWH) == pytest.approx(3_400, abs=50)
    household = power_stage(published(2.46e5, 72, power_usage_effectiveness=1.0))["energy_per_token"]
    assert 10_791 * KWH / household == pytest.approx(15.8e9, abs=0.05e9)


@pytest.mark.parametrize(
    ("cloudmatrix", "per_system", "per_flop", "printed"),
    [(559e3, 3.855, 2.313, (3.9, 2.3)), (600e3, 4.14, 2.483, (4.1, 2.5))],
    ids=["april-2025", "revised"],
)
def test_6a_power_ratios_of_cloudmatrix_over_nvl72(
    cloudmatrix: float, per_system: float, per_flop: float, printed: tuple[float, float]
) -> None:
    """559/145 kW = 3.9 and 2.3 per FLOP/s at 300 and 180 PFLOP/s; revised by the same source to 600 kW: 4.1, 2.5."""
    huawei = power_stage(published(cloudmatrix, 384))["it_power_peak"]
    nvidia = power_stage(published(145e3, 72))["it_power_peak"]
    ratio = huawei / nvidia
    assert ratio == pytest.approx(per_system, abs=0.003)
    assert ratio * 180 / 300 == pytest.approx(per_flop, abs=5e-4)
    assert (ratio, ratio * 180 / 300) == pytest.approx(printed, abs=0.05)


def test_6b_optical_modules_of_cloudmatrix_384() -> None:
    """384 x 7 x 2 = 5,376 scale-up and 384 x 4 = 1,536 scale-out modules of 400G: 6,912 printed."""
    fabric = fabric_stage(
        {
            "domains": 1,
            "scale_up_size": 384,
            "chips_per_node": 8,
            "scale_up_topology": "two_tier_ub",
            "scale_up_bandwidth": 392 * GB,
            "scale_up_link_rate": 28 * GB,
            "scale_up_planes": 7,
            "scale_up_switch_ports": 32,
            "scale_up_spine_ports": 48,
            "scale_up_port_rate_per_module": 56 * GB,
            "scale_out_bandwidth": 50 * GB,
            "scale_out_link_rate": 50 * GB,
            "scale_out_switch_radix": 64,
        }
    )
    assert fabric["scale_up_transceivers"] == 384 * 7 * 2 == 5_376
    assert fabric["scale_out_transceivers"] == 384 * 4 == 1_536
    assert fabric["scale_up_transceivers"] + fabric["scale_out_transceivers"] == 6_912


def test_6c_h100_node_below_its_rating_and_grid_units() -> None:
    """8.4 of 10.2 kW at most in training (arXiv:2412.08602), printed as 18 % lower; 0.76 in a fleet model.

    eGRID: 771.179 lb/MWh x 0.453592 = 349.8 g/kWh.
    """
    node = power_stage(published(10.2e3, 8, train_power_fraction=8.4 / 10.2))
    assert node["it_power"] / node["it_power_peak"] == pytest.approx(0.824, abs=5e-4)
    assert 1 - node["it_power"] / node["it_power_peak"] == pytest.approx(0.18, abs=5e-3)
    fleet = power_stage(published(10.2e3, 8, train_power_fraction=0.76))
    assert fleet["it_power"] == pytest.approx(7.752e3)
    assert emissions(np.asarray(1000 * KWH), np.asarray(0.3498 / KWH)) / 0.453592 == pytest.approx(771.179, rel=1e-4)


def test_6d_year_of_an_nvl72_at_80_percent() -> None:
    """145 kW, power utilisation 0.8, PUE 1.35, 8,760 h: 1,371,816 kWh and, at 369.5 g/kWh, 506.9 t."""
    metrics = power_stage(published(145e3, 72, utilisation=0.8, idle_power_fraction=0.0))
    assert metrics["annual_energy"] / KWH == pytest.approx(1_371_816, abs=0.5)
    assert metrics["annual_carbon"] / 1e3 == pytest.approx(506.9, abs=0.05)


@pytest.mark.parametrize(
    ("chips", "hours", "printed"),
    [(16_384, 1.8029, 1.8), (131_072, 0.2254, 0.23), (1_024, 28.85, None)],
)
def test_7a_meta_projection_of_time_between_failures(chips: int, hours: float, printed: float | None) -> None:
    """6.50 per 1,000 node-days. At 1,024 chips 7.9 h were measured: small jobs fail for other reasons too."""
    between = reliability_stage(cluster(chips))["mean_time_between_failures"] / HOUR
    assert between == pytest.approx(hours, rel=2e-4)
    if printed is not None:
        assert between == pytest.approx(printed, abs=5e-3)
    else:
        assert between > 3 * 7.9


def test_7b_llama_3_interruptions() -> None:
    """54 x 1,440 / 419 = 185.6 min; 419 / (2,048 x 54) = 3.789 per 1,000 node-days (3.79 printed)."""
    metrics = reliability_stage(cluster(16_384, host_failure_rate=LLAMA3))
    assert metrics["mean_time_between_failures"] / 60 == pytest.approx(185.6, abs=0.05)
    assert metrics["failures_per_day"] * DAY / 2.048 == pytest.approx(3.789, abs=5e-4)


@pytest.mark.parametrize(("restart", "goodput"), [(300, 0.9205), (600, 0.8875)])
def test_7c_training_time_ratio_at_12_000_chips(restart: float, goodput: float) -> None:
    """6.50 per 1,000 node-days, checkpoints of 10 s: every 421 s. The paper says that 0.9 needs about 10 s."""
    metrics = reliability_stage(cluster(12_000, checkpoint_write_time=10, restart_time=restart))
    assert metrics["checkpoint_interval"] == pytest.approx(421, abs=0.5)
    assert metrics["goodput"] == pytest.approx(goodput, abs=5e-5)
    assert metrics["goodput"] == pytest.approx(0.9, abs=0.025)


@pytest.mark.parametrize(("write", "interval", "goodput"), [(10, 471.9, 0.9057), (300, 2584.8, 0.7437)])
def test_7d_training_time_ratio_of_llama_3(write: float, interval: float, goodput: float) -> None:
    """16,384 chips, restart 600 s; Meta does not publish write and restart times."""
    known = cluster(16_384, host_failure_rate=LLAMA3, checkpoint_write_time=write)
    metrics = reliability_stage(known)
    assert metrics["checkpoint_interval"] == pytest.approx(interval, abs=0.5)
    assert metrics["goodput"] == pytest.approx(goodput, abs=5e-5)


def test_7e_young_interval_and_dalys_low_order_form() -> None:
    """w = 300 s, M = 185.6 min: 43.08 min; less w, 38.08 min."""
    interval = optimal_checkpoint_interval(np.asarray(1 / (185.6 * 60)), np.asarray(300.0))
    assert interval / 60 == pytest.approx(43.08, abs=0.01)
    assert (interval - 300) / 60 == pytest.approx(38.08, abs=0.01)


@pytest.mark.parametrize(
    ("modules", "hours_each", "hours"),
    [(100_000, 43_800, 26.28 / 60), (6_912, 1e6, 144.7), (6_912, 5e5, 72.3), (6_912, 43_800, 6.34)],
)
def test_7f_optical_modules_alone(modules: int, hours_each: float, hours: float) -> None:
    """A five-year module in 100,000 fails every 26.28 min (SemiAnalysis); 6,912 modules of CloudMatrix 384."""
    known = cluster(384, host_failure_rate=0.0, transceiver_failure_rate=1 / (hours_each * HOUR))
    metrics = reliability_stage(known | {"scale_up_transceivers": modules - 1536, "scale_out_transceivers": 1536})
    assert metrics["mean_time_between_failures"] / HOUR == pytest.approx(hours, rel=1e-3)


def test_7f_failures_of_chip_and_memory_a_year() -> None:
    """220 of 419 interruptions of 16,384 chips in 54 days: 9.08 % a year; with the rest on hosts the total is 419."""
    per_chip = 220 / (16_384 * 54 * DAY)
    rest = 199 / (2048 * 54 * DAY)
    metrics = reliability_stage(cluster(16_384, chip_failure_rate=per_chip, host_failure_rate=rest))
    assert per_chip * YEAR == pytest.approx(0.0908, abs=5e-5)
    assert metrics["failures_per_day"] * DAY == pytest.approx(419 / 54)


def test_7g_opt_175b_lost_an_eighth_of_its_time() -> None:
    """178,000 of 992 x 24 x 61 GPU-hours were lost (12.26 %): the time to train stretches by the inverse.

    12 B x 405,853,388,800 parameters = 4.870e12 B of checkpoint; over 16,384 chips 297 MB each, printed.
    """
    lost = 178_000 / (992 * 24 * 61)
    assert lost == pytest.approx(0.1226, abs=5e-5)
    metrics = reliability_stage(cluster(992, host_failure_rate=lost / 600 / 124, checkpoint_write_time=0.0))
    assert metrics["goodput"] == pytest.approx(1 - lost)
    assert metrics["time_to_train"] == pytest.approx(1e6 / (1 - lost))
    checkpoint = 12 * 405_853_388_800
    assert checkpoint == pytest.approx(4.870e12, rel=1e-4)
    assert checkpoint / 16_384 == pytest.approx(297e6, abs=0.5e6)


def test_7h_google_plans_cubes_with_the_binomial_distribution() -> None:
    """130 of 144 cubes usable 95 % of the time (Zu et al., NSDI 2024), which is 6.5 % of cubes out."""
    out, cubes, spares = 0.0652, 144, 14
    direct = math.fsum(math.comb(cubes, k) * out**k * (1 - out) ** (cubes - k) for k in range(spares + 1))
    assert direct == pytest.approx(0.95, abs=2e-3)
    assert spares_suffice(np.asarray(out), np.asarray(144.0), np.asarray(14.0)) == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize(
    ("model", "few", "one", "printed"),
    [
        ("poisson", 0.92219, 0.36788, 92.2),
        ("murphy", 0.92270, 0.39958, 92.3),
        ("seeds", 0.92507, 0.5, 92.5),
        ("negative_binomial", 0.92318, 0.42188, 92.3),
    ],
)
def test_9a_yield_models(model: str, few: float, one: float, printed: float) -> None:
    """Defects per die of 0.081 (a calculator prints per cent) and 1; shape 3."""
    shape = np.asarray(3.0)
    assert YIELD_MODELS[model](np.asarray(0.081), shape) == pytest.approx(few, abs=5e-6)
    assert YIELD_MODELS[model](np.asarray(0.081), shape) * 100 == pytest.approx(printed, abs=0.05)
    assert YIELD_MODELS[model](np.asarray(1.0), shape) == pytest.approx(one, abs=5e-6)


@pytest.mark.parametrize(
    ("wafer", "density", "area", "raw_price", "good_price"),
    [(16_988, 0.11, 800, 288.95, 671.59), (9_346, 0.09, 400, 71.9, 102.41), (16_988, 0.11, 400, 130.69, 201.03)],
)
def test_9b_chiplet_actuary_die_cost(
    wafer: float, density: float, area: float, raw_price: float, good_price: float
) -> None:
    """Executed from the formulas of Chiplet Actuary (c91fb92): edge 5 mm, scribe 0.2 mm, shape 10."""
    per_wafer = dies_per_wafer(np.asarray(area * MM2), edge=5 * MM, scribe=0.2 * MM)
    share = YIELD_MODELS["negative_binomial"](np.asarray(area * MM2 * density * PER_CM2), np.asarray(10.0))
    if area == 800:
        assert per_wafer == pytest.approx(58.793, abs=5e-4)
        assert share == pytest.approx(0.4302, abs=5e-5)
    assert die_cost(np.asarray(wafer), per_wafer, np.asarray(1.0)) == pytest.approx(raw_price, abs=5e-3)
    assert die_cost(np.asarray(wafer), per_wafer, share) == pytest.approx(good_price, abs=0.05)


@pytest.mark.parametrize(("area", "dies"), [(814, 63.48), (665.61, 80.37), (826, 62.39)])
def test_9c_simple_dies_per_wafer(area: float, dies: float) -> None:
    """H100, Ascend 910B and A100 on a 300 mm wafer."""
    assert dies_per_wafer(np.asarray(area * MM2)) == pytest.approx(dies, abs=5e-3)


@pytest.mark.parametrize(("length", "width", "gross"), [(25.8, 25.8, 78), (6.7, 5.0, 1887)])
def test_9c_googles_gross_dies_of_a_rectangle(length: float, width: float, gross: int) -> None:
    """``(D - 6) pi (D / 4A - 1 / sqrt(2A))`` with a scribe of 0.1 mm gives 78 and 1,887; ours is within 4 % of it.

    Google takes the 6 mm of rim off once; Chiplet Actuary's form, which is ours, off both factors of the area.
    """
    area = (length + 0.1) * (width + 0.1)
    google = (300 - 6) * math.pi * (300 / (4 * area) - 1 / math.sqrt(2 * area))
    assert round(google) == gross
    assert dies_per_wafer(np.asarray(area * MM2), edge=3 * MM) == pytest.approx(google, rel=0.04)


def test_9d_assembly_loss_of_googles_unit_test() -> None:
    """Two bonds of 95 %: (10,204,081.63 + 157,969,593.24) x (1 - 0.95^2) = 16,396,933.30 is scrapped."""
    spent = 10_204_081.63 + 157_969_593.24
    sold = np.asarray(spent * 0.95**2)
    built = chip_last_cost(sold, np.zeros(()), np.asarray(2), np.asarray(0.95), np.asarray(1.0))
    assert built - sold == pytest.approx(16_396_933.30, abs=5e-3)


def test_9e_bills_of_materials_of_b200_and_h100() -> None:
    """B200: means 900 + 2,900 + 1,100 + 1,100 (yield loss) + 480 = 6,480, printed mean of distributions 6,400.

    H100: 300 + 1,350 + 750 + 920 = 3,320 printed.
    """
    loss = 4900 / (4900 + 1100)
    package = chip_last_cost(np.asarray(900 + 2900), np.asarray(1100), np.asarray(2), np.asarray(1.0), np.asarray(loss))
    assert package + 480 == pytest.approx(6_480)
    assert package + 480 == pytest.approx(6_400, rel=0.02)
    parts = {"memory_price": 1350 / 80e9, "packaging_price": 750.0, "chip_test_price": 920.0, "die_yield": 0.5}
    h100 = chip_cost_metrics(CHIP | parts)
    assert h100["chip_cost"] - h100["die_cost"] + 300 == pytest.approx(3_320)


def test_9f_h100_from_formulas_costs_twice_its_published_logic() -> None:
    """16,988 / (63.48 x 0.4242) = 630.9 USD against 300 in a published bill of materials: salvage closes the gap."""
    metrics = chip_cost_metrics(CHIP)
    assert metrics["die_yield"] == pytest.approx(0.4242, abs=5e-5)
    assert metrics["die_cost"] == pytest.approx(630.9, abs=0.1)
    assert chip_cost_metrics(CHIP | {"die_salvage": 0.8})["die_cost"] < 310


@pytest.mark.parametrize(("good", "price"), [(0.5, 348.9), (0.2, 872.1)])
def test_9g_ascend_910b_die_at_press_yields(good: float, price: float) -> None:
    """TSMC's 9,346 USD wafer with a 50 % premium for multi-patterning; 348.9 and 872.1 (quotients cut, not rounded)."""
    chip = CHIP | {"die_area": 665.61 * MM2, "wafer_price": 9_346.0, "wafer_premium": 0.5, "die_yield": good}
    assert chip_cost_metrics(chip)["die_cost"] == pytest.approx(price, abs=0.15)


@pytest.mark.parametrize(("radix", "layers", "hosts"), [(128, 2, 8192), (512, 2, 131_072)])
def test_10_fat_tree_reach(radix: int, layers: int, hosts: int) -> None:
    """2 (k/2)^L: 8,192 and 131,072 printed (SemiAnalysis on 800G and co-packaged switches)."""
    assert fat_tree_reach(np.asarray(float(radix)), layers) == hosts == 2 * (radix // 2) ** layers
