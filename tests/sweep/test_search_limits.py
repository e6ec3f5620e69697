"""Constraints told to Optuna: by how much each condition is missed, and which one binds."""

import numpy as np
import optuna
import pytest
from test_search import SMALL, WIDE
from test_search_resume import told
from tiny_study import tiny_model, tiny_study

from sweep.engine import run
from sweep.search import search
from sweep.search.limits import NO_DESIGN, limits_of

REQUIRE = "require: facility_power <= 14 MW\n"


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def rows_by_levers(folder, text):
    table = run(*tiny_study(folder, text), folder / "sweep", in_process=True).run.arrow().to_pylist()
    found = {}
    for row in table:
        found.setdefault((row["system"], row["domains"], row["scale_up_bandwidth_times"]), []).append(row)
    return found


def test_amounts_are_the_relative_excess_in_the_worst_scenario(tmp_path):
    rows = rows_by_levers(tmp_path, WIDE)
    result = search(*tiny_study(tmp_path, WIDE), tmp_path / "out", 40, SMALL)
    over = 0
    for each in result.found:
        values = result.levers.values(each.point)
        here = rows[values["system"], values["domains"], values["scale_up_bandwidth_times"]]
        without, power = each.score.amounts
        excess = (max(row["domains"] for row in here) * 3000.0 * chips(values["system"]) - 14e6) / 14e6
        if without == 0:
            assert power == pytest.approx(excess if not each.feasible or excess < 0 else 0, abs=1e-12)
            assert each.feasible == (power <= 0)
            over += power > 0
        else:
            assert (without, power, each.feasible) == (1.0, 1.0, False)
    assert over
    for trial in told(result.run.location):
        assert set(trial[3]) == {NO_DESIGN, "facility_power <= 14 MW"}


def chips(system):
    return {"cloudmatrix384": 384, "gb200-nvl72": 72}[system]


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("facility_power <= 20 MW", {"facility_power": np.array([22e6, 10e6])}, [0.1, -0.5]),
        ("20 MW >= facility_power", {"facility_power": np.array([22e6])}, [0.1]),
        ("time_to_train < 0", {"time_to_train": np.array([3.0, -1.0])}, [3.0, -1.0]),
        ("tokens_per_second >= 100 token/s", {"tokens_per_second": np.array([50.0, 300.0])}, [0.5, -2.0]),
        ('export_status in ["free"]', {"export_status": np.array(["free", "denied"])}, [0.0, 1.0]),
        ("carbon_to_train <= 2 * energy_to_train * 1 kg/J",
         {"carbon_to_train": np.array([6.0]), "energy_to_train": np.array([2.0])}, [0.5]),
    ],
)  # fmt: skip
def test_excess_of_a_condition(tmp_path, condition, values, expected):
    study, _ = tiny_study(tmp_path, WIDE.replace(REQUIRE, f"require: {condition}\n"))
    (limit,) = limits_of(study)
    assert limit.name == condition
    assert limit.excess.evaluate(values) == pytest.approx(expected)


def test_conditions_joined_by_and_count_one_by_one(tmp_path):
    text = WIDE.replace(REQUIRE, "require: [facility_power <= 14 MW and chips <= 500, chips <= 500]\n")
    names = [limit.name for limit in limits_of(tiny_study(tmp_path, text)[0])]
    assert names == ["facility_power <= 14 MW", "chips <= 500"]


def test_a_study_without_conditions_tells_where_there_is_no_design(tmp_path):
    result = search(*tiny_study(tmp_path, WIDE.replace(REQUIRE, "")), tmp_path / "out", 24, SMALL)
    assert {each.score.amounts for each in result.found} <= {(0.0,), (1.0,)}
    assert all(each.feasible == (each.score.amounts == (0.0,)) for each in result.found)


def test_amounts_steer_a_search_towards_what_is_feasible(tmp_path):
    text = WIDE.replace("[1, 2, 3, 5, 8, 13]", "{from: 1, to: 400, steps: 400}").replace("14 MW", "0.25 MW")
    result = search(*tiny_study(tmp_path, text), tmp_path / "out", 96, SMALL)
    share = sum(levers["domains"] == 1 for levers in map(result.levers.values, (e.point for e in result.found)))
    assert result.feasible  # one place in 400 for one of two systems
    assert share > 2 * 96 / 400


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
