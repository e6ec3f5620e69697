"""The objective over scenarios: one by name, and the largest regret."""

import math

import numpy as np
import pytest
from test_search import WIDE, levers_of
from tiny_study import tiny_model, tiny_study

from sweep.answer.scenarios import scenarios_of, systems_in
from sweep.cli.find import find_study
from sweep.dataset import verify
from sweep.dataset.columns import TIMES
from sweep.engine import run
from sweep.errors import StudyError
from sweep.search import Checks, Options, search
from sweep.search.points import LeverSpace
from sweep.search.scenarios import named
from sweep.study import open_study

COMMON = ("power_price", "region", "wacc", "utilisation")


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def sweep_rows(folder):
    return run(*tiny_study(folder, WIDE), folder / "sweep", in_process=True).run.arrow().to_pylist()


@pytest.mark.parametrize(
    ("over", "fixed"),
    [
        ("nominal", {"power_price": 0.05, "region": "own", "wacc": 0.09}),  # 0.056 at home, 0.1025 by default
        ("power_price=0.08, region=us-texas", {"power_price": 0.08, "region": "us-texas", "wacc": 0.09}),
        ("power_price=80 USD/MWh,staff_multiplier=3", {"power_price": 0.08, "region": "own", "wacc": 0.09}),
    ],
)
def test_a_named_scenario_is_that_of_the_sweep(tmp_path, over, fixed):
    result = search(*tiny_study(tmp_path, WIDE), tmp_path / "out", 32, Options(batch=8, over=over))
    staff = 3.0 if "staff" in over else 1.0
    rows = {
        (row["system"], row["domains"], row["scale_up_bandwidth_times"]): row
        for row in sweep_rows(tmp_path)
        if all(row[name] == value for name, value in fixed.items())
        and row["staff_multiplier_times"] == (staff if row["system"] == "cloudmatrix384" else 1.0)
    }
    assert verify(result.run) == []
    assert result.scenarios == (1,)
    for row in result.run.arrow().to_pylist():
        assert row == rows[row["system"], row["domains"], row["scale_up_bandwidth_times"]]
    for each in result.found:
        row = rows[levers_of(result, each)]
        assert each.feasible == (row["status"] == "ok")
        if each.feasible:
            assert each.score.values == (row["cost_per_token"],)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ("expectde", "none of expected, worst, regret, nominal"),
        ("power_prise=0.08", "no scenario of this study; did you mean power_price"),
        ("power_price=0.081", "no scenario.*it has power_price 0.02, 0.05"),
        ("power_price=3 MW", "cannot be converted"),
    ],
)
def test_a_scenario_that_is_none_is_one_sentence(tmp_path, over, message):
    study, catalogue = tiny_study(tmp_path, WIDE)
    with pytest.raises(StudyError, match=message):
        named(over, LeverSpace(study), catalogue)


@pytest.mark.parametrize(
    "name", ["cloudmatrix384-vs-gb200-nvl72", "serving-deepseek-r1", "importer-under-export-rules"]
)
def test_nominal_is_what_the_answer_of_a_run_calls_so(name):
    study, catalogue = open_study(find_study(name))
    levers = LeverSpace(study)
    nominal, answered = named("nominal", levers, catalogue), scenarios_of(study, catalogue)
    for block in study.space.blocks:
        for system in systems_in(block):
            expected = answered.nominal(system)
            found = {
                name + TIMES * (name in axis.times): axis.value(name, nominal.place(block, axis))
                for axis in block.axes
                if not levers.is_lever(axis) and axis.size > 1
                for name in axis.names
                if study.roles.get(name) == "scenario" and "workload" not in axis.names
            }
            assert found == expected


def regrets(rows):
    """Largest regret by levers, by plain loops: what one system owns leaves the others as they are."""
    ok = [row for row in rows if row["status"] == "ok"]
    found = {}
    for row in rows:
        rivals = [
            other["cost_per_token"]
            for other in ok
            if all(other[name] == row[name] for name in COMMON)
            and (other["system"] != row["system"] or other["staff_multiplier_times"] == row["staff_multiplier_times"])
        ]
        best = min(rivals)
        value = (row["cost_per_token"] - best) / best if row["status"] == "ok" else np.inf
        key = (row["system"], row["domains"], row["scale_up_bandwidth_times"])
        found[key] = max(found.get(key, -np.inf), value)
    return found


def test_the_largest_regret_is_that_of_plain_loops(tmp_path):
    text = WIDE.replace("steps: 7", "steps: 2").replace("[1, 2, 3, 5, 8, 13]", "[1, 2, 3]")
    rows = run(*tiny_study(tmp_path, text), tmp_path / "sweep", in_process=True).run.arrow().to_pylist()
    expected = regrets(rows)
    result = search(*tiny_study(tmp_path, text), tmp_path / "out", 40, Options(batch=8, over="regret"))
    assert [goal.name for goal in result.goals] == ["cost_per_token_regret"]
    for each in result.found:
        assert each.score.values[0] == pytest.approx(expected[levers_of(result, each)], rel=1e-12)
    assert result.best[0].score.values[0] == pytest.approx(min(expected[levers_of(result, e)] for e in result.found))
    assert all(value >= 0 for value in expected.values())


def test_a_regret_against_a_sample_is_repeatable(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.search.reference.REFERENCE_ROWS", 10 * 56)
    options = Options(batch=8, over="regret")
    one, two = (search(*tiny_study(tmp_path, WIDE), tmp_path / name, 16, options) for name in ("a", "b"))
    assert one.found == two.found
    assert any(each.feasible for each in one.found)


def by_levers(rows, fold):
    """The goal of every combination of levers that stands in all of these rows, by plain loops."""
    found = {}
    for row in rows:
        found.setdefault((row["system"], row["domains"], row["scale_up_bandwidth_times"]), []).append(row)
    return {
        levers: fold([row["cost_per_token"] for row in here])
        for levers, here in found.items()
        if all(row["status"] == "ok" for row in here)
    }


WORDS = {"power_price": 0.08, "region": "us-texas", "wacc": 0.09, "staff_multiplier_times": 3.0}
DROPPED = WIDE.replace("require:", "where: not (domains == 8 and power_price > 0.1 USD/kWh)\nrequire:")


@pytest.mark.parametrize("text", [WIDE, DROPPED], ids=["all", "where"])
@pytest.mark.parametrize(
    ("over", "fixed"),
    [
        ("expected", {}),
        ("worst", {}),
        ("nominal", None),  # what the answer of a run quotes, of each system
        ("power_price=0.08, region=us-texas, wacc=0.09, staff_multiplier=3", WORDS),
    ],
    ids=["expected", "worst", "nominal", "by name"],
)
def test_the_proof_is_the_best_of_plain_loops(tmp_path, over, fixed, text):
    rows = run(*tiny_study(tmp_path, text), tmp_path / "sweep", in_process=True).run.arrow().to_pylist()
    if fixed is None:
        known = scenarios_of(*tiny_study(tmp_path, text))
        wanted = {system: known.nominal(system) for system in known.axes}
    else:  # the system that has no such scenario keeps its own
        alone = fixed | ({"staff_multiplier_times": 1.0} if fixed else {})
        wanted = {"cloudmatrix384": fixed, "gb200-nvl72": alone}
    rows = [row for row in rows if all(row[n] == value for n, value in wanted[row["system"]].items())]
    fold = max if over == "worst" else lambda values: math.fsum(values) / len(values)
    expected = by_levers(rows, fold)
    result = search(*tiny_study(tmp_path, text), tmp_path / "out", 8, Options(batch=8, over=over), verify=True)
    (best,) = result.exact
    assert best.score.values[0] == min(expected.values())
    assert expected[levers_of(result, best)] == min(expected.values())
    reached = result.best[0].score.values[0]
    assert result.regret == abs(reached - min(expected.values())) / min(expected.values())


@pytest.mark.parametrize("text", [WIDE, DROPPED], ids=["all", "where"])
def test_the_least_of_the_largest_regrets_is_proved(tmp_path, text):
    text = text.replace("steps: 7", "steps: 2").replace("[1, 2, 3, 5, 8, 13]", "[1, 2, 8]")
    rows = run(*tiny_study(tmp_path, text), tmp_path / "sweep", in_process=True).run.arrow().to_pylist()
    expected = regrets(rows)
    options = Options("random", batch=8, over="regret")
    result = search(*tiny_study(tmp_path, text), tmp_path / "out", 8, options, verify=True)
    (best,) = result.exact
    assert best.score.values[0] == pytest.approx(min(expected.values()), rel=1e-12, abs=1e-15)
    assert expected[levers_of(result, best)] == pytest.approx(min(expected.values()), rel=1e-12, abs=1e-15)
    assert best.score.values[0] <= result.best[0].score.values[0]


@pytest.mark.parametrize("asked", [Checks(within=0.05), Checks(prices=True)], ids=["within", "prices"])
def test_prices_and_near_designs_do_not_go_with_regrets(tmp_path, asked):
    with pytest.raises(StudyError, match="not known for regrets; leave them out"):
        search(*tiny_study(tmp_path, WIDE), tmp_path / "out", 8, Options(over="regret"), checks=asked)


def test_no_proof_of_regrets_against_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.search.reference.REFERENCE_ROWS", 10 * 56)
    with pytest.raises(StudyError, match=r"of 72 combinations of levers is .* the best of 10 drawn at random"):
        search(*tiny_study(tmp_path, WIDE), tmp_path / "out", 8, Options(over="regret"), verify=True)
