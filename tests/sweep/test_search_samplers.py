"""Which sampler takes which study, levers as distributions, where as a filter, and workers that change nothing."""

import numpy as np
import optuna
import pytest
from test_search import SMALL, WIDE, levers_of
from test_search_resume import NUMBERS, TWO_GOALS, content, searched, told
from tiny_study import TINY, tiny_model, tiny_study

from sweep.errors import StudyError
from sweep.search import Options, Spread, search
from sweep.search.passing import Filter
from sweep.search.points import LeverSpace, Parameter
from sweep.search.samplers import SAMPLERS, chosen
from sweep.space import linear_axis, list_axis, log_axis, zip_axis


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def levers_in(folder, text):
    return LeverSpace(tiny_study(folder, text)[0])


def test_auto_is_tpe_for_one_goal_and_nsgaii_for_several(tmp_path):
    assert chosen("auto", 1, levers_in(tmp_path, WIDE)).name == "tpe"
    assert chosen("auto", 2, levers_in(tmp_path, WIDE)).name == "nsgaii"


@pytest.mark.parametrize(
    ("sampler", "goals", "text", "message"),
    [
        ("cmaes", 1, WIDE, "takes numbers only, and these levers are words or change together: block"),
        ("cmaes", 2, NUMBERS, "takes one goal, and the study has 2"),
        ("nsgaiii", 1, WIDE, "takes two goals or more"),
        ("tep", 1, WIDE, "did you mean tpe"),
    ],
)
def test_a_sampler_that_cannot_take_the_space_is_one_sentence(tmp_path, sampler, goals, text, message):
    with pytest.raises(StudyError, match=f"--sampler: .*{message}"):
        chosen(sampler, goals, levers_in(tmp_path, text))


@pytest.mark.parametrize("sampler", ["cmaes", "gp"])
def test_a_missing_package_names_its_extra(tmp_path, monkeypatch, sampler):
    monkeypatch.setattr("sweep.search.samplers.find_spec", lambda _: None)
    with pytest.raises(StudyError, match=rf"supernode-sweep\[{sampler}\]"):
        chosen(sampler, 1, levers_in(tmp_path, NUMBERS))


@pytest.mark.gp
@pytest.mark.parametrize("text", [WIDE, TWO_GOALS])
def test_gaussian_processes_extended_equal_uninterrupted_and_repeat(tmp_path, text):
    whole, again = (searched(tmp_path / name, "gp", 26, text=text) for name in ("a", "c"))
    for first in (11, 17):
        searched(tmp_path / "b", "gp", first, text=text)
    rest = searched(tmp_path / "b", "gp", 26, text=text)
    assert told(rest.run.location) == told(whole.run.location) == told(again.run.location)
    assert whole.feasible


@pytest.mark.parametrize(
    ("axis", "kind"),
    [
        (linear_axis("domains", 2, 40, 20, whole=True), optuna.distributions.IntDistribution(2, 40, step=2)),
        (linear_axis("power_price", 0.02, 0.2, 37), optuna.distributions.FloatDistribution(0.02, 0.2, step=0.005)),
        (log_axis("power_price", 0.02, 0.2, 5), optuna.distributions.IntDistribution(0, 4)),
        (list_axis("domains", [3, 11, 45]), optuna.distributions.IntDistribution(0, 2)),
        (list_axis("oversubscription", [4.0, 2.0, 1.0]), optuna.distributions.IntDistribution(0, 2)),
        (list_axis("precision", ["bf16", "fp8"]), optuna.distributions.CategoricalDistribution(["bf16", "fp8"])),
        (zip_axis({"domains": [1, 2], "oversubscription": [2.0, 1.0]}),
         optuna.distributions.CategoricalDistribution(["1, 2.0", "2, 1.0"])),
    ],
)  # fmt: skip
def test_a_lever_is_a_distribution_with_one_value_for_each_point(axis, kind):
    found = Parameter.of("x", 0, axis)
    assert found.distribution == kind
    values = [found.value(index) for index in range(axis.size)]
    assert [found.index(value) for value in values] == list(range(axis.size))
    assert all(kind._contains(kind.to_internal_repr(value)) for value in values)


DROPPED = WIDE.replace("require:", "where: domains * scale_up_size <= 1000 and power_price < 0.15 USD/kWh\nrequire:")


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name not in {"gp", "auto"}])
def test_no_sampler_proposes_what_where_drops(tmp_path, sampler):
    text = DROPPED.replace("[cloudmatrix384, gb200-nvl72]", "gb200-nvl72").replace(
        "  cloudmatrix384: {staff_multiplier: {times: [1, 3]}}\n", ""
    )
    text = text.replace("<= 1000", "<= 250") + (
        "keep: pareto [cost_per_token, time_to_train]\n" * (sampler == "nsgaiii")
    )
    result = search(*tiny_study(tmp_path, text), tmp_path / "out", 40, Options(sampler, batch=8))
    assert {levers_of(result, each)[1] for each in result.found} == {1, 2, 3}


def test_the_filter_passes_what_the_sweep_has_rows_of(tmp_path):
    study, catalogue = tiny_study(tmp_path, DROPPED)
    levers = LeverSpace(study)
    passing = Filter(levers, catalogue)
    sizes = {"cloudmatrix384": 384, "gb200-nvl72": 72}
    points = levers.points(0, levers.size)
    good = [p for p in points if (v := levers.values(p))["domains"] * sizes[v["system"]] <= 1000]
    assert [point for point in points if passing.passes(point)] == good
    assert passing.size == len(good)
    assert {passing.draw(np.random.default_rng(1)) for _ in range(600)} <= set(good)
    random = np.random.default_rng(0)
    assert {passing.draw(random) for _ in range(900)} == set(good)


def test_a_filter_too_large_to_look_at_asks_for_each_point(tmp_path, monkeypatch):
    study, catalogue = tiny_study(tmp_path, DROPPED)
    levers = LeverSpace(study)
    small = Filter(levers, catalogue)
    points = levers.points(0, levers.size)
    expected = [small.passes(point) for point in points]
    monkeypatch.setattr("sweep.counting.EXACT_POINTS", 1)
    large = Filter(levers, catalogue)
    assert large.size is None
    assert [large.passes(point) for point in points] == expected
    assert small.passes(large.draw(np.random.default_rng(0)))


def test_a_space_with_no_point_left_is_one_sentence(tmp_path):
    text = TINY.replace("where: not (domains == 2 and power_price > 0.1 USD/kWh)", "where: domains > 100")
    with pytest.raises(StudyError, match=r"where.*leaves none of .* designs; loosen domains > 100"):
        search(*tiny_study(tmp_path, text), tmp_path / "out", 8, SMALL)


@pytest.mark.slow
def test_workers_change_nothing(tmp_path, monkeypatch):
    monkeypatch.undo()  # workers know the real model only
    text = WIDE.replace("steps: 7", "steps: 3").replace("[1, 2, 3, 5, 8, 13]", "[8, 16, 32]")
    alone = search(*tiny_study(tmp_path, text), tmp_path / "a", 12, Options(batch=6))
    with_ray = search(
        *tiny_study(tmp_path, text), tmp_path / "b", 12, Options(batch=6), spread=Spread(2, worth=1, rows=30)
    )
    assert with_ray.found == alone.found
    assert content(with_ray.run.location) == content(alone.run.location)
