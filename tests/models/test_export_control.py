"""Sixteen chips under four rule sets, and the thresholds themselves."""

from __future__ import annotations

import numpy as np
import pytest
from rule_cases import CHIPS, MM2, facts, status

from models.export_control import LETTER_2025, RULE_2022, RULE_2023, RULE_2026, rules_stage
from models.inputs import ModelInputError


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_performance_density_and_region(chip: str) -> None:
    *_, performance, density, region = CHIPS[chip]
    metrics = rules_stage(facts(chip))
    assert metrics["total_processing_performance"] == pytest.approx(performance, abs=0.7)  # sources round down
    assert metrics["performance_density"] * MM2 == pytest.approx(density, abs=0.0051)
    assert metrics["export_region"] == region


# interconnect in both directions together and memory bandwidth [GB/s] as their makers publish them; what a buyer in
# China may do under each of the four sets of rules. B30A is a rumour: nobody says how wide its links are.
IN_CHINA: dict[str, tuple[float, float, tuple[str, str, str, str]]] = {
    "a100": (600, 2039, ("denied", "denied", "denied", "case_by_case")),
    "a800": (400, 2039, ("free", "denied", "denied", "case_by_case")),
    "h100": (900, 3350, ("denied", "denied", "denied", "case_by_case")),
    "h800": (400, 3350, ("free", "denied", "denied", "case_by_case")),
    "h200": (900, 4800, ("denied", "denied", "denied", "case_by_case")),
    "h200-nvl": (900, 4800, ("denied", "denied", "denied", "case_by_case")),
    "h20": (900, 4000, ("free", "free", "licence", "licence")),
    "b200": (1800, 8000, ("denied", "denied", "denied", "denied")),
    "b300": (1800, 8000, ("denied", "denied", "denied", "denied")),
    "b30a": (np.nan, 4000, ("", "denied", "denied", "denied")),
    "rubin": (3600, 22_000, ("denied", "denied", "denied", "denied")),
    "mi300x": (896, 5300, ("denied", "denied", "denied", "case_by_case")),
    "mi325x": (896, 6000, ("denied", "denied", "denied", "case_by_case")),
    "mi355x": (1075, 8000, ("denied", "denied", "denied", "denied")),
    "mi250x": (800, 3277, ("denied", "denied", "denied", "case_by_case")),
    "mi210": (300, 1638, ("free", "licence", "licence", "licence")),
}
DATES = (RULE_2022, RULE_2023, LETTER_2025, RULE_2026)


@pytest.mark.parametrize("chip", sorted(IN_CHINA))
@pytest.mark.parametrize("rules", range(len(DATES)), ids=DATES)
def test_sixteen_chips_under_four_sets_of_rules(chip: str, rules: int) -> None:
    """On the first day of each set, for a buyer in China; a buyer in Germany is free under all of them."""
    interconnect, memory, expected = IN_CHINA[chip]
    speeds = {"scale_up_bandwidth": interconnect / 2 * 1e9, "hbm_bandwidth": memory * 1e9}
    assert status(chip, "CN", DATES[rules], **speeds) == expected[rules]
    assert status(chip, "DE", DATES[rules], **speeds) == "free"


def test_the_listed_chips_are_those_of_the_source_less_the_two_of_huawei() -> None:
    assert set(CHIPS) - {"ascend-910b", "ascend-910c"} == set(IN_CHINA)
    assert len(IN_CHINA) == 16


def test_the_largest_precision_counts() -> None:
    h100 = {"peak_bf16": 989.5e12, "peak_fp8": 1979e12, "peak_tf32": 494.7e12, "peak_fp4": np.nan}
    assert rules_stage(h100)["total_processing_performance"] == pytest.approx(15832)


@pytest.mark.parametrize(
    ("chip", "interconnect", "expected"),
    [
        ("h800", 400, "free"),
        ("a800", 400, "free"),
        ("a100", 600, "denied"),
        ("h100", 900, "denied"),
        ("h20", 900, "free"),
    ],
)
def test_october_2022_needs_both_speed_and_interconnect(chip: str, interconnect: float, expected: str) -> None:
    """Interconnect in both directions together [GB/s]; H800 and A800 were built to stay below 600."""
    assert status(chip, "CN", "2023-06-01", scale_up_bandwidth=interconnect / 2 * 1e9) == expected
    assert status(chip, "US", "2023-06-01", scale_up_bandwidth=interconnect / 2 * 1e9) == "free"


def test_a_slower_link_frees_an_h100_in_2022() -> None:
    h100 = facts("h100", buyer_country="CN", rule_date="2022-12-01", scale_up_bandwidth=np.asarray([450e9, 299e9]))
    assert rules_stage(h100)["export_status"].tolist() == ["denied", "free"]


@pytest.mark.parametrize(
    ("chip", "country", "expected"),
    [
        ("h800", "CN", "denied"),
        ("h100", "AE", "licence"),
        ("h100", "DE", "free"),
        ("h20", "CN", "free"),
        ("mi210", "CN", "licence"),
        ("mi210", "AE", "free"),
        ("mi250x", "RU", "denied"),
    ],
)
def test_october_2023(chip: str, country: str, expected: str) -> None:
    assert status(chip, country, "2024-06-01") == expected


def test_the_letter_of_april_2025_stops_the_h20_in_china_only() -> None:
    h20 = {"hbm_bandwidth": 4000e9, "scale_up_bandwidth": 450e9}
    assert status("h20", "CN", "2025-04-08", **h20) == "free"
    assert status("h20", "CN", "2025-04-09", **h20) == "licence"
    assert status("h20", "AE", "2025-04-09", **h20) == "free"
    assert status("h20", "CN", "2025-04-09", hbm_bandwidth=3900e9, scale_up_bandwidth=449e9) == "free"


@pytest.mark.parametrize(
    ("chip", "memory", "expected", "duty"),
    [
        ("h200", 4800e9, "case_by_case", 0.25),
        ("mi325x", 6000e9, "case_by_case", 0.25),
        ("b30a", 4000e9, "denied", 0.0),
        ("b200", 8000e9, "denied", 0.0),
        ("h100", 3350e9, "case_by_case", 0.0),
        ("mi355x", 8000e9, "denied", 0.0),
    ],
)
def test_january_2026(chip: str, memory: float, expected: str, duty: float) -> None:
    assert status(chip, "CN", "2026-01-15", hbm_bandwidth=memory) == expected
    assert status(chip, "CN", "2026-01-14", hbm_bandwidth=memory) == "denied"
    assert status(chip, "RU", "2026-01-15", hbm_bandwidth=memory) == "denied"
    assert rules_stage(facts(chip, hbm_bandwidth=memory))["us_import_duty"] == duty
    assert rules_stage(facts(chip, hbm_bandwidth=memory, rule_date="2025-12-31"))["us_import_duty"] == 0


def test_nothing_was_controlled_before_october_2022() -> None:
    assert status("h100", "CN", "2022-10-06") == "free"


def test_a_chip_outside_us_rules_is_free() -> None:
    assert status("ascend-910c", "CN", "2025-06-01", export_regime="none") == "free"


def test_the_question_is_not_asked_without_a_buyer_or_a_regime() -> None:
    assert "export_status" not in rules_stage(facts("h100"))
    without = facts("h100", buyer_country="CN")
    del without["export_regime"]
    assert "export_status" not in rules_stage(without)


def test_missing_facts_leave_the_status_open_where_they_matter() -> None:
    assert status("h100", "CN", "2023-06-01") == ""
    assert status("mi210", "CN", "2024-06-01", die_area=np.nan) == ""
    assert status("mi210", "DE", "2024-06-01", die_area=np.nan) == "free"
    assert status("h100", "CN", "2024-06-01", die_area=np.nan) == "denied"
    assert status("h200", "CN", "2026-02-01") == ""


@pytest.mark.parametrize(
    ("performance", "density", "region"),
    [
        (4800, 0.1, "a.1"),
        (4799, 5.92, "a.2"),
        (1600, 5.92, "a.2"),
        (1599, 99, "free"),
        (2400, 1.6, "b.1"),
        (2400, 1.59, "free"),
        (2399, 3.2, "b.2"),
        (1600, 3.19, "free"),
    ],
)
def test_thresholds_of_3a090(performance: float, density: float, region: str) -> None:
    """At or above counts as reaching a threshold: 88 FR 73458."""
    chip = {"peak_fp8": performance / 8 * 1e12, "die_area": performance / density * MM2 * (1 - 1e-12)}
    assert rules_stage(chip)["export_region"] == region


def test_chips_as_an_array_give_what_each_gives() -> None:
    h100, mi210 = facts("h100"), facts("mi210")
    both = {
        "peak_fp8": np.asarray([h100["peak_fp8"], np.nan]),
        "peak_bf16": np.asarray([np.nan, mi210["peak_bf16"]]),
        "die_area": np.asarray([h100["die_area"], mi210["die_area"]]),
        "hbm_bandwidth": np.asarray([3350e9, 1600e9]),
    }
    metrics = rules_stage(both | {"export_regime": "us", "buyer_country": "CN", "rule_date": "2026-03-01"})
    assert metrics["export_status"].tolist() == ["case_by_case", "licence"]
    assert metrics["export_region"].tolist() == ["a.1", "b.1"]


def test_unknown_regime_is_refused() -> None:
    with pytest.raises(ModelInputError, match="mars"):
        rules_stage(facts("h100", buyer_country="CN", export_regime="mars"))


def test_countries_and_dates_lie_on_the_mesh_like_numbers() -> None:
    """One array call says for every country, date and link speed what a call for each of them alone says."""
    countries, dates = (
        ["CN", "RU", "AE", "DE", ""],
        ["2022-10-06", "2023-06-01", "2024-06-01", "2025-06-01", "2026-02-01"],
    )
    links = [199e9, 299e9, 450e9]
    for chip in ("h100", "h20", "mi210", "b200"):
        mesh = rules_stage(
            facts(
                chip,
                hbm_bandwidth=np.asarray(4100e9),
                buyer_country=np.asarray(countries).reshape(-1, 1, 1),
                rule_date=np.asarray(dates).reshape(1, -1, 1),
                scale_up_bandwidth=np.asarray(links).reshape(1, 1, -1),
            )
        )
        assert mesh["us_import_duty"].shape == (1, 5, 1)
        assert mesh["export_status"].shape == (5, 5, 3)
        for place in np.ndindex(5, 5, 3):
            alone = status(
                chip,
                countries[place[0]],
                dates[place[1]],
                hbm_bandwidth=4100e9,
                scale_up_bandwidth=links[place[2]],
            )
            assert mesh["export_status"][place] == alone


def test_an_unknown_country_leaves_the_status_open_once_there_are_rules() -> None:
    assert status("h100", "", "2024-06-01") == ""
    assert status("h100", "", "2022-01-01") == "free"
    assert status("ascend-910c", "", "2024-06-01", export_regime="none") == "free"


def test_a_date_before_2022_is_refused_even_among_others() -> None:
    """Rules older than that of October 2022 are not modelled, so nothing can be said."""
    with pytest.raises(ModelInputError, match="rule_date 2021-12-31 lies before 2022-01-01"):
        rules_stage(facts("h100", buyer_country="CN", rule_date=np.asarray(["2026-02-01", "2021-12-31"])))
