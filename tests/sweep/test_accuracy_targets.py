"""The figures the model is held to: which runs go into which, and which side of a target is right."""

import math

import pytest
from measured_runs import prediction

from sweep.accuracy.case import Prediction
from sweep.accuracy.choices import IN_SAMPLE, SPLITS, WITHOUT_CHIP, WITHOUT_SOURCE
from sweep.accuracy.collectives import CollectiveError
from sweep.accuracy.targets import Figure, collective_figure, figures, kernel_figure
from sweep.accuracy.tiers import Tiers
from sweep.catalogue import Catalogue

CATALOGUE = Catalogue.load()


@pytest.mark.parametrize(
    ("sense", "reached", "met"),
    [
        ("at most", 0.05, True), ("at most", 0.2, False), ("at least", 0.2, True), ("at least", 0.05, False),
        ("within", -0.05, True), ("within", -0.2, False), ("within", 0.2, False), ("none", 0.05, None),
        ("at most", math.nan, None),
    ],
)  # fmt: skip
def test_which_side_of_a_target_is_right(sense, reached, met):
    assert Figure("x", "", 1, sense, 0.1, reached).met is met


def figures_of(predictions, left_out=0, **splits):
    """Figures by name and split; every split has the same predictions unless said otherwise."""
    tiers = Tiers.of([each.case for each in predictions], CATALOGUE, measured=[each.case for each in predictions])
    given = {split: splits.get(split.replace("-", "_"), predictions) for split in SPLITS}
    return {(each.name, each.split): each for each in figures(given, left_out, tiers)}


def test_every_figure_counts_its_own_runs():
    found = figures_of(
        [
            prediction(11.0, name="a-1"),
            prediction(10.2, name="b-1"),
            prediction(14.0, name="b-2", moe=True),
            prediction(13.0, name="c-1", system="atlas-800t-a2"),
            prediction(12.0, 14.0, name="c-2", system="atlas-800t-a2", stated=False),
            prediction(20.0, name="d-1", microbenchmark=True),
        ],
        left_out=4,
    )

    def reached(name, split=WITHOUT_SOURCE):
        return found[name, split].rows, pytest.approx(found[name, split].reached)

    assert reached("rows predicted", "") == (10, 0.6)
    assert reached("tier 1, covered: mean error") == (3, (0.1 + 0.02 + 0.4) / 3)
    assert reached("tier 1, covered: median error") == (3, 0.1)
    assert reached("tier 1, covered, dense: mean error") == (2, 0.06)
    assert reached("tier 1, covered, mixture of experts: mean error") == (1, 0.4)
    assert reached("tier 1, otherwise: mean error") == (1, 0.3)
    assert reached("tier 1, covered: rows within 10 %") == (3, 2 / 3)
    assert reached("tier 2: distance to the range, mean") == (1, 0.2)
    assert reached("tier 2: width of the range, median") == (1, 0.2)
    assert reached("tier 3: median error", WITHOUT_CHIP) == (2, 0.25)
    assert reached("microbenchmarks on one node: mean error") == (1, 1.0)
    assert reached("Ascend 910B: mean error") == (2, 0.25)
    beside = found["tier 1, covered: mean error", WITHOUT_SOURCE].source_mean
    assert beside == pytest.approx((0.1 + 0.21) / 2)


def test_figures_are_of_the_split_they_name():
    runs = [prediction(11.0, name="a-1"), prediction(11.0, name="c-1", system="atlas-800t-a2")]
    wrong = [Prediction(each.case, 20.0, 20.0, {}) for each in runs]
    found = figures_of(runs, left_out_chip=wrong)
    assert found["tier 3: median error", WITHOUT_CHIP].reached == pytest.approx(1.0)
    assert found["tier 1, otherwise: mean error", WITHOUT_SOURCE].reached == pytest.approx(0.1)


def test_korthikanti_has_eight_rows_and_is_shown_with_and_without_them_in_the_fit():
    """The ninth row, with data parallelism, is no row of Table 5."""
    runs = [prediction(10 + place / 10, name=f"korthikanti22-{place:04d}") for place in range(1, 10)]
    found = figures_of(runs)
    for split in (IN_SAMPLE, WITHOUT_SOURCE):
        mean = found["Korthikanti 2022, eight rows: mean error", split]
        assert (mean.rows, mean.reached) == (8, pytest.approx(0.045))
        assert found["Korthikanti 2022, eight rows: largest error", split].reached == pytest.approx(0.08)


def test_the_searched_optimum_is_held_against_tuned_runs_only():
    tuned = {"searched": True, "stated": False}
    runs = [prediction(9.0, name="mlperf-1", **tuned), prediction(20.0, name="a-1", **tuned)]
    bias = figures_of(runs)["searched optimum against tuned runs: bias", WITHOUT_SOURCE]
    assert (bias.rows, bias.reached) == (1, pytest.approx(-0.1))
    assert bias.met is False


def test_nothing_predicted_is_no_figure_met_and_no_error():
    found = figures_of([])
    assert all(each.met is None for each in found.values())


def test_collectives_below_a_megabyte_do_not_count():
    found = collective_figure([
        CollectiveError("x-1", "x", "dgx-a100", "all_reduce", 8, size, measured=1.0, predicted=predicted)
        for size, predicted in ((1e6, 1.1), (5e6, 0.7), (9e5, 9.0))
    ])  # fmt: skip
    assert (found.rows, found.reached) == (2, pytest.approx(0.2))


def test_kernels_are_held_to_their_median():
    assert kernel_figure(500, 0.07).met is True
    assert kernel_figure(500, 0.09).met is False
