"""Different near-optimal designs, neighbours, prices of limits and regret curves, on a stand-in for the model."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from tiny_study import TINY, tiny_model, tiny_study

from sweep.cli.app import cli
from sweep.engine.prepare import first_manifest
from sweep.errors import StudyError
from sweep.search import Checks, Options, search
from sweep.search.batch import Evaluator
from sweep.search.curves import curve, first_within
from sweep.search.exact import Found
from sweep.search.goals import Score, goals_of, score
from sweep.search.near import distances, diverse, encoded
from sweep.search.points import LeverSpace, Point
from sweep.search.prices import prices, refined, relaxed, requirements
from sweep.search.refine import double, refinements, single
from sweep.study import Objective

WIDE = (
    TINY.replace("[1, 2, 40]", "[1, 2, 3, 5, 8, 13, 21]")
    .replace("where: not (domains == 2 and power_price > 0.1 USD/kWh)\n", "")
    .replace("require: facility_power <= 25 MW", "require: [facility_power <= 8.8 MW, time_to_train >= 1 s]")
    .replace("minimize: cost_per_token", "minimize: time_to_train")
)
COST = [Objective("cost_per_token", "minimize")]


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


@pytest.fixture
def evaluator(tmp_path):
    study, catalogue = tiny_study(tmp_path, WIDE)
    manifest, _ = first_manifest(study, catalogue, tmp_path, None)
    return Evaluator(study, catalogue, LeverSpace(study), manifest.columns, manifest.schema)


def every(evaluator):
    goals = goals_of(evaluator.study)
    rows = evaluator.rows(evaluator.levers.points(0, evaluator.levers.size))
    return [Found(None, point, score(table, goals, "expected")) for point, table in rows]


def reached(place, value, *places):
    return Found(place, Point(0, places), Score((value,), 0.0))


def test_different_designs_are_the_ends_of_the_axes(evaluator):
    good = [Found(None, point, Score((1.0,), 0.0)) for point in evaluator.levers.points(0, evaluator.levers.size)]
    chosen = diverse(evaluator.levers, good, 3)
    assert chosen[0].found is good[0]
    assert chosen[1].distance == pytest.approx(1)  # another block, the other end of every lever
    assert len({near.found.point for near in chosen}) == 3
    assert chosen[1].distance >= chosen[2].distance > 0


def test_distances_are_those_of_gower_by_hand(evaluator):
    levers = evaluator.levers
    names = [axis.names[0] for axis in levers.lever_axes(levers.space.blocks[0])]
    one, two = [0] * len(names), [0] * len(names)
    two[names.index("domains")] = 3  # half of seven places
    table, words = encoded(levers, [Point(0, tuple(one)), Point(0, tuple(two)), Point(1, tuple(one))])
    found = distances(table, words, table[0])
    assert found.tolist() == pytest.approx([0, 0.5 / 3, 1 / 3])  # of block, domains, links


def test_equal_designs_are_listed_once(evaluator):
    good = [reached(1, 1.0, 0, 0, 0), reached(2, 1.0, 0, 0, 0)]
    assert [near.found.trial for near in diverse(evaluator.levers, good)] == [1]


def test_neighbours_differ_in_one_lever_or_two(evaluator):
    levers = evaluator.levers
    for point in levers.points(0, levers.size):
        for neighbours, most in ((single, 1), (double, 2)):
            found = list(neighbours(levers, point))
            assert len(found) == len(set(found))
            for other in found:
                changed = sum(a != b for a, b in zip(point.places, other.places, strict=True))
                assert point != other
                assert other.block != point.block or changed == most
                for axis, place in zip(levers.lever_axes(levers.space.blocks[other.block]), other.places, strict=True):
                    assert 0 <= place < axis.size


def test_refinements_are_new_repeatable_and_next_to_the_best(evaluator):
    levers, found = evaluator.levers, every(evaluator)[::7]
    goals = goals_of(evaluator.study)
    known = {each.point for each in found}
    one = refinements(levers, found, goals, known, 5, (3, 16))
    assert one == refinements(levers, found, goals, known, 5, (3, 16))
    best = min((each for each in found if each.feasible), key=lambda each: each.score.values)
    assert set(one) <= set(single(levers, best.point)) | set(double(levers, best.point))
    assert not known & set(one)


def test_while_nothing_is_feasible_the_neighbours_of_the_closest_are_tried(evaluator):
    levers, goals = evaluator.levers, goals_of(evaluator.study)
    points = levers.points(0, levers.size)[::5]
    excess = {point: 0.1 + abs(place - 3) for place, point in enumerate(points)}
    told = [Found(n, point, Score((np.inf,), 1.0, (0.0, -1.0, excess[point]))) for n, point in enumerate(points)]
    one = refinements(levers, told, goals, set(points), 3, (3, 16))
    assert len(one) == 3
    assert set(one) <= set(single(levers, points[3])) | set(double(levers, points[3]))
    unknown = [Found(n, point, Score((np.inf,), 1.0)) for n, point in enumerate(points)]
    assert refinements(levers, unknown, goals, set(points), 3, (3, 16)) == []


def test_a_local_optimum_has_no_better_neighbour(evaluator):
    goals, found = goals_of(evaluator.study), {each.point: each for each in every(evaluator)}
    start = next(each for each in found.values() if each.feasible)
    best = refined(evaluator, goals, "expected", start)
    near = [*single(evaluator.levers, best.point), *double(evaluator.levers, best.point)]
    assert best.score == found[best.point].score
    assert all(found[point].score.values >= best.score.values for point in near)


def test_the_price_of_a_limit_is_what_brute_force_gains(evaluator, tmp_path):
    goals = goals_of(evaluator.study)
    best = min((each for each in every(evaluator) if each.feasible), key=lambda each: each.score.values)
    study, catalogue = tiny_study(tmp_path, WIDE.replace("8.8 MW", "9.68 MW"))
    wider = Evaluator(study, catalogue, LeverSpace(study), evaluator.columns, evaluator.schema)
    better = min((each for each in every(wider) if each.feasible), key=lambda each: each.score.values)
    power, time = prices(evaluator, goals, "expected", best, exact=True, seconds=60)
    gain = best.score.values[0] - better.score.values[0]
    assert gain > 0
    assert power.saving == pytest.approx(gain)
    assert power.per_unit == pytest.approx(gain / 0.88)  # MW
    assert power.how == "enumerated"
    assert time.saving == 0
    (local, _) = prices(evaluator, goals, "expected", best, exact=False, seconds=60)
    assert local.how == "estimate"
    assert 0 <= local.saving <= power.saving * (1 + 1e-12)


def test_a_limit_is_not_paid_for_what_refinement_gains_without_it(evaluator):
    goals, found = goals_of(evaluator.study), {each.point: each for each in every(evaluator)}
    optimum = min((each for each in found.values() if each.feasible), key=lambda each: each.score.values)
    beside = [found[point] for point in single(evaluator.levers, optimum.point) if found[point].feasible]
    worse = max(beside, key=lambda each: each.score.values)
    assert worse.score.values > optimum.score.values
    exact, _ = prices(evaluator, goals, "expected", optimum, exact=True, seconds=60)
    local, _ = prices(evaluator, goals, "expected", worse, exact=False, seconds=60)
    assert local.now.score == optimum.score
    assert local.saving <= exact.saving * (1 + 1e-12) < worse.score.values[0] - local.best.score.values[0]


def test_a_price_is_a_least_one_where_the_relaxed_study_ran_out_of_time(evaluator):
    goals = goals_of(evaluator.study)
    optimum = min((each for each in every(evaluator) if each.feasible), key=lambda each: each.score.values)
    power, _ = prices(evaluator, goals, "expected", optimum, exact=True, seconds=1e-9)
    assert power.how == "at least"
    assert power.now == optimum


def test_limits_are_read_in_the_units_of_their_quantities(tmp_path):
    text = WIDE.replace(
        "[facility_power <= 8.8 MW, time_to_train >= 1 s]",
        "[5 kW < facility_power <= 8.8 MW, chips > 0 and chips != 7]",
    )
    study, _ = tiny_study(tmp_path, text)
    found = requirements(study.require)
    assert [(each.name, each.unit, each.upper) for each in found] == [
        ("facility_power", "MW", False),
        ("facility_power", "MW", True),
        ("chips", "", False),
    ]
    assert [each.limit for each in found] == pytest.approx([0.005, 8.8, 0])
    assert [each.relaxed for each in found] == pytest.approx([0.0045, 9.68, 0])
    wider = relaxed(study.require, found[1])
    holds = [np.asarray(each.evaluate({"facility_power": 9e6, "chips": 1.0})).item() for each in wider]
    assert all(holds)
    assert not all(np.asarray(each.evaluate({"facility_power": 9e6, "chips": 1.0})).item() for each in study.require)


def test_the_first_near_design_is_the_printed_best_and_all_are_counted(tmp_path, monkeypatch):
    flat = {"cost_per_token": 1.0, "time_to_train": 5.0}
    monkeypatch.setattr(
        "sweep.engine.rows.evaluate",
        lambda known: tiny_model(known) | {name: np.asarray(value) for name, value in flat.items()},
    )
    study, catalogue = tiny_study(tmp_path, WIDE)
    for verify in (False, True):
        monkeypatch.setattr("sweep.search.checks.CANDIDATES", 3)
        checks = Checks(verify=verify, within=0.1)
        result = search(study, catalogue, tmp_path / str(verify), 16, Options(batch=8), checks=checks)
        assert result.checked.near[0].found == result.best[0]
        points = {each.point for each in result.found if each.feasible}
        assert len(points) > 3
        feasible = sum(each.feasible for each in every(replace(result.evaluator, spread=None)))
        assert result.checked.near_designs == (feasible if verify else len(points))


@pytest.mark.parametrize(("option", "checks"), [("--within", {"within": 0.1}), ("--prices", {"prices": True})])
def test_what_is_about_one_goal_is_refused_for_several(tmp_path, option, checks):
    study, catalogue = tiny_study(tmp_path, WIDE + "keep: pareto [cost_per_token, time_to_train]\n")
    with pytest.raises(StudyError, match=f"{option}: is about one best design, and this study has 2 goals"):
        search(study, catalogue, tmp_path / "out", 8, Options(batch=8), checks=Checks(**checks))
    assert not (tmp_path / "out").exists()


def test_conditions_that_cannot_give_way_are_named(tmp_path, capfd):
    text = WIDE.replace("time_to_train >= 1 s]", "chips != 7, chips < 2 * facility_power / 1 W]")
    (tmp_path / "tiny.yaml").write_text(text)
    arguments = ["optimize", str(tmp_path / "tiny.yaml"), "--trials", "16", "-o", str(tmp_path / "out"), "--prices"]
    with pytest.raises(SystemExit):
        cli.main(arguments)
    said = capfd.readouterr().out
    assert "facility_power <= 8.8 MW  " in said
    assert "Not priced, as no number in it could give way: chips != 7; chips < 2 * facility_power / 1 W." in said


def test_a_curve_holds_the_trials_that_came_nearer():
    found = [
        Found(0, Point(0, (0,)), Score((math.inf,), 1.0)),
        reached(1, 20.0, 1),
        reached(2, 30.0, 2),
        reached(3, 10.05, 3),
        reached(4, 10.0, 4),
    ]
    steps = curve(found, [1, 2, 3, 4, 5], [reached(None, 10.0, 4)], COST)
    assert [(step.trials, step.seconds) for step in steps] == [(2, 2), (4, 4), (5, 5)]
    assert [step.missing for step in steps] == pytest.approx([1, 0.005, 0])
    assert first_within(steps).trials == 4
    assert first_within(steps[:1]) is None


def test_the_command_prints_proof_near_designs_and_prices(tmp_path, capfd):
    (tmp_path / "tiny.yaml").write_text(WIDE)
    arguments = ["optimize", str(tmp_path / "tiny.yaml"), "--trials", "32", "-o", str(tmp_path / "out"), "--verify"]
    arguments += ["--within", "20%", "--prices", "--curve", str(tmp_path / "curve.svg")]
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    said = capfd.readouterr()
    assert left.value.code == 0, said.err
    assert "structural cells" in said.out
    assert "Within 1 % of the optimum after" in said.out
    assert "Near-optimal designs, as different as possible" in said.out
    assert "facility_power <= 8.8 MW  " in said.out
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--json"])
    data = json.loads(capfd.readouterr().out)
    assert data["proof"]["complete"]
    assert data["proof"]["solved"] + data["proof"]["ruled_out"] == data["proof"]["cells"]
    assert data["curve"][-1]["missing"] == data["regret"]
    assert data["prices"][0]["saving"] > 0
    assert data["near"][0]["goal"] == pytest.approx(data["exact"][0]["goals"]["time_to_train"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--within", "five"], "'five' is no percentage; write one such as 5%"),
        (["--within", "0%"], "must be above 0% and at most 100%"),
        (["--curve", "curve.svg"], "give --verify as well"),
        (["--verify", "--curve", "curve.gif"], "one of the suffixes .png, .svg"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(tmp_path, capfd, options, message):
    (tmp_path / "tiny.yaml").write_text(WIDE)
    with pytest.raises(SystemExit) as left:
        cli.main(["optimize", str(tmp_path / "tiny.yaml"), *options])
    assert left.value.code == 2
    assert message in " ".join(capfd.readouterr().err.split())
