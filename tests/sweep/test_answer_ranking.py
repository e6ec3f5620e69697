"""Many systems ranked under one basis, from verdicts written down by hand."""

from __future__ import annotations

import math

import pytest

from sweep.answer.equal_basis import Comparison
from sweep.answer.ranking import overview
from sweep.answer.verdict import Verdict
from sweep.study.study import Objective

CHEAPEST = Comparison("llama", None, Objective("cost_to_train", "minimize"))
FASTEST = Comparison("llama", None, Objective("tokens_per_second", "maximize"))


def verdict(comparison: Comparison, other: str, goals: tuple[float, float], better=(0.0, 0.0), alone=(0.0, 0.0)):
    undecided = 1 - sum(better) - sum(alone)
    return Verdict(comparison, ("a", other), 0.1, 40, 0, better, alone, undecided, goals, ())


def test_the_cheapest_comes_first_and_the_others_follow_by_their_ratio():
    said = overview(CHEAPEST, [verdict(CHEAPEST, "b", (30.0, 20.0)), verdict(CHEAPEST, "c", (30.0, 50.0))])
    assert said.sentence == (
        "llama, cost to train, nominal scenario: b is cheapest at 20 MUSD, a has 1.50 times that, "
        "c has 2.50 times that."
    )


def test_the_fastest_has_the_most_tokens():
    said = overview(FASTEST, [verdict(FASTEST, "b", (30.0, 60.0)), verdict(FASTEST, "c", (30.0, 15.0))])
    assert "b is fastest at 60 token/s, a has 0.50 times that, c has 0.25 times that." in said.sentence


@pytest.mark.parametrize(
    ("goals", "said"),
    [
        ((math.nan, math.nan), "no system has a design."),
        ((math.nan, 2.0), "b is cheapest at 2 MUSD; a has no design."),
        ((2.0, math.nan), "a is cheapest at 2 MUSD; b has no design."),
    ],
)
def test_who_has_no_design_is_named(goals, said):
    assert overview(CHEAPEST, [verdict(CHEAPEST, "b", goals)]).sentence.endswith(said)


def test_shares_are_of_the_system_in_the_row():
    found = overview(CHEAPEST, [verdict(CHEAPEST, "b", (1.0, 2.0), better=(0.25, 0.5), alone=(0.0, 0.125))])
    assert found.table.rows == [("b", "50 %", "25 %", "12 %", "12 %", "0 %", "40")]
