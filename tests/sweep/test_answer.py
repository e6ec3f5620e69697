"""The answer of a run whose winners are known: every figure is checked against plain loops over the rows."""

import itertools
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_study import tiny_study

from models.reasons import REASONS
from sweep.answer import answer
from sweep.answer.equal_basis import Comparison
from sweep.answer.errors import ModelError, joint, model_error
from sweep.answer.levers import edge, lever_ranges
from sweep.answer.scenarios import scenarios_of
from sweep.answer.text import error_note, share, slack
from sweep.cli.answers import print_answer
from sweep.cli.output import plain
from sweep.engine import run
from sweep.paths import configs_dir
from sweep.study import open_study

FIRST, SECOND = "cloudmatrix384", "gb200-nvl72"
STUDY = """
study: synthetic
question: Who is cheaper?
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
basis: {deadline: 60 d, budget: 5 MUSD}
levers:
  system: [gb200-nvl72, cloudmatrix384]
  domains: [1, 2, 4]
scenarios:
  power_price: {linspace: [0.02, 0.20], steps: 10, unit: USD/kWh}
  region: [us-texas, own]
  cloudmatrix384: {chip_price: {times: [0.5, 1, 2]}, staff_multiplier: [1, 3]}
  gb200-nvl72: {chip_price: {times: [0.25, 1]}}
columns: [mapping, chips]
"""
DAY, MUSD, PRICE = 86400.0, 1e6, 1e6 * 3.6e6


def synthetic_model(known):
    """Costs that are affine in the price of power and of chips; one domain misses the deadline."""
    first = known["system"] == FIRST
    domains = known["domains"]
    chips = known["chip_price"] / (17_000.0 if first else 50_000.0)
    cost = (5.0 if first else 9.0) * MUSD * chips + (60.0 if first else 20.0) * known["power_price"] * PRICE / 10
    cost = (cost + 0.5 * MUSD * known["staff_multiplier"]) * domains**0.5
    status = np.asarray(0 * cost, dtype=np.int8)
    return {
        "status": status,
        "reason": (status * REASONS.index(REASONS[4])).astype(np.int16),
        "time_to_train": np.asarray((100.0 if first else 90.0) * DAY / domains),
        "cost_to_train": cost,
        "capital_cost": np.asarray(chips * MUSD * domains * (1.5 if first else 2.0)),
        "chips": np.asarray(domains * known["scale_up_size"], dtype=np.int64),
        "mapping": f"tp{domains}",
    }


@pytest.fixture
def finished(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", synthetic_model)
    study, catalogue = tiny_study(tmp_path, STUDY)
    result = run(study, catalogue, tmp_path / "results", in_process=True).run
    return result, study, catalogue


def brute_force(rows, metric, limit, goal):
    """Best goal by (system, scenario) from plain loops."""
    best = {}
    for row in rows:
        if row["status"] == "ok" and row[metric] <= limit:
            own = (row["chip_price_times"], row["staff_multiplier"] if row["system"] == FIRST else None)
            key = (row["system"], row["power_price"], row["region"], own)
            best[key] = min(best.get(key, math.inf), row[goal])
    return best


@pytest.mark.parametrize(
    ("place", "metric", "limit", "goal"),
    [(0, "time_to_train", 60, "cost_to_train"), (1, "capital_cost", 5, "time_to_train")],
)
def test_shares_are_those_of_plain_loops(finished, place, metric, limit, goal):
    opened, study, catalogue = finished
    said = answer(opened, study, catalogue).data["comparisons"][place]
    best = brute_force(opened.arrow().to_pylist(), metric, limit, goal)
    error = math.hypot(*(catalogue.facts(name, None, None)["step_time_error"].value for name in (FIRST, SECOND)))
    band = 1 + error
    wins = {SECOND: 0, FIRST: 0, "open": 0, "only " + FIRST: 0, "only " + SECOND: 0, "neither": 0}
    powers, regions = np.linspace(0.02, 0.20, 10).round(10).tolist(), ["us-texas", "own"]
    for power, region, mine, staff, theirs in itertools.product(powers, regions, [0.5, 1, 2], [1, 3], [0.25, 1]):
        a = best.get((FIRST, power, region, (mine, staff)))
        b = best.get((SECOND, power, region, (theirs, None)))
        if a is None or b is None:
            wins["neither" if a is b else "only " + (FIRST if b is None else SECOND)] += 1
        else:
            wins["open" if 1 / band <= a / b <= band else FIRST if a < b else SECOND] += 1
    count = sum(wins.values()) - wins["neither"]
    assert said["scenarios"] == count
    assert said["scenarios_without_any_design"] == wins["neither"]
    for system in (FIRST, SECOND):
        assert said["better"][system] == pytest.approx(wins[system] / count, abs=1e-12)
        assert said["alone"][system] == pytest.approx(wins["only " + system] / count, abs=1e-12)
    assert said["cannot_tell"] == pytest.approx(wins["open"] / count, abs=1e-12)
    assert said["model_error"] == pytest.approx(error)
    if metric == "time_to_train":
        assert {name for name, found in wins.items() if found} >= {FIRST, SECOND, "open"}  # the test tests something


def test_the_nominal_scenario_is_the_world_as_it_is(finished):
    _, study, catalogue = finished
    scenarios = scenarios_of(study, catalogue)
    home = catalogue.facts(SECOND, None, "own")["power_price"].value * 3.6e6
    nearest = min(np.linspace(0.02, 0.20, 10).tolist(), key=lambda price: abs(price - home))
    assert scenarios.nominal(SECOND) == {
        "power_price": pytest.approx(nearest), "region": "own", "chip_price_times": 1.0
    }  # fmt: skip
    assert scenarios.nominal(FIRST) == {**scenarios.nominal(SECOND), "staff_multiplier": 1}
    assert scenarios.common(FIRST, SECOND) == ("power_price", "region")


def test_break_even_power_price_makes_both_cost_the_same(finished):
    opened, study, catalogue = finished
    said = answer(opened, study, catalogue).data["comparisons"][0]
    (found,) = (each for each in said["break_even"] if each["input"] == "power_price")

    def cost(system, price):
        known = {
            "system": system,
            "domains": 2,
            "scale_up_size": 1,
            "power_price": price / 3.6e6,
            "staff_multiplier": 1,
        }
        known["chip_price"] = chip_price(opened, system)
        return float(synthetic_model(known)["cost_to_train"])

    assert found["kind"] in {"inside", "extrapolated"}
    assert cost(FIRST, found["low"]) == pytest.approx(cost(SECOND, found["low"]), rel=1e-9)
    cheaper = FIRST if cost(FIRST, found["low"] - 0.001) < cost(SECOND, found["low"] - 0.001) else SECOND
    assert found["better_below"] == cheaper


def chip_price(opened, system):
    """The price of a chip at multiplier 1, as the run used it [USD]."""
    rows = opened.arrow(["system", "chip_price", "chip_price_times"]).to_pylist()
    return next(row["chip_price"] for row in rows if row["system"] == system and row["chip_price_times"] == 1)


def test_sentence_table_and_data_agree(finished, capsys):
    opened, study, catalogue = finished
    said = answer(opened, study, catalogue)
    for section in said.sections:
        nominal = section.data["nominal"]
        designs = nominal["designs"]
        goal = section.data["goal"]["name"]
        first, second = section.data["systems"]
        ratio = designs[first][goal] / designs[second][goal]
        assert nominal["ratio"] == pytest.approx(ratio)
        assert f"{max(ratio, 1 / ratio):.2f} times" in section.sentence
        (row,) = (row for row in section.tables[0].rows if row[0].startswith(goal.replace("_", " ")))
        assert row[-1] == f"{ratio:.2f}"
        decided = max(ratio, 1 / ratio) > 1 + section.data["model_error"]
        assert nominal["winner"] == (None if not decided else first if ratio < 1 else second)
        assert ("too little to tell" in section.sentence) == (not decided)
    print_answer(said)
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines()) <= 100
    assert "Nominal scenario: power price" in printed
    json.dumps(plain(said.data), allow_nan=False)


def test_the_nominal_design_is_the_best_and_of_equal_ones_the_first(finished):
    opened, study, catalogue = finished
    nominal = answer(opened, study, catalogue).data["comparisons"][0]["nominal"]["designs"]
    scenarios = scenarios_of(study, catalogue)
    for system, design in nominal.items():
        here = scenarios.nominal(system)
        rows = [
            row
            for row in opened.arrow().to_pylist()
            if row["system"] == system and row["time_to_train"] <= 60 and all(row[k] == v for k, v in here.items())
        ]
        best = min(rows, key=lambda row: (row["cost_to_train"], row["design"]))
        assert (design["cost_to_train"], design["domains"]) == (best["cost_to_train"], best["domains"])


def test_without_a_basis_the_objective_compares_and_the_best_stand_side_by_side(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", synthetic_model)
    text = STUDY.replace("basis: {deadline: 60 d, budget: 5 MUSD}", "objective: {minimize: cost_to_train}")
    study, catalogue = tiny_study(tmp_path, text)
    opened = run(study, catalogue, tmp_path / "results", in_process=True).run
    said = answer(opened, study, catalogue)
    assert len(said.sections) == 1
    (best,) = said.data["best"]
    assert {system: row["domains"] for system, row in best["designs"].items()} == {FIRST: 1, SECOND: 1}
    kept = tiny_study(tmp_path, text + "keep: best\n")
    reduced = answer(run(*kept, tmp_path / "results", in_process=True).run, *kept)
    assert reduced.sections == ()  # the best rows alone do not show both systems everywhere


def test_a_run_of_the_first_designs_only_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", synthetic_model)
    study, catalogue = tiny_study(tmp_path, STUDY)
    opened = run(study, catalogue, tmp_path / "results", in_process=True, limit=7).run
    said = answer(opened, study, catalogue)
    assert "Only the first 7 designs" in said.notes[0]
    assert (said.sections, len(said.tables)) == ((), 1)
    assert sum(row["rows"] for row in said.data["rows"]) == 7


class Errors:
    """A catalogue that knows nothing but errors."""

    def __init__(self, **errors):
        self.errors = {name.replace("_", "-"): error for name, error in errors.items()}

    def names(self, kind):
        assert kind == "systems"
        return list(self.errors)

    def facts(self, system, workload, region):
        del workload, region
        if self.errors[system] is None:
            return {}
        fact = SimpleNamespace(confidence="derived" if system.startswith("taken") else "measured")
        return {"step_time_error": SimpleNamespace(value=self.errors[system], fact=fact)}


def test_an_unknown_error_is_the_largest_known_one_and_never_zero():
    catalogue = Errors(a=0.05, b=0.3, c=None)
    assert (model_error(catalogue, "a", "train").value, model_error(catalogue, "a", "train").known) == (0.05, True)
    assert (model_error(catalogue, "c", "train").value, model_error(catalogue, "c", "train").known) == (0.3, False)
    assert model_error(Errors(a=None), "a", "train").value == math.inf
    assert not model_error(Errors(taken=0.2), "taken", "train").known
    assert joint(model_error(catalogue, "a", "train"), model_error(catalogue, "b", "train")) == pytest.approx(
        math.hypot(0.05, 0.3)
    )


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.001, "under 1 %"), (0.999, "over 99 %"), (0.424, "42 %")],
)
def test_shares_are_never_rounded_to_all_or_nothing(fraction, text):
    assert share(fraction) == text


def test_a_best_design_far_below_the_common_limit_is_remarked_on():
    equal = SimpleNamespace(name="power", metric="facility_power", limit=20e6, text="20 MW")
    comparison = Comparison("llama", equal, None)
    designs = {"a": {"facility_power": 10.7, "domains": 16}, "b": {"facility_power": 19.0, "domains": 28}}
    (remark,) = slack(comparison, designs)
    assert remark.startswith("a takes only 10.7 of the 20 MW")
    assert slack(comparison, {"a": {"facility_power": 0.5, "domains": 1}}) == []


def test_an_error_taken_from_other_chips_says_so():
    errors = {"a": ModelError(0.1, known=True), "b": ModelError(0.2, known=False)}
    said = error_note({"train": errors, "serve": {"a": ModelError(0.3, known=True)}})
    assert "training runs (a 10 %, b 20 % (too little published of its chip: from others))" in said
    assert "or the model's mean error on published times per output token (a 30 %)" in said
    assert "about four in ten ratios are off by more" in said


def test_being_done_early_is_no_fault():
    equal = SimpleNamespace(name="deadline", metric="time_to_train", limit=90 * 86400.0, text="90 d")
    assert slack(Comparison("llama", equal, None), {"a": {"time_to_train": 60.0, "domains": 16}}) == []


def test_a_lever_at_the_end_of_its_sweep_is_remarked():
    swept = {"domains": (1.0, 64.0), "scale_out_bandwidth_times": (0.5, 2.0)}
    assert edge("scale_out_bandwidth_times", 0.5, swept) == " (lowest swept)"
    assert edge("domains", 64, swept) == " (highest swept)"
    assert edge("domains", 1, swept) == ""
    assert edge("oversubscription", 1.0, {"oversubscription": (1.0, 3.0)}) == ""
    assert edge("domains", 32, swept) == edge("oversubscription", 1.0, swept) == edge("precision", "bf16", swept) == ""


def test_ranges_of_levers_are_those_of_each_system():
    study, _ = open_study(configs_dir() / "studies" / "cloudmatrix384-vs-gb200-nvl72.yaml")
    ranges = lever_ranges(study)
    assert ranges["cloudmatrix384"]["domains"] == (1, 96)
    assert ranges["gb200-nvl72"]["domains"] == (2, 256)
    assert ranges["gb200-nvl72"]["scale_up_bandwidth_times"] == (0.25, 2)
    assert "system" not in ranges["gb200-nvl72"]
