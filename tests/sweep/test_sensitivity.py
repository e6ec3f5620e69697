"""Sensitivity against functions whose indices are known, and against SALib on its own design."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from SALib.analyze import delta
from SALib.analyze import sobol as salib_analysis
from SALib.sample import sobol as salib_sample
from sensitivity_study import ENDS, ISHIGAMI, PER_MILLION, THREE, analysed, by_input, ishigami, model, opened

from sweep.errors import StudyError, SweepError
from sweep.sensitivity import sensitivity
from sweep.sensitivity.analysis import Options, power_of_two
from sweep.sensitivity.design import Saltelli, Trajectories, unit_problem
from sweep.sensitivity.indices import correlation_ratio, first_from_data, sobol_indices
from sweep.sensitivity.points import DROPPED
from sweep.space.sampling import _words

NAMES = tuple(sorted(ENDS))


@pytest.fixture
def stands_in(monkeypatch):
    """Puts a function in place of the model."""

    def put(formula, *conditions):
        monkeypatch.setattr("sweep.engine.rows.evaluate", model(formula, *conditions))

    return put


def salib_design(inputs, samples, seed, *, second_order):
    """SALib's own design from the same scrambled sequence."""
    key = _words(seed, "sobol", "sensitivity", "0", count=4)
    problem = unit_problem(tuple("abcdefgh"[:inputs]))
    return salib_sample.sample(problem, samples, calc_second_order=second_order, seed=np.random.default_rng(key))


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_ishigami_is_within_the_intervals_of_its_analytic_indices(tmp_path, stands_in, seed):
    stands_in(ishigami)
    found = analysed(tmp_path, seed=seed).decided[0]
    assert found.kind == "sobol"
    for name, (first, total) in ISHIGAMI.items():
        index = by_input(found)[name]
        assert abs(index.first - first) <= index.first_interval
        assert abs(index.total - total) <= index.total_interval
        assert index.total_interval < 0.15


def test_indices_equal_those_of_salib_on_its_own_design(tmp_path, stands_in):
    stands_in(ishigami)
    answer = analysed(tmp_path, samples=512, seed=7, second_order=True)
    points = salib_design(3, 512, 7, second_order=True)
    columns = {name: points[:, place] for place, name in enumerate(NAMES)}
    output = ishigami([columns[name] for name in ENDS])
    expected = salib_analysis.analyze(unit_problem(NAMES), output, num_resamples=200, seed=8)
    for place, name in enumerate(NAMES):
        index = by_input(answer.decided[0])[name]
        assert index.first == pytest.approx(expected["S1"][place], abs=1e-9)
        assert index.total == pytest.approx(expected["ST"][place], abs=1e-9)
        assert index.first_interval == pytest.approx(expected["S1_conf"][place], abs=1e-9)
        assert index.total_interval == pytest.approx(expected["ST_conf"][place], abs=1e-9)
    for pair in answer.decided[0].pairs:
        j, k = (NAMES.index(name) for name in pair.inputs)
        assert pair.share == pytest.approx(expected["S2"][j, k], abs=1e-9)
    assert answer.decided[0].pairs[0].inputs == ("staff_multiplier", "wacc")  # x1 and x3: S13 = 0.244


@pytest.mark.parametrize("second_order", [False, True])
def test_the_design_is_that_of_salib_and_any_block_of_it_can_be_computed_alone(second_order):
    design = Saltelli(4, 64, 3, second_order)
    whole = salib_design(4, 64, 3, second_order=second_order)
    assert np.array_equal(design.block(0, design.rows), whole)
    for start, stop in [(0, 1), (5, 6), (13, 200), (100, design.rows), (design.rows - 1, design.rows)]:
        assert np.array_equal(design.block(start, stop), whole[start:stop])


def test_trajectories_change_one_input_at_a_time_by_two_thirds_wherever_they_are_cut():
    design = Trajectories(5, 10, 2)
    whole = design.block(0, design.rows)
    steps = np.diff(whole.reshape(10, 6, 5), axis=1)
    assert (np.count_nonzero(np.abs(steps) > 1e-12, axis=2) == 1).all()
    assert np.abs(steps).max(axis=2) == pytest.approx(2 / 3)
    assert (np.count_nonzero(np.abs(steps) > 1e-12, axis=1) == 1).all()  # each input once
    for start, stop in [(0, 6), (7, 8), (11, 40)]:
        assert np.array_equal(design.block(start, stop), whole[start:stop])


def test_an_affine_cost_has_the_shares_of_its_variances(tmp_path, stands_in):
    # Var(a x) = a^2 / 12 for x uniform on [0, 1]; the last input takes 0, 1/4 or 1 of its range, each equally often:
    # mean 5/12, variance (25 + 4 + 49) / 144 / 3 = 13 / 72.
    stands_in(lambda units: 3 + 4 * units[0] + 2 * units[1] + 3 * units[2])
    text = THREE.replace("{linspace: [1, 5], steps: 2}", "[1, 2, 5]")
    variances = {"wacc": 16 / 12, "utilisation": 4 / 12, "staff_multiplier": 9 * 13 / 72}
    answer = analysed(tmp_path, text)
    for name, variance in variances.items():
        index = by_input(answer.decided[0])[name]
        share = variance / sum(variances.values())
        assert index.first == pytest.approx(share, abs=index.first_interval)
        assert index.total == pytest.approx(share, abs=index.total_interval)
    assert answer.decided[0].deviation ** 2 == pytest.approx(sum(variances.values()), rel=0.02)  # 5,120 designs
    assert [each.input for each in answer.decided[0].indices] == ["staff_multiplier", "wacc", "utilisation"]


def test_a_word_of_two_levels_has_the_share_of_its_known_effect(tmp_path, monkeypatch):
    # y = 2 [system is NVL72] + 3 x: variances 4 / 4 and 9 / 12.
    def evaluate(known):
        cost = 2.0 * (known["system"] == "gb200-nvl72") + 3 * (known["utilisation"] - 0.2) / 0.8
        zero = np.zeros((), dtype=np.int16)
        return {"status": zero, "reason": zero, "cost_per_token": np.asarray(cost) / PER_MILLION}

    monkeypatch.setattr("sweep.engine.rows.evaluate", evaluate)
    text = THREE.replace("system: gb200-nvl72", "system: [gb200-nvl72, cloudmatrix384]")
    found = by_input(analysed(tmp_path, text).decided[0])
    assert found["system"].first == pytest.approx(1 / 1.75, abs=found["system"].first_interval)
    assert found["system"].total == pytest.approx(1 / 1.75, abs=found["system"].total_interval)
    assert found["utilisation"].first == pytest.approx(0.75 / 1.75, abs=found["utilisation"].first_interval)
    assert found["wacc"].total == 0.0


def test_the_order_of_the_axes_changes_nothing(tmp_path, stands_in):
    stands_in(ishigami)
    lines = THREE.splitlines()
    place = next(number for number, line in enumerate(lines) if "wacc" in line)
    lines[place], lines[place + 1] = lines[place + 1], lines[place]
    first, second = (analysed(tmp_path, text, samples=64) for text in (THREE, "\n".join(lines)))
    assert first.decided == second.decided


def test_equal_seeds_give_equal_answers_and_others_do_not(tmp_path, stands_in):
    stands_in(ishigami)
    answers = [analysed(tmp_path, samples=64, seed=seed).decided for seed in (0, 0, 1)]
    assert answers[0] == answers[1] != answers[2]


def test_several_metrics_come_from_one_pass(tmp_path, monkeypatch):
    calls = []

    def counting(known):
        calls.append(1)
        return model(ishigami)(known)

    monkeypatch.setattr("sweep.engine.rows.evaluate", counting)
    text = THREE + "metrics: {double: 2 * cost_per_token, square: cost_per_token * cost_per_token}\n"
    answer = analysed(tmp_path, text, ("cost_per_token", "double", "square"), samples=64)
    alone = len(calls)
    analysed(tmp_path, text, ("cost_per_token",), samples=64)
    assert len(calls) == 2 * alone
    one, double, square = answer.decided
    for name in NAMES:
        assert by_input(double)[name].total == pytest.approx(by_input(one)[name].total, rel=1e-9)
    assert by_input(square) != by_input(one)


coefficients = st.lists(st.floats(-10, 10), min_size=3, max_size=3).filter(lambda c: max(map(abs, c)) > 0.1)


@settings(max_examples=25)
@given(coefficients, st.floats(0.01, 1e6), st.floats(-100, 100))
def test_additive_functions_have_equal_first_and_total_shares_whatever_the_scale(terms, scale, offset):
    design = Saltelli(3, 256, 5)
    points = design.block(0, design.rows)
    shapes = [points[:, 0], points[:, 1] ** 2, np.sqrt(points[:, 2])]
    output = sum(term * shape for term, shape in zip(terms, shapes, strict=True))
    indices, _ = sobol_indices(design, NAMES, output, 0)
    scaled, _ = sobol_indices(design, NAMES, scale * output + offset, 0)
    for index, same in zip(indices, scaled, strict=True):
        error = index.first_interval + index.total_interval + 1e-9
        assert -error <= index.first <= 1 + error
        assert index.first - index.total == pytest.approx(0, abs=error)
        assert 0 <= index.total <= 1 + error
        assert (same.input, same.first) == (index.input, pytest.approx(index.first, abs=1e-6))
        assert same.total == pytest.approx(index.total, abs=1e-6)


def test_elementary_effects_of_a_plane_are_its_slopes(tmp_path, stands_in):
    stands_in(lambda units: 4 * units[0] - 2 * units[1] + 0 * units[2])
    answer = analysed(tmp_path, method="morris", samples=8)
    found = by_input(answer.decided[0])
    slopes = {"wacc": 4.0, "utilisation": -2.0, "staff_multiplier": 0.0}
    for name, slope in slopes.items():
        effect = found[name]
        assert (effect.mean, effect.size) == (pytest.approx(slope, abs=1e-9), pytest.approx(abs(slope), abs=1e-9))
        assert effect.spread == pytest.approx(0, abs=1e-9)
    assert answer.evaluations == 8 * 4
    assert answer.decided[0].effects[0].input == "wacc"


def test_shares_from_data_are_those_of_salib_without_their_bias():
    rng = np.random.default_rng(1)
    points = rng.random((2000, 2))
    output = points[:, 0] ** 2 + 0.3 * rng.standard_normal(2000)
    classes = 13  # the cube root of 2,000
    edges = np.linspace(0, 2000, classes + 1)
    plain = delta.sobol_first(output, points[:, 0], edges)
    found = {each.input: each for each in first_from_data(("x", "y"), points, output, 0)}
    assert found["x"].first == pytest.approx(1 - (1 - plain) * 1999 / (2000 - classes), abs=1e-3)  # edges round apart
    analytic = (4 / 45) / (4 / 45 + 0.09)
    assert found["x"].first == pytest.approx(analytic, abs=found["x"].first_interval)
    assert found["y"].first == pytest.approx(0, abs=0.01)


def test_classes_without_effect_have_no_share_on_average():
    rng = np.random.default_rng(2)
    shares = [correlation_ratio(rng.integers(20, size=400), rng.standard_normal(400)) for _ in range(200)]
    assert np.mean(shares) == pytest.approx(0, abs=4 * np.std(shares) / np.sqrt(200))
    assert correlation_ratio(np.array([0, 0, 1, 1]), np.array([2.0, 2.0, 5.0, 5.0])) == 1.0


def test_infeasible_designs_are_counted_and_feasibility_gets_the_sobol_indices(tmp_path, stands_in):
    stands_in(lambda units: 2 * units[1] + 0 * units[2] + 0 * units[0], lambda units: units[0] < 0.25)
    answer = analysed(tmp_path, samples=1024)
    assert answer.infeasible == pytest.approx(0.25, abs=0.01)
    assert [*answer.reasons.values()] == [round(answer.infeasible * answer.evaluations)]
    (found,) = answer.decided
    assert found.kind == "data"
    assert by_input(found)["utilisation"].first > 0.98
    assert by_input(found)["wacc"].first == pytest.approx(0, abs=0.02)
    feasibility = by_input(answer.feasibility)
    assert feasibility["wacc"].first == pytest.approx(1, abs=feasibility["wacc"].first_interval)
    assert feasibility["utilisation"].total == 0


def test_designs_dropped_by_where_have_a_reason(tmp_path, stands_in):
    stands_in(ishigami)
    answer = analysed(tmp_path, THREE + "where: utilisation >= 0.4\n", samples=256)
    assert answer.reasons == {DROPPED: pytest.approx(answer.evaluations / 4, rel=0.02)}


def test_a_condition_of_the_study_can_be_lifted(tmp_path, stands_in):
    stands_in(lambda units: 1 + units[0] + units[1] + units[2])
    text = THREE + "require: cost_per_token <= 2.8 USD/Mtoken\n"
    assert analysed(tmp_path, text, samples=512).decided[0].kind == "data"
    assert analysed(tmp_path, text, overrides=["require=null"], samples=64).decided[0].kind == "sobol"


@pytest.mark.parametrize(
    ("text", "metric", "options", "said"),
    [
        (THREE, "cost_per_tokem", {}, "did you mean cost_per_token"),
        (THREE, "mapping", {}, "no metric with numbers"),
        (THREE.replace("utilisation: {linspace: [0.2, 1.0], steps: 5}", "").replace(
            "staff_multiplier: {linspace: [1, 5], steps: 2}", ""), "cost_per_token", {}, "1 (wacc) is swept here"),
        (THREE, "cost_per_token", {"at": 30}, "design 30 does not exist"),
        (THREE + "where: utilisation > 2\n", "cost_per_token", {"at": 0}, "designs is feasible (most often because of"),
        (THREE + "where: wacc > 0.03\n", "cost_per_token", {"method": "morris"}, "use --method sobol"),
        (THREE + "where: utilisation < 0.7 or staff_multiplier > 4\n", "cost_per_token", {},
         "no design is feasible where every scenario"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_one_sentence(tmp_path, stands_in, text, metric, options, said):
    stands_in(ishigami)
    with pytest.raises(StudyError, match=said.replace("(", r"\(").replace(")", r"\)")):
        analysed(tmp_path, text, (metric,), **options)


def test_a_metric_that_is_known_nowhere_names_the_fact_it_needs(tmp_path):
    study, catalogue = opened(tmp_path, THREE.replace("gb200-nvl72", "tpu-v5p-pod"))  # rented out, never sold
    with pytest.raises(StudyError) as error:
        sensitivity(study, catalogue, ["cost_to_train"], Options(samples=4, at=0))
    said = str(error.value)
    assert "cost_to_train has no value in any design sampled (such as one of tpu-v5p-pod); it needs chip_price" in said
    assert "tpu-v5p-pod.yaml:" in said
    with pytest.raises(StudyError, match="decode_batch is no result of a workload that the study asks to train"):
        sensitivity(study, catalogue, ["decode_batch"], Options(samples=4, at=0))


def test_a_metric_that_nothing_changes_is_constant(tmp_path, stands_in):
    stands_in(ishigami)
    answer = analysed(tmp_path, metrics=("capital_cost",), samples=16)
    assert (answer.decided[0].kind, answer.decided[0].mean) == ("constant", 2000.0)


def test_a_missing_library_names_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "SALib", None)
    with pytest.raises(SweepError, match=r"supernode-sweep\[analysis\]"):
        analysed(tmp_path)


@pytest.mark.parametrize(("asked", "taken"), [(2, 2), (3, 4), (64, 64), (65, 128), (1000, 1024)])
def test_samples_are_rounded_up_to_powers_of_two(asked, taken):
    assert power_of_two(asked) == taken
