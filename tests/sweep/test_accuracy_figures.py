"""Errors and what is said about many of them, against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured_runs import case, prediction
from scipy.stats import spearmanr

from sweep.accuracy.figures import errors, grouped, noise_floor, shares, statistics, widths, worst
from sweep.accuracy.mapping_choice import mapping_sweeps, rank_correlation
from sweep.accuracy.tiers import Tiers
from sweep.catalogue import Catalogue

times = st.floats(min_value=1e-3, max_value=1e6)


@pytest.mark.parametrize(
    ("low", "high", "error"),
    [(12, None, 0.2), (9, None, -0.1), (8, 12, 0.0), (10, 12, 0.0), (11, 15, 0.1), (5, 7, -0.3)],
)
def test_an_error_is_the_signed_distance_to_the_prediction(low, high, error):
    assert errors([prediction(low, high)]) == pytest.approx([error])


@given(low=times, wider=st.floats(min_value=1, max_value=3), measured=times)
def test_a_wider_range_is_never_further_away(low, wider, measured):
    one, more = prediction(low, seconds=measured), prediction(low / wider, low * wider, seconds=measured)
    assert abs(errors([more])[0]) <= abs(errors([one])[0])


def test_the_width_of_a_range_is_over_the_measured_time():
    assert widths([prediction(8, 13), prediction(8)]) == pytest.approx([0.5, 0])


def test_statistics_worked_out_by_hand():
    """Errors 0.3, -0.1, 0.05, 0 and 0 (inside a range): of source a the first three, of source b the others."""
    found = statistics([
        prediction(13, name="a-1"), prediction(9, name="a-2"), prediction(10.5, name="a-3"),
        prediction(10, name="b-1"), prediction(9, 11, name="b-2"),
    ])  # fmt: skip
    assert (found.rows, found.sources, found.ranges) == (5, 2, 1)
    assert found.mean == pytest.approx(0.45 / 5)
    assert found.median == pytest.approx(0.05)
    assert found.ninetieth == pytest.approx(0.1 + 0.6 * 0.2)  # sizes 0, 0, 0.05, 0.1, 0.3: place 3.6 of 0..4
    assert found.bias == pytest.approx(0.25 / 5)
    assert found.within_10 == pytest.approx(4 / 5)
    assert found.within_20 == pytest.approx(4 / 5)
    assert found.source_mean == pytest.approx((0.45 / 3 + 0) / 2)
    assert found.width == pytest.approx(0.2)


def test_statistics_of_nothing_are_unknown_and_do_not_warn():
    found = statistics([])
    assert found.rows == found.sources == found.ranges == 0
    assert all(math.isnan(value) for value in (found.mean, found.median, found.bias, found.within_10, found.width))


def test_the_worst_come_first_whatever_their_sign():
    found = worst([prediction(11, name="a-1"), prediction(5, name="a-2"), prediction(13, name="a-3")], 2)
    assert [each.case.name for each in found] == ["a-2", "a-3"]


def test_a_run_may_be_in_several_groups():
    found = grouped([prediction(1, name="b-1"), prediction(1, name="a-1")], lambda run: (run.source, "all"))
    assert {group: len(runs) for group, runs in found.items()} == {"a": 1, "all": 2, "b": 1}
    assert list(found) == ["a", "all", "b"]


def test_the_noise_floor_is_the_distance_of_repeats_from_their_median():
    """9, 10, 12 are 10 %, 0 and 20 % from their median, 4 and 6 are 20 % from theirs; a single run says nothing."""
    runs = [(("x",), 9), (("x",), 10), (("x",), 12), (("y",), 4), (("y",), 6), (("z",), 7)]
    rows, error = noise_floor([prediction(1, seconds=seconds, configuration=key) for key, seconds in runs])
    assert rows == 5
    assert error == pytest.approx((0.1 + 0 + 0.2 + 0.2 + 0.2) / 5)
    assert math.isnan(noise_floor([])[1])


def test_shares_of_the_parts_add_up_to_one_and_leave_out_nothing_but_zeros():
    found = shares({"bubble_time": 1.0, "compute_time": 3.0, "pipeline_time": 0.0})
    assert found == {"compute_time": 0.75, "bubble_time": 0.25}
    assert list(found) == ["compute_time", "bubble_time"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=4, max_size=12))
def test_the_rank_correlation_is_that_of_scipy(pairs):
    first, second = np.array(pairs, dtype=float).T
    if np.ptp(first) and np.ptp(second):
        assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-9)
    else:
        assert math.isnan(rank_correlation(first, second))


def swept(times_by_mapping, **changes):
    """Predictions of one job: (tensor parallel, predicted, measured) each."""
    return [
        prediction(predicted, name=f"s-{place}", seconds=measured, inputs={"tensor_parallel": tensor}, **changes)
        for place, (tensor, predicted, measured) in enumerate(times_by_mapping)
    ]


def test_a_sweep_says_how_well_mappings_are_ranked_and_what_the_pick_costs():
    """Ranks of 1, 2, 3, 4 against 2, 1, 3, 4: Spearman is 1 - 6 * 2 / (4 * 15); the pick takes 11 s where 10 s do."""
    runs = swept([(1, 5.0, 11.0), (2, 6.0, 10.0), (4, 7.0, 12.0), (8, 9.0, 20.0)])
    (found,) = mapping_sweeps(runs)
    assert found.mappings == 4
    assert found.correlation == pytest.approx(0.8)
    assert found.loss == pytest.approx(0.1)


def test_repeats_of_a_mapping_count_once_with_their_mean():
    runs = swept([(1, 5.0, 11.0), (1, 5.0, 13.0), (2, 6.0, 10.0), (4, 7.0, 14.0), (8, 9.0, 20.0)])
    (found,) = mapping_sweeps(runs)
    assert found.mappings == 4
    assert found.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    "runs",
    [
        swept([(1, 5, 11), (2, 6, 10), (4, 7, 12)]),
        swept([(1, 5, 11), (2, 6, 10), (4, 7, 12), (4, 7, 12)]),
        swept([(1, 5, 11), (2, 6, 10), (4, 7, 12), (8, 9, 20)], stated=False),
        [*swept([(1, 5, 11), (2, 6, 10)]), *swept([(4, 7, 12), (8, 9, 20)], model="another")],
        [*swept([(1, 5, 11), (2, 6, 10)]), *swept([(4, 7, 12), (8, 9, 20)], precision="fp8")],
    ],
    ids=["three", "three and a repeat", "not stated", "two models", "two formats"],
)
def test_what_is_no_sweep(runs):
    assert mapping_sweeps(runs) == []


CATALOGUE = Catalogue.load()


def test_tiers_follow_from_what_is_stated_and_who_else_measured():
    both = [case("a-1"), case("b-1", precision="fp16")]  # the two formats run at one speed on an A100
    alone = case("c-1", system="atlas-800t-a2")
    other_format = case("d-1", system="dgx-h100", precision="fp8")
    same_chip = case("e-1", system="dgx-h100")
    runs = [*both, alone, other_format, same_chip]
    tiers = Tiers.of(runs, CATALOGUE, measured=runs)
    assert [tiers.of_case(run) for run in both] == [("1, covered",)] * 2
    assert tiers.of_case(alone) == ("1, otherwise", "3 (also in 1 or 2)")
    assert tiers.of_case(other_format) == tiers.of_case(same_chip) == ("1, otherwise",)
    assert tiers.of_case(case("a-2", stated=False)) == ("2",)
    assert tiers.of_case(case("f-1", system="atlas-800t-a2", stated=False)) == ("2",)
    assert tiers.of_case(case("c-2", system="atlas-800t-a2", microbenchmark=True)) == ("microbenchmark",)


def test_a_family_does_not_cover_itself():
    siblings = [case("a-1", family="x"), case("b-1", family="x")]
    tiers = Tiers.of(siblings, CATALOGUE, measured=siblings)
    assert all(tiers.of_case(run) == ("1, otherwise", "3 (also in 1 or 2)") for run in siblings)


def test_the_runs_of_a_user_are_covered_by_the_published_ones_only():
    own, published = [case("mine-1"), case("yours-1")], [case("a-1", system="dgx-h100")]
    tiers = Tiers.of(own, CATALOGUE, measured=published)
    assert all(tiers.blind(run) and not tiers.covered(run) for run in own)


@pytest.mark.parametrize(
    ("by", "groups"),
    [("chip", ("a100-sxm-80gb",)), ("workload", ("gpt-22b",)), ("precision", ("bf16",)), ("source", ("a",)),
     ("kind", ("dense",))],
)  # fmt: skip
def test_what_a_run_is_grouped_by(by, groups):
    assert Tiers.of([case()], CATALOGUE, measured=[]).groups(by)(case()) == groups
