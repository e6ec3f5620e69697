"""``supernode accuracy``: what it asks of the model and what it prints, with predictions made up."""

import json

import pytest
from click.testing import CliRunner
from measured_runs import case, prediction

from sweep.accuracy import assess
from sweep.accuracy.case import Prediction
from sweep.accuracy.choices import BY
from sweep.accuracy.page import accuracy_page, main
from sweep.accuracy.rows import LeftOut
from sweep.catalogue import Catalogue
from sweep.cli.app import cli
from sweep.errors import StudyError

FACTORS = {"in-sample": 1.02, "left-out-source": 1.1, "left-out-chip": 1.3}


@pytest.fixture
def asked(monkeypatch):
    """Splits that were asked for; the model answers with a factor on the measured time for each."""
    splits = []

    def read_cases(path, catalogue):  # noqa: ARG001 - the reader's signature
        names = ["a-0001", "b-0001"] if path == assess.training_table() else ["mine-1"]
        return [case(name) for name in names], [LeftOut("x-1", "batch not stated")]

    def predicted(cases, catalogue, split):  # noqa: ARG001 - the model's signature
        splits.append((split, [each.name for each in cases]))
        return [Prediction(each, *[each.seconds * FACTORS[split]] * 2, {"compute_time": 1.0}) for each in cases]

    monkeypatch.setattr(assess, "read_cases", read_cases)
    monkeypatch.setattr(assess, "predicted", predicted)
    monkeypatch.setattr(assess, "collective_errors", lambda catalogue: [])  # noqa: ARG005
    return splits


def said(*arguments, code=0):
    result = CliRunner().invoke(cli, ["accuracy", *[str(argument) for argument in arguments]])
    assert result.exit_code == code, result.stderr
    return result.stderr if code else result.stdout


def test_without_options_it_begins_with_the_figures_to_reach(asked):
    text = said()
    assert text.startswith("figures to reach\n")
    assert "error by tier, left-out-source" in text
    assert "largest errors, left-out-source" in text
    assert "batch not stated" in text
    assert [split for split, _ in asked] == [*FACTORS]


@pytest.mark.parametrize(("split", "error"), [("in-sample", "+2.0"), ("left-out-chip", "+30.0")])
def test_one_split_is_predicted_alone(asked, split, error):
    text = said("--split", split, "--by", "source")
    assert "figures to reach" not in text
    assert f"error by source, {split}" in text
    assert error in text
    assert [each for each, _ in asked] == [split]


def test_the_own_runs_of_a_user_are_predicted_with_the_shipped_constants(asked, tmp_path):
    own = tmp_path / "own.csv"
    own.touch()
    text = said("--file", own, "--rows")
    assert asked == [("in-sample", ["mine-1"])]
    assert "mine-1" in text
    assert "a-0001" not in text
    assert "1, covered" in text  # by the published runs
    assert said("--file", own, "--split", "left-out-chip")
    assert asked[1:] == [("left-out-chip", ["mine-1"])]


@pytest.mark.parametrize("by", BY)
def test_as_data(asked, by):
    data = json.loads(said("--json", "--by", by, "--rows"))
    assert list(data) == ["split", "figures", "all_but_microbenchmarks", "by", "groups", "left_out", "rows"]
    assert data["by"] == by
    assert data["all_but_microbenchmarks"]["mean"] == pytest.approx(0.1)
    assert [row["name"] for row in data["rows"]] == ["a-0001", "b-0001"]
    assert {"name", "split", "rows", "target", "reached", "met"} <= set(data["figures"][0])
    assert "rows" not in json.loads(said("--json"))
    assert len(asked) == 6


def test_a_picture_is_written_beside_the_answer(asked, tmp_path):
    said("--plot", tmp_path / "parity.svg")
    assert (tmp_path / "parity.svg").stat().st_size > 1000
    assert asked


def test_a_wrong_picture_is_refused_before_anything_is_predicted(asked, tmp_path):
    assert said("--plot", tmp_path / "parity.jpg", code=2).count("\n") == 1
    assert asked == []


def test_faults_of_a_file_are_told_with_their_place(asked, tmp_path, monkeypatch):
    def refused(path, catalogue):  # noqa: ARG001 - the reader's signature
        raise StudyError.at("colour is no column", f"{path}:1")

    monkeypatch.setattr(assess, "read_cases", refused)
    own = tmp_path / "own.csv"
    own.touch()
    assert said("--file", own, code=2) == f"error: {own}:1: colour is no column\n"
    assert "does not exist" in said("--file", tmp_path / "missing.csv", code=2)
    assert asked == []


def test_the_page_holds_every_table_and_knows_when_it_is_old(asked, tmp_path, capsys):
    assert main([str(tmp_path)]) == 0
    page = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert titles[0] == "## Figures to reach"
    assert len(titles) == len(set(titles)) == 10
    assert "| tier 1, covered: mean error | left-out-source | 2 | <= 7.5 % | 10.0 % | 10.0 % | no |" in page
    assert main([str(tmp_path), "--check"]) == 0
    (tmp_path / "accuracy.md").write_text(page + "more", encoding="utf-8")
    assert main([str(tmp_path), "--check"]) == 1
    assert "python -m sweep.accuracy.page" in capsys.readouterr().err
    assert asked


def test_a_bar_in_a_cell_does_not_break_the_table(asked):
    found = assess.assess(Catalogue.load())
    found.splits["left-out-source"].append(prediction(11.0, name="a|b-1"))
    assert "a\\|b" in accuracy_page(found)
    assert asked


def test_a_run_without_a_prediction_is_left_out_with_its_reason(asked, monkeypatch):
    answered = assess.predicted
    monkeypatch.setattr(assess, "predicted", lambda *given: answered(*given)[1:])
    data = json.loads(said("--json"))
    assert {"reason": "the model finds no legal mapping", "rows": 1, "names": ["a-0001"]} in data["left_out"]
    predicted = next(each for each in data["figures"] if each["name"] == "rows predicted")
    assert (predicted["rows"], predicted["reached"]) == (3, pytest.approx(1 / 3))
    assert asked
