"""Published worked examples of the export rules: total processing performance, its density, and the region of 2023."""

from __future__ import annotations

import pytest
from rule_cases import MM2, facts, status

from models.export_control import rules_stage


def check(chip: str, performance: float, density: float, region: str) -> None:
    """Compare a chip with what is printed of it (s-w-kelly/chip-export-controls at d813a66, which cuts decimals)."""
    metrics = rules_stage(facts(chip))
    assert metrics["total_processing_performance"] == pytest.approx(performance, abs=0.7)
    assert metrics["performance_density"] * MM2 == pytest.approx(density, abs=0.0051)
    assert metrics["export_region"] == region


def test_8a_a100() -> None:
    """312 x 16 = 4,992 on 826 mm2: 6.04."""
    check("a100", 4_992, 6.04, "a.1")


@pytest.mark.parametrize("chip", ["h100", "h800"])
def test_8b_h100_and_h800(chip: str) -> None:
    """1,979 x 8 = 15,832 on 814 mm2: 19.45."""
    check(chip, 15_832, 19.45, "a.1")


def test_8c_h20() -> None:
    """296 x 8 = 2,368 on 814 mm2: 2.91. Free by rule, below 2,400 and 3.2; by letter under licence from April 2025."""
    check("h20", 2_368, 2.91, "free")
    speeds = {"hbm_bandwidth": 4000e9, "scale_up_bandwidth": 450e9}
    assert status("h20", "CN", "2025-04-08", **speeds) == "free"
    assert status("h20", "CN", "2025-04-09", **speeds) == "licence"


def test_8d_mi210() -> None:
    """181 x 16 = 2,896 on 790 mm2: 3.67."""
    check("mi210", 2_896, 3.67, "b.1")


def test_8e_b200() -> None:
    """9,000 x 4 = 36,000 on 1,628 mm2: 22.11."""
    check("b200", 36_000, 22.11, "a.1")


def test_8f_h200() -> None:
    """As the H100; below 21,000 and 6,500 GB/s: case by case from January 2026, with a duty of 25 % (first band)."""
    check("h200", 15_832, 19.45, "a.1")
    assert status("h200", "CN", "2026-01-15", hbm_bandwidth=4800e9) == "case_by_case"
    assert rules_stage(facts("h200", hbm_bandwidth=4800e9))["us_import_duty"] == 0.25


def test_8g_mi325x() -> None:
    """2,614.9 x 8 = 20,919 on 1,017 mm2: 20.57. Case by case as the H200, with a duty of 25 % (second band)."""
    check("mi325x", 20_919, 20.57, "a.1")
    assert status("mi325x", "CN", "2026-01-15", hbm_bandwidth=6000e9) == "case_by_case"
    assert rules_stage(facts("mi325x", hbm_bandwidth=6000e9))["us_import_duty"] == 0.25


def test_8h_h800_under_the_rule_of_october_2022() -> None:
    """15,832 and 400 GB/s: free, for the rule needs both at least 4,800 and at least 600 GB/s."""
    assert status("h800", "CN", "2022-10-07", scale_up_bandwidth=200e9) == "free"
    assert status("h800", "CN", "2022-10-07", scale_up_bandwidth=300e9) == "denied"
