"""A search that begins with the designs of a finished sweep."""

import pytest
from test_search import WIDE, levers_of
from test_search_resume import content
from tiny_study import tiny_model, tiny_study

from sweep.dataset import verify
from sweep.engine import run
from sweep.errors import StudyError
from sweep.search import Options, search

COARSE = WIDE.replace("[1, 2, 3, 5, 8, 13]", "[1, 2, 3]").replace("[0.5, 0.7, 1, 1.4, 2, 2.8]", "[0.7, 1.4]")
TWO_GOALS = WIDE + "keep: pareto [cost_per_token, time_to_train]\n"


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def swept(folder, text=COARSE):
    return run(*tiny_study(folder, text), folder / "sweep", in_process=True).run


@pytest.mark.parametrize(("sampler", "over"), [("tpe", "expected"), ("random", "worst"), ("gone", "regret")])
def test_the_best_designs_are_the_first_trials_with_the_values_of_the_sweep(tmp_path, sampler, over):
    sampler = "tpe" if sampler == "gone" else sampler
    start = swept(tmp_path)
    seen = []
    study, catalogue = tiny_study(tmp_path, WIDE)
    options = Options(sampler, batch=8, over=over, start=str(start.location))
    result = search(study, catalogue, tmp_path / "out", 16, options, progress=lambda done, _: seen.append(done))
    given = [each for each in result.found if each.trial < result.trials - 16]
    assert seen == [8, 16]
    assert given
    assert [each.trial for each in result.found] == list(range(result.trials))
    alone = search(study, catalogue, tmp_path / "all", 300, Options("random", batch=64, over=over))
    values = {each.point: each.score.values for each in alone.found}
    for each in given:
        assert each.score.values == pytest.approx(values[each.point], rel=1e-12)
    told = [each.score.values[0] for each in given]
    assert told == sorted(told)
    feasible = {levers_of(alone, each) for each in alone.found if each.feasible}
    coarse = {key for key in feasible if key[1] in {1, 2, 3} and key[2] in {0.7, 1.4}}
    assert {levers_of(result, each) for each in given} == coarse
    assert verify(result.run) == []


def test_designs_that_are_given_are_not_evaluated_and_their_rows_are_those_of_a_sweep(tmp_path, monkeypatch):
    start = swept(tmp_path, WIDE)
    monkeypatch.setattr("sweep.engine.rows.evaluate", None)
    study, catalogue = tiny_study(tmp_path, WIDE)
    feasible = {row["design"]: row for row in start.arrow().to_pylist()}
    result = search(study, catalogue, tmp_path / "out", 8, Options("random", batch=8, start=str(start.location)))
    for row in result.run.arrow().to_pylist():
        assert row == feasible[row["design"]]


@pytest.mark.parametrize("sampler", ["nsgaii", "tpe"])
def test_a_warm_search_that_was_extended_equals_one_that_ran_through(tmp_path, sampler):
    start = swept(tmp_path)
    found = []
    for name, steps in (("a", (30,)), ("b", (5, 19, 30))):
        for trials in steps:
            options = Options(sampler, batch=8, start=str(start.location))
            result = search(*tiny_study(tmp_path, TWO_GOALS), tmp_path / name, trials, options)
        found.append(result)
    assert found[0].found == found[1].found
    assert content(found[0].run.location) == content(found[1].run.location)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("sequence: 8192", "sequence: 8192, micro_batch: 1", "sets other quantities"),
        ("require: facility_power <= 14 MW", "require: facility_power <= 15 MW", "requires something else"),
        ("columns: [chips,", "columns: [model_flops_utilisation, chips,", "no column model_flops_utilisation"),
        ("metrics:", "where: domains < 9\nmetrics:", "another where"),
        ("metrics:", "facts: {chip_price: 30000 USD}\nmetrics:", "replaces other facts"),
    ],
)
def test_a_run_whose_rows_mean_something_else_is_refused(tmp_path, old, new, why):
    start = swept(tmp_path)
    assert old in WIDE
    (tmp_path / "new").mkdir()
    study, catalogue = tiny_study(tmp_path / "new", WIDE.replace(old, new))
    with pytest.raises(StudyError, match=f"--from.*{why}"):
        search(study, catalogue, tmp_path / "out", 8, Options(start=str(start.location)))
