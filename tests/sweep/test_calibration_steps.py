"""The fit to measured steps: on runs made by the model itself with constants that are known."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from published_runs import catalogue, published, runs

from models.coefficients import prior_coefficients, priors
from sweep.accuracy.choices import WITHOUT_CHIP, WITHOUT_SOURCE
from sweep.accuracy.stack import PLENTY, evaluate, stack_runs
from sweep.calibration import problem, steps
from sweep.calibration.problem import (
    MICROBENCHMARK_WEIGHT,
    NOISE,
    RATE_LIMIT,
    Fit,
    Problem,
    class_of,
    family_of,
    rate_factors,
)
from sweep.calibration.steps import calibrate, chips_of, fold_names

PRIOR = prior_coefficients()
TRUE = replace(
    PRIOR, sharded_ring=2.9, tensor_exposed=1.1, unfused_passes=4.8, optimizer_bytes=40.0, accumulate_bytes=14.0
)
"""The constants behind the made-up times: some far from their priors."""

RATES = {("atlas-800t-a2", "bf16"): 0.8, ("dgx-a100", "bf16"): 0.97, ("dgx-h100", "bf16"): 1.04}
FAMILIES = {"bloom": 14, "llmfoundry": 24, "mindspeed": 12}
"""Families of the made-up set and how many of their runs are in it."""


def chosen():
    """Return a small set of stated runs on three chips by three families."""
    found = []
    for family, count in FAMILIES.items():
        cases = [case for case in published().values() if case.family == family and class_of(case) in RATES]
        cases = [case for case in cases if case.stated and not case.moe]
        found += cases[:: len(cases) // count][:count]
    return found


def stacked(cases):
    found, faults = stack_runs([(index, known) for index, case in enumerate(cases) for known in case.variants])
    assert not faults
    return found


def totals(cases, fit):
    """Step times of cases with one variant each under a fit [s]."""
    found = stacked(cases)
    return evaluate(found, fit.coefficients, rate_factors(found, cases, fit.rates))[1].total


def timed(cases, seconds):
    return [replace(case, seconds=float(time)) for case, time in zip(cases, seconds, strict=True)]


def solved(cases, *, measured=True, evaluations=100):
    """Return the fit to all cases."""
    squares = Problem(stacked(cases), cases, np.full(len(cases), measured))
    kept = np.ones(len(cases), dtype=bool)
    return squares.fit_of(squares.solve(kept, squares.start(), evaluations))


def constants(fit):
    """All constants of a fit as one mapping."""
    named = {name: getattr(fit.coefficients, name) for name in priors()}
    return named | {" ".join(name): rate for name, rate in fit.rates.items()}


def off(cases, fit):
    """Return the errors of a fit on cases [fraction]."""
    return np.abs(totals(cases, fit) / np.asarray([case.seconds for case in cases]) - 1.0)


@pytest.fixture(scope="module")
def made():
    cases = chosen()
    return timed(cases, totals(cases, Fit(TRUE, RATES)))


@pytest.fixture(scope="module")
def clean(made):
    return solved(made)


@pytest.fixture(scope="module")
def free(made):
    """Return the fit with priors so weak that the runs alone decide."""
    weak = {name: replace(prior, spread=30.0 * prior.spread) for name, prior in priors().items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem, "priors", lambda: weak)
        patch.setattr(problem, "MEASURED_SPREAD", 30.0 * problem.MEASURED_SPREAD)
        return solved(made)


@pytest.fixture(scope="module")
def fits(made):
    return calibrate(made, catalogue(), "kernels")


class TestFit:
    def test_predictions_are_recovered(self, made, clean):
        before, after = off(made, Fit(PRIOR, {})), off(made, clean)
        assert before.mean() > 0.05
        assert after.mean() < 0.03  # of a chip with one source, a part is taken for the deviation of the source
        assert after.max() < 0.12

    def test_and_wholly_where_the_priors_say_little(self, made, free):
        after = off(made, free)
        assert after.mean() < 2e-4
        assert after.max() < 1e-3

    @pytest.mark.parametrize(
        ("name", "within"), [("sharded_ring", 0.06), ("unfused_passes", 0.01), ("accumulate_bytes", 0.02)]
    )
    def test_constants_that_the_runs_show_are_recovered(self, free, name, within):
        """Each is a tenth or more off its prior."""
        true, found, prior = (getattr(each, name) for each in (TRUE, free.coefficients, PRIOR))
        assert abs(prior / true - 1) > 0.1
        assert found == pytest.approx(true, rel=within)

    def test_rates_are_recovered(self, free):
        """Up to the rate that all chips share, which is a coefficient of its own."""
        for name, rate in RATES.items():
            assert free.rates[name] * free.coefficients.product_rate == pytest.approx(rate, rel=0.005)

    def test_constants_that_no_run_shows_stay_at_their_priors(self, clean):
        """There is no mixture and no narrow format among the runs."""
        for name in ("router_time", "grouped_rate", "permute_bytes", "quantise_bytes", "narrow_rate", "adapter_bytes"):
            assert getattr(clean.coefficients, name) == pytest.approx(getattr(PRIOR, name), rel=1e-6)

    def test_a_gross_fault_in_a_row_does_not_bend_the_fit(self, made, clean):
        for factor in (0.1, 10.0):
            faulty = [
                replace(case, seconds=case.seconds * (factor if place == 20 else 1)) for place, case in enumerate(made)
            ]
            assert totals(made, solved(faulty)) == pytest.approx(totals(made, clean), rel=0.004)

    def test_a_small_shift_of_all_rows_does(self, made, clean):
        """Robust against one row is not deaf to all; a part may be the deviation of the three sources."""
        slower = [replace(case, seconds=case.seconds * 1.05) for case in made]
        assert np.median(totals(made, solved(slower)) / totals(made, clean)) == pytest.approx(1.04, abs=0.01)

    def test_many_runs_of_one_source_count_as_one_source(self, made):
        """A source that is 5 % off bends the fit no more with five times its runs."""
        slower = [replace(case, seconds=case.seconds * 1.05) for case in made if case.family == "llmfoundry"]
        others = [case for case in made if case.family != "llmfoundry"]
        once, often = (totals(others, solved(others + slower * times)) for times in (1, 5))
        assert often == pytest.approx(once, rel=0.01)

    def test_the_deviation_of_a_source_is_its_mean_error_shrunk(self, made):
        squares = Problem(stacked(made), made, np.ones(len(made), dtype=bool))
        error = np.asarray([0.06 if case.source == "bloom-prequel" else 0.0 for case in made])
        runs = np.count_nonzero(error)
        deviations = squares._deviations(error, np.ones(len(made), dtype=bool))
        shrunk = runs / (runs + (problem.NOISE / problem.SOURCE_SPREAD) ** 2)
        assert deviations.max() == pytest.approx(0.06 * shrunk, rel=1e-3)
        assert sorted(deviations)[:-1] == [0.0] * (deviations.size - 1)

    @pytest.mark.parametrize("factor", [0.6, 1.5])
    def test_bounds_hold(self, made, factor):
        """Against times that pull the rate of products beyond what has a physical reading."""
        wild = solved([replace(case, seconds=case.seconds * factor) for case in made])
        for name, prior in priors().items():
            assert prior.minimum <= getattr(wild.coefficients, name) <= prior.maximum
        for rate in wild.rates.values():
            assert np.exp(-RATE_LIMIT) <= rate <= np.exp(RATE_LIMIT)
        assert abs(wild.coefficients.product_rate - 1.0) > 0.05  # it was pulled

    def test_a_chip_without_kernel_tables_may_be_further_off(self, made):
        """Where only a rate can explain the times, that of a transferred chip gives way more."""
        ascend = [case for case in made if case.system == "atlas-800t-a2"]
        known, transferred = (solved(ascend, measured=measured) for measured in (True, False))
        assert abs(np.log(transferred.rates[class_of(ascend[0])])) > 1.5 * abs(np.log(known.rates[class_of(ascend[0])]))
        assert off(ascend, transferred).mean() < off(ascend, known).mean()


class TestRanges:
    @pytest.fixture
    def ranged(self):
        """Return runs of which the recomputation is not known, in the middle of their ranges by the priors."""
        found = []
        for case in runs("bloom-0001", "korthikanti22-0001", "llmfoundry-0078", "mindspeed-0001"):
            known = {**case.variants[0], "hbm_capacity": PLENTY}
            pair = tuple({**known, "recompute": recompute} for recompute in ("none", "full"))
            low, high = (float(evaluate(stack_runs([(0, one)])[0], PRIOR)[1].total[0]) for one in pair)
            found.append(replace(case, stated=False, variants=pair, seconds=(low * high) ** 0.5))
        return found

    def test_inside_its_range_a_run_says_nothing(self, ranged):
        assert constants(solved(ranged)) == pytest.approx(constants(self.at_priors(ranged)))

    def test_outside_it_pulls(self, ranged):
        slow = [replace(case, seconds=case.seconds * 1.6) for case in ranged]
        fast = [replace(case, seconds=case.seconds / 1.6) for case in ranged]
        a, b, c = (evaluate(stacked(each), solved(each).coefficients)[1].total for each in (fast, ranged, slow))
        assert (a < b).all()
        assert (b < c).all()

    @staticmethod
    def at_priors(cases):
        return Fit(PRIOR, {class_of(case): 1.0 for case in cases})


class TestWeights:
    def test_profiles_of_one_node_count_as_a_few_runs(self):
        count = sum(case.microbenchmark for case in published().values())
        assert count > 1000
        assert 2.0 < count * MICROBENCHMARK_WEIGHT**2 < 4.0

    def test_less_is_known_less_it_pulls(self, made):
        """The same runs as profiles, as ranges of one variant, and stated: each pulls harder."""
        shifted = [replace(case, seconds=case.seconds * 1.04) for case in made[:12]]
        kinds = [{"microbenchmark": True}, {"stated": False}, {}]
        moved = []
        for kind in kinds:
            fit = solved([replace(case, **kind) for case in shifted])
            moved.append(float(np.mean(totals(shifted, fit) / totals(shifted, Fit(PRIOR, {})))))
        assert all(first < second for first, second in pairwise(moved))

    def test_the_scale_of_a_residual_is_what_repeats_differ_by(self):
        """Mean deviation from their mean of runs that repeat one configuration."""
        groups = {}
        for case in published().values():
            if case.stated and not case.microbenchmark:
                groups.setdefault(case.configuration, []).append(case.seconds)
        repeats = [np.asarray(times) for times in groups.values() if len(times) > 1]
        spread = np.mean([np.mean(np.abs(times / times.mean() - 1.0)) for times in repeats])
        assert pytest.approx(spread, rel=0.5) == NOISE


class TestFolds:
    def test_there_is_one_for_every_family_and_die(self, fits):
        wanted = {(WITHOUT_SOURCE, name) for name in FAMILIES} | {
            (WITHOUT_CHIP, die) for die in ("A100", "H100", "910B")
        }
        assert set(fits.folds) == wanted

    def test_names_of_a_case(self):
        (case,) = runs("bloom-0001")
        assert fold_names(case, chips_of([case], catalogue())) == {
            WITHOUT_SOURCE: "bloom",
            WITHOUT_CHIP: "A100",
        }

    @pytest.mark.parametrize("left_out", [(WITHOUT_SOURCE, "llmfoundry"), (WITHOUT_CHIP, "910B")])
    def test_what_is_left_out_has_no_influence(self, made, fits, left_out):
        """Ten times its times, and the fit is the same."""
        split, name = left_out
        chips = chips_of(made, catalogue())
        wild = [replace(c, seconds=c.seconds * (10 if fold_names(c, chips)[split] == name else 1)) for c in made]
        changed = calibrate(wild, catalogue(), "kernels")
        assert constants(changed.folds[left_out]) == pytest.approx(constants(fits.folds[left_out]), rel=1e-4)
        assert constants(changed.full) != pytest.approx(constants(fits.full), rel=1e-3)

    def test_nor_where_the_fit_stops_early(self, made, monkeypatch):
        """A fold must not begin where a fit that knows the runs ended: it may stop before it is at rest."""
        monkeypatch.setattr(steps, "EVALUATIONS", 2)
        chips, split, name = chips_of(made, catalogue()), WITHOUT_CHIP, "910B"
        wild = [replace(c, seconds=c.seconds * (10 if fold_names(c, chips)[split] == name else 1)) for c in made]
        first, second = (calibrate(cases, catalogue(), "kernels").folds[split, name] for cases in (made, wild))
        assert constants(first) == pytest.approx(constants(second), rel=1e-9)

    def test_nobody_knows_the_rate_of_a_chip_that_is_left_out(self, fits):
        left = {
            (WITHOUT_CHIP, "910B"): ("atlas-800t-a2", "bf16"),
            (WITHOUT_SOURCE, "mindspeed"): ("atlas-800t-a2", "bf16"),
            (WITHOUT_CHIP, "H100"): ("dgx-h100", "bf16"),
        }
        for fold, name in left.items():
            assert fits.folds[fold].rates.get(name, 1.0) == pytest.approx(1.0, abs=1e-9)

    def test_a_fold_predicts_what_it_left_out_worse_than_the_full_fit(self, made, fits):
        ascend = [case for case in made if case.family == "mindspeed"]
        assert off(ascend, fits.full).mean() < 0.02
        assert off(ascend, fits.folds[WITHOUT_SOURCE, "mindspeed"]).mean() > 0.05


class TestCalibrate:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch):
        monkeypatch.setattr(steps, "EVALUATIONS", 4)

    def test_runs_that_are_searched_or_impossible_are_no_part_of_it(self, made):
        few = made[::5]
        searched = replace(few[0], name="searched", searched=True, seconds=1e9)
        known = {**few[0].variants[0], "tensor_parallel": 4096}
        broken = replace(few[0], name="broken", variants=(known,), seconds=1e9)
        told, wanted = [], []
        with_them = calibrate([few[0], searched, *few[1:4], broken, *few[4:]], catalogue(), "kernels", told.append)
        without = calibrate(few, catalogue(), "kernels", wanted.append)
        assert constants(with_them.full) == constants(without.full)
        assert set(with_them.folds) == set(without.folds)
        assert told == wanted
        assert wanted[0] == "all runs"
        assert "all but mindspeed" in wanted


def test_formats_of_one_rate():
    assert [family_of(name) for name in ("bf16", "fp16", "fp8", "fp4", "int8")] == [
        "bf16",
        "bf16",
        "fp8",
        "fp4",
        "int8",
    ]
    (case,) = runs("bloom-0001")
    assert class_of(replace(case, precision="fp16")) == class_of(case) == ("dgx-a100", "bf16")
