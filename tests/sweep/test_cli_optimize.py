"""The search options on the command line."""

import json

import pytest
from test_search import WIDE
from tiny_study import tiny_model

from sweep.cli.app import cli


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def said(folder, capfd, *options, text=WIDE):
    (folder / "tiny.yaml").write_text(text)
    with pytest.raises(SystemExit) as left:
        cli.main(["optimize", str(folder / "tiny.yaml"), "--trials", "32", "-o", str(folder / "out"), *options])
    captured = capfd.readouterr()
    return left.value.code, captured.out, captured.err


def test_nothing_feasible_says_which_condition_binds_and_by_how_much(tmp_path, capfd):
    code, out, _ = said(tmp_path, capfd, "--in-process", text=WIDE.replace("14 MW", "0.1 MW"))
    assert code == 0
    assert "No trial is feasible in every scenario. The closest design is trial" in out
    assert "facility_power <= 0.1 MW is missed by 116 % of the limit" in out  # 72 chips of 3 kW


def test_json_names_sampler_scenario_and_constraints(tmp_path, capfd):
    _, out, _ = said(tmp_path, capfd, "--in-process", "--over", "nominal", "--sampler", "qmc", "--json")
    data = json.loads(out)
    assert (data["sampler"], data["over"], data["scenarios"]) == ("qmc", "nominal", 1)
    world = {"power_price": 0.05, "region": "own", "wacc": 0.09, "utilisation": 0.7}
    assert data["scenario"] == {"cloudmatrix384": {**world, "staff_multiplier_times": 1}, "gb200-nvl72": world}
    assert data["constraints"][1]["name"] == "facility_power <= 14 MW"
    assert 0 < data["constraints"][1]["kept_by"] <= 32


@pytest.mark.parametrize(
    ("over", "said_of_it"),
    [
        ("nominal", "Nominal scenario: power price 0.05 USD/kWh, region own (cloudmatrix384 in china-west, "),
        ("power_price=0.08", "Scenario: power price 0.08 USD/kWh, region own (cloudmatrix384 in china-west, "),
    ],
)
def test_one_scenario_is_told_by_its_values(tmp_path, capfd, over, said_of_it):
    _, out, _ = said(tmp_path, capfd, "--in-process", "--over", over)
    assert said_of_it in out
    assert "staff multiplier of cloudmatrix384 x 1" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--over", "power_prise=1"), "did you mean power_price"),
        (("--sampler", "cmaes"), "cmaes takes numbers only"),
        (("--storage", "foo://x"), "is no database"),
        (("--in-process", "--workers", "2"), "--in-process uses no workers"),
        (("--from", "nowhere"), "no run has this name or path"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path, capfd, options, message):
    code, out, err = said(tmp_path, capfd, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_database_that_is_away_is_one_sentence_and_exit_code_1(tmp_path, capfd):
    code, out, err = said(tmp_path, capfd, "--storage", "sqlite:////no/such/folder/x.db")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "unable to open database file" in err
