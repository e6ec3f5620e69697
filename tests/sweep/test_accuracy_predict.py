"""Predictions of runs: ranges, memory, searched mappings, rates, and whose constants each split takes."""

from dataclasses import replace

import pytest
from published_runs import catalogue, runs

from models.coefficients import prior_coefficients
from models.speeds import EFFICIENCY
from models.training import training_stage
from sweep.accuracy import predict as module
from sweep.accuracy.choices import IN_SAMPLE, SPLITS, WITHOUT_CHIP, WITHOUT_SOURCE
from sweep.accuracy.predict import SEARCH_SLACK, predict, predicted, with_fit
from sweep.accuracy.stack import PLENTY, evaluate, stack_runs
from sweep.calibration.problem import Fit, class_of, rate_factors
from sweep.calibration.steps import Fits

PRIOR = Fit(prior_coefficients(), {})


def time_of(known, coefficients=PRIOR.coefficients):
    out = training_stage({**known, "hbm_capacity": PLENTY, "coefficients": coefficients})
    assert int(out["status"]) == 0
    return float(out["step_time"])


def with_memory(case, *sizes):
    """Return a case whose variants have chips of these sizes [byte]."""
    sized = zip(case.variants, sizes, strict=True)
    return replace(case, variants=tuple({**known, "hbm_capacity": size} for known, size in sized))


@pytest.fixture
def ranged():
    """Return a run with two variants, without and with recomputation, the second slower."""
    (case,) = runs("llama3-0001")
    known = case.variants[0]
    pair = tuple({**known, "recompute": recompute} for recompute in ("none", "full"))
    return replace(case, variants=pair, stated=False)


@pytest.fixture
def small():
    """Return a run of which the model has to search the mapping, on few chips."""
    (case,) = runs("llmfoundry-0001")
    known = dict(case.variants[0])
    for name in (
        "tensor_parallel",
        "pipeline_parallel",
        "virtual_pipeline",
        "data_parallel",
        "micro_batch",
        "recompute",
    ):
        known.pop(name)
    known |= {"domains": 2, "scale_up_size": 8, "global_batch": 64, "hbm_capacity": 80e9}
    return replace(case, variants=(known,), stated=False, searched=True)


class TestMapped:
    def test_a_stated_run_is_one_number_and_its_parts_add_up(self):
        cases = runs("bloom-0001", "bridge-0096", "palm-0001", "mlperf-0001", "bridge-0074")
        for case, found in zip(cases, predict(cases, PRIOR), strict=True):
            assert found.case is case
            assert found.low == found.high == pytest.approx(time_of(case.variants[0]), rel=1e-12)
            assert sum(found.parts.values()) == pytest.approx(found.low, rel=1e-9)
            assert "step_time" not in found.parts

    def test_a_range_spans_its_variants(self, ranged):
        (found,) = predict([with_memory(ranged, PLENTY, PLENTY)], PRIOR)
        times = [time_of(known) for known in ranged.variants]
        assert times[1] > 1.1 * times[0]
        assert (found.low, found.high) == pytest.approx(tuple(times), rel=1e-12)
        assert found.low * (1 - 1e-9) <= sum(found.parts.values()) <= found.high * (1 + 1e-9)

    @pytest.mark.parametrize("short", [0, 1])
    def test_what_the_memory_cannot_hold_is_left_out(self, ranged, short):
        sizes = [PLENTY, PLENTY]
        sizes[short] = 1e9
        (found,) = predict([with_memory(ranged, *sizes)], PRIOR)
        assert found.low == found.high == pytest.approx(time_of(ranged.variants[1 - short]), rel=1e-12)

    @pytest.mark.parametrize("short", [0, 1])
    def test_parts_are_those_of_a_variant_that_fits(self, ranged, short):
        sizes = [PLENTY, PLENTY]
        sizes[short] = 1e9
        (found,) = predict([with_memory(ranged, *sizes)], PRIOR)
        assert sum(found.parts.values()) == pytest.approx(found.low, rel=1e-9)

    def test_a_run_that_fits_nowhere_did_run(self, ranged):
        (found,) = predict([with_memory(ranged, 1e9, 1e9)], PRIOR)
        assert (found.low, found.high) == pytest.approx(tuple(time_of(known) for known in ranged.variants), rel=1e-12)

    def test_one_run_does_not_change_another(self, ranged):
        others = runs("bridge-0020", "mindspeed-0052", "bloom-0001")
        (alone,) = predict([ranged], PRIOR)
        for cases in ([ranged, *others], [*others, ranged]):
            found = next(each for each in predict(cases, PRIOR) if each.case is ranged)
            assert (found.low, found.high) == pytest.approx((alone.low, alone.high), rel=1e-12)

    def test_a_run_without_a_legal_mapping_is_missing(self):
        first, second = runs("bloom-0001", "korthikanti22-0001")
        broken = replace(first, variants=({**first.variants[0], "tensor_parallel": 4096},))
        assert [each.case.name for each in predict([broken, second], PRIOR)] == ["korthikanti22-0001"]

    def test_so_are_all_when_none_has_one(self):
        (first,) = runs("bloom-0001")
        broken = replace(first, variants=({**first.variants[0], "tensor_parallel": 4096},))
        assert predict([broken], PRIOR) == []

    def test_nothing_to_predict(self):
        assert predict([], PRIOR) == []


class TestSearched:
    def test_the_best_mapping_and_one_a_little_slower(self, small):
        (found,) = predict([small], PRIOR)
        best = training_stage({**small.variants[0], "coefficients": PRIOR.coefficients})
        assert found.low == float(best["step_time"])
        assert found.high == pytest.approx(SEARCH_SLACK * found.low)
        assert sum(found.parts.values()) == pytest.approx(found.low, rel=1e-9)

    def test_no_fixed_mapping_is_faster(self, small):
        (found,) = predict([small], PRIOR)
        fixed = {"tensor_parallel": 2, "pipeline_parallel": 1, "data_parallel": 8, "micro_batch": 1}
        assert time_of({**small.variants[0], **fixed, "recompute": "none"}) > found.low

    def test_several_variants_widen_the_range(self, small):
        known = small.variants[0]
        slow = {**known, "hbm_bandwidth": 0.5 * known["hbm_bandwidth"]}
        fast, late = (predict([replace(small, variants=(one,))], PRIOR)[0] for one in (known, slow))
        (both,) = predict([replace(small, variants=(slow, known))], PRIOR)
        assert late.low > fast.low
        assert (both.low, both.high) == (fast.low, late.high)
        assert both.parts == fast.parts

    def test_what_fits_nowhere_is_missing(self, small):
        tiny = replace(small, variants=({**small.variants[0], "hbm_capacity": 1e9},))
        assert predict([tiny], PRIOR) == []
        half = replace(small, variants=(*tiny.variants, *small.variants))
        assert predict([half], PRIOR)[0].low == predict([small], PRIOR)[0].low


class TestRates:
    @pytest.mark.parametrize(
        "name",
        [
            "bloom-0001",  # 16 bits
            "bridge-0020",  # 8 bits, mixture, latent attention
            "bridge-0038",  # 4 bits
            "maxtext-0031",  # 16 bits on a torus
            "tpu-recipes-0023",  # 8-bit integers
            "mlperf-0174",  # 8 or 4 bits
        ],
    )
    def test_efficiencies_with_the_rate_are_the_factor_of_the_fit(self, name):
        """The search takes the rate by the efficiencies of the chip, stacked runs take it as a factor."""
        (case,) = runs(name)
        fit = Fit(PRIOR.coefficients, {class_of(case): 0.8})
        stack, _ = stack_runs([(0, known) for known in case.variants])
        total = evaluate(stack, fit.coefficients, rate_factors(stack, [case], fit.rates))[1].total
        for known, wanted in zip(case.variants, total, strict=True):
            inputs = with_fit(known, case, fit)
            assert float(training_stage({**inputs, "hbm_capacity": PLENTY})["step_time"]) == pytest.approx(wanted)
            assert wanted > 1.01 * time_of(known)

    def test_only_the_efficiencies_of_the_products_change(self):
        (case,) = runs("bridge-0020")
        known = case.variants[0]
        inputs = with_fit(known, case, Fit(PRIOR.coefficients, {class_of(case): 0.8}))
        changed = {name for name in inputs if name != "coefficients" and inputs[name] is not known[name]}
        assert changed == {EFFICIENCY["fp8"], EFFICIENCY["bf16"]}
        assert inputs["coefficients"] is PRIOR.coefficients

    def test_a_class_that_the_fit_does_not_know_keeps_its_kernels(self):
        (case,) = runs("bloom-0001")
        other = Fit(PRIOR.coefficients, {("dgx-h100", "bf16"): 0.5})
        assert predict([case], other)[0].low == predict([case], PRIOR)[0].low
        assert with_fit(case.variants[0], case, other) == {**case.variants[0], "coefficients": PRIOR.coefficients}

    def test_a_searched_run_has_its_rate(self, small):
        slow = Fit(PRIOR.coefficients, {class_of(small): 0.8})
        assert predict([small], slow)[0].low > 1.05 * predict([small], PRIOR)[0].low


class TestSplits:
    """The fixed time of a step says which fit made a prediction: every fit has its own, and nothing else differs."""

    FULL, FAMILY, CHIP = 0.1, 0.2, 0.3

    @pytest.fixture(autouse=True)
    def fits(self, monkeypatch):
        def fit(overhead):
            return Fit(replace(PRIOR.coefficients, step_overhead=overhead), {})

        folds = {(WITHOUT_SOURCE, "bloom"): fit(self.FAMILY), (WITHOUT_CHIP, "A100"): fit(self.CHIP)}
        monkeypatch.setattr(module, "shipped_fits", lambda: Fits(fit(self.FULL), folds))

    def overheads(self, cases, split):
        plain = predict(cases, Fit(replace(PRIOR.coefficients, step_overhead=0.0), {}))
        found = predicted(cases, catalogue(), split)
        assert [each.case for each in found] == cases
        return [each.low - before.low for each, before in zip(found, plain, strict=True)]

    @pytest.mark.parametrize(
        ("split", "wanted"),
        [
            (IN_SAMPLE, [FULL, FULL, FULL]),
            (WITHOUT_SOURCE, [FAMILY, FULL, FULL]),
            (WITHOUT_CHIP, [CHIP, CHIP, FULL]),
        ],
    )
    def test_each_run_is_predicted_without_itself(self, split, wanted):
        """Of the runs the first is of the family, the first two on the chip that a fit leaves out."""
        cases = runs("bloom-0001", "korthikanti22-0001", "mindspeed-0001")
        assert self.overheads(cases, split) == pytest.approx(wanted, abs=1e-9)

    def test_a_family_that_no_fit_knows_is_predicted_by_all(self):
        (case,) = runs("bloom-0001")
        stranger = replace(case, family="nobody")
        assert self.overheads([stranger], WITHOUT_SOURCE) == pytest.approx([self.FULL], abs=1e-9)

    def test_the_order_is_that_of_the_cases(self, small):
        broken = replace(small, name="broken", variants=({**small.variants[0], "hbm_capacity": 1e9},))
        first, second = runs("mindspeed-0001", "bloom-0001")
        for split in SPLITS:
            found = predicted([first, small, broken, second], catalogue(), split)
            assert [each.case for each in found] == [first, small, second]


def test_the_shipped_fits_predict_the_published_runs():
    """A few runs of very different kinds, within a third by the constants of all: no part of the chain is broken."""
    cases = runs("bloom-0001", "bridge-0020", "korthikanti22-0001", "mlperf-0001", "llmfoundry-0001", "mindspeed-0001")
    for found in predicted(cases, catalogue(), IN_SAMPLE):
        assert found.low == pytest.approx(found.case.seconds, rel=0.33), found.case.name
