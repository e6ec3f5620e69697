"""The cheapest of several lines and where two such curves cross: against brute force, and in closed form."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweep.compare.lines import Curve, Lines, overlap, stretches
from sweep.compare.search import searched
from sweep.compare.side import Scale, straight

numbers = st.floats(0.1, 100).map(lambda value: round(value, 3))
slopes = st.floats(-3, 10).map(lambda value: round(value, 3))
line = st.tuples(numbers, slopes)
some = st.lists(line, min_size=1, max_size=6)
HIGH = 20.0


def curve(lines, **more):
    array = np.array(lines, dtype=float)
    return Curve(Lines(array[:, 0], array[:, 1]), np.ones(len(lines), dtype=bool), **more)


def heights(pieces, x):
    return [piece.start + piece.slope * x for piece in pieces if piece.low <= x <= piece.high]


@given(some, st.floats(0, HIGH))
def test_the_curve_is_the_lowest_of_its_lines_everywhere(lines, x):
    pieces = curve(lines).pieces(0.0, HIGH)
    assert pieces[0].low == 0
    assert pieces[-1].high == HIGH
    assert all(one.high == other.low for one, other in pairwise(pieces))
    lowest = min(start + slope * x for start, slope in lines)
    assert heights(pieces, x)[0] == pytest.approx(lowest, rel=1e-9, abs=1e-9)


@given(some, st.lists(line, min_size=6, max_size=6), st.floats(1, 50), st.floats(0, HIGH))
def test_only_lines_within_the_limit_stand(lines, limits, limit, x):
    bounds = np.array(limits[: len(lines)])
    limited = Lines(bounds[:, 0], bounds[:, 1])
    assume(np.abs(limited.at(x) - limit).min() > 1e-6)
    pieces = curve(lines, limited=limited, limit=limit).pieces(0.0, HIGH)
    within = [start + slope * x for (start, slope), top in zip(lines, limited.at(x), strict=True) if top <= limit]
    found = heights(pieces, x)
    assert bool(found) == bool(within)
    if within:
        assert min(found) == pytest.approx(min(within), rel=1e-9, abs=1e-9)


@given(some, some, st.floats(0, HIGH))
def test_who_is_below_is_who_is_lower(first, second, x):
    found = stretches(curve(first).pieces(0.0, HIGH), curve(second).pieces(0.0, HIGH))
    one, other = (min(start + slope * x for start, slope in lines) for lines in (first, second))
    assume(abs(one - other) > 1e-6 * max(abs(one), abs(other), 1))
    here = [each for each in found if each.low <= x <= each.high]
    assert {each.sign for each in here} == {1 if one > other else -1}


@given(some, some)
def test_at_every_crossing_both_curves_are_as_high(first, second):
    one, other = curve(first).pieces(0.0, math.inf), curve(second).pieces(0.0, math.inf)
    found = [each for each in stretches(one, other) if each.sign]
    for before, after in pairwise(found):
        if before.sign != after.sign and before.high == after.low and before.high < 1e6:
            x = before.high
            assert min(heights(one, x)) == pytest.approx(min(heights(other, x)), rel=1e-8, abs=1e-7 * (1 + x))


def test_two_crossings_are_both_found():
    """A line against the lower of two: |x - 5| mirrored, 10 - |x - 5| against 7 crosses at 2 and at 8."""
    found = stretches(curve([(5, 1), (15, -1)]).pieces(0.0, HIGH), curve([(7, 0)]).pieces(0.0, HIGH))
    assert [(each.low, each.high, each.sign) for each in found] == [(0, 2, -1), (2, 8, 1), (8, HIGH, -1)]


def test_the_fastest_stands_although_another_is_cheaper():
    taken = curve([(1, 0), (9, 0)], key=np.array([2.0, 1.0]))
    assert taken.pieces(0.0, HIGH)[0].start == 9


def test_a_gap_is_where_no_line_stands():
    """One line within the limit up to 4, another from 6 on."""
    limited = Lines(np.array([0.0, 16.0]), np.array([1.0, -2.0]))
    pieces = curve([(1, 1), (30, 1)], limited=limited, limit=4.0).pieces(0.0, HIGH)
    assert [(piece.low, piece.high) for piece in pieces] == [(0, 4), (6, HIGH)]


def test_equal_curves_are_level():
    pieces = curve([(3, 1), (5, 0.5)]).pieces(0.0, HIGH)
    assert {each.sign for each in stretches(pieces, pieces)} == {0}


def test_overlap_joins_what_touches():
    assert overlap([(0, 2), (3, 5)], [(1, 4), (4, 9)]) == [(1, 2), (3, 5)]


@given(numbers, slopes)
def test_lines_are_read_off_their_heights(start, slope):
    along = np.array([1.0, 2.0, 4.0, 7.0])
    found = straight(along, (start + slope * along)[:, None], np.array([True]))
    assert found is not None
    assert found.start[0] + found.slope[0] * 1000 == pytest.approx(start + slope * 1000, rel=1e-9, abs=1e-9)


def test_a_bent_curve_is_no_line():
    along = np.array([1.0, 2.0, 4.0, 7.0])
    assert straight(along, (along**2)[:, None], np.array([True])) is None
    assert straight(along, (along**2)[:, None], np.array([False])) is not None


@given(st.floats(0.001, 1e6))
def test_a_scale_undoes_itself(value):
    for scale in (Scale(reciprocal=False), Scale(reciprocal=True)):
        assert scale.of(scale.of(value)) == pytest.approx(value, rel=1e-12)
    assert Scale(reciprocal=True).span(0.0, 1.0) == (1.0, math.inf)


@given(st.floats(0.3, 400))
def test_the_search_finds_a_root_to_the_last_digit(root):
    found = searched(lambda x: np.log((x**2 + 1) / (root**2 + 1)), (0.0, math.inf), 1.0, 0.1)
    ((low, high, below, above),) = found.changes
    assert (below, above) == (-1, 1)
    assert low == high == pytest.approx(root, rel=1e-12)
    ((start, stop),) = found.undecided
    assert stop**2 + 1 == pytest.approx((root**2 + 1) * np.exp(0.1), rel=1e-9)
    assert start**2 + 1 == pytest.approx(max((root**2 + 1) * np.exp(-0.1), 1), rel=1e-9)


def test_the_search_reports_what_is_not_known_between_two_signs():
    found = searched(lambda x: np.where(x < 3, -1.0, np.where(x > 7, 1.0, np.nan)), (0.0, 10.0), 1.0, 0.0)
    ((low, high, _, _),) = found.changes
    assert 2.7 < low <= 3
    assert 7 <= high < 7.3


def test_the_search_says_who_is_lower_without_a_root():
    found = searched(lambda x: -np.ones_like(x), (0.0, math.inf), 1.0, 0.0)
    assert (found.changes, found.sign, found.level) == ((), -1, False)
    assert searched(np.zeros_like, (0.0, 1.0), 1.0, 0.0).level
