"""Levers as parameters and back, and rows of points that are those of a sweep."""

import numpy as np
import optuna
import pyarrow as pa
import pytest
from tiny_study import TINY, tiny_model, tiny_study

from sweep.engine import run
from sweep.engine.columns import study_columns
from sweep.engine.prepare import first_manifest
from sweep.errors import StudyError
from sweep.search.batch import Evaluator
from sweep.search.points import LeverSpace, ordered
from sweep.space import list_axis, zip_axis

LEVERS = {"system", "domains", "scale_up_bandwidth"}


@pytest.fixture
def tiny(tmp_path):
    study, catalogue = tiny_study(tmp_path)
    return study, catalogue, LeverSpace(study)


def evaluator(study, catalogue, folder):
    manifest, _ = first_manifest(study, catalogue, folder, None)
    return Evaluator(study, catalogue, LeverSpace(study), manifest.columns, manifest.schema)


def trials(levers, count, *, every_block):
    search = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(count):
        trial = search.ask()
        yield levers.suggest(trial, every_block=every_block), trial.params


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def test_all_points_are_the_product_of_the_levers(tiny):
    _, _, levers = tiny
    points = levers.points(0, levers.size)
    assert levers.size == len(set(points)) == 2 * 3 * 3
    assert [point for start in range(0, 18, 5) for point in levers.points(start, start + 5)] == points
    values = [levers.values(point) for point in points]
    assert {(v["system"], v["domains"], v["scale_up_bandwidth_times"]) for v in values} == {
        (system, domains, times)
        for system in ("cloudmatrix384", "gb200-nvl72")
        for domains in (1, 2, 40)
        for times in (0.5, 1, 2)
    }


@pytest.mark.parametrize("every_block", [False, True])
def test_parameters_mean_the_point_that_was_suggested(tiny, every_block):
    _, _, levers = tiny
    seen = set()
    for point, params in trials(levers, 100, every_block=every_block):
        assert levers.point(params) == point
        seen.add(point)
    assert len(seen) == levers.size


def test_parameters_that_say_too_little_mean_no_point(tiny):
    _, _, levers = tiny
    ((_, params),) = trials(levers, 1, every_block=False)
    assert levers.point({}) is None
    assert levers.point(dict(list(params.items())[:-1])) is None


def test_with_every_block_all_trials_have_the_same_parameters(tiny):
    _, _, levers = tiny
    assert len({frozenset(params) for _, params in trials(levers, 20, every_block=True)}) == 1


def test_numbers_are_ordered_and_words_are_not():
    assert ordered(list_axis("domains", [1, 2, 40]))
    assert ordered(list_axis("oversubscription", [4.0, 2.0, 1.0]))
    assert not ordered(list_axis("domains", [2, 1, 40]))
    assert not ordered(list_axis("precision", ["bf16", "fp8"]))
    assert not ordered(zip_axis({"domains": [1, 2], "oversubscription": [1.0, 2.0]}))


@pytest.mark.parametrize("count", [1, 4, 18])
def test_rows_of_points_are_those_of_the_sweep(tmp_path, tiny, count):
    study, catalogue, levers = tiny
    sweep = run(study, catalogue, tmp_path / "results", in_process=True).run.arrow()
    chosen = np.random.default_rng(count).permutation(levers.size)[:count]
    points = [levers.points(int(number), int(number) + 1)[0] for number in chosen]
    tables = dict(evaluator(study, catalogue, tmp_path).rows([*points, *points]))
    assert set(tables) == set(points)
    rows = pa.concat_tables(list(tables.values())).unify_dictionaries().sort_by("design")
    ids = set(rows["design"].to_pylist())
    assert rows.to_pylist() == [row for row in sweep.to_pylist() if row["design"] in ids]
    for point, table in tables.items():
        wanted = levers.values(point)
        rows_of_point = [row for row in sweep.to_pylist() if all(row[k] == v for k, v in wanted.items())]
        assert table.to_pylist() == rows_of_point


def test_the_first_id_is_the_point_at_the_first_scenario(tmp_path, tiny):
    study, catalogue, levers = tiny
    for point in levers.points(0, levers.size):
        design = study.space.design(evaluator(study, catalogue, tmp_path).first_id(point))
        assert {name.removesuffix("_times"): value for name, value in levers.values(point).items()} == {
            name: value for name, value in design.items() if name in LEVERS
        } | ({"precision": "bf16"} if "precision" in levers.values(point) else {})


def test_an_axis_of_levers_and_scenarios_together_is_refused(tmp_path):
    text = TINY.replace("  power_price: {linspace: [0.02, 0.20], steps: 7, unit: USD/kWh}\n", "").replace(
        "  zip: {wacc: [0.05, 0.09], utilisation: [0.9, 0.7]}",
        "  zip: {power_price: [0.05 USD/kWh, 0.09 USD/kWh], oversubscription: [1, 2]}",
    )
    study, _ = tiny_study(tmp_path, text)
    roles = {**study.roles, "oversubscription": "lever"}
    with pytest.raises(StudyError, match="move together"):
        LeverSpace(type(study)(**{name: getattr(study, name) for name in study.__slots__} | {"roles": roles}))


def test_one_design_is_nothing_to_search(tmp_path):
    text = TINY.replace("[cloudmatrix384, gb200-nvl72]", "[gb200-nvl72]").replace("[1, 2, 40]", "[1]")
    text = text.replace("{times: [0.5, 1, 2]}", "{times: [1]}").replace(
        "  cloudmatrix384: {staff_multiplier: {times: [1, 3]}}\n", ""
    )
    study, _ = tiny_study(tmp_path, text)
    with pytest.raises(StudyError, match="one design only"):
        LeverSpace(study)


def test_too_many_scenarios_per_trial_are_refused(tmp_path):
    text = TINY.replace("steps: 7,", "steps: 300000,")
    study, catalogue = tiny_study(tmp_path, text)
    with pytest.raises(StudyError, match="scenarios"):
        Evaluator(study, catalogue, LeverSpace(study), study_columns(study), pa.schema([]))
