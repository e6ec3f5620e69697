"""``supernode sensitivity``: what a planner reads, the JSON, the picture and the errors."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from sensitivity_study import THREE, ishigami, model
from tiny_study import TINY, tiny_model

from sweep.cli.app import cli


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", model(lambda units: 10 + 8 * units[0] + units[1] + 0 * units[2]))
    path = tmp_path / "three.yaml"
    path.write_text(THREE, encoding="utf-8")
    return str(path)


def said(*arguments, code=0):
    result = CliRunner().invoke(cli, ["sensitivity", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_the_first_line_says_which_input_decides(study):
    lines = said(study).stdout.splitlines()
    expected = r"wacc decides cost_per_token: it takes part in 98 ± [\d.]+ % of its variance, 98 % alone; "
    assert re.fullmatch(expected + r"2 others below 2 % each\.", lines[0])
    table = next(line for line in lines if line.startswith("wacc  "))
    assert "0.02 to 0.12" in table
    assert "scenario" in table
    assert "█" * 20 in table


def test_the_tornado_names_design_settings_and_changes(study):
    text = said(study, "--at", "12").stdout
    assert "cost_per_token around design 12 (" in text
    rows = [line.split() for line in text.splitlines() if "wacc = " in line and "+" in line]
    assert rows[0][:4] == ["wacc", "wacc", "=", "0.12"]
    assert "No change: staff_multiplier." in text


def test_json_is_strict_and_holds_what_is_printed(study):
    result = said(study, "--json", "--samples", "64", "--seed", "3", "--second-order")

    def refuse(word):
        raise AssertionError(word)

    data = json.loads(result.stdout, parse_constant=refuse)
    assert (data["method"], data["samples"], data["evaluations"], data["seed"]) == ("sobol", 64, 64 * 8, 3)
    (metric,) = data["metrics"]
    assert (metric["name"], metric["unit"], metric["kind"]) == ("cost_per_token", "USD/Mtoken", "sobol")
    assert metric["answer"].startswith("wacc decides cost_per_token")
    assert [each["input"] for each in metric["indices"]][:2] == ["wacc", "utilisation"]
    assert len(metric["pairs"]) == 3
    tornado = data["tornado"]
    (low,) = (swing["values"]["cost_per_token"] for swing in tornado["swings"] if swing["input"] == "wacc")
    assert tornado["settings"]["wacc"] == 0.12  # the value nearest to the default, which is the high end
    assert tornado["values"]["cost_per_token"] - low == pytest.approx(8)
    assert data["inputs"][1] == {"name": "utilisation", "role": "scenario", "range": "0.2 to 1"}


def test_samples_that_are_no_power_of_two_are_rounded_up_and_said(study):
    result = said(study, "--samples", "100")
    assert "100 is no power of two" in result.stderr
    assert "128 taken" in result.stderr
    assert "640 designs of 128 samples" in result.stderr


def test_wide_intervals_advise_more_samples(study, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", model(ishigami))
    assert "double --samples (now 16)" in said(study, "--samples", "16").stdout
    assert "double --samples" not in said(study, "--samples", "4096").stdout


def test_morris_names_the_largest_effect_with_its_unit(study):
    text = said(study, "--method", "morris").stdout
    assert text.startswith("wacc moves cost_per_token most: by 8 USD/Mtoken (± 0) over its range on average, always")


def test_infeasible_designs_are_said_with_reason_and_share(study, monkeypatch):
    monkeypatch.setattr(
        "sweep.engine.rows.evaluate", model(lambda units: 1 + units[1] + 0 * units[2], lambda units: units[0] > 0.5)
    )
    text = said(study, "--at", "0").stdout
    assert "50 % of the 5,120 designs are infeasible, by reason: memory: weights" in text
    assert "Whether a design is feasible (50 % are)" in text
    assert text.startswith("utilisation decides cost_per_token: it explains ")


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_pictures_are_equal_for_equal_answers(study, tmp_path, suffix):
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    for path in (first, second):
        assert f"wrote {path}" in said(study, "--samples", "32", "--plot", str(path)).stderr
    assert first.read_bytes() == second.read_bytes()
    if suffix == "svg":
        words = first.read_text(encoding="utf-8")
        assert all(
            each in words for each in ("What decides cost_per_token", "share of the variance [%]", "wacc = 0.02")
        )


def test_systems_and_words_are_in_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    text = said(str(path), "--metric", "facility_power", "--metric", "power_per_chip").stdout
    assert "cloudmatrix384, gb200-nvl72" in text
    assert "where: dropped before it is evaluated" in text
    assert "power_per_chip is " in text  # 3,000 W whatever the design
    assert "nothing that is swept changes it" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric", "cost_to_trian"], "did you mean cost_to_train?"),
        (["--at", "cheapest"], "'cheapest' is no design; write the id of one, or best"),
        (["--at", "99"], "design 99 does not exist"),
        (["--plot", "bars.pdf"], "name the picture with one of the suffixes .png, .svg"),
        (["--set", "objective=null"], "the study has no objective; name a metric"),
    ],
)
def test_wrong_options_are_one_sentence(study, arguments, message):
    result = said(study, *arguments, code=2)
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 1


def test_numbers_of_a_metric_are_over_the_designs(study):
    (metric,) = json.loads(said(study, "--json").stdout)["metrics"]
    assert metric["mean"] == pytest.approx(14.5, abs=0.01)
    assert metric["deviation"] == pytest.approx(np.sqrt(65 / 12), rel=0.01)
    assert metric["low"] >= 10
    assert metric["high"] <= 19
