import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.space import Choice, Range, Triangular, sample_axis, sampling
from sweep.space.permutation import ROUNDS, permute

METHODS = ["sobol", "latin_hypercube", "random"]
methods = st.sampled_from(METHODS)
uniform = np.linspace(0.0, 1.0, 10_001)[:-1]


def unit_axis(method, points, seed=0, dimensions=2):
    return sample_axis({f"q{place}": Range(0.0, 1.0) for place in range(dimensions)}, points, method, seed)


@given(methods, st.integers(1, 3000), st.integers(0, 2**70), st.data())
@settings(max_examples=60)
def test_any_slice_has_the_bits_of_the_whole(method, points, seed, data):
    axis = sample_axis({"a": Range(0.1, 9.0, "log"), "b": Triangular(0.8, 1.0, 1.3)}, points, method, seed)
    start = data.draw(st.integers(0, points - 1))
    stop = data.draw(st.integers(start, points))
    for name in ("sample", "a", "b"):
        whole = axis.values(name, 0, points)
        assert axis.values(name, start, stop).tobytes() == whole[start:stop].tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_scattered_points_are_those_of_the_whole(method, monkeypatch):
    monkeypatch.setattr(sampling, "TILE", 64)
    axis = unit_axis(method, 1000)
    at = np.array([[999, 0, 63], [64, 500, 500]])
    np.testing.assert_array_equal(axis.at("q1", at), axis.values("q1", 0, 1000)[at])


def test_a_slice_across_two_sobol_blocks_joins_them(monkeypatch):
    monkeypatch.setattr(sampling, "SOBOL_BLOCK", 256)
    axis = unit_axis("sobol", 1024, seed=987)
    whole = axis.values("q0", 0, 1024)
    assert axis.values("q0", 200, 600).tobytes() == whole[200:600].tobytes()
    # Each block is a net of its own: one point in each of 256 slices; and blocks differ, so scrambles are independent.
    for block in whole.reshape(4, 256):
        assert sorted(np.floor(block * 256)) == list(range(256))
    assert not np.array_equal(whole[:256], whole[256:512])


@pytest.mark.parametrize("method", METHODS)
def test_far_points_of_a_huge_axis_are_reached_alone(method):
    points = 3 * 10**8
    axis = unit_axis(method, points)
    start = 17 * 2**24 - 2
    near = axis.values("q1", start, start + 5)
    assert near.tobytes() == axis.values("q1", start - 3, start + 9)[3:8].tobytes()
    assert len(set(near.tolist())) == 5


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_and_zero_is_a_seed(method):
    draws = [unit_axis(method, 64, seed).values("q0", 0, 64).tobytes() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("method", METHODS)
def test_quantities_are_independent_and_uniform(method):
    axis = unit_axis(method, 4096)
    one, two = axis.values("q0", 0, 4096), axis.values("q1", 0, 4096)
    # Standard error of a mean of 4096 uniforms is 0.0045, of a correlation 0.016: five of them.
    assert abs(one.mean() - 0.5) < 0.023
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.08
    assert 0.0 <= one.min() < 0.002
    assert 0.998 < one.max() < 1.0


@given(st.integers(1, 500), st.integers(0, 100))
@settings(max_examples=40)
def test_latin_hypercube_puts_one_point_in_every_slice(points, seed):
    values = unit_axis("latin_hypercube", points, seed).values("q1", 0, points)
    assert sorted(np.floor(values * points + 1e-9).astype(int)) == list(range(points))


def test_random_draws_do_not_depend_on_the_other_quantities():
    alone = sample_axis({"q1": Range(0.0, 1.0)}, 50, "random", 5).values("q1", 0, 50)
    np.testing.assert_array_equal(alone, unit_axis("random", 50, 5).values("q1", 0, 50))


@given(st.integers(1, 5000), st.integers(0, 2**64 - 1))
def test_the_permutation_is_one_to_one(size, key):
    image = permute(np.arange(size), size, np.full(ROUNDS, key, dtype=np.uint64))
    assert sorted(image.tolist()) == list(range(size))


@given(st.integers(0, 2**64 - 1), st.integers(10**9, 2**62))
def test_a_huge_permutation_answers_for_single_points(key, size):
    keys = np.arange(ROUNDS, dtype=np.uint64) + np.uint64(key)
    points = np.array([0, 1, size // 2, size - 1])
    image = permute(points, size, keys)
    assert len(set(image.tolist())) == 4
    assert all(0 <= place < size for place in image.tolist())
    np.testing.assert_array_equal(permute(points[2:], size, keys), image[2:])


def test_the_permutation_mixes():
    # Neighbours of a random permutation of n lie n/3 apart on average; the standard error here is 0.3 %.
    size = 10_000
    image = permute(np.arange(size), size, np.arange(ROUNDS, dtype=np.uint64))
    assert np.abs(np.diff(image)).mean() == pytest.approx(size / 3, rel=0.02)


def test_linear_and_log_ranges_have_their_quantiles():
    np.testing.assert_allclose(Range(2.0, 6.0).quantile(np.array([0.0, 0.25, 0.5])), [2.0, 3.0, 4.0])
    np.testing.assert_allclose(Range(0.01, 100.0, "log").quantile(np.array([0.0, 0.25, 0.5])), [0.01, 0.1, 1.0])


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_whole_ranges_reach_both_ends_and_nothing_else(scale):
    values = Range(1, 6, scale, whole=True).quantile(uniform)
    assert values.dtype == np.int64
    assert set(values.tolist()) == {1, 2, 3, 4, 5, 6}
    if scale == "linear":
        assert np.bincount(values)[1:] == pytest.approx(len(uniform) / 6, abs=1.01)


def test_triangular_has_its_moments():
    low, mode, high = 0.8, 1.0, 1.3
    values = Triangular(low, mode, high).quantile(uniform + 0.5e-4)
    mean = (low + mode + high) / 3
    variance = (low**2 + mode**2 + high**2 - low * mode - low * high - mode * high) / 18
    assert values.mean() == pytest.approx(mean, rel=1e-6)
    assert values.var() == pytest.approx(variance, rel=1e-4)
    assert np.all(np.diff(values) > 0)


def test_choices_are_equally_frequent_and_kept_once():
    values = Choice(("a", "b", "a", "c")).quantile(uniform)
    assert sorted(np.unique(values, return_counts=True)[1].tolist()) == [3333, 3333, 3334]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: unit_axis("halton", 4), "no sampling method"),
        (lambda: unit_axis("random", 0), "between 1 and"),
        (lambda: unit_axis("random", 4, seed=-1), "from 0"),
        (lambda: sample_axis({}, 4, "random", 0), "at least one quantity"),
        (lambda: sample_axis({"sample": Range(0, 1)}, 4, "random", 0), "cannot be sampled itself"),
        (lambda: Range(2.0, 1.0), "smaller first"),
        (lambda: Range(0.0, 1.0, "log"), "positive ends"),
        (lambda: Range(0.0, math.inf), "finite ends"),
        (lambda: Triangular(1.0, 0.5, 2.0), "low <= mode <= high"),
        (lambda: Choice(()), "at least one value"),
    ],
)
def test_impossible_samples_are_refused_with_the_reason(call, said):
    with pytest.raises(ValueError, match=said):
        call()
