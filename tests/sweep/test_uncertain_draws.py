"""The draws of uncertain inputs: distributions, correlations, and the same numbers for any slice and worker."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sweep.answer.errors import MEAN
from sweep.errors import StudyError
from sweep.space import Range, Triangular
from sweep.uncertain import Uncertain, UncertainInput
from sweep.uncertain.correlation import (
    is_valid,
    largest_share,
    lower,
    matrix,
    nearest_valid,
    normal_correlation,
)
from sweep.uncertain.distributions import Gaussian, Weighted, sigma_of_error

DRAWS = 20_000


def an_input(label, marginal=None, **more):
    return UncertainInput(label.split(".")[-1], label, marginal or Range(0.0, 1.0), 0.5, **more)


def uncertain(*inputs, pairs=None, draws=DRAWS, seed=0):
    size = len(inputs)
    return Uncertain(inputs, draws, "nominal", (0.05, 0.5, 0.95), lower(size, pairs or {}), seed)


def quantile_tolerance(distribution, share, draws):
    """Four standard errors of a sample quantile: sqrt(q (1 - q) / n) over the density there."""
    return 4 * math.sqrt(share * (1 - share) / draws) / distribution.pdf(distribution.ppf(share))


@pytest.mark.parametrize(
    ("marginal", "reference"),
    [
        (Triangular(0.04, 0.06, 0.12), stats.triang(0.25, 0.04, 0.08)),
        (Gaussian(0.08, 0.01), stats.norm(0.08, 0.01)),
        (Gaussian(1.0, 0.2, log=True), stats.lognorm(0.2)),
        (Gaussian(0.05, 0.05, low=0.0, high=1.0), stats.truncnorm(-1, 19, 0.05, 0.05)),
        (Range(2.0, 3.0), stats.uniform(2.0, 1.0)),
    ],
)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_quantiles_of_the_draws_are_those_of_the_distribution(marginal, reference, share):
    drawn = uncertain(an_input("a", marginal)).drawn(0, DRAWS)["a"]
    assert np.quantile(drawn, share) == pytest.approx(
        reference.ppf(share), abs=quantile_tolerance(reference, share, DRAWS)
    )


@given(
    st.floats(-5, 5), st.floats(0.1, 3), st.floats(-4, 0), st.floats(0.01, 4), st.floats(1e-6, 1 - 1e-6), st.booleans()
)
def test_a_truncated_normal_inverts_its_distribution_and_keeps_its_bounds(centre, spread, below, above, share, log):
    if log:
        centre = math.exp(centre / 3)
    low, high = centre + below * spread, centre + above * spread
    drawn = float(Gaussian(centre, spread, log=log, low=low, high=high).quantile(np.array([share]))[0])
    assert low <= drawn <= high
    reference = stats.lognorm(spread, scale=centre) if log else stats.norm(centre, spread)
    inside = reference.cdf(high) - reference.cdf(low)
    assert (reference.cdf(drawn) - reference.cdf(low)) / inside == pytest.approx(share, abs=1e-6)


def test_a_choice_takes_each_option_as_often_as_its_weight():
    marginal = Weighted((500.0, 559.4, 600.0), (0.2, 0.5, 0.3))
    drawn = uncertain(an_input("a", marginal)).drawn(0, DRAWS)["a"]
    for option, weight in zip(marginal.options, marginal.weights, strict=True):
        error = 4 * math.sqrt(weight * (1 - weight) / DRAWS)
        assert np.mean(drawn == option) == pytest.approx(weight, abs=error)
    ends = marginal.quantile(np.array([0.0, 0.2, 0.7, 1.0]))
    assert ends.tolist() == [500.0, 559.4, 600.0, 600.0]


def test_an_option_without_weight_is_never_drawn():
    assert Weighted((1.0, 2.0, 3.0), (0.5, 0.5, 0.0)).quantile(np.array([0.0, 0.5, 1.0])).tolist() == [1.0, 2.0, 2.0]


def test_four_in_ten_normal_errors_are_larger_than_their_mean():
    """What is said of a band of one mean error; factors drawn with that mean error leave it as often."""
    assert 2 * stats.norm.sf(math.sqrt(2 / math.pi)) == pytest.approx(0.425, abs=5e-4)
    drawn = uncertain(an_input("a", Gaussian(1.0, sigma_of_error(0.14), log=True))).drawn(0, DRAWS)["a"]
    assert np.mean(np.abs(np.log(drawn)) > math.log1p(0.14)) == pytest.approx(0.45, abs=0.02)
    assert "four in ten" in MEAN


@pytest.mark.parametrize("error", [0.0, 0.0356, 0.133, 0.5, 3.0])
def test_the_spread_of_the_model_error_gives_its_mean_error(error):
    """Numerical integration of E|F - 1| over the quantiles of the factor."""
    sigma = sigma_of_error(error)
    shares = (np.arange(2_000_000) + 0.5) / 2_000_000
    factor = np.exp(sigma * stats.norm.ppf(shares))
    assert np.abs(factor - 1).mean() == pytest.approx(error, rel=2e-3, abs=1e-12)


@given(st.data())
def test_any_slice_has_the_bits_of_the_whole(data):
    drawn = uncertain(
        an_input("a", Triangular(0.0, 1.0, 3.0)),
        an_input("b", Gaussian(1.0, 0.3, log=True)),
        an_input("c", Gaussian(0.0, 1.0)),
        pairs={(0, 1): 0.4, (1, 2): -0.3},
        draws=500,
        seed=7,
    )
    whole = drawn.drawn(0, 500)
    start = data.draw(st.integers(0, 500))
    stop = data.draw(st.integers(start, 500))
    for label, values in drawn.drawn(start, stop).items():
        assert np.array_equal(values, whole[label][start:stop])


def test_an_input_does_not_depend_on_which_others_there_are():
    alone = uncertain(an_input("a"), draws=100).drawn(0, 100)["a"]
    among = uncertain(an_input("b"), an_input("a"), draws=400).drawn(0, 100)["a"]
    assert np.array_equal(alone, among)
    assert not np.array_equal(alone, uncertain(an_input("a"), draws=100, seed=1).drawn(0, 100)["a"])


def test_no_draw_beyond_the_last():
    with pytest.raises(StudyError, match="draws run from 0 to 99"):
        uncertain(an_input("a"), draws=100).drawn(0, 101)


@pytest.mark.parametrize("rank", [-0.8, 0.3, 0.9])
def test_rank_correlations_are_those_asked_for(rank):
    """Four standard errors of Spearman's coefficient, at most 1.06 / sqrt(n) each (Fieller, Hartley, Pearson 1957)."""
    drawn = uncertain(
        an_input("a", Triangular(0.0, 1.0, 9.0)),
        an_input("b", Gaussian(1.0, 0.5, log=True)),
        an_input("c"),
        pairs={(0, 1): rank},
    ).drawn(0, DRAWS)
    tolerance = 4 * 1.06 / math.sqrt(DRAWS)
    assert stats.spearmanr(drawn["a"], drawn["b"]).statistic == pytest.approx(rank, abs=tolerance)
    assert stats.spearmanr(drawn["a"], drawn["c"]).statistic == pytest.approx(0, abs=tolerance)


def test_correlated_inputs_keep_their_distributions():
    drawn = uncertain(an_input("a"), an_input("b"), pairs={(0, 1): 0.7}).drawn(0, DRAWS)
    assert stats.kstest(drawn["b"], "uniform").pvalue > 1e-4


def test_points_of_the_unit_cube_become_values():
    drawn = uncertain(an_input("a", Range(2.0, 4.0)), an_input("b", Triangular(0.0, 1.0, 2.0)))
    values = drawn.values(np.array([[0.0, 0.5], [0.5, 1.0], [1.0, 0.0]]))
    assert values["a"].tolist() == [2.0, 3.0, 4.0]
    assert values["b"].tolist() == [1.0, 2.0, 0.0]


@given(st.lists(st.floats(-0.99, 0.99), min_size=3, max_size=3))
def test_the_nearest_valid_correlation_is_valid_and_next_to_it_is_not(ranks):
    pairs = dict(zip([(0, 1), (0, 2), (1, 2)], ranks, strict=True))
    if is_valid(3, pairs):
        assert np.linalg.eigvalsh(matrix(3, pairs)).min() > 0
        return
    found = nearest_valid(3, pairs)
    if found is None:
        share = largest_share(3, pairs)
        assert is_valid(3, {pair: share * rank for pair, rank in pairs.items()})
        return
    pair, rank = found
    assert is_valid(3, {**pairs, pair: rank})
    towards = rank + math.copysign(0.011, pairs[pair] - rank)
    assert abs(towards) >= 1 or not is_valid(3, {**pairs, pair: towards})


def test_normal_scores_of_a_rank_correlation():
    """Kruskal 1958: 2 sin(pi r / 6); at the ends and at one half it is -1, 0, 1 and 0.5176."""
    assert [round(normal_correlation(rank), 4) for rank in (-1, 0, 0.5, 1)] == [-1.0, 0.0, 0.5176, 1.0]
