"""The ``uncertain`` section of a study: what it means, and one sentence for each mistake."""

from __future__ import annotations

import pytest
from study_files import SMALL, catalogue, fault, load_text
from uncertain_studies import HEAD, STUDY, with_twin

from sweep.answer.errors import model_error
from sweep.search.points import LeverSpace
from sweep.space import Range, Triangular
from sweep.uncertain.distributions import Gaussian, Weighted, sigma_of_error
from sweep.uncertain.statistics import quantile_suffix

INPUT = "uncertain:\n  inputs:\n    "
STAFF = INPUT + "staff_cost: {triangular: [0.5, 1, 2], times: true}\n"


def inputs_of(folder, entry):
    found = load_text(folder, HEAD + INPUT + entry + "\n").uncertain
    return {each.label: each for each in found.inputs}


def test_inputs_are_in_the_units_of_the_table(tmp_path):
    found = inputs_of(tmp_path, "power_price: {uniform: [40, 80], unit: USD/MWh}")["power_price"]
    assert (found.marginal, found.nominal, found.times) == (Range(0.04, 0.08), pytest.approx(0.06), False)


def test_a_unit_may_stand_in_the_value(tmp_path):
    found = inputs_of(tmp_path, "cloudmatrix384: {system_power: {normal: {mean: 550 kW, sd: 20000 W}}}")
    assert found["cloudmatrix384.system_power"].marginal == Gaussian(550.0, 20.0, low=0.0)


def test_a_normal_is_cut_off_at_the_bounds_of_its_quantity(tmp_path):
    found = inputs_of(tmp_path, "utilisation: {normal: {mean: 0.9, sd: 0.2}}")["utilisation"]
    assert 0 < found.marginal.low < 1e-300
    assert found.marginal.high == 1.0


def test_a_report_in_two_currencies_is_drawn_once(tmp_path):
    """8.2 MUSD and 60 million yuan are one report; the price lists of 50 and 80 million are others."""
    price = inputs_of(tmp_path, "cloudmatrix384: {system_price: {choice: alternatives}}")["cloudmatrix384.system_price"]
    rate = catalogue().exchange_rate("CNY")
    assert price.marginal.options == pytest.approx((50e6 * rate, 8.2e6, 80e6 * rate))
    assert price.marginal.weights == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_alternatives_are_those_of_the_catalogue_and_its_own_figure_is_nominal(tmp_path):
    found = inputs_of(tmp_path, "cloudmatrix384: {system_power: {choice: alternatives, weights: [0.5, 0.3, 0.2]}}")
    power = found["cloudmatrix384.system_power"]
    fact = catalogue().entry("systems", "cloudmatrix384").facts["system_power"]
    published = [float(fact.value), *(float(each.value) for each in fact.alternatives)]
    assert power.marginal.options == tuple(sorted(published))
    weights = dict(zip(power.marginal.options, power.marginal.weights, strict=True))
    assert [weights[value] for value in published] == [0.5, 0.3, 0.2]
    assert power.nominal == fact.value


def test_the_input_of_one_system_stands_in_place_of_that_for_all(tmp_path):
    text = HEAD + INPUT + "chip_price: {uniform: [0.8, 1.2], times: true}\n"
    text += "    gb200-nvl72: {chip_price: {uniform: [1, 2], times: true}}\n"
    found = load_text(tmp_path, text).uncertain
    assert found.of("gb200-nvl72")["chip_price"].marginal == Range(1.0, 2.0)
    assert found.of("cloudmatrix384")["chip_price"].marginal == Range(0.8, 1.2)


def test_the_error_of_the_model_is_drawn_unless_the_study_says_otherwise(tmp_path):
    found = load_text(tmp_path, STUDY).uncertain
    error = found.of("gb200-nvl72")["step_time_factor"]
    assert error.label == "model_error.gb200"
    assert error.marginal.spread == sigma_of_error(model_error(catalogue(), "gb200-nvl72", "train").value)
    without = load_text(tmp_path, STUDY.replace("draws: 300", "draws: 300\n  model_error: false")).uncertain
    assert "step_time_factor" not in without.of("gb200-nvl72")


def test_systems_of_one_chip_share_the_error_of_the_model(tmp_path):
    study, _ = with_twin(tmp_path, STUDY)
    assert study.uncertain.of("twin")["step_time_factor"] is study.uncertain.of("gb200-nvl72")["step_time_factor"]


SERVE = """\
study: small-serving
workload: {serve: llama-3-70b, precision: bf16}
levers: {system: [cloudmatrix384, gb200-nvl72], domains: [1]}
uncertain: {draws: 10}
"""


def test_serving_has_its_own_error_of_the_model(tmp_path):
    """A model error alone is enough to draw; a study that trains as well has the larger of the two."""
    both = SERVE.replace("{serve: llama-3-70b, precision: bf16}", "[{serve: llama-3-70b}, {train: llama-3-70b}]")
    for text, phases in ((SERVE, ["serve"]), (both, ["serve", "train"])):
        found = load_text(tmp_path, text).uncertain.of("cloudmatrix384")["step_time_factor"]
        error = max(model_error(catalogue(), "cloudmatrix384", phase).value for phase in phases)
        assert found.marginal.spread == sigma_of_error(error)
    assert (
        model_error(catalogue(), "gb200-nvl72", "serve").value
        == catalogue().facts("gb200-nvl72")["token_time_error"].value
    )


def test_a_study_states_its_own_error_of_the_model(tmp_path):
    found = inputs_of(tmp_path, "step_time_factor: {lognormal: {median: 1.05, sigma: 0.1}}")
    assert set(found) == {"step_time_factor"}


@pytest.mark.parametrize(("share", "suffix"), [(0.05, "p05"), (0.5, "p50"), (0.975, "p97_5"), (0.001, "p00_1")])
def test_names_of_quantiles(share, suffix):
    assert quantile_suffix(share) == suffix


def test_a_quantile_may_be_the_objective(tmp_path):
    study = load_text(tmp_path, STUDY.replace("minimize: cost_to_train", "minimize: cost_to_train_p95"))
    assert study.objective.name == "cost_to_train_p95"
    assert "cost_to_train" in study.columns
    assert "cost_to_train_p95" not in study.columns


def test_a_row_per_draw_is_an_axis_of_the_space(tmp_path):
    rows, draws = load_text(tmp_path, STUDY), load_text(tmp_path, STUDY + "keep: draws\n")
    assert draws.space.size == 300 * rows.space.size
    assert rows.space.design(0) | {"draw": 0} == draws.space.design(0)
    assert LeverSpace(draws).size == LeverSpace(rows).size


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("uncertain: 3\n", "15: uncertain", "needs keys and values"),
        ("uncertain: {model_error: false}\n", "uncertain.inputs", "names nothing that is uncertain"),
        ("uncertain: {drwas: 3}\n", "15: uncertain.drwas", "did you mean draws?"),
        (INPUT + "staff_cost: {nromal: [1, 2]}\n", "17: uncertain.inputs.staff_cost", "did you mean normal?"),
        (INPUT + "staff_cost: {gaussian: {mean: 1}}\n", "staff_cost", "'gaussian' is no distribution"),
        (INPUT + "staff_cost: 3\n", "staff_cost", "needs one of the keys triangular"),
        (INPUT + "staff_cost: {triangular: [1, 2]}\n", "triangular", "needs 3 values, got 2"),
        (INPUT + "import_tariff: {triangular: [-0.5, 0, 0.5]}\n", "triangular[0]", "-0.5 is below the least"),
        (INPUT + "equipment_subsidy: {uniform: [0, 1]}\n", "uniform[1]", "at least 0 and less than 1"),
        (INPUT + "staff_cost: {triangular: [2, 1, 3], unit: USD/kW/yr}\n", "triangular", "in this order"),
        (INPUT + "staff_cost: {uniform: [2, 1], unit: USD/kW/yr}\n", "uniform", "the range must rise"),
        (INPUT + "staff_cost: {normal: {mean: 5, sd: 0}, unit: USD/kW/yr}\n", "normal.sd", "must be above 0, not 0"),
        (INPUT + "staff_cost: {normal: {mean: 5, sd: 1, sigma: 2}}\n", "normal.sigma", "is no key here"),
        (
            INPUT + "staff_cost: {lognormal: {median: 5, sigma: -1}, unit: USD/kW/yr}\n",
            "lognormal.sigma",
            "must be above 0, not -1",
        ),
        (
            INPUT + "staff_cost: {lognormal: {median: 0, sigma: 1}, unit: USD/kW/yr}\n",
            "lognormal.median",
            "must be above 0, not 0",
        ),
        (INPUT + "staff_cost: {normal: {mean: 5 USD/kW/yr, sd: 1}}\n", "normal.sd", "1 is a price without a currency"),
        (INPUT + "staff_cost: {lognormal: {median: 5, sigma: 1}}\n", "lognormal.median", "write it as 5 USD/kW/yr"),
        (INPUT + "staff_cost: {uniform: [1 MW, 2 USD/kW/yr]}\n", "uniform[0]", "does not fit staff_cost"),
        (INPUT + "pue: {uniform: [1, 2]}\n", "pue", "is no quantity of the model"),
        (INPUT + "carbon_intensity: {uniform: [-1, 2]}\n", "uniform[0]", "below the least carbon_intensity allowed"),
        (INPUT + "chip_price: {uniform: [-1, 2], times: true}\n", "uniform[0]", "is no multiplier"),
        (INPUT + "wacc: {normal: {mean: 0.08, sd: 0.01}}\n", "wacc", "lever or scenario of this study as well"),
        (INPUT + "domains: {choice: [3, 4]}\n", "domains", "a choice, not a chance; list its values under levers"),
        (INPUT + "region: {choice: [own, us-texas]}\n", "region", "is a word; list its values under scenarios"),
        (INPUT + "cost_per_token: {uniform: [1, 2]}\n", "cost_per_token", "is a result of the model"),
        (INPUT + "chips_per_node: {uniform: [5, 6]}\n", "chips_per_node", "counts parts and is known"),
        (INPUT + "system_power: {choice: alternatives}\n", "system_power.choice", "belong to one system"),
        (INPUT + "cloudmatrix384: {chip_price: {choice: alternatives}}\n", "chip_price.choice", "no alternatives for"),
        (
            INPUT + "cloudmatrix384: {system_power: {choice: alternatives, weights: [0.5, 0.5]}}\n",
            "system_power.weights",
            "one weight for each of 559.378, 600, 500 kW: 3, not 2",
        ),
        (
            INPUT + "staff_cost: {choice: [1, 2], weights: [0.5, 0.6], unit: USD/kW/yr}\n",
            "weights",
            "add up to 1.1; they must add up to 1",
        ),
        (
            INPUT + "cloudmatrix383: {chip_price: {uniform: [1, 2], times: true}}\n",
            "383",
            "did you mean cloudmatrix384?",
        ),
        (INPUT + "cloudmatrix384: {uniform: [1, 2]}\n", "cloudmatrix384", "write the quantities of that system below"),
        (STAFF + "  draws: 1000000\n", "18: uncertain.draws", "needs at most 100,000"),
        (STAFF + "  draws: 1\n", "draws", "needs at least 2"),
        (STAFF + "  mapping: every\n", "mapping", "write nominal or each"),
        (STAFF + "  quantiles: [0.5, 1.2]\n", "quantiles[1]", "needs less than 1"),
        (STAFF + "  quantiles: [0]\n", "quantiles[0]", "needs more than 0"),
        (
            STAFF + "  correlations: [[staf_cost, model_error.gb200, 0.3]]\n",
            "correlations[0]",
            "did you mean staff_cost?",
        ),
        (STAFF + "  correlations: [[staff_cost, staff_cost, 0.3]]\n", "correlations[0]", "correlated with itself"),
        (STAFF + "  correlations: [[staff_cost, model_error.gb200, 1.3]]\n", "correlations[0][2]", "needs less than 1"),
        (
            STAFF
            + "  correlations: [[staff_cost, model_error.gb200, 0.9],"
            + " [model_error.ascend-910c, model_error.gb200, 0.9], [staff_cost, model_error.ascend-910c, 0.5]]\n",
            "correlations[0]",
            "the nearest that they can have is 0.81",
        ),
        ("keep: draws\n", "15: keep", "'draws' needs uncertain inputs"),
        (STAFF + "columns: [cost_to_train_p06]\n", "columns[0]", "is no column"),
    ],
)
def test_bad_input_is_one_sentence_with_its_place(tmp_path, text, place, said):
    found = fault(tmp_path, SMALL + text)
    assert place in f"{found.where}: {found.path}"
    assert said in found.message
    assert "\n" not in found.message


def test_a_fixed_fact_is_not_uncertain_as_well(tmp_path):
    text = HEAD + "facts: {staff_cost: 3 USD/kW/yr}\n" + INPUT + "staff_cost: {uniform: [1, 2], unit: USD/kW/yr}\n"
    assert "is set under facts as well" in fault(tmp_path, text).message
    load_text(tmp_path, text.replace("[1, 2], unit: USD/kW/yr", "[1, 2], times: true"))


def test_distributions_that_contradict_themselves_are_refused():
    with pytest.raises(ValueError, match="add up to 1"):
        Weighted((1.0, 2.0), (0.5, 0.6))
    with pytest.raises(ValueError, match="centre between its bounds"):
        Gaussian(3.0, 1.0, low=0.0, high=2.0)
    with pytest.raises(ValueError, match="low <= mode <= high"):
        Triangular(1.0, 0.0, 2.0)
