import itertools
import math
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.expressions import TEXT, compile_expression
from sweep.space import Block, Choice, Range, Space, count_rows, linear_axis, list_axis, sample_axis, zip_axis
from sweep.space.counting import wilson

UNITS = {"a": "", "b": "", "c": "", "d": "", "ab": "", "size": "", "chips": "", "system": TEXT, "k": ""}
SIZES = {"big": 384, "small": 8}


class Quantities:
    """A catalogue of one fact (``size`` of a system) and two derived inputs."""

    sources: ClassVar = {"ab": {"a", "b"}, "size": {"system"}, "chips": {"system", "a"}}

    def axes_of(self, name, axis_names):
        return self.sources.get(name, {name}) & set(axis_names)

    def resolve(self, names, values):
        known = dict(values)
        if "system" in values:
            known["size"] = np.vectorize(SIZES.get)(values["system"])
            known["chips"] = known["size"] * known.get("a", 1)
        if {"a", "b"} <= values.keys():
            known["ab"] = values["a"] + values["b"]
        return {name: known[name] for name in names}


def counted(space, *where, **options):
    return count_rows(space, [compile_expression(text, UNITS) for text in where], Quantities(), **options)


def listed(space, text):
    """Count by listing every design: what the count must equal."""
    expression = compile_expression(text, UNITS)
    passed = 0
    for design_id in range(space.size):
        design = space.design(design_id)
        passed += bool(expression.evaluate(Quantities().resolve(expression.names, design)))
    return passed


CONDITIONS = [
    "a < b",
    "a < 3",
    "b >= 2",
    "c != 1 or d > 2",
    "ab <= 5",
    "c in [0, 2]",
    "1 < d < 4",
    "chips > 20",
    "system == 'big'",
    "k == 1",
    "size > 100 or c > d",
]


@given(
    st.lists(st.integers(1, 5), min_size=4, max_size=4),
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=4),
    st.integers(0, 1),
)
def test_the_exact_count_is_that_of_listing_every_design(sizes, conditions, k):
    axes = [list_axis("system", ["big", "small"])]
    axes += [list_axis(name, range(size)) for name, size in zip("abcd", sizes, strict=True)]
    pair = zip_axis({"a": [1, 2, 3], "b": [3, 2, 1]})
    rest = (list_axis("c", [1, 2]), linear_axis("d", 0, 4, 5), list_axis("system", ["small"]))
    space = Space.of([Block(tuple(axes), {"k": k}), Block((pair, *rest), {"k": 1})])
    count = counted(space, " and ".join(f"({text})" for text in conditions))
    expected = listed(space, " and ".join(f"({text})" for text in conditions))
    assert (count.value, count.low, count.high, count.exact) == (expected, expected, expected, True)


def test_no_condition_keeps_everything():
    space = Space.of([Block((linear_axis("a", 0, 1, 10**9), linear_axis("b", 0, 1, 10**9)))])
    assert counted(space).value == 10**18


def test_a_trillion_designs_are_counted_exactly_when_conditions_separate():
    axes = tuple(list_axis(f"x{place}", range(10)) for place in range(8))
    axes += (list_axis("a", range(100)), list_axis("b", range(100)))
    count = counted(Space.of([Block(axes, {"k": 1})]), "a < b", "k == 1")
    assert (count.value, count.exact) == (10**8 * (100 * 99 // 2), True)


def test_groups_over_tiles_are_counted_in_full():
    space = Space.of([Block((linear_axis("a", 0, 999, 1000), linear_axis("b", 0, 999, 1000), list_axis("c", [1, 2])))])
    count = counted(space, "a < b")
    assert (count.value, count.exact) == (2 * 1000 * 999 // 2, True)


def test_too_large_a_group_is_estimated_and_says_so():
    side = 10**6
    space = Space.of([Block((linear_axis("a", 0, 1, side), linear_axis("b", 0, 1, side), list_axis("c", range(4))))])
    count = counted(space, "a < b", "c < 3")
    truth = 3 * side * (side - 1) // 2
    assert not count.exact
    assert count.low < truth < count.high
    assert count.low <= count.value <= count.high
    assert (count.high - count.low) / (4 * side**2) < 0.015  # 3/4 of 2 x 1.96 x sqrt(0.25 / 20 000)
    assert counted(space, "a < b", "c < 3") == count
    assert counted(space, "a < b", "c < 3", seed=1) != count


def test_an_impossible_exact_part_makes_the_count_exact():
    space = Space.of([Block((linear_axis("a", 0, 1, 10**6), linear_axis("b", 0, 1, 10**6), list_axis("c", [1, 2])))])
    count = counted(space, "a < b", "c > 2")
    assert (count.value, count.exact) == (0, True)


def test_nothing_seen_is_not_taken_for_nothing():
    space = Space.of([Block((linear_axis("a", 0, 1, 10**6), linear_axis("b", 0, 1, 10**6)))])
    count = counted(space, "a + b > 1.9999")
    assert count.low <= 5e-9 * 10**12 < count.high  # the triangle beyond 1.9999 is 5e-9 of the square


@pytest.mark.parametrize("points", [1000, 3_000_000])
def test_sampled_quantities_are_counted_over_their_points(points):
    sample = sample_axis({"a": Range(0.0, 1.0), "system": Choice(("big", "small"))}, points, "random", 4)
    space = Space.of([Block((sample, linear_axis("b", 0, 1, 1001)))])
    count = counted(space, "a < 0.25 and system == 'big' or b > 2")
    small, big = sample.values("a", 0, points) < 0.25, sample.values("system", 0, points) == "big"
    truth = 1001 * int(np.count_nonzero(small & big))
    assert count.exact == (points == 1000)
    assert count.low <= truth <= count.high


def test_a_condition_without_axes_is_all_or_nothing():
    space = Space.of([Block((list_axis("a", range(5)),), {"k": 1}), Block((list_axis("a", range(7)),), {"k": 2})])
    assert counted(space, "k == 2").value == 7


def test_wilson_interval_matches_the_published_example():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81/263 and 15/148 and 0/20 and 1/29.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (passed, seen), expected in published.items():
        assert wilson(passed, seen, 0.95) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 10**6), st.floats(0.5, 0.999))
def test_wilson_intervals_are_inside_and_hold_the_share(seen, confidence):
    for passed in {0, 1, seen // 2, seen}:
        low, high = wilson(passed, seen, confidence)
        assert 0.0 <= low <= passed / seen <= high <= 1.0
        assert high - low > 0.0


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    # Two sampled groups: each interval is widened so that both hold with 95 %. Of 40 seeds 38 are expected; 33 or
    # fewer has a probability below 0.5 % if the promise is kept.
    axes = tuple(linear_axis(name, 0, 1, 10_000) for name in "abcd")
    space = Space.of([Block(axes)])
    truth = (10_000 * 9_999 // 2) ** 2
    hits = sum(
        count.low <= truth <= count.high
        for count in (counted(space, "a < b", "c < d", seed=seed) for seed in range(40))
    )
    assert hits >= 34


def test_the_same_axis_joins_conditions_through_others():
    axes = tuple(list_axis(name, range(6)) for name in "abc")
    count = counted(Space.of([Block(axes)]), "a < b", "b < c")
    assert count.value == len(list(itertools.combinations(range(6), 3))) == math.comb(6, 3)
