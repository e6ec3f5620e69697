"""Chips as the export rules see them, and what the rules say of one of them."""

from __future__ import annotations

from typing import Any

from models.export_control import rules_stage

MM2 = 1e-6
# chip: dense TOPS, precision, die area [mm2], TPP, PD, region (s-w-kelly/chip-export-controls at d813a66; the two
# Ascend rows are computed from press figures; Ascend dies as in the rule, US origin or not).
CHIPS: dict[str, tuple[float, str, float, float, float, str]] = {
    "a100": (312, "bf16", 826, 4992, 6.04, "a.1"),
    "a800": (312, "bf16", 826, 4992, 6.04, "a.1"),
    "h100": (1979, "fp8", 814, 15832, 19.45, "a.1"),
    "h800": (1979, "fp8", 814, 15832, 19.45, "a.1"),
    "h200": (1979, "fp8", 814, 15832, 19.45, "a.1"),
    "h200-nvl": (1670.5, "fp8", 814, 13364, 16.42, "a.1"),
    "h20": (296, "fp8", 814, 2368, 2.91, "free"),
    "b200": (9000, "fp4", 1628, 36000, 22.11, "a.1"),
    "b300": (14000, "fp4", 1628, 56000, 34.4, "a.1"),
    "b30a": (7000, "fp4", 814, 28000, 34.4, "a.1"),
    "rubin": (35000, "fp4", 1628, 140000, 86.0, "a.1"),
    "mi300x": (2614.9, "fp8", 1017, 20919, 20.57, "a.1"),
    "mi325x": (2614.9, "fp8", 1017, 20919, 20.57, "a.1"),
    "mi355x": (5033.2, "fp8", 1017, 40265, 39.59, "a.1"),
    "mi250x": (383, "bf16", 1580, 6128, 3.88, "a.1"),
    "mi210": (181, "bf16", 790, 2896, 3.67, "b.1"),
    "ascend-910b": (320, "fp16", 665.61, 5120, 7.69, "a.1"),
    "ascend-910c": (752, "fp16", 1331.22, 12032, 9.04, "a.1"),
}


def facts(chip: str, **others: Any) -> dict[str, Any]:
    tops, precision, area, *_ = CHIPS[chip]
    return {f"peak_{precision}": tops * 1e12, "die_area": area * MM2, "export_regime": "us"} | others


def status(chip: str, country: str, date: str, **others: Any) -> str:
    return str(rules_stage(facts(chip, buyer_country=country, rule_date=date, **others))["export_status"])
