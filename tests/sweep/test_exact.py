"""Enumeration by cells against plain evaluation of every design, and bounds against the solved model."""

import itertools
import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluate import evaluate
from sweep.cli.app import cli
from sweep.engine.cells import cells
from sweep.engine.prepare import first_manifest
from sweep.inputs import inputs_with_origins
from sweep.search.batch import Evaluator
from sweep.search.bounds import EXACT, LEAST, MOST, least, optimistic, training_rate
from sweep.search.cells import CellBlock, cell_blocks
from sweep.search.consistency import FalseProofError
from sweep.search.enumeration import enumerated
from sweep.search.exact import Found, front, hypervolume_at_least
from sweep.search.goals import goals_of, score
from sweep.search.points import LeverSpace
from sweep.search.task import Options, task_of
from sweep.study import open_study

HEAD = """
study: small
question: Which is cheapest?
workload: {{train: {model}, tokens: 1e12, global_batch: 512, sequence: 4096, precision: bf16}}
levers:
  system: [{systems}]
  domains: {domains}
  tensor_parallel: {tensor}
  oversubscription: {core}
  scale_out_bandwidth: {{times: {links}}}
scenarios: {{region: us-texas, power_price: {{values: {prices}, unit: USD/kWh}}}}
require: [time_to_train <= {days} d, facility_power <= {power} MW]
{goals}
columns: [time_to_train, facility_power, cost_to_train, tokens_per_second]
"""
GOALS = (
    "objective: {minimize: cost_to_train}",
    "objective: {minimize: time_to_train}",
    "objective: {maximize: tokens_per_second}",
    "keep: pareto [cost_to_train, time_to_train]",
)


def subsets(values, most):
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(sorted)


@st.composite
def spaces(draw):
    return HEAD.format(
        model=draw(st.sampled_from(["llama-3-70b", "deepseek-v3"])),
        systems=", ".join(draw(subsets(["cloudmatrix384", "dgx-h100", "gb200-nvl72"], 2))),
        domains=draw(subsets([1, 2, 4, 8, 16, 32, 64], 3)),
        tensor=draw(subsets([1, 4, 8, 16], 2)),
        core=draw(subsets([1, 2, 4], 2)),
        links=draw(st.sampled_from([[0.25, 1], [0.5, 2], [1, 2]])),
        prices=draw(subsets([0.03, 0.06, 0.2], 2)),
        days=draw(st.sampled_from([20, 60, 200, 2000])),
        power=draw(st.sampled_from([1, 5, 100])),
        goals=draw(st.sampled_from(GOALS)),
    )


def evaluator_of(folder, text):
    file = folder / "small.yaml"
    file.write_text(text, encoding="utf-8")
    study, catalogue = open_study(file)
    manifest, _ = first_manifest(study, catalogue, folder, None)
    return Evaluator(study, catalogue, LeverSpace(study), manifest.columns, manifest.schema)


def plain(evaluator, goals, over):
    """Every combination of levers, one after the other, as a trial would score it."""
    rows = evaluator.rows(evaluator.levers.points(0, evaluator.levers.size))
    return [Found(None, point, score(table, goals, over)) for point, table in rows]


@settings(max_examples=20, deadline=None)
@given(text=spaces(), over=st.sampled_from(["expected", "worst"]))
def test_an_enumeration_with_bounds_finds_what_plain_evaluation_finds(tmp_path_factory, text, over):
    evaluator = evaluator_of(tmp_path_factory.mktemp("space"), text)
    goals = goals_of(evaluator.study)
    every = plain(evaluator, goals, over)
    best = front(every, goals)
    for bounded in (True, False):
        proof = enumerated(evaluator, goals, over, bounded=bounded)
        assert proof.complete
        assert proof.solved + proof.skipped == proof.cells
        assert [each.score for each in proof.best] == [each.score for each in best]
        if len(goals) > 1:
            assert {each.point for each in proof.best} == {each.point for each in best}
        elif best:
            sign = 1 if goals[0].direction == "minimize" else -1
            values = sorted(sign * each.score.values[0] for each in every if each.feasible)
            near = [value for value in values if value <= values[0] + 0.05 * abs(values[0])]
            np.testing.assert_allclose(proof.near_values, near, rtol=1e-12)


@settings(max_examples=15, deadline=None)
@given(text=spaces(), over=st.sampled_from(["nominal", "power_price=0.06 USD/kWh", "regret"]))
def test_named_scenarios_and_regrets_are_enumerated_with_bounds(tmp_path_factory, text, over):
    text = text.replace("[0.03]", "[0.06]").replace("[0.2]", "[0.06, 0.2]").replace("[0.03, 0.2]", "[0.06, 0.2]")
    folder = tmp_path_factory.mktemp("space")
    evaluator_of(folder, text)
    study, catalogue = open_study(folder / "small.yaml")
    task = task_of(study, catalogue, Options(over=over))
    manifest, _ = first_manifest(study, catalogue, folder, None)
    evaluator = task.alone(task.evaluator(manifest, None))
    every = plain(evaluator.only([goal.name for goal in task.goals]), task.goals, task.fold)
    best = front(every, task.goals)
    for bounded in (True, False):
        proof = enumerated(evaluator, task.goals, task.fold, bounded=bounded)
        assert proof.complete
        assert [each.score for each in proof.best] == [each.score for each in best]


@settings(max_examples=20, deadline=None)
@given(text=spaces())
def test_no_solved_design_passes_its_bounds(tmp_path_factory, text):
    evaluator = evaluator_of(tmp_path_factory.mktemp("space"), text)
    for block in cell_blocks(evaluator):
        for cell in cells(block.chunk(np.arange(block.cells))):
            study, catalogue = evaluator.study, evaluator.catalogue
            inputs = inputs_with_origins(study, catalogue, cell.structural, cell.mesh, cell.times).values
            low, high = optimistic(inputs)
            solved = evaluate(inputs)
            ok = solved["status"] == 0
            for name in LEAST & solved.keys():
                assert (~ok | (np.asarray(low[name]) <= solved[name] * (1 + 1e-9))).all(), name
            for name in MOST:
                assert (~ok | (np.asarray(high[name]) >= solved[name] * (1 - 1e-9))).all(), name
            for name in EXACT:
                np.testing.assert_array_equal(np.broadcast_to(low[name], ok.shape), solved[name] + 0 * ok)
                assert low[name] is high[name]


TIGHT = HEAD.format(
    model="llama-3-70b", systems="dgx-h100, gb200-nvl72", domains=[1, 2, 4, 8, 16, 32, 64], tensor=[1, 4, 8],
    core=[1, 2], links=[0.5, 1], prices=[0.06], days=60, power=3, goals=GOALS[0],
)  # fmt: skip


def test_bounds_skip_cells_that_cannot_meet_a_limit(tmp_path):
    evaluator = evaluator_of(tmp_path, TIGHT)
    proof = enumerated(evaluator, goals_of(evaluator.study), "expected", bounded=True)
    assert proof.best
    assert proof.skipped > proof.cells // 3


def test_a_multiplier_of_times_is_in_the_bounds(tmp_path):
    faster = TIGHT.replace("  oversubscription:", "  step_time_factor: [0.1, 4]\n  oversubscription:").replace(
        "60 d", "12 d"
    )
    evaluator = evaluator_of(tmp_path, faster)
    goals = goals_of(evaluator.study)
    every = plain(evaluator, goals, "expected")
    proof = enumerated(evaluator, goals, "expected", bounded=True)
    assert 0 < sum(each.feasible for each in every) < len(every)
    assert [each.score for each in proof.best] == [each.score for each in front(every, goals)]


def test_a_known_design_lets_cells_be_skipped_and_is_not_lost(tmp_path):
    evaluator = evaluator_of(tmp_path, TIGHT)
    goals = goals_of(evaluator.study)
    best = front(plain(evaluator, goals, "expected"), goals)
    proof = enumerated(evaluator, goals, "expected", bounded=True, known=best)
    assert proof.best == best


def test_a_bound_that_a_known_design_passes_is_a_defect_and_no_proof(tmp_path, monkeypatch):
    evaluator = evaluator_of(tmp_path, TIGHT)
    goals = goals_of(evaluator.study)
    every = plain(evaluator, goals, "expected")
    monkeypatch.setattr("sweep.search.bounds.training_rate", lambda known: 0.05 * training_rate(known))
    with pytest.raises(FalseProofError, match="no design of its cell was to pass"):
        enumerated(evaluator, goals, "expected", bounded=True, known=every)


@pytest.mark.parametrize("goal", GOALS)
def test_an_enumeration_that_loses_a_known_design_is_a_defect_and_no_proof(tmp_path, monkeypatch, goal):
    evaluator = evaluator_of(tmp_path, TIGHT.replace(GOALS[0], goal))
    goals = goals_of(evaluator.study)
    known = front(plain(evaluator, goals, "expected"), goals)
    solve = CellBlock.solve
    monkeypatch.setattr(CellBlock, "solve", lambda *asked: np.full_like(solve(*asked), np.inf))
    with pytest.raises(FalseProofError, match="nothing as good as a known design"):
        enumerated(evaluator, goals, "expected", bounded=False, known=known)


def test_every_point_is_in_the_cell_that_makes_it(tmp_path):
    block = cell_blocks(evaluator_of(tmp_path, TIGHT))[0]
    points = {cell: [block.point(cell, design) for design in range(block.designs)] for cell in range(block.cells)}
    assert all(block.cell(point) == cell for cell, found in points.items() for point in found)


def test_without_time_the_bound_still_holds(tmp_path):
    evaluator = evaluator_of(tmp_path, TIGHT)
    goals = goals_of(evaluator.study)
    optimum = front(plain(evaluator, goals, "expected"), goals)[0].score.values[0]
    block = cell_blocks(evaluator)[0]
    bounds = least(block, np.arange(block.cells), goals, "expected")
    assert bounds.min() <= optimum
    stopped = enumerated(evaluator, goals, "expected", bounded=True, seconds=1e-9)
    assert not stopped.complete
    assert stopped.bound is None


def test_the_bound_of_an_enumeration_cut_short_lies_below_the_optimum(tmp_path, monkeypatch):
    evaluator = evaluator_of(tmp_path, TIGHT)
    goals = goals_of(evaluator.study)
    optimum = front(plain(evaluator, goals, "expected"), goals)[0].score.values[0]
    monkeypatch.setattr("sweep.search.cells.CellBlock.step", 4)
    clock = itertools.count()
    monkeypatch.setattr("sweep.search.enumeration.time.perf_counter", lambda: next(clock))
    checks = math.ceil(cell_blocks(evaluator)[0].cells / 4) + 4  # bounds, and a few batches of solved cells
    stopped = enumerated(evaluator, goals, "expected", bounded=True, seconds=checks)
    assert not stopped.complete
    assert 0 < stopped.solved < stopped.cells
    assert stopped.bound <= optimum <= stopped.best[0].score.values[0]


TWO = TIGHT.replace(GOALS[0], GOALS[3]).replace("<= 60 d", "<= 400 d").replace("3 MW", "20 MW")


@pytest.mark.parametrize("batches", [2, 4, 8, 12, 16])
@pytest.mark.parametrize("tried", [1, 6, 40])
def test_an_enumeration_of_two_goals_cut_short_gives_a_share_of_the_hypervolume(tmp_path, monkeypatch, batches, tried):
    evaluator = evaluator_of(tmp_path, TWO)
    goals = goals_of(evaluator.study)
    every = [each for each in plain(evaluator, goals, "expected") if each.feasible]
    exact = np.array([each.score.values for each in front(every, goals)])
    assert len(exact) > 4
    random = np.random.default_rng(tried)
    found = front([every[place] for place in random.permutation(len(every))[:tried]], goals)
    monkeypatch.setattr("sweep.search.cells.CellBlock.step", 2)
    (block,) = cell_blocks(evaluator)
    bounding = math.ceil(np.unique(block.alike(np.arange(block.cells))).size / 2)
    clock = itertools.count()
    monkeypatch.setattr("sweep.search.enumeration.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    stopped = enumerated(evaluator, goals, "expected", bounded=True, seconds=bounding + batches, known=found)
    assert not stopped.complete
    assert 0 < stopped.solved < stopped.cells
    covered = (stopped.ceiling[np.newaxis] <= exact[:, np.newaxis] * (1 + 1e-12)).all(axis=2).any(axis=1)
    assert covered.all()  # every design of the exact front is beaten or equalled by a point of the ceiling
    share, true = (hypervolume_at_least(found, points, goals) for points in (stopped.ceiling, exact))
    assert 0 < share <= true <= 1
    assert (np.array(stopped.bounds(goals)) <= exact.min(axis=0)).all()


def test_without_bounds_nothing_is_said_of_the_hypervolume(tmp_path):
    evaluator = evaluator_of(tmp_path, TWO)
    goals = goals_of(evaluator.study)
    found = front(plain(evaluator, goals, "expected"), goals)
    stopped = enumerated(evaluator, goals, "expected", bounded=True, seconds=1e-9, known=found)
    assert not stopped.complete
    assert stopped.ceiling is None
    assert hypervolume_at_least(found, stopped.ceiling, goals) is None


def test_a_whole_front_that_bounds_leave_no_room_beside_has_all_of_the_hypervolume(tmp_path):
    evaluator = evaluator_of(tmp_path, TWO)
    goals = goals_of(evaluator.study)
    exact = front(plain(evaluator, goals, "expected"), goals)
    proof = enumerated(evaluator, goals, "expected", bounded=True)
    assert proof.complete
    assert hypervolume_at_least(exact, proof.ceiling, goals) == pytest.approx(1.0, rel=1e-12)
    assert hypervolume_at_least(exact[:1], proof.ceiling, goals) < 1


def test_the_command_says_what_is_known_of_two_goals_when_time_ran_out(tmp_path, monkeypatch, capfd):
    (tmp_path / "small.yaml").write_text(TWO, encoding="utf-8")
    monkeypatch.setattr("sweep.search.cells.CellBlock.step", 8)
    monkeypatch.setattr("sweep.search.enumeration.UNBOUNDED_CELLS", 0)
    clock = itertools.count()
    monkeypatch.setattr("sweep.search.enumeration.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    arguments = ["optimize", str(tmp_path / "small.yaml"), "--trials", "32", "--verify", "-o", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--verify-seconds", "5"])
    said = capfd.readouterr().out
    assert re.search(r"^cost_to_train: at least [\d.]+, found [\d.]+, gap [\d.]+ %\.$", said, re.MULTILINE)
    share = float(re.search(r"^Hypervolume: at least ([\d.]+) % of that of the exact front", said, re.MULTILINE)[1])
    clock = itertools.count()
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--verify-seconds", "5", "--json"])
    proof = json.loads(capfd.readouterr().out)["proof"]
    assert not proof["complete"]
    assert 0 <= 100 * proof["hypervolume_at_least"] - share < 0.1
    assert proof["bounds"].keys() == {"cost_to_train", "time_to_train"}


def test_the_chance_of_a_random_draw_is_the_share_of_good_designs(tmp_path):
    own = TIGHT.replace("scenarios:", "  gb200-nvl72: {domains: [2, 3]}\nscenarios:")
    evaluator = evaluator_of(tmp_path, own)
    goals, levers = goals_of(evaluator.study), evaluator.levers
    every = plain(evaluator, goals, "expected")
    limit = 1.01 * front(every, goals)[0].score.values[0]
    blocks = cell_blocks(evaluator)
    assert len(blocks) == 2
    good = [each.point.block for each in every if each.feasible and each.score.values[0] <= limit]
    expected = sum(
        good.count(block.number) / sum(each.point.block == block.number for each in every) / 2 for block in blocks
    )
    proof = enumerated(evaluator, goals, "expected", bounded=True)
    assert proof.share(blocks, 0.01) == pytest.approx(expected)
    assert math.isnan(proof.share(blocks, 0.5))
    assert proof.designs == levers.size == len(every)
