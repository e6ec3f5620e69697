"""Chances: how often one system is better over the draws, under both rules of decision, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from study_files import catalogue, load_text
from uncertain_studies import HEAD, STUDY, price_only, with_twin

from sweep.answer import answer
from sweep.answer.chances import chances, rank_correlation
from sweep.answer.equal_basis import Comparison
from sweep.answer.scenarios import scenarios_of, systems_of
from sweep.engine import run
from sweep.study.study import Objective
from sweep.uncertain.correlation import normal_correlation

CHEAPEST = Objective("cost_to_train", "minimize")

NORMALS = (
    HEAD.replace("basis: {deadline: 90 d}\n", "").replace("[40, 66]", "[40]")
    + """\
uncertain:
  draws: 20000
  model_error: false
  inputs:
    cloudmatrix384: {chip_price: {normal: {mean: 110, sd: 8}, unit: USD}}
    gb200-nvl72: {chip_price: {normal: {mean: 100, sd: 6}, unit: USD}}
"""
)
MEANS, SPREADS, DRAWS = (110.0, 100.0), (8.0, 6.0), 20_000


def costs_its_price(known):
    """A stand-in for the model in which a run costs as much as a chip, and more in more domains."""
    return {
        "status": np.asarray(0, dtype=np.int8),
        "reason": np.asarray(0, dtype=np.int16),
        "cost_to_train": known["chip_price"] + known.get("power_price", 0.0) * 0.0 + 0.001 * known["domains"],
        "time_to_train": np.asarray(1e6),
        "step_time": np.asarray(1.0),
        "facility_power": np.asarray(1e6),
        "mapping": np.asarray("tp1"),
    }


@pytest.fixture
def simple(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", costs_its_price)
    monkeypatch.setattr("sweep.engine.draws.evaluate", costs_its_price)


def the_chance(study, known=None, comparison=None):
    known = known or catalogue()
    comparison = comparison or Comparison("llama-3.1-405b", study.basis[0] if study.basis else None, CHEAPEST)
    found = chances(study, known, scenarios_of(study, known), [comparison], systems_of(study))
    assert len(found) == 1
    return next(iter(found.values()))


@pytest.mark.parametrize("rank", [0.0, 0.5, -0.5])
@pytest.mark.usefixtures("simple")
def test_one_normal_beats_another_as_often_as_their_difference_is_negative(tmp_path, rank):
    """P(A < B) = Phi((b - a) / sqrt(sa^2 + sb^2 - 2 r sa sb)), within four standard errors of a share."""
    text = NORMALS
    if rank:
        text += f"  correlations: [[cloudmatrix384.chip_price, gb200-nvl72.chip_price, {rank}]]\n"
    chance = the_chance(load_text(tmp_path, text))
    covariance = normal_correlation(rank) * SPREADS[0] * SPREADS[1]
    spread = math.sqrt(SPREADS[0] ** 2 + SPREADS[1] ** 2 - 2 * covariance)
    expected = stats.norm.cdf((MEANS[1] - MEANS[0]) / spread)
    error = 4 * math.sqrt(expected * (1 - expected) / DRAWS)
    assert chance.planned.first == pytest.approx(expected, abs=error)
    assert chance.planned.first + chance.planned.second + chance.planned.neither == pytest.approx(1, abs=1e-12)
    assert chance.informed == chance.planned  # one design each: nothing to choose


@pytest.mark.usefixtures("simple")
def test_what_foresight_saves_is_that_of_two_normals(tmp_path):
    """E min(A, B) = a Phi(-d) + b Phi(d) - s phi(d) with d = (a - b) / s (Clark 1961), within four standard errors."""
    chance = the_chance(load_text(tmp_path, NORMALS))
    a, b = (mean + 0.04 for mean in MEANS)  # what 40 domains cost
    spread = math.hypot(*SPREADS)
    d = (a - b) / spread
    least = a * stats.norm.cdf(-d) + b * stats.norm.cdf(d) - spread * stats.norm.pdf(d)
    assert chance.foresight == pytest.approx(1 - least / b, abs=4 * max(SPREADS) / math.sqrt(DRAWS) / b)
    assert chance.foresight > 0


@pytest.mark.usefixtures("simple")
def test_the_input_with_the_larger_spread_decides_more(tmp_path):
    chance = the_chance(load_text(tmp_path, NORMALS))
    (first, strong), (second, weak) = chance.decisive
    assert (first, second) == ("cloudmatrix384.chip_price", "gb200-nvl72.chip_price")
    assert strong > 0 > weak
    assert strong > -weak


def test_identical_systems_never_beat_each_other(tmp_path):
    text = price_only(100).replace("region: [own, us-texas]", "power_usage_effectiveness: [1.2]")
    chance = the_chance(*with_twin(tmp_path, text.replace("  model_error: false\n", "")))
    assert (chance.planned.first, chance.planned.second, chance.planned.neither) == (0, 0, 1)
    assert (chance.mean, chance.low, chance.high, chance.decisive) == (1, 1, 1, ())


def test_perfect_information_is_never_worse(tmp_path):
    chance = the_chance(load_text(tmp_path, STUDY.replace("[40, 66]", "[40, 66, 72]")))
    assert min(chance.regret) >= 0
    assert max(chance.regret) > 0
    assert 0 < min(chance.kept) < 1  # the error of the model makes the chosen designs late in some draws


def test_systems_without_a_design_in_time_lose(tmp_path):
    study = load_text(tmp_path, STUDY.replace("deadline: 90 d", "deadline: 1 d"))
    chance = the_chance(study)
    assert chance.kept == (0, 0)
    assert chance.planned.neither == chance.informed.neither == 1


@pytest.mark.parametrize("seed", range(3))
def test_rank_correlation_is_spearmans(seed):
    random = np.random.default_rng(seed)
    first = random.integers(0, 5, 50).astype(np.float64)
    second = first + random.normal(size=50)
    assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)
    assert rank_correlation(np.ones(50), second) == 0


def answer_of(folder, text):
    study = load_text(folder, text)
    return answer(run(study, catalogue(), folder / "results", in_process=True).run, study, catalogue())


def test_the_answer_says_both_rules_and_what_is_in_them(tmp_path):
    said = answer_of(tmp_path, STUDY)
    sentence = said.sections[0].sentence
    assert "with the design chosen at nominal values, gb200-nvl72 is cheaper in 100 % of 300 draws" in sentence
    assert "(perfect information)" in sentence
    notes = " ".join(said.notes)
    assert "The error of the model on times is drawn too: model_error.ascend-910c" in notes
    assert "best at nominal values, in every draw" in notes
    assert "power_price 0.06 USD/kWh" in notes
    table = next(table for table in said.sections[0].tables if "which uncertain inputs decide" in table.title)
    assert table.rows[0][0] == "model_error.ascend-910c"
    assert said.data["comparisons"][0]["chances"]["chosen_at_nominal_values"]["better"]["gb200-nvl72"] == 1


def test_rows_of_draws_give_the_same_chances(tmp_path):
    by_design, by_draw = answer_of(tmp_path, STUDY), answer_of(tmp_path, STUDY + "keep: draws\n")
    assert by_draw.data["comparisons"][0]["chances"] == by_design.data["comparisons"][0]["chances"]
    assert by_draw.sections[0].sentence in by_design.sections[0].sentence
    assert "nominal" not in by_draw.data["comparisons"][0]  # no row is of nominal values


def test_a_quantile_as_objective_chooses_the_design_by_it(tmp_path):
    text = STUDY.replace("basis: {deadline: 90 d}\n", "").replace(
        "minimize: cost_to_train", "minimize: cost_to_train_p95"
    )
    study = load_text(tmp_path, text + "keep: best\n")
    found = run(study, catalogue(), tmp_path / "results", in_process=True).run.arrow().to_pylist()
    assert len(found) == 2  # one per scenario
    every = run(load_text(tmp_path, text), catalogue(), tmp_path / "results", in_process=True).run.arrow().to_pylist()
    for row in found:
        same = [each["cost_to_train_p95"] for each in every if each["region"] == row["region"]]
        assert row["cost_to_train_p95"] == min(same)
    said = answer_of(tmp_path, text)
    assert "[MUSD]" in str(said.tables)
