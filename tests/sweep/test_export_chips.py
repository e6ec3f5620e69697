"""Chips of the catalogue under the export rules, against the published list (s-w-kelly/chip-export-controls)."""

from __future__ import annotations

import numpy as np
import pytest

from models.export_control import rules_stage
from sweep.catalogue import Catalogue

CATALOGUE = Catalogue.load()

# system that sells the chip: TPP, performance density, paragraph of October 2023; 910B and 910C by Huawei's own peaks
LISTED = {
    "dgx-a100": (4992, 6.04, "a.1"),
    "dgx-h100": (15832, 19.45, "a.1"),
    "hgx-h800": (15832, 19.45, "a.1"),
    "dgx-h200": (15832, 19.45, "a.1"),
    "hgx-h20": (2368, 2.91, "free"),
    "dgx-b200": (36000, 22.11, "a.1"),
    "mi300x-node": (20919, 20.57, "a.1"),
    "mi325x-node": (20919, 20.57, "a.1"),
    "mi355x-node": (40265, 39.59, "a.1"),
    "mi250x-node": (6128, 3.88, "a.1"),
    "atlas-800t-a2": (6016, 9.04, "a.1"),
    "cloudmatrix384": (12032, 9.04, "a.1"),
}


@pytest.mark.parametrize("system", sorted(LISTED))
def test_catalogue_facts_put_the_chip_where_the_list_has_it(system: str) -> None:
    facts = CATALOGUE.facts(system)
    known = {name: fact.value for name, fact in facts.items() if fact.value is not None}
    numbers = {name: np.asarray(float(value)) for name, value in known.items() if isinstance(value, int | float)}
    found = rules_stage(numbers)
    performance, density, paragraph = LISTED[system]
    assert found["total_processing_performance"] == pytest.approx(performance, rel=1e-4)
    assert found["performance_density"] * 1e-6 == pytest.approx(density, rel=2e-3)
    assert found["export_region"] == paragraph


SYSTEMS_WITH_FP4 = [
    name
    for name in CATALOGUE.names("systems")
    if (fact := CATALOGUE.facts(name).get("peak_fp4")) is not None and fact.value is not None
]


@pytest.mark.parametrize("system", SYSTEMS_WITH_FP4)
def test_no_status_depends_on_the_peak_at_six_bits_that_is_not_known(system: str) -> None:
    """At most FP6 runs at the rate of FP4: a TPP as if FP4 counted with six bits."""
    facts = {name: fact.value for name, fact in CATALOGUE.facts(system).items() if fact.value is not None}
    known = {name: np.asarray(float(value)) for name, value in facts.items() if isinstance(value, int | float)}
    regime = {"export_regime": facts["export_regime"]}
    for country in ("CN", "AE", "RU", "US"):
        for date in ("2022-10-07", "2023-11-17", "2025-04-09", "2026-01-15"):
            asked = known | regime | {"buyer_country": country, "rule_date": date}
            usual, faster = rules_stage(asked), rules_stage(asked | {"peak_fp4": known["peak_fp4"] * 6 / 4})
            assert faster["export_status"] == usual["export_status"], (country, date)
            np.testing.assert_array_equal(faster["us_import_duty"], usual["us_import_duty"])


def test_the_chip_that_is_said_to_run_six_bits_at_the_rate_of_four_is_among_them() -> None:
    assert {"mi355x-node", "gb200-nvl72"} <= set(SYSTEMS_WITH_FP4)
