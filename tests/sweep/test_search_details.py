"""What is printed of a best design: its row in a sweep, the value beside each limit, and a command that explains it."""

import json
import shlex

import pytest
from test_search import SMALL, WIDE
from tiny_study import tiny_model, tiny_study

from sweep.cli.app import cli
from sweep.engine import run
from sweep.search import Options, search

LIMITED = WIDE.replace("require: facility_power <= 14 MW", "require: [facility_power <= 14 MW, 1 kW < facility_power]")


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


@pytest.mark.parametrize(
    ("over", "price"), [("expected", 0.05), ("regret", 0.05), ("nominal", 0.05), ("power_price=0.08", 0.08)]
)
def test_a_design_is_its_row_in_a_sweep(tmp_path, over, price):
    study, catalogue = tiny_study(tmp_path, LIMITED)
    rows = run(study, catalogue, tmp_path / "sweep", in_process=True).run.arrow().to_pylist()
    result = search(study, catalogue, tmp_path / "out", 16, Options(batch=8, over=over))
    found = result.detail(result.best[0])
    row = next(each for each in rows if each["design"] == found.design)
    assert found.row == {name: value for name, value in row.items() if name != "design"}
    assert (row["power_price"], row["region"], row["wacc"]) == (price, "own", 0.09)
    levers = result.levers.values(result.best[0].point)
    assert {name: row[name] for name in levers} == levers
    assert result.design_ids(result.best) == [found.design]
    assert [(kept.limit.text, kept.value) for kept in found.limits] == [
        ("facility_power <= 14 MW", pytest.approx(row["facility_power"])),
        ("1 kW < facility_power", pytest.approx(row["facility_power"])),
    ]


def test_the_value_beside_a_limit_is_that_of_its_worst_scenario(tmp_path):
    study, catalogue = tiny_study(tmp_path, WIDE)
    rows = run(study, catalogue, tmp_path / "sweep", in_process=True).run.arrow().to_pylist()
    most = 2 * max(row["cost_per_token"] or 0 for row in rows)
    study, catalogue = tiny_study(
        tmp_path, WIDE.replace("facility_power <= 14 MW", f"cost_per_token <= {most} USD/Mtoken")
    )
    result = search(study, catalogue, tmp_path / "out", 16, SMALL)
    (kept,) = result.detail(result.best[0]).limits
    levers = result.levers.values(result.best[0].point)
    here = [row["cost_per_token"] for row in rows if all(row[name] == value for name, value in levers.items())]
    assert len(here) > 10
    assert kept.value == pytest.approx(max(here))


def said(folder, capfd, *options):
    (folder / "tiny.yaml").write_text(LIMITED)
    arguments = ["optimize", str(folder / "tiny.yaml"), "--trials", "16", "-o", str(folder / "out"), "--in-process"]
    with pytest.raises(SystemExit) as left:
        cli.main([*arguments, *options])
    assert left.value.code == 0
    return capfd.readouterr().out


@pytest.mark.parametrize("options", [(), ("--set", "levers.domains=[1, 2, 5]"), ("--over", "power_price=0.08")])
def test_the_next_command_explains_the_design_that_was_found(tmp_path, capfd, options):
    printed = said(tmp_path, capfd, *options)
    data = json.loads(said(tmp_path, capfd, *options, "--json"))
    assert f"Next: {data['next']}" in printed
    assert "facility_power <= 14 MW" in printed
    assert "mapping: tp8" in printed
    program, *arguments = shlex.split(data["next"])
    assert program == "supernode"
    with pytest.raises(SystemExit) as left:
        cli.main([*arguments, "--json"])
    assert left.value.code == 0
    choices = json.loads(capfd.readouterr().out)["choices"]
    found = data["best"][0]["levers"]
    assert {name: choices[name.removesuffix("_times")] for name in found} == found
    assert data["detail"]["design"] == data["best"][0]["design"]
    assert data["detail"]["columns"]["power_price"] == choices["power_price"]


@pytest.mark.parametrize(
    ("more", "head"),
    [
        ("metrics: {gap: facility_power - 1 MW}\nobjective: {minimize: gap}\n", "gap [W]"),
        ("objective: {minimize: cost_per_token_p95}\n" + "uncertain: {draws: 16, inputs: {staff_cost: {uniform: "
         "[0.5, 1.5], times: true}}}\n", "cost_per_token_p95 [USD/Mtoken]"),
    ],
)  # fmt: skip
def test_goals_that_are_no_quantity_have_the_unit_of_their_column(tmp_path, capfd, monkeypatch, more, head):
    kept = LIMITED.replace("metrics: {power_per_chip: facility_power / chips}\n", "")
    kept = kept.replace("objective: {minimize: cost_per_token}\n", "")
    monkeypatch.setattr("test_search_details.LIMITED", kept + more)
    out = said(tmp_path, capfd, "--prices")
    assert out.splitlines()[1].strip().startswith(head)
    assert f"{head.partition(' ')[0]} now {head.partition(' ')[2]}" in out
