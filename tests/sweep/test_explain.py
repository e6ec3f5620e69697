"""One design explained: its numbers are those of its row, and every fact has a source."""

import math

import pytest

from models.evaluate import evaluate
from models.quantities import quantities
from sweep.engine import run
from sweep.errors import StudyError
from sweep.explain import explain, moved
from sweep.study import open_study

METRICS = [name for name, row in quantities().items() if row.role == "metric" and name not in {"status", "reason"}]
STUDY = f"""\
study: chain
workload: {{train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}}
levers:
  system: [cloudmatrix384, gb200-nvl72]
  domains: [1, 11]
  scale_up_bandwidth: {{times: [0.5, 1]}}
scenarios:
  power_price: {{values: [0.05, 0.1], unit: USD/kWh}}
  region: [own, us-texas]
facts: {{gb200-nvl72: {{staff_multiplier: 2}}}}
derive: {{spare_fraction: 0.01 * domains}}
where: power_price * domains < 1 USD/kWh
require: facility_power <= 6 MW
metrics: {{energy_share: energy_cost_to_train / cost_to_train}}
objective: {{minimize: cost_per_token}}
columns: [{", ".join(METRICS)}]
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    (folder / "chain.yaml").write_text(STUDY)
    return open_study(folder / "chain.yaml")


@pytest.fixture(scope="module")
def rows(opened, tmp_path_factory):
    result = run(*opened, tmp_path_factory.mktemp("results"), in_process=True)
    return result.run.arrow().to_pylist()


def test_every_number_equals_the_row_in_parquet(opened, rows):
    """Same inputs, same stages: any difference beyond rounding of the unit conversion would be a second model."""
    compared = 0
    for row in rows:
        outputs = explain(*opened, row["design"]).outputs
        for name in [*METRICS, "energy_share"]:
            if row[name] is None or name not in outputs:
                continue
            value = outputs[name].value
            assert value == (row[name] if isinstance(value, str) else pytest.approx(row[name], rel=1e-12)), name
            compared += 1
    assert compared > 50 * sum(row["status"] == "ok" for row in rows) > 0


def test_units_are_those_of_the_columns(opened):
    for name, output in explain(*opened, 0).outputs.items():
        assert output.unit == (quantities()[name].unit if name in quantities() else ""), name


def test_conditions_say_what_the_row_says(opened, rows):
    kept = {row["design"] for row in rows}
    for design in range(opened[0].space.size):
        where, require = explain(*opened, design).conditions
        assert (where.key, require.key) == ("where", "require")
        assert where.holds == (design in kept)
    for row in rows:
        require = explain(*opened, row["design"]).conditions[1]
        if row["status"] == "ok":
            assert require.holds
        if row["reason"] == require.text:
            assert not require.holds


def test_every_fact_has_a_place_and_a_source(opened):
    inputs = explain(*opened, 0).inputs
    facts = [each for each in inputs if each.kind == "fact" and each.name not in {"shape", "buyer_country"}]
    assert len(facts) > 40
    assert all(each.where.partition(".yaml:")[2].isdigit() for each in facts)
    assert all(each.confidence for each in facts)
    assert all(each.source or each.confidence == "not_found" for each in facts)
    known = {each.name: each for each in inputs}
    assert known["power_price"].kind == "axis"
    assert known["scale_up_bandwidth"].kind == "times"
    assert known["spare_fraction"].kind == "derive"
    assert known["spare_fraction"].text == "0.01 * domains"
    assert known["chip_price"].kind == "formula"
    assert known["peak_fp8"].kind == "unknown"
    assert known["peak_fp8"].value is None


def test_inputs_are_the_models_own(opened):
    """Every input that is shown went into the model, in the unit that is shown."""
    known = {each.name: each for each in explain(*opened, 0).inputs}
    assert known["power_price"].value == pytest.approx(0.05)
    assert known["scale_up_bandwidth"].value == pytest.approx(392 / 2)  # GB/s, Zuo et al. 2025, times 0.5
    assert known["peak_bf16"].value == pytest.approx(707.8)


def test_a_changed_input_moves_what_depends_on_it_and_nothing_else(opened):
    before = explain(*opened, 0)
    after = explain(*opened, 0, ["power_price=100 USD/MWh"])
    inputs, results = moved(before, after)
    assert [(move.name, move.before, move.after) for move in inputs] == [
        ("power_price", 0.05, pytest.approx(0.1, rel=1e-12))
    ]
    changes = {move.name: move.change for move in results}
    assert changes["annual_energy_cost"] == pytest.approx(1.0)
    assert changes.keys().isdisjoint({"step_time", "goodput", "facility_power", "equipment_cost"})
    assert explain(*opened, 0, ["power_price=0.05 USD/kWh"]).outputs == before.outputs


def test_an_absolute_value_takes_the_place_of_a_multiplier(opened):
    own, faster = explain(*opened, 0), explain(*opened, 0, ["scale_up_bandwidth=196 GB/s"])
    assert faster.outputs["step_time"] == own.outputs["step_time"]


def test_another_system_brings_its_own_facts(opened):
    known = {each.name: each for each in explain(*opened, 0, ["system=gb200-nvl72"]).inputs}
    assert known["scale_up_size"].value == 72
    assert known["staff_multiplier"].kind == "study"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("power_prise=1", "did you mean power_price?"),
        ("power_price=-1 USD/kWh", "below"),
        ("power_price=0.1", "0.1 is a price without a currency; write it as 0.1 USD/kWh"),
        ("power_price=5 GB", "USD/kWh"),
        ("domains=1.5", "whole"),
        ("mapping=tp8", "result"),
        ("system=h100", "there is no system 'h100'"),
    ],
)
def test_a_wrong_change_names_the_option(opened, change, said):
    with pytest.raises(StudyError, match="--set") as caught:
        explain(*opened, 0, [change])
    assert said in str(caught.value)


def test_a_design_that_does_not_exist(opened):
    with pytest.raises(StudyError, match="ids run from 0 to 31"):
        explain(*opened, 32)


def test_stages_are_those_of_evaluate(opened):
    """The chain that ``explain`` walks is the one that ``evaluate`` runs."""
    from sweep.explain import _chain
    from sweep.inputs import inputs_with_origins

    study, catalogue = opened
    design = study.space.design(0)
    structural = {name: value for name, value in design.items() if quantities()[name].structural}
    mesh = {name: value for name, value in design.items() if name not in structural}
    inputs = inputs_with_origins(study, catalogue, structural, mesh, {"scale_up_bandwidth"}).values
    known, steps = _chain(inputs)
    expected = evaluate(inputs)
    assert {output.name for step in steps for output in step.outputs} == set(expected)
    for name, value in expected.items():
        assert known[name] == value or (math.isnan(known[name]) and math.isnan(value)), name
