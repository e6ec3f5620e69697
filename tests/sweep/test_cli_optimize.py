"""The search options on the command line."""

import json

import pytest
from click.testing import CliRunner
from test_search import WIDE
from test_search_warm import COARSE
from tiny_study import tiny_model, tiny_study

from sweep.cli.app import cli
from sweep.cli.lever_table import columns_of
from sweep.engine import run
from sweep.paths import configs_dir
from sweep.search.points import LeverSpace
from sweep.study import open_study


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


def test_trials_count_those_of_the_search_besides_the_designs_it_begins_with(tmp_path, capfd):
    start = run(*tiny_study(tmp_path, COARSE), tmp_path / "sweep", in_process=True).run.location
    code, out, err = said(tmp_path, capfd, "--in-process", "--from", start, "--json")
    data = json.loads(out)
    assert (code, data["trials"]) == (0, 32)
    assert data["given"] > 0
    assert f"32 trials, and before them {data['given']} designs of {start}: " in err
    lines = CliRunner().invoke(cli, ["optimize", "--help"]).stdout.split()
    assert "Trials in all, besides the designs of --from" in " ".join(lines)


def test_progress_counts_trials_and_then_combinations_of_levers(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("sweep.cli.progress.EVERY", 0.0)
    _, _, err = said(tmp_path, capfd, "--in-process", "--verify")
    lines = [line for line in err.splitlines() if " %, " in line]
    assert "16 trials" in lines[0]
    assert "72 combinations of levers" in lines[-1]


def test_a_cluster_that_was_not_needed_is_said(tmp_path, capfd):
    code, _, err = said(tmp_path, capfd, "--address", "127.0.0.1:1")
    assert code == 0
    assert "--address 127.0.0.1:1 was not used: no batch of trials had 2,000,000 rows" in err
    assert "was not used" not in said(tmp_path, capfd)[2]


@pytest.mark.parametrize(
    ("goal", "what"), [("domains", "a lever"), ("power_price", "a scenario"), ("chip_power", "an input")]
)
def test_a_goal_that_is_no_result_is_named_as_what_it_is(tmp_path, capfd, goal, what):
    text = WIDE.replace("minimize: cost_per_token", f"minimize: {goal}")
    code, _, err = said(tmp_path, capfd, text=text)
    assert code == 2
    assert f"{goal} is {what}, not a result; name a metric, such as cost_per_token\n" in err


def test_levers_that_are_fixed_or_move_with_another_one_are_said_below_the_table():
    study, _ = open_study(configs_dir() / "studies" / "own-supernode.yaml")
    levers = LeverSpace(study)
    rows = [levers.values(point) for point in (*levers.points(0, 1), *levers.points(levers.size - 1, levers.size))]
    columns, note = columns_of(levers, rows)
    units = 9  # characters that a unit takes in a head
    assert sum(len(name) + units for name in columns) < 200
    assert columns[:2] == ["system", "scale_up_size"]
    assert all(name in columns or name in note.split() for name in rows[0])
    assert "In every design: " in note
    assert "scale_up_topology single_tier" in note
    assert "With scale_up_size 8: domains 288; 2,304: domains 1." in note


def test_a_database_that_is_away_is_one_sentence_and_exit_code_1(tmp_path, capfd):
    code, out, err = said(tmp_path, capfd, "--storage", "sqlite:////no/such/folder/x.db")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "unable to open database file" in err
