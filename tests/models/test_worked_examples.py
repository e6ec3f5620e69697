"""Every worked example that the formulas of the model are checked against has its own test, named by its number."""

from __future__ import annotations

import inspect
import re

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

4c is left out: its source prints the totals of PaLM and Gemini Ultra, and nothing that they come from.
"""


def test_every_worked_example_has_a_test_of_its_number() -> None:
    modules = (test_worked_examples_machine, test_worked_examples_money, test_worked_examples_rules)
    names = [name for module in modules for name, _ in inspect.getmembers(module, inspect.isfunction)]
    found = {match[1] for name in names if (match := re.match(r"test_(\d+[a-h]?)_", name))}
    assert found == set(EXAMPLES)
