import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.space import linear_axis, list_axis, log_axis, zip_axis
from sweep.space.rounding import to_significant

finite = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 6))
positive = st.floats(1e-9, 1e9)


def whole(axis):
    return axis.values(axis.names[0], 0, axis.size)


def test_list_keeps_the_first_of_equal_values():
    assert whole(list_axis("domains", [4, 1, 4.0, 2, 1])).tolist() == [4, 1, 2]


@pytest.mark.parametrize(
    ("values", "dtype"), [([1, 2], np.int64), ([1, 2.5], np.float64), (["a", "bcd"], np.dtype("<U3"))]
)
def test_list_values_have_the_type_of_what_was_written(values, dtype):
    assert whole(list_axis("x", values)).dtype == dtype


@pytest.mark.parametrize("values", [[], [1, "a"], [1.0, math.nan], [math.inf]])
def test_list_refuses_what_is_no_axis(values):
    with pytest.raises(ValueError, match=r"at least one|both text|finite"):
        list_axis("x", values)


def test_zip_moves_together_and_drops_equal_tuples_only():
    axis = zip_axis({"wacc": [0.05, 0.09, 0.05, 0.05], "utilisation": [0.9, 0.7, 0.8, 0.9]}, times=["wacc"])
    assert whole(axis).tolist() == [0.05, 0.09, 0.05]
    assert axis.values("utilisation", 0, 3).tolist() == [0.9, 0.7, 0.8]
    assert axis.find({"wacc": 0.05, "utilisation": 0.8}) == 2
    assert axis.find({"wacc": 0.09, "utilisation": 0.8}) is None
    assert axis.times == {"wacc"}


def test_zip_refuses_unequal_lengths_and_says_which():
    with pytest.raises(ValueError, match="wacc has 2, utilisation has 1"):
        zip_axis({"wacc": [0.05, 0.09], "utilisation": [0.9]})


def test_linear_values_are_the_decimals_people_write():
    # 0.02 to 0.20 in 37 steps is 0.005 apart: every value is a short decimal, and must be exactly that float.
    expected = [float(f"{0.02 + 0.005 * step:.3f}") for step in range(37)]
    assert whole(linear_axis("power_price", 0.02, 0.20, 37)).tolist() == expected


@given(finite, finite, st.integers(1, 200))
def test_linear_is_linspace_to_rounding_error(first, last, steps):
    axis = linear_axis("x", first, last, steps)
    expected = np.linspace(first, last, steps) if first != last else np.array([first])
    largest = max(abs(first), abs(last))
    np.testing.assert_allclose(whole(axis), expected, rtol=0, atol=8 * math.ulp(largest))
    if steps > 1:
        assert whole(axis)[[0, -1]].tolist() == [first, last]


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(1, 300))
def test_whole_linear_rounds_half_up_once_each(first, last, steps):
    axis = linear_axis("domains", first, last, steps, whole=True)
    gaps = max(steps - 1, 1)
    exact = [math.floor((2 * first * gaps + 2 * (last - first) * step + gaps) / (2 * gaps)) for step in range(steps)]
    assert whole(axis).tolist() == list(dict.fromkeys(exact))


def test_log_values_are_round_where_the_ratio_is():
    assert whole(log_axis("x", 1e-3, 1e3, 7)).tolist() == [1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3]
    assert whole(log_axis("domains", 1, 64, 7, whole=True)).tolist() == [1, 2, 4, 8, 16, 32, 64]


@given(positive, positive, st.integers(2, 100))
def test_log_is_geomspace_to_twelve_digits(first, last, steps):
    axis = log_axis("x", first, last, steps) if abs(math.log(last / first)) > 1e-6 else None
    if axis is not None:
        np.testing.assert_allclose(whole(axis), np.geomspace(first, last, steps), rtol=6e-12)
        assert whole(axis)[[0, -1]].tolist() == [first, last]


@given(st.floats(1e-200, 1e200))
def test_twelve_digits_are_decimal_text_and_the_nearest(x):
    (rounded,) = to_significant(np.array([x])).tolist()
    assert rounded == pytest.approx(float(f"{rounded:.11e}"), rel=3e-16)
    assert abs(rounded - x) <= 0.5000001 * float(f"1e{f'{x:e}'.split('e')[1]}") * 1e-11


@given(st.data())
def test_any_slice_equals_the_whole_and_any_value_is_found(data):
    first, last = data.draw(positive), data.draw(positive)
    steps = data.draw(st.integers(1, 400))
    make, is_whole = data.draw(st.sampled_from([(linear_axis, False), (log_axis, False), (log_axis, True)]))
    try:
        axis = make("x", first, last, steps, whole=is_whole)
    except ValueError:
        return  # the ends are too close for that many distinct numbers, which the axis says
    start = data.draw(st.integers(0, axis.size - 1))
    stop = data.draw(st.integers(start, axis.size))
    values = axis.values("x", start, stop)
    assert values.tobytes() == whole(axis)[start:stop].tobytes()
    assert [axis.find({"x": value}) for value in values.tolist()] == list(range(start, stop))
    assert axis.value("x", start) == whole(axis)[start]


@pytest.mark.parametrize("axis", [linear_axis("x", 0.0, 1.0, 10**9), log_axis("x", 1e-6, 1e6, 10**9)])
def test_a_billion_steps_are_distinct_addressable_and_take_no_memory(axis):
    tracemalloc.start()
    places = [0, 1, 2, 123_456_789, 500_000_000, 999_999_998, 999_999_999]
    values = [axis.value("x", place) for place in places]
    found = [axis.find({"x": value}) for value in values]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == places
    assert all(low < high for low, high in itertools.pairwise(values))
    assert peak < 100_000


@pytest.mark.parametrize("make", [linear_axis, log_axis])
def test_more_steps_than_numbers_is_an_error(make):
    with pytest.raises(ValueError, match="more than there are distinct numbers"):
        make("x", 1.0, 1.0 + 1e-9, 10**9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: log_axis("x", 0, 1, 3), "positive ends"),
        (lambda: linear_axis("x", 0, 1, 0), "at least one step"),
        (lambda: linear_axis("x", 0, math.inf, 3), "finite ends"),
        (lambda: linear_axis("x", 0, 2**60, 2**59, whole=True), "64-bit"),
        (lambda: log_axis("x", 1, 1e9, 2_000_000, whole=True), "at most 1,000,000 steps"),
    ],
)
def test_impossible_axes_are_refused_with_the_reason(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("value", [0.0251, -1.0, 5.0, "0.02"])
def test_values_between_points_are_not_found(value):
    assert linear_axis("x", 0.02, 0.20, 37).find({"x": value}) is None
    assert log_axis("x", 0.02, 0.20, 37).find({"x": value}) is None
