"""Counts against listing every design, on spaces put together by hand; the axes are five plain numbers and the system.

``a b c d k`` below stand for quantities that no catalogue fact depends on, ``size`` is a fact of the system.
"""

import itertools
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_files import catalogue, load_text

from sweep.counting import count_rows, wilson
from sweep.expressions import compile_expression
from sweep.inputs import inputs_with_origins
from sweep.space import Block, Choice, Range, Space, linear_axis, list_axis, sample_axis, zip_axis
from sweep.study.conditions import quantity_units

NAMES = {
    "a": "wacc",
    "b": "utilisation",
    "c": "staff_multiplier",
    "d": "import_tariff",
    "k": "residual_fraction",
    "size": "scale_up_size",
}
A, B, C, D, K = (NAMES[letter] for letter in "abcdk")
BASE = f"""\
study: base
workload: {{train: llama-3.1-405b, tokens: 1e12, global_batch: 2048, sequence: 8192, precision: bf16}}
levers: {{system: cloudmatrix384}}
derive: {{ab: {A} + {B}, chips: {A} * scale_up_size}}
"""
FIXED = {"system": "cloudmatrix384", "workload": "llama-3.1-405b", "region": "own", "phase": "train"}


@cache
def base():
    with TemporaryDirectory() as folder:
        return load_text(Path(folder), BASE)


def study(blocks, *where, seed=0):
    """Return the base study with other axes; the letters of the conditions become names."""
    units = quantity_units() | {"ab": "", "chips": ""}
    texts = [re.sub(r"\b(a|b|c|d|k|size)\b", lambda found: NAMES[found[0]], text) for text in where]
    full = []
    for block in blocks:
        given_names = set(block.names) | set(block.constants)
        rest = {name: value for name, value in FIXED.items() if name not in given_names}
        full.append(replace(block, constants=dict(block.constants) | rest))
    conditions = tuple(compile_expression(text, units) for text in texts)
    return replace(base(), space=Space.of(full), where=conditions, seed=seed)


def counted(blocks, *where, seed=0):
    return count_rows(study(blocks, *where, seed=seed), catalogue())


def listed(blocks, *where):
    """Count by looking at every design: what the count must equal."""
    asked = study(blocks, *where)
    found = 0
    for number in range(asked.space.size):
        values = inputs_with_origins(asked, catalogue(), asked.space.design(number), {}).values
        found += all(bool(condition.evaluate(values)) for condition in asked.where)
    return found


CONDITIONS = [
    "a < b",
    "a < 3",
    "b >= 2",
    "c != 1 or d > 2",
    "ab <= 5",
    "c in [0, 2]",
    "1 < d < 4",
    "chips > 200",
    "system == 'cloudmatrix384'",
    "k == 1",
    "size > 100 or c > d",
]


@given(
    st.lists(st.integers(1, 4), min_size=4, max_size=4),
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=4),
    st.integers(0, 1),
)
def test_the_exact_count_is_that_of_listing_every_design(sizes, conditions, k):
    system = list_axis("system", ["cloudmatrix384", "gb200-nvl72"])
    axes = [list_axis(name, range(size)) for name, size in zip((A, B, C, D), sizes, strict=True)]
    pair = zip_axis({A: [1, 2, 3], B: [3, 2, 1]})
    rest = (list_axis(C, [1, 2]), linear_axis(D, 0, 4, 5), list_axis("system", ["gb200-nvl72"]))
    blocks = [Block((*axes, system), {K: k}), Block((pair, *rest), {K: 1})]
    text = " and ".join(f"({condition})" for condition in conditions)
    count = counted(blocks, text)
    assert count.exact
    assert count.rows == count.low == count.high == listed(blocks, text)


def test_no_condition_keeps_everything():
    assert counted([Block((linear_axis(A, 0, 1, 10**9), linear_axis(B, 0, 1, 10**9)))]).rows == 10**18


def test_a_trillion_designs_are_counted_exactly_when_conditions_separate():
    free = tuple(list_axis(f"x{place}", range(10)) for place in range(8))
    count = counted([Block((*free, list_axis(A, range(100)), list_axis(B, range(100))), {K: 1})], "a < b", "k == 1")
    assert (count.rows, count.exact) == (10**8 * (100 * 99 // 2), True)


def test_a_group_of_many_tiles_is_counted_in_full():
    axes = (linear_axis(A, 0, 999, 1000), linear_axis(B, 0, 999, 1000), list_axis(C, [1, 2]))
    assert counted([Block(axes)], "a < b").rows == 2 * 1000 * 999 // 2


def test_counts_of_structural_quantities_are_looked_at_together():
    domains = linear_axis("domains", 1, 2000, 2000, whole=True)
    block = Block((list_axis("system", ["cloudmatrix384", "gb200-nvl72"]), domains, list_axis(C, [1, 2])))
    assert counted([block], "domains * size <= 16384").rows == 2 * (16384 // 384 + 16384 // 72)


def test_too_large_a_group_is_estimated_and_says_so():
    side = 10**6
    blocks = [Block((linear_axis(A, 0, 1, side), linear_axis(B, 0, 1, side), list_axis(C, range(4))))]
    count = counted(blocks, "a < b", "c < 3")
    assert not count.exact
    assert count.low < 3 * side * (side - 1) // 2 < count.high
    assert count.low <= count.rows <= count.high
    assert (count.high - count.low) / (4 * side**2) < 0.015  # 3/4 of 2 x 1.96 x sqrt(0.25 / 20 000)
    assert counted(blocks, "a < b", "c < 3") == count
    assert counted(blocks, "a < b", "c < 3", seed=1) != count


def test_an_impossible_exact_part_makes_the_count_exact():
    blocks = [Block((linear_axis(A, 0, 1, 10**6), linear_axis(B, 0, 1, 10**6), list_axis(C, [1, 2])))]
    count = counted(blocks, "a < b", "c > 2")
    assert (count.rows, count.exact) == (0, True)


def test_nothing_seen_is_not_taken_for_nothing():
    axes = tuple(linear_axis(name, 0, 1, 30_000) for name in (A, B, C, D))
    count = counted([Block(axes)], "a + b > 1.9999")
    assert count.low <= 5e-9 * 30_000**4 < count.high  # the triangle beyond 1.9999 is 5e-9 of the square
    twice = counted([Block(axes)], "a + b > 1.9999", "c + d > 1.9999")
    assert (twice.low, twice.exact) == (0, False)


@pytest.mark.parametrize("points", [1000, 3_000_000])
@pytest.mark.parametrize("method", ["random", "sobol"])
def test_sampled_quantities_are_counted_over_their_points(points, method):
    sample = sample_axis({A: Range(0.0, 1.0), C: Choice((1, 2))}, points, method, 4)
    count = counted([Block((sample, linear_axis(B, 0, 1, 1001)))], "a < 0.25 and c == 2 or b > 2")
    passing = (sample.values(A, 0, points) < 0.25) & (sample.values(C, 0, points) == 2)
    assert count.exact == (points == 1000)
    assert count.low <= 1001 * int(np.count_nonzero(passing)) <= count.high


def test_a_condition_without_axes_is_all_or_nothing():
    blocks = [Block((list_axis(A, range(5)),), {K: 1}), Block((list_axis(A, range(7)),), {K: 2})]
    assert counted(blocks, "k == 2").rows == 7


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


def hits(blocks, truth, *where):
    counts = (counted(blocks, *where, seed=seed) for seed in range(40))
    return sum(count.low <= truth <= count.high for count in counts)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    # Of 40 intervals of 95 % 38 are expected; 33 or fewer have a probability below 0.5 %.
    half = 10_000 * 9_999 // 2
    axes = tuple(linear_axis(name, 0, 1, 10_000) for name in (A, B, C, D))
    assert hits([Block(axes)], half**2, "a < b", "c < d") >= 34  # a product of two samples
    parts = [Block(axes[:2], {K: k}) for k in (1, 2)]
    assert hits(parts, 2 * half, "a < b") >= 34  # a sum: blocks draw apart from each other


def test_intervals_that_draw_places_too_are_wide_enough():
    # 35 systems and 29 regions are too many to look at each; of all pairs a share depends on the system alone
    systems, regions = catalogue().names("systems"), catalogue().names("regions")
    axes = (list_axis("system", systems), list_axis("region", regions), linear_axis(A, 0, 1, 100))
    sizes = [catalogue().facts(system, FIXED["workload"], "own")["scale_up_size"].value for system in systems]
    truth = len(regions) * 100 * sum(size > 50 for size in sizes)
    count = counted([Block(axes)], "size > 50")
    assert not count.exact
    assert count.low <= truth <= count.high < math.prod(axis.size for axis in axes)


def test_the_same_axis_joins_conditions_through_others():
    axes = tuple(list_axis(name, range(6)) for name in (A, B, C))
    count = counted([Block(axes)], "a < b", "b < c")
    assert count.rows == len(list(itertools.combinations(range(6), 3))) == math.comb(6, 3)
