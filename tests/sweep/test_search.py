"""A search of a study whose optimum plain loops over its sweep find."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_study import TINY, tiny_model, tiny_study

from sweep.cli.app import cli
from sweep.dataset import verify
from sweep.engine import run
from sweep.errors import StudyError, SweepError
from sweep.search import Options, search
from sweep.search.exact import Found, front, hypervolume_ratio, regret
from sweep.search.goals import Score, goals_of, score
from sweep.search.points import Point
from sweep.study import Objective

WIDE = (
    TINY.replace("[1, 2, 40]", "[1, 2, 3, 5, 8, 13]")
    .replace("{times: [0.5, 1, 2]}", "{times: [0.5, 0.7, 1, 1.4, 2, 2.8]}")
    .replace("where: not (domains == 2 and power_price > 0.1 USD/kWh)\n", "")
    .replace("25 MW", "14 MW")
)
SMALL = Options(batch=8)
COST = Objective("cost_per_token", "minimize")
TIME = Objective("time_to_train", "minimize")


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def mean(values):
    return math.fsum(values) / len(values)


def brute_force(folder, text, goals, fold):
    """Goals by levers, over all scenarios, from the rows of the sweep; infeasible designs are left out."""
    rows = run(*tiny_study(folder, text), folder / "sweep", in_process=True).run.arrow().to_pylist()
    by_levers = {}
    for row in rows:
        key = (row["system"], row["domains"], row["scale_up_bandwidth_times"])
        by_levers.setdefault(key, []).append(row)
    return {
        key: tuple(fold([row[goal] for row in found]) for goal in goals)
        for key, found in by_levers.items()
        if all(row["status"] == "ok" for row in found)
    }


def levers_of(result, found):
    values = result.levers.values(found.point)
    return (values["system"], values["domains"], values["scale_up_bandwidth_times"])


@pytest.mark.parametrize("over", ["expected", "worst"])
def test_the_search_finds_the_optimum_of_plain_loops(tmp_path, over):
    best = brute_force(tmp_path, WIDE, ["cost_per_token"], mean if over == "expected" else max)
    optimum = min(best, key=lambda key: (best[key], key))
    study, catalogue = tiny_study(tmp_path, WIDE)
    result = search(study, catalogue, tmp_path / "out", 64, Options(batch=8, over=over), verify=True)
    assert result.combinations == 72
    assert levers_of(result, result.exact[0]) == optimum
    assert result.exact[0].score.values[0] == pytest.approx(best[optimum][0], rel=1e-12)
    assert result.regret == pytest.approx(result.best[0].score.values[0] / best[optimum][0] - 1, abs=1e-12)
    assert result.regret < 0.02
    for each in result.found:
        assert each.feasible == (levers_of(result, each) in best)
        if each.feasible:
            assert each.score.values == pytest.approx(best[levers_of(result, each)], rel=1e-12)


def test_the_front_of_several_goals_is_that_of_plain_loops(tmp_path):
    text = WIDE + "keep: pareto [cost_per_token, time_to_train]\n"
    goals = brute_force(tmp_path, WIDE, ["cost_per_token", "time_to_train"], mean)

    def beaten(a):
        return any(all(x <= y for x, y in zip(b, a, strict=True)) and a != b for b in goals.values())

    expected = {key for key, values in goals.items() if not beaten(values)}
    study, catalogue = tiny_study(tmp_path, text)
    result = search(study, catalogue, tmp_path / "out", 96, SMALL, verify=True)
    assert {levers_of(result, each) for each in result.exact} == expected
    assert 0.9 < result.hypervolume_ratio <= 1 + 1e-12
    assert {levers_of(result, each) for each in result.best} <= set(goals)
    assert result.regret is None


def test_the_dataset_is_that_of_a_sweep_for_the_designs_that_were_tried(tmp_path):
    study, catalogue = tiny_study(tmp_path, WIDE)
    sweep = run(study, catalogue, tmp_path / "sweep", in_process=True).run
    result = search(study, catalogue, tmp_path / "out", 20, SMALL)
    rows = result.run.arrow()
    assert verify(result.run) == []
    assert rows.schema.names == sweep.arrow().schema.names
    assert [field.metadata for field in rows.schema] == [field.metadata for field in sweep.arrow().schema]
    tried = {levers_of(result, each) for each in result.found}
    assert len(tried) == result.tried
    expected = [
        row
        for row in sweep.arrow().to_pylist()
        if (row["system"], row["domains"], row["scale_up_bandwidth_times"]) in tried
    ]
    assert rows.sort_by("design").to_pylist() == expected


def test_trials_name_designs_goals_and_levers(tmp_path):
    study, catalogue = tiny_study(tmp_path, WIDE)
    result = search(study, catalogue, tmp_path / "out", 20, SMALL)
    table = pq.read_table(Path(result.run.location, "trials.parquet"))
    assert table["trial"].to_pylist() == list(range(20))
    assert table.schema.field("cost_per_token").metadata[b"unit"] == b"USD/Mtoken"
    rows = result.run.arrow().to_pylist()
    for trial in table.to_pylist():
        levers = {name: trial[name] for name in ("system", "domains", "scale_up_bandwidth_times")}
        here = [row for row in rows if all(row[name] == value for name, value in levers.items())]
        assert min(row["design"] for row in here) == trial["design"]
        bad = sum(row["status"] != "ok" for row in here) / len(here)
        assert trial["infeasible_share"] == pytest.approx(bad)
        assert trial["feasible"] == (bad == 0)
        mean = np.mean([row["cost_per_token"] for row in here]) if bad == 0 else None
        assert trial["cost_per_token"] == (pytest.approx(mean) if bad == 0 else None)


def test_a_second_call_changes_no_file_and_asks_no_model(tmp_path, monkeypatch):
    study, catalogue = tiny_study(tmp_path, WIDE)
    first = search(study, catalogue, tmp_path / "out", 20, SMALL)
    before = {path: path.stat().st_mtime_ns for path in Path(first.run.location).rglob("*")}
    monkeypatch.setattr("sweep.engine.rows.evaluate", None)
    for trials in (20, 3):
        again = search(study, catalogue, tmp_path / "out", trials, SMALL)
        assert again.found == first.found
    assert {path: path.stat().st_mtime_ns for path in Path(first.run.location).rglob("*")} == before


def test_a_lost_part_is_made_again(tmp_path):
    study, catalogue = tiny_study(tmp_path, WIDE)
    first = search(study, catalogue, tmp_path / "out", 20, SMALL)
    parts = sorted(Path(first.run.location).glob("data/*.parquet"))
    content = {path: path.read_bytes() for path in parts}
    parts[1].unlink()
    again = search(study, catalogue, tmp_path / "out", 20, SMALL)
    assert {path: path.read_bytes() for path in parts} == content
    assert again.found == first.found
    assert verify(again.run) == []


def test_every_design_is_evaluated_once(tmp_path, monkeypatch):
    seen = []

    def counting(known):
        seen.append((known["system"], known["domains"]))
        return tiny_model(known)

    monkeypatch.setattr("sweep.engine.rows.evaluate", counting)
    text = TINY.replace("{times: [0.5, 1, 2]}", "{times: [1]}")
    result = search(*tiny_study(tmp_path, text), tmp_path / "out", 40, SMALL)
    assert result.tried == len({each.point for each in result.found}) <= 6
    assert len(seen) == result.tried


def test_learned_trials_repeat_fewer_designs_than_drawing_lots_would(tmp_path):
    trials, designs = 64, 72
    result = search(*tiny_study(tmp_path, WIDE), tmp_path / "out", trials, SMALL)
    assert result.tried > designs * (1 - (1 - 1 / designs) ** trials)


def test_a_study_that_nothing_fulfils_has_no_best_design(tmp_path):
    study, catalogue = tiny_study(tmp_path, WIDE.replace("14 MW", "1 W"))
    result = search(study, catalogue, tmp_path / "out", 24, SMALL, verify=True)
    assert (result.best, result.exact, result.feasible, result.regret) == ((), (), 0, None)
    for each in result.found:
        assert (each.score.values, each.score.violation) == ((math.inf,), 1.0)
        assert max(each.score.amounts) > 0
    assert verify(result.run) == []


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (WIDE, Options(sampler="tpr"), "no sampler.*did you mean tpe"),
        (WIDE.replace("objective: {minimize: cost_per_token}\n", ""), SMALL, "needs an objective"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_is_written(tmp_path, text, options, message):
    study, catalogue = tiny_study(tmp_path, text)
    with pytest.raises(StudyError, match=message):
        search(study, catalogue, tmp_path / "out", 8, options)
    assert not (tmp_path / "out").exists()


def test_a_journal_that_is_none_is_one_sentence(tmp_path):
    study, catalogue = tiny_study(tmp_path, WIDE)
    folder = Path(search(study, catalogue, tmp_path / "out", 8, SMALL).run.location)
    (folder / "trials.journal").write_text("this\nis no\njournal\n")
    with pytest.raises(SweepError, match="cannot be used as the journal"):
        search(study, catalogue, tmp_path / "out", 16, SMALL)


def test_score_of_dropped_and_of_infeasible_rows(tmp_path):
    study, catalogue = tiny_study(tmp_path)
    rows = run(study, catalogue, tmp_path / "sweep", in_process=True).run.arrow().combine_chunks()
    bad = rows.filter(np.array([status != "ok" for status in rows["status"].to_pylist()]))
    good = rows.filter(np.array([status == "ok" for status in rows["status"].to_pylist()]))
    assert score(good.slice(0, 0), [COST], "expected") == Score((math.inf,), 1.0)
    assert score(bad, [Objective("cost_per_token", "maximize")], "worst") == Score((-math.inf,), 1.0)
    costs = good["cost_per_token"].to_numpy()
    assert score(good, [COST], "expected").values[0] == pytest.approx(costs.mean(), rel=1e-14)
    assert score(good, [COST], "worst").values == (costs.max(),)
    assert score(good, [Objective("cost_per_token", "maximize")], "worst").values == (costs.min(),)
    assert goals_of(study) == (study.objective,)


def found(*values, trial=None):
    return Found(trial, Point(0, tuple(int(10 * value) for value in values)), Score(values, 0.0))


def test_regret_and_hypervolume_of_known_fronts():
    assert regret([found(11.0)], [found(10.0)], [COST]) == pytest.approx(0.1)
    assert regret([], [found(10.0)], [COST]) is None
    square = [found(1.0, 2.0), found(2.0, 1.0)]  # from the point (2.1, 2.1): 1.1 x 0.1 twice, less 0.1 x 0.1
    half = [found(1.0, 2.0)]
    assert hypervolume_ratio(square, square, [COST, TIME]) == pytest.approx(1)
    assert hypervolume_ratio(half, square, [COST, TIME]) == pytest.approx(0.11 / 0.21)
    assert front([*square, found(2.0, 2.0)], [COST, TIME]) == tuple(square)
    assert front([found(3.0, trial=0), found(2.0, trial=1), found(2.0, trial=2)], [COST])[0].trial == 1


def test_the_command_prints_the_best_design_and_its_proof(tmp_path, capfd):
    (tmp_path / "tiny.yaml").write_text(WIDE)
    arguments = ["optimize", str(tmp_path / "tiny.yaml"), "--trials", "64", "--verify", "-o", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    said = capfd.readouterr()
    assert left.value.code == 0
    assert "Best design: mean over 28 to 56 scenarios" in said.out
    assert "Regret: " in said.out
    assert said.err.count("\n") == 1  # the one line of talk: Optuna says nothing
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--json"])
    data = json.loads(capfd.readouterr().out)
    assert data["trials"] == 64
    assert data["best"][0]["levers"]["system"] in {"cloudmatrix384", "gb200-nvl72"}
