"""The sixteen chips of the published list at the four rule dates, for a buyer in China.

TPP and performance density: s-w-kelly/chip-export-controls at d813a66. Interconnect (both directions together) and
memory bandwidth [GB/s]: data sheets; of B30A, which was never sold, press. Status worked out by hand from the rules:
October 2022 denies TPP >= 4800 with interconnect >= 600; October 2023 denies regions a and licenses regions b; the
letter of April 2025 licenses 4,000 GB/s of memory or 900 GB/s of interconnect; January 2026 reviews TPP < 21,000 with
memory < 6,500 GB/s case by case.
"""

from __future__ import annotations

import numpy as np
import pytest

from models.export_control import rules_stage

DATES = ("2022-10-07", "2023-11-17", "2025-04-09", "2026-01-15")
FREE, LICENCE, CASE, DENIED = "free", "licence", "case_by_case", "denied"

# chip: TPP, density, interconnect, memory, paragraph of October 2023, status at the four dates
CHIPS = {
    "A100 SXM": (4992, 6.04, 600, 2039, "a.1", (DENIED, DENIED, DENIED, CASE)),
    "A800": (4992, 6.04, 400, 2039, "a.1", (FREE, DENIED, DENIED, CASE)),
    "H100 SXM": (15832, 19.45, 900, 3350, "a.1", (DENIED, DENIED, DENIED, CASE)),
    "H800 SXM": (15832, 19.45, 400, 3350, "a.1", (FREE, DENIED, DENIED, CASE)),
    "H200 SXM": (15832, 19.45, 900, 4800, "a.1", (DENIED, DENIED, DENIED, CASE)),
    "H200 NVL": (13364, 16.42, 900, 4800, "a.1", (DENIED, DENIED, DENIED, CASE)),
    "H20": (2368, 2.91, 900, 4000, "free", (FREE, FREE, LICENCE, LICENCE)),
    "B200": (36000, 22.11, 1800, 8000, "a.1", (DENIED, DENIED, DENIED, DENIED)),
    "B300": (56000, 34.4, 1800, 8000, "a.1", (DENIED, DENIED, DENIED, DENIED)),
    "B30A": (28000, 34.4, 900, 4000, "a.1", (DENIED, DENIED, DENIED, DENIED)),
    "Rubin": (140000, 86.0, 3600, 22000, "a.1", (DENIED, DENIED, DENIED, DENIED)),
    "MI300X": (20919, 20.57, 896, 5300, "a.1", (DENIED, DENIED, DENIED, CASE)),
    "MI325X": (20919, 20.57, 896, 6000, "a.1", (DENIED, DENIED, DENIED, CASE)),
    "MI355X": (40265, 39.59, 1075, 8000, "a.1", (DENIED, DENIED, DENIED, DENIED)),
    "MI250X": (6128, 3.88, 800, 3277, "a.1", (DENIED, DENIED, DENIED, CASE)),
    "MI210": (2896, 3.67, 300, 1638, "b.1", (FREE, LICENCE, LICENCE, LICENCE)),
}


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_paragraph_and_status_at_the_four_dates(chip: str) -> None:
    performance, density, interconnect, memory, paragraph, statuses = CHIPS[chip]
    found = rules_stage(
        {
            "peak_fp8": performance / 8 * 1e12,
            "die_area": performance / density * 1e-6,
            "scale_up_bandwidth": interconnect / 2 * 1e9,
            "hbm_bandwidth": memory * 1e9,
            "export_regime": "us",
            "buyer_country": "CN",
            "rule_date": np.asarray(DATES),
        }
    )
    assert found["export_region"] == paragraph
    assert tuple(found["export_status"].tolist()) == statuses


def test_sixteen_chips_are_listed() -> None:
    assert len(CHIPS) == 16
