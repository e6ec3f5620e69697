"""Inputs of studies with several systems, words, groups and samples; the design they stand on, and its tornado."""

import re
from functools import partial

import numpy as np
import pytest
from test_search import WIDE
from tiny_study import TINY, tiny_model, tiny_study

from sweep.answer.scenarios import scenarios_of
from sweep.engine import run
from sweep.errors import StudyError
from sweep.sensitivity import Options, sensitivity, words
from sweep.sensitivity.base import best_base
from sweep.sensitivity.inputs import Inputs
from sweep.sensitivity.points import DROPPED, Model

LISTS = TINY.replace("{linspace: [0.02, 0.20], steps: 7, unit: USD/kWh}", "{values: [0.02, 0.1, 0.2], unit: USD/kWh}")
SAMPLED = """sample:
  points: 16
  over:
    chip_power: {from: 0.5, to: 2, times: true}
    carbon_intensity: {from: 100, to: 500, unit: g/kWh}
"""


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def inputs_of(folder, text=TINY):
    return Inputs.of(tiny_study(folder, text)[0])


def swept(study, catalogue, folder):
    """The rows of the sweep by id."""
    rows = run(study, catalogue, folder / "out", in_process=True).run.arrow().to_pylist()
    return {row["design"]: row for row in rows}


def test_every_swept_axis_is_one_input_and_the_system_tells_blocks_apart(tmp_path):
    inputs = inputs_of(tmp_path)
    names = ("domains", "power_price", "region", "scale_up_bandwidth", "staff_multiplier", "system", "wacc+utilisation")
    assert inputs.names == names
    assert [spot.label for spot in inputs.spots] == ["cloudmatrix384", "gb200-nvl72"]
    texts = {each.name: words.range_text(each, inputs) for each in inputs.every}
    assert texts == {
        "domains": "1, 2, 40",
        "power_price": "0.02 to 0.2 USD/kWh",
        "region": "own, us-texas",
        "scale_up_bandwidth": "0.5, 1, 2 x own",
        "staff_multiplier": "cloudmatrix384: 1, 3 x own",
        "system": "cloudmatrix384, gb200-nvl72",
        "wacc+utilisation": "2 rows of wacc, utilisation",
    }
    assert {each.name: each.role for each in inputs.every}["system"] == "lever"


def test_points_are_the_designs_of_a_sweep(tmp_path):
    study, catalogue = tiny_study(tmp_path, LISTS)
    rows = swept(study, catalogue, tmp_path)
    model = Model.of(study, catalogue, ["cost_per_token", "power_per_chip"])
    uniforms = np.random.default_rng(3).random((300, len(model.inputs.every)))
    found = model.at(uniforms)
    seen = 0
    for batch in model.inputs.batches(uniforms):
        for at, row in enumerate(batch.rows.tolist()):
            design = {name: values[at].item() for name, values in batch.columns.items()}
            expected = rows.get(study.space.id_of(design))
            if expected is None:
                assert found.reasons[row] == DROPPED
                continue
            assert found.reasons[row] == (expected["reason"] or "")
            if expected["status"] == "ok":
                assert found.values[:, row].tolist() == [expected["cost_per_token"], expected["power_per_chip"]]
            else:
                assert np.isnan(found.values[:, row]).all()
            seen += 1
    assert seen > 200


def test_levels_have_equal_shares_and_ranges_are_continuous(tmp_path):
    inputs = inputs_of(tmp_path)
    shares = (np.arange(720) + 0.5) / 720
    cube = np.tile(shares[:, np.newaxis], len(inputs.every))
    columns = {}
    for batch in inputs.batches(cube):
        for name, values in batch.columns.items():
            columns.setdefault(name, []).extend(values.tolist())
    for name in ("domains", "region", "scale_up_bandwidth", "wacc", "system"):
        counts = np.unique(columns[name], return_counts=True)[1]
        assert (counts == 720 // counts.size).all(), name
    assert len(set(columns["power_price"])) == 720
    assert columns["power_price"][0] == pytest.approx(0.02, abs=2e-4)
    assert columns["power_price"][-1] == pytest.approx(0.2, abs=2e-4)


def test_sampled_quantities_are_inputs_of_their_own(tmp_path):
    inputs = inputs_of(tmp_path, TINY + SAMPLED)
    assert {"chip_power", "carbon_intensity"} < set(inputs.names)
    (batch,) = inputs.batches(np.full((1, len(inputs.names)), 0.5))
    assert "sample" not in batch.columns
    assert (batch.columns["chip_power"], batch.columns["carbon_intensity"]) == (1.25, 300)
    assert "chip_power" in batch.times


def test_a_sub_sweep_with_the_same_system_is_another_level(tmp_path):
    text = TINY + "blocks:\n  - levers: {domains: [3, 4]}\n  - levers: {domains: [5, 6]}\n"
    spots = inputs_of(tmp_path, text).spots
    labels = [spot.label for spot in spots]
    assert len(labels) == len(set(labels)) == 4
    assert labels[0].startswith("cloudmatrix384, block")


def test_a_sub_sweep_may_have_nothing_but_constants(tmp_path):
    text = """
study: points
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers: {system: gb200-nvl72, domains: 4}
blocks:
  - scenarios: {wacc: 0.08}
  - scenarios: {wacc: 0.08, utilisation: [0.5, 1.0]}
objective: {minimize: cost_per_token}
"""
    study, catalogue = tiny_study(tmp_path, text)
    model = Model.of(study, catalogue, ["cost_per_token"])
    costs = model.at(np.array([[0.1, 0.2], [0.1, 0.9], [0.9, 0.2], [0.9, 0.9]])).values[0]
    assert model.inputs.names == ("system", "utilisation")
    assert costs[0] == costs[1]
    assert costs[2] == 2 * costs[3]


def test_the_best_design_is_that_of_plain_loops_where_scenarios_are_nominal(tmp_path):
    study, catalogue = tiny_study(tmp_path, LISTS)
    rows = swept(study, catalogue, tmp_path).values()
    nominal = scenarios_of(study, catalogue).nominal("gb200-nvl72")
    assert nominal == {"power_price": 0.02, "region": "own", "wacc": 0.09, "utilisation": 0.7}
    here = [
        row
        for row in rows
        if row["status"] == "ok"
        and all(row[name] == value for name, value in nominal.items())
        and row["staff_multiplier_times"] == 1
    ]
    best = min(here, key=lambda row: (row["cost_per_token"], row["design"]))
    base = best_base(Model.of(study, catalogue, ["cost_per_token"]))
    assert base.design == best["design"]


def test_a_tornado_is_the_rows_of_the_sweep_around_its_design(tmp_path):
    study, catalogue = tiny_study(tmp_path, LISTS)
    rows = swept(study, catalogue, tmp_path)
    answer = sensitivity(study, catalogue, ["cost_per_token", "facility_power"], Options(samples=256))
    around = answer.around
    assert around.base.design in rows
    assert around.values[0] == rows[around.base.design]["cost_per_token"]
    moved = set()
    for swing in around.swings:
        if swing.input == "system":
            continue
        design = {**around.base.settings, **swing.settings}
        row = rows[study.space.id_of(design)]
        expected = [row[name] if row["status"] == "ok" else None for name in ("cost_per_token", "facility_power")]
        assert [*swing.values] == expected
        assert swing.reason == (row["reason"] or "")
        moved.add(swing.input)
    assert moved >= {"domains", "power_price", "scale_up_bandwidth", "wacc+utilisation"}
    changes = [[s.values[0] - around.values[0] for s in found if s.values[0]] for _, found in around.ranked(0)]
    reach = [max(0, *each) - min(0, *each) if each else 0 for each in changes]
    assert reach == sorted(reach, reverse=True)


def test_another_system_keeps_the_values_it_has_too(tmp_path):
    study, catalogue = tiny_study(tmp_path, TINY)
    answer = sensitivity(study, catalogue, ["cost_per_token"], Options(samples=256))
    (swing,) = (swing for swing in answer.around.swings if swing.input == "system")
    here = answer.around.base.settings["system"]
    assert swing.settings["system"] == {"cloudmatrix384": "gb200-nvl72", "gb200-nvl72": "cloudmatrix384"}[here]
    assert set(swing.settings) <= {"system", "staff_multiplier"}


def test_what_another_system_alone_meets_is_nominal_there(tmp_path):
    text = TINY.replace("staff_multiplier: {times: [1, 3]}", "staff_multiplier: [1, 3, 5]")
    study, catalogue = tiny_study(tmp_path, text)
    answer = sensitivity(study, catalogue, ["cost_per_token"], Options(samples=256))
    (swing,) = (swing for swing in answer.around.swings if swing.input == "system")
    assert answer.around.base.settings["system"] == "gb200-nvl72"
    assert swing.settings["staff_multiplier"] == 1


def test_a_named_design_is_looked_around_from(tmp_path):
    study, catalogue = tiny_study(tmp_path, TINY)
    answer = sensitivity(study, catalogue, ["cost_per_token"], Options(samples=256, at=17))
    design = study.space.design(17)
    assert (answer.around.base.design, answer.around.base.best) == (17, False)
    assert {name: design[name] for name in answer.around.base.settings} == dict(answer.around.base.settings)


def test_a_study_without_an_objective_has_no_best_design_but_shares(tmp_path):
    text = TINY.replace("objective: {minimize: cost_per_token}\n", "")
    study, catalogue = tiny_study(tmp_path, text)
    assert sensitivity(study, catalogue, ["cost_per_token"], Options(samples=256)).around is None
    assert sensitivity(study, catalogue, ["cost_per_token"], Options(samples=256, at=5)).around.base.design == 5


def test_of_many_choices_some_are_drawn_and_the_best_is_refined(tmp_path, monkeypatch):
    study, catalogue = tiny_study(tmp_path, WIDE)
    model = Model.of(study, catalogue, ["cost_per_token"])
    exact = best_base(model)
    assert (exact.tried, exact.choices) == (72, 72)
    monkeypatch.setattr("sweep.sensitivity.base.MOST_CHOICES", 71)
    monkeypatch.setattr("sweep.sensitivity.base.DRAWN", 6)
    for seed in range(5):
        seen: list[tuple[int, int, str]] = []
        base = best_base(model, seed, partial(_noted, seen))
        assert base.choices == 72
        assert cheap(base) == cheap(exact)
        assert 6 < base.tried <= 72
        assert seen[0][2] == "designs tried for the best"
        assert [state[0] for state in seen] == sorted(state[0] for state in seen)
        assert best_base(model, seed) == base


def cheap(base):
    """What decides the cost of a design: it does not depend on the number of domains here."""
    return {name: value for name, value in base.settings.items() if name != "domains"}


def _noted(seen, *state):
    seen.append(state)


def test_a_million_steps_of_a_lever_are_no_obstacle(tmp_path):
    text = TINY.replace("{times: [0.5, 1, 2]}", "{linspace: [0.5, 2], steps: 1000000, times: true}")
    study, catalogue = tiny_study(tmp_path, text)
    base = sensitivity(study, catalogue, ["cost_per_token"], Options(samples=256)).around.base
    assert base.best
    assert base.tried < 5000 < base.choices


def test_no_feasible_design_among_many_says_how_many_were_tried(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.sensitivity.base.MOST_CHOICES", 10)
    monkeypatch.setattr("sweep.sensitivity.base.DRAWN", 6)
    study, catalogue = tiny_study(tmp_path, WIDE.replace("14 MW", "0.1 MW"))
    with pytest.raises(StudyError, match=r"--at best: no design is feasible .* tried; name one by its id"):
        best_base(Model.of(study, catalogue, ["cost_per_token"]))


def test_both_phases_tell_how_far_they_are(tmp_path):
    study, catalogue = tiny_study(tmp_path, LISTS)
    seen = []
    answer = sensitivity(study, catalogue, ["cost_per_token"], Options(samples=256), lambda *state: seen.append(state))
    drawn = [state for state in seen if state[2] == "designs"]
    assert drawn[0][:2] == (64, answer.evaluations)
    assert drawn[-1][:2] == (answer.evaluations, answer.evaluations)
    assert len(drawn) > 5
    assert seen[-1][2] == "designs tried for the best"
    assert answer.around.base.tried == answer.around.base.choices == seen[-1][0]


def test_too_few_designs_for_shares_are_refused_before_most_are_evaluated(tmp_path):
    study, catalogue = tiny_study(tmp_path, TINY)
    seen = []
    with pytest.raises(
        StudyError, match=r"--samples: .* infeasible; then 200 samples .* 64 give 1\d\d at most"
    ) as said:
        sensitivity(study, catalogue, ["cost_per_token"], Options(samples=64), lambda *state: seen.append(state))
    assert seen == []
    enough = int(re.search(r"raise it to (\d+)", str(said.value))[1])
    assert sensitivity(study, catalogue, ["cost_per_token"], Options(samples=enough)).infeasible > 0
