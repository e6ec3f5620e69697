"""The crossing of two curves: straight lines have it in closed form, steps between two values of the sweep."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweep.answer.break_even import BreakEven, break_even, undecided

SWEEP = np.linspace(0.02, 0.20, 10)
costs = st.floats(0.1, 100)
slopes = st.floats(-50, 50)


def lines(a, b, c, d):
    return a + b * SWEEP, c + d * SWEEP


@given(costs, slopes, costs, slopes)
def test_two_lines_are_equal_at_the_break_even(a, b, c, d):
    assume(abs(b - d) > 1e-3)
    crossing = (c - a) / (b - d)
    assume(abs(crossing) < 1e3 and min(abs(crossing - edge) for edge in (0, SWEEP[0], SWEEP[-1])) > 1e-9)
    found = break_even(SWEEP, *lines(a, b, c, d))
    if crossing < 0:
        assert found.kind == "never"
        return
    assume(abs(b - d) * 0.02 > 1e-6 * (a + c))
    assert found.kind == ("inside" if SWEEP[0] <= crossing <= SWEEP[-1] else "extrapolated")
    assert found.low == found.high
    assert a + b * found.low == pytest.approx(c + d * found.low, rel=1e-9, abs=1e-9 * (abs(b) + abs(d) + 1))
    assert found.low == pytest.approx(crossing, rel=1e-7, abs=1e-9)
    assert (found.below, found.above) == ((0, 1) if b > d else (1, 0))


@pytest.mark.parametrize(("most", "kind"), [(0.5, "extrapolated"), (0.41, "extrapolated"), (0.39, "never")])
def test_no_line_is_continued_beyond_the_largest_value_that_an_input_may_have(most, kind):
    assert break_even(SWEEP, 1.0 - SWEEP, 0.2 + SWEEP, most=most).kind == kind


@given(costs, slopes, st.floats(0.1, 10))
def test_parallel_lines_never_cross_and_the_lower_is_named(a, b, gap):
    assert break_even(SWEEP, a + b * SWEEP, a + gap + b * SWEEP) == BreakEven("never", below=0, above=0)


@given(costs, slopes, costs, slopes)
def test_exchanging_the_systems_exchanges_the_names_only(a, b, c, d):
    one, other = break_even(SWEEP, *lines(a, b, c, d)), break_even(SWEEP, *lines(c, d, a, b))
    assert (one.kind, one.crossings) == (other.kind, other.crossings)
    if one.low is not None:
        assert one.low == pytest.approx(other.low, rel=1e-12)
        assert (one.below, one.above) == (1 - other.below, 1 - other.above)


def test_steps_cross_between_two_values_and_are_never_continued():
    first, second = np.array([5.0, 5, 3, 3]), np.array([4.0, 4, 4, 4])
    x = np.array([1.0, 2, 3, 4])
    assert break_even(x, first, second, affine=False) == BreakEven("between", 2, 3, 1, 0, 1)
    assert break_even(x, np.array([9.0, 8, 7, 6]), second, affine=False).kind == "never"
    assert break_even(x, np.array([9.0, 8, 7, 6]), second).low == pytest.approx(6)


def test_values_without_a_design_are_left_out():
    x = np.array([1.0, 2, 3, 4])
    second = np.full(4, 2.5)
    assert break_even(x, np.array([np.nan, 2, 3, 4]), second).low == pytest.approx(2.5)
    assert break_even(x, np.array([np.nan, np.nan, np.nan, 4]), second).kind == "unknown"
    assert break_even(x, np.full(4, np.nan), second).kind == "unknown"


def test_equal_curves_and_curves_that_touch():
    x = np.array([1.0, 2, 3])
    assert break_even(x, x, x).kind == "equal"
    touching = break_even(x, np.array([1.0, 0, 1]), np.zeros(3))
    assert (touching.kind, touching.below) == ("never", 1)
    through = break_even(x, np.array([-1.0, 0, 1]), np.zeros(3))
    assert (through.kind, through.low, through.below, through.above) == ("inside", 2, 0, 1)


def test_the_first_of_several_crossings_is_given_and_all_are_counted():
    x = np.array([0.0, 1, 2, 3])
    found = break_even(x, np.array([-1.0, 1, -1, 1]), np.zeros(4))
    assert (found.low, found.crossings) == (0.5, 3)


@given(costs, slopes, costs, slopes, st.floats(0.01, 0.5))
def test_the_undecided_range_holds_exactly_where_the_ratio_is_within_the_error(a, b, c, d, error):
    first, second = lines(a, b, c, d)
    assume((first > 0.05).all() and (second > 0.05).all())
    found = undecided(SWEEP, first, second, error)
    fine = np.linspace(SWEEP[0], SWEEP[-1], 4001)
    ratios = np.maximum((a + b * fine) / (c + d * fine), (c + d * fine) / (a + b * fine))
    inside = fine[ratios <= 1 + error - 1e-9]
    if found is None:
        assert inside.size == 0
        return
    step = fine[1] - fine[0]
    if inside.size:
        assert found[0] <= inside[0] + 1e-12
        assert found[1] >= inside[-1] - 1e-12
        assert found[0] >= inside[0] - step
        assert found[1] <= inside[-1] + step
