"""The range of times and costs as columns of a dataset: only when asked for, and what a slower step would give."""

import pytest
from study_files import catalogue

from models.economics import economics_stage
from models.evaluate import evaluate
from models.reliability import reliability_stage
from sweep.engine import run
from sweep.explain import explain
from sweep.inputs import inputs_with_origins
from sweep.study import open_study

RANGED = ("step_time", "time_to_train", "cost_to_train")
ENDS = [f"{name}_{end}" for name in RANGED for end in ("low", "high")]
STUDY = """\
study: ranges
workload: {train: llama-3-8b, tokens: 1e12, global_batch: 256, sequence: 8192, precision: bf16}
levers: {system: [dgx-h100, gb200-nvl72], domains: [1, 2, 4]}
"""


def opened(folder, extra=""):
    (folder / "study.yaml").write_text(STUDY + extra, encoding="utf-8")
    return open_study(folder / "study.yaml")


def rows_of(folder, extra=""):
    return run(*opened(folder, extra), folder / "results", in_process=True).run.arrow().to_pylist()


def test_the_ends_are_absent_unless_asked_for(tmp_path):
    (first, *_) = rows_of(tmp_path)
    assert "step_time" in first
    assert not [name for name in first if name.endswith(("_low", "_high"))]


def test_the_ends_that_are_asked_for_stand_at_the_stated_error(tmp_path):
    columns = f"columns: [{', '.join([*RANGED, *ENDS])}]\n"
    errors = {"dgx-h100": 0.05, "gb200-nvl72": 0.2}
    facts = "facts: {dgx-h100: {step_time_error: 0.05}, gb200-nvl72: {step_time_error: 0.2}}\n"
    found = rows_of(tmp_path, columns + facts)
    assert {row["system"] for row in found if row["status"] == "ok"} == set(errors)
    for row in found:
        for name in RANGED:
            low, value, high = (row[column] for column in (f"{name}_low", name, f"{name}_high"))
            if row["status"] != "ok":
                assert low is value is high is None
                continue
            factor = 1 + errors[row["system"]]
            assert low < value < high
            assert low == pytest.approx(value / factor, rel=1e-12)
            assert high == pytest.approx(value * factor, rel=1e-12)


def test_without_a_stated_error_it_is_that_of_the_chip(tmp_path):
    for row in rows_of(tmp_path, "columns: [step_time, step_time_high]\n"):
        error = catalogue().facts(row["system"])["step_time_error"].value
        assert row["step_time_high"] == pytest.approx(row["step_time"] * (1 + error), rel=1e-12)


def test_an_end_can_be_required_and_sought(tmp_path):
    extra = "facts: {step_time_error: 0.5}\nobjective: {minimize: cost_to_train_high}\ncolumns: [time_to_train]\n"
    plain = {row["design"]: row for row in rows_of(tmp_path, extra)}
    limit = 1.2 * min(row["time_to_train"] for row in plain.values())
    required = rows_of(tmp_path, extra + f"require: time_to_train_high <= {limit} d\n")
    assert all(row["status"] == "infeasible" for row in required)
    assert all("time_to_train_high" in row["reason"] for row in required)
    assert "cost_to_train_high" in required[0]


@pytest.mark.parametrize("slower", [1.0, 1.3])
def test_the_upper_ends_are_those_of_the_same_run_at_a_slower_step(tmp_path, slower):
    """Failures, goodput and the cost of a year stay; tokens per second are over the factor."""
    study, found = opened(tmp_path, f"facts: {{step_time_error: {slower - 1}}}\n")
    known = dict(inputs_with_origins(study, found, study.space.design(0), {}).values)
    known |= evaluate(known)
    later = known | {"tokens_per_second": known["tokens_per_second"] / slower}
    later |= reliability_stage(later)
    later |= economics_stage(later)
    assert later["time_to_train"] == pytest.approx(known["time_to_train_high"], rel=1e-12)
    assert later["cost_to_train"] == pytest.approx(known["cost_to_train_high"], rel=1e-12)


def test_explain_shows_the_ends(tmp_path):
    outputs = explain(*opened(tmp_path), 0).outputs
    assert all(outputs[f"{name}_low"].value < outputs[name].value < outputs[f"{name}_high"].value for name in RANGED)
    assert {outputs[name].unit for name in ENDS} == {"s", "d", "MUSD"}
