"""Codes of countries: those that exist, those that are often written for them, and those of the export rules."""

from __future__ import annotations

import pytest

from models.export_control import ARMS_EMBARGO, CHINA, CONCERN
from sweep.countries import COUNTRIES, country_fault


def test_there_are_249_and_the_rules_name_no_other() -> None:
    assert len(COUNTRIES - {"EU"}) == 249
    assert ARMS_EMBARGO | CHINA | CONCERN <= COUNTRIES


@pytest.mark.parametrize(
    ("code", "words"),
    [("UK", "is GB"), ("XX", "no country"), ("cn", "two capital"), ("CHN", "two capital")],
)
def test_a_code_of_no_country_is_one_sentence(code: str, words: str) -> None:
    assert words in country_fault(code)
    assert "\n" not in country_fault(code)


def test_a_country_is_no_fault() -> None:
    assert country_fault("CN") == country_fault("GB") == ""
