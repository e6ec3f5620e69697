"""Uncertain inputs of a study in its sensitivity analysis, against the engine's own draws and worked variances."""

import re
import shlex

import numpy as np
import pytest
from click.testing import CliRunner
from sensitivity_study import by_input
from tiny_study import tiny_model, tiny_study

from sweep.cli.app import cli
from sweep.engine.cells import cells
from sweep.engine.draws import evaluate_draws
from sweep.errors import StudyError
from sweep.paths import configs_dir
from sweep.sensitivity import Options, sensitivity, words
from sweep.sensitivity.points import Model
from sweep.space import Chunks

TEXT = """
study: doubts
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers:
  system: [cloudmatrix384, gb200-nvl72]
  domains: 4
scenarios:
  utilisation: [0.5, 1.0]
uncertain:
  model_error: false
  inputs:
    power_price: {triangular: [0.05, 0.10, 0.30], unit: USD/kWh}
    wacc: {uniform: [0.05, 0.11]}
    cloudmatrix384: {staff_multiplier: {normal: {mean: 2, sd: 0.2}}}
objective: {minimize: cost_per_token}
"""
KWH = 3.6e6


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)
    monkeypatch.setattr("sweep.engine.draws.evaluate", tiny_model)


def answered(folder, text=TEXT, *overrides, **options):
    return sensitivity(*tiny_study(folder, text, *overrides), ["cost_per_token"], Options(**options))


@pytest.mark.parametrize("mapping", ["nominal", "each"])
def test_points_are_the_draws_of_the_engine(tmp_path, mapping):
    study, catalogue = tiny_study(tmp_path, TEXT, f"uncertain.mapping={mapping}")
    model = Model.of(study, catalogue, ["cost_per_token"])
    draws = study.uncertain.uniforms(0, 50)
    for chunk in (Chunks(study.space)[number] for number in range(Chunks(study.space).count)):
        for cell in cells(chunk):
            drawn = evaluate_draws(study, catalogue, cell, np.arange(50))
            expected = np.broadcast_to(drawn.known["cost_per_token"], (*cell.shape, 50)).reshape(2, 50)
            cube = np.full((50, len(model.inputs.names)), 0.5)
            for place, label in enumerate(study.uncertain.labels):
                cube[:, model.inputs.names.index(label)] = draws[:, place]
            system = cell.structural["system"]
            cube[:, model.inputs.names.index("system")] = 0.25 if system == "cloudmatrix384" else 0.75
            for level, share in enumerate((0.25, 0.75)):
                cube[:, model.inputs.names.index("utilisation")] = share
                found = model.at(cube).values[0]
                assert found == pytest.approx(1e6 * expected[level], rel=1e-12)


def test_shares_of_an_affine_cost_are_those_of_its_distributions(tmp_path):
    # (Var triangular = (a^2 + b^2 + c^2 - ab - ac - bc) / 18; Var uniform = width^2 / 12.)
    answer = answered(tmp_path, TEXT, "levers.system=gb200-nvl72", "uncertain.inputs.cloudmatrix384=null",
                      "scenarios=null")  # fmt: skip
    low, mode, high = (1e9 * price / KWH for price in (0.05, 0.10, 0.30))
    power = (low**2 + mode**2 + high**2 - low * mode - low * high - mode * high) / 18
    capital = (1e3 * 0.06) ** 2 / 12
    found = by_input(answer.decided[0])
    assert set(found) == {"power_price", "wacc"}
    for name, variance in (("power_price", power), ("wacc", capital)):
        share = variance / (power + capital)
        assert found[name].first == pytest.approx(share, abs=found[name].first_interval)
        assert found[name].total == pytest.approx(share, abs=found[name].total_interval)


def test_uncertain_inputs_are_ranked_with_the_swept_ones_and_shown_as_written(tmp_path):
    answer = answered(tmp_path)
    roles = {each.name: each.role for each in answer.inputs.every}
    assert roles == {
        "cloudmatrix384.staff_multiplier": "uncertain",
        "power_price": "uncertain",
        "system": "lever",
        "utilisation": "scenario",
        "wacc": "uncertain",
    }
    texts = {each.name: words.range_text(each, answer.inputs) for each in answer.inputs.every}
    assert texts["power_price"] == "triangular 0.05, 0.1, 0.3 USD/kWh"
    assert texts["cloudmatrix384.staff_multiplier"] == "normal 2 ± 0.2"


def test_a_tornado_goes_to_the_tails_of_what_is_uncertain_about_its_system(tmp_path):
    answer = answered(tmp_path, samples=64)
    around, uncertain = answer.around, answer.inputs.study.uncertain
    assert around.base.settings["system"] == "gb200-nvl72"
    swings = {}
    for swing in around.swings:
        swings.setdefault(swing.input, []).append(swing)
    assert "cloudmatrix384.staff_multiplier" not in swings
    expected = uncertain.of("gb200-nvl72")["power_price"].marginal.quantile(np.array([0.05, 0.95]))
    assert [swing.settings["power_price"] for swing in swings["power_price"]] == expected.tolist()
    prices = 1e9 * np.array([0.10, *expected]) / KWH
    costs = np.array([around.values[0], *(swing.values[0] for swing in swings["power_price"])])
    assert costs / costs[0] == pytest.approx((1e3 * 0.08 + prices) / (1e3 * 0.08 + prices[0]))


def test_correlated_inputs_have_no_shares_of_their_own(tmp_path):
    correlated = "uncertain.correlations=[[wacc, power_price, 0.5]]"
    with pytest.raises(StudyError, match="power_price and wacc are correlated") as error:
        answered(tmp_path, TEXT, correlated)
    assert "--set uncertain.correlations=null" in str(error.value)


def test_the_command_in_the_refusal_of_the_shipped_study_is_one_that_works(monkeypatch):
    study = "cloudmatrix384-vs-gb200-nvl72-uncertain"
    refused = CliRunner().invoke(cli, ["sensitivity", study])
    assert refused.exit_code == 2
    command = re.search(r"draw them so with: supernode (sensitivity .*)", refused.stderr)[1]
    assert command == f"sensitivity {study} --set uncertain.correlations=null"
    header = (configs_dir() / "studies" / f"{study}.yaml").read_text(encoding="utf-8")
    assert f"#   supernode {command}\n" in header

    def costed(known):
        found = tiny_model(known)
        return {**found, "cost_to_train": found["cost_per_token"]}

    monkeypatch.setattr("sweep.engine.rows.evaluate", costed)
    done = CliRunner().invoke(cli, [*shlex.split(command), "--samples", "8"])
    assert done.exit_code == 0, done.output
