"""Every worked example that the formulas of the model are checked against has its own test, named by its number."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import test_worked_examples_machine
import test_worked_examples_money
import test_worked_examples_rules

EXAMPLES = (
    *(f"1{letter}" for letter in "abcdefg"),
    *("2a", "2b", "3", "4a", "4b"),
    *(f"5{letter}" for letter in "abcde"),
    *(f"6{letter}" for letter in "abcd"),
    *(f"7{letter}" for letter in "abcdefgh"),
    *(f"8{letter}" for letter in "abcdefgh"),
    *(f"9{letter}" for letter in "abcdefg"),
    "10",
)
"""Sections 1-3: capital and total cost; 4-5: runs and tokens; 6: power; 7: failures; 8: rules; 9: chips; 10: networks.

"""
LEFT_OUT = {
    "4c": "prints 2,864,192.46 USD for PaLM and 28,309,604.04 for Gemini Ultra: no chip-hours, power, price or value of"
    " a chip that they come from, so a test could only compare the totals with themselves",
}
"""Published examples that no formula can be checked against, and why."""


def test_every_worked_example_has_a_test_of_its_number() -> None:
    modules = (test_worked_examples_machine, test_worked_examples_money, test_worked_examples_rules)
    names = [name for module in modules for name, _ in inspect.getmembers(module, inspect.isfunction)]
    found = {match[1] for name in names if (match := re.match(r"test_(\d+[a-h]?)_", name))}
    assert found == set(EXAMPLES)


def test_the_count_that_is_claimed_is_that_of_the_tests() -> None:
    claim = f"{len(EXAMPLES)} of the {len(EXAMPLES) + len(LEFT_OUT)} published worked examples"
    changelog = Path(__file__).parents[2] / "CHANGELOG.md"
    assert claim in " ".join(changelog.read_text(encoding="utf-8").split())
