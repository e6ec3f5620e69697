"""A search of a study that compares: its equal basis is a limit, its workloads are searched one at a time."""

import re
import shlex

import pytest
from test_search import SMALL, WIDE
from tiny_study import tiny_model, tiny_study

from sweep.engine import run
from sweep.errors import StudyError
from sweep.search import Options, search

BASES = {"deadline": ("1 h", "time_to_train"), "power": ("5 MW", "facility_power"), "chips": ("700", "chips")}
ONE = "workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}"
TWO = f"""workload:
  - {ONE.removeprefix("workload: ")}
  - {{train: deepseek-v3, tokens: 14.8e12, global_batch: 15360, sequence: 4096}}"""


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


@pytest.mark.parametrize("name", BASES)
def test_the_basis_of_a_study_is_a_limit_of_its_search(tmp_path, name):
    limit, metric = BASES[name]
    held = search(*tiny_study(tmp_path, f"{WIDE}basis: {{{name}: {limit}}}\n"), tmp_path / "a", 32, SMALL, verify=True)
    text = WIDE.replace("require: facility_power <= 14 MW", f"require: [facility_power <= 14 MW, {metric} <= {limit}]")
    asked = search(*tiny_study(tmp_path, text), tmp_path / "b", 32, SMALL, verify=True)
    assert [each.name for each in held.task.limits] == ["facility_power <= 14 MW", f"{metric} <= {limit}"]
    assert held.found == asked.found
    assert held.exact == asked.exact
    assert 0 < held.feasible < held.trials
    assert held.run.location.split("/")[-1] != asked.run.location.split("/")[-1]


def sentence(folder, text, options=SMALL, *overrides):
    with pytest.raises(StudyError) as error:
        search(*tiny_study(folder, text, *overrides), folder / "out", 8, options)
    return str(error.value)


def typed(message):
    """The options that a sentence says to type, in each of its ways."""
    ways = message.partition(": type ")[2].split(", or ")
    return [re.findall(r"--(set|over) ('[^']*'|\S+)", way) for way in ways]


def test_several_bases_are_one_sentence_and_what_it_says_to_type_works(tmp_path):
    text = WIDE + "basis: {deadline: 1 h, power: 5 MW}\n"
    said = sentence(tmp_path, text)
    assert "has 2 bases (deadline 1 h, power 5 MW), and a search keeps one" in said
    limits = []
    for options in typed(said):
        overrides = [shlex.split(value)[0] for _, value in options]
        limits.append(len(search(*tiny_study(tmp_path, text, *overrides), tmp_path / "out", 8, SMALL).task.limits))
    assert limits == [2, 3]


@pytest.mark.parametrize("over", ["expected", "worst", "nominal", "power_price=0.08"])
def test_several_workloads_are_one_sentence_and_what_it_says_to_type_works(tmp_path, over):
    text = WIDE.replace(ONE, TWO)
    said = sentence(tmp_path, text, Options(batch=8, over=over))
    assert "has 2 workloads (llama-3.1-405b, deepseek-v3), and a search is for one" in said
    ((_, named),), ((_, setting),) = typed(said)
    one = search(*tiny_study(tmp_path, text), tmp_path / "out", 8, Options(batch=8, over=named))
    assert set(one.run.arrow(["workload"])["workload"].to_pylist()) == {"llama-3.1-405b"}
    two = search(*tiny_study(tmp_path, text, shlex.split(setting)[0]), tmp_path / "out", 8, SMALL)
    assert two.scenarios == (7 * 2 * 2 * 2, 7 * 2 * 2)  # not those of the other workload as well


def test_a_basis_that_does_not_hold_for_the_workload_is_left_out(tmp_path):
    served = TWO.replace("{train: deepseek-v3, tokens: 14.8e12, global_batch: 15360, sequence: 4096}",
                         "{serve: deepseek-r1}")  # fmt: skip
    text = WIDE.replace(ONE, served) + "basis: {deadline: 1 h}\n"
    result = search(*tiny_study(tmp_path, text), tmp_path / "out", 8, Options(batch=8, over="workload=deepseek-r1"))
    assert len(result.task.limits) == 1


def test_a_search_with_a_basis_begins_with_such_a_search_and_not_with_a_sweep(tmp_path):
    text = WIDE + "basis: {deadline: 1 h}\n"
    study, catalogue = tiny_study(tmp_path, text)
    first = search(study, catalogue, tmp_path / "out", 32, SMALL)
    more = search(study, catalogue, tmp_path / "out", 32, Options(batch=8, start=first.run.location))
    assert more.feasible
    swept = run(study, catalogue, tmp_path / "sweep", in_process=True).run
    with pytest.raises(StudyError, match="requires something else"):
        search(study, catalogue, tmp_path / "out", 32, Options(batch=8, start=swept.location))
