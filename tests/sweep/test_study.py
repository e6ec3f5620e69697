import pickle
from pathlib import Path

import pytest
from study_files import SMALL, catalogue, changed, fault, faults, load_text

from sweep.errors import StudyError
from sweep.paths import configs_dir, schema_file
from sweep.study import Keep, Objective, load_study, open_study

STUDIES = sorted((configs_dir() / "studies").glob("*.yaml"))


def test_axes_become_blocks_one_for_the_system_that_has_a_section(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL)
    own, other = study.space.blocks
    assert own.size == 1 * 3 * 3 * 4 * 2 * 2 * 3
    assert other.size == 1 * 3 * 3 * 4 * 2 * 2
    first, last = study.space.design(0), study.space.design(study.space.size - 1)
    assert first["system"] == "cloudmatrix384"
    assert first["staff_multiplier"] == 1
    assert last["system"] == "gb200-nvl72"
    assert "staff_multiplier" not in last
    assert study.times == {"scale_up_bandwidth"}


def test_every_design_holds_the_workload_in_the_units_of_the_table(tmp_path: Path) -> None:
    design = load_text(tmp_path, SMALL).space.design(5)
    assert design["training_tokens"] == 15.6e12
    assert design["sequence_length"] == 8192
    assert design["workload"] == "llama-3.1-405b"
    assert design["phase"] == "train"


def test_roles_follow_the_section_not_the_table(tmp_path: Path) -> None:
    text = changed("  domains: [3, 11, 45]\n", "  domains: [3, 11, 45]\n  equipment_life: [4, 5]\n")
    study = load_text(tmp_path, text)
    assert study.roles["equipment_life"] == "lever"
    assert study.roles["power_price"] == "scenario"
    assert "equipment_life" in study.levers
    assert "equipment_life" not in study.scenarios


def test_zip_moves_together(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL)
    pairs = {(study.space.design(i)["wacc"], study.space.design(i)["utilisation"]) for i in range(study.space.size)}
    assert pairs == {(0.05, 0.9), (0.09, 0.7)}


def test_a_zip_with_the_system_is_cut_for_the_system_that_has_a_section(tmp_path: Path) -> None:
    text = changed("  system: [cloudmatrix384, gb200-nvl72]\n  domains: [3, 11, 45]\n", "").replace(
        "scenarios:", "  zip: {system: [cloudmatrix384, gb200-nvl72], domains: {from: 2, to: 9, steps: 2}}\nscenarios:"
    )
    space = load_text(tmp_path, text).space
    found = {(space.design(number)["system"], space.design(number)["domains"]) for number in range(space.size)}
    assert found == {("cloudmatrix384", 2), ("gb200-nvl72", 9)}


@pytest.mark.parametrize(
    ("entry", "values"),
    [
        ("{values: [20, 50], unit: USD/MWh}", [0.02, 0.05]),
        ("[0.02 USD/kWh, 5 USD/MWh]", [0.02, 0.005]),
        ("{linspace: [0.1, 0.3], steps: 3, unit: USD/kWh}", [0.1, 0.2, 0.3]),
        ("{log: [0.01, 1], steps: 3, unit: USD/kWh}", [0.01, 0.1, 1.0]),
        ("{from: 10, to: 1000, steps: 3, scale: log, unit: USD/MWh}", [0.01, 0.1, 1.0]),
        ("{values: [0.1, 0.2, 0.1], unit: USD/kWh}", [0.1, 0.2]),
    ],
)
def test_values_come_out_in_the_unit_of_the_quantity(tmp_path: Path, entry: str, values: list[float]) -> None:
    text = changed("power_price: {linspace: [0.02, 0.20], steps: 4, unit: USD/kWh}", f"power_price: {entry}")
    axes = load_text(tmp_path, text).space.blocks[0].axes
    axis = next(axis for axis in axes if "power_price" in axis.names)
    assert axis.values("power_price", 0, axis.size).tolist() == pytest.approx(values)


def test_a_range_of_multipliers(tmp_path: Path) -> None:
    text = changed("{times: [0.5, 1, 2]}", "{linspace: [0.5, 1.5], steps: 3, times: true}")
    study = load_text(tmp_path, text)
    axis = next(axis for axis in study.space.blocks[0].axes if "scale_up_bandwidth" in axis.names)
    assert axis.values("scale_up_bandwidth", 0, 3).tolist() == [0.5, 1.0, 1.5]
    assert "scale_up_bandwidth" in study.times


def test_precision_may_differ_by_system(tmp_path: Path) -> None:
    study = load_text(tmp_path, changed("precision: bf16", "precision: {cloudmatrix384: bf16, gb200-nvl72: fp8}"))
    found = {(study.space.design(i)["system"], study.space.design(i)["precision"]) for i in range(study.space.size)}
    assert found == {("cloudmatrix384", "bf16"), ("gb200-nvl72", "fp8")}


def test_several_workloads_are_one_axis(tmp_path: Path) -> None:
    text = changed(
        "{train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}",
        "\n  - {train: llama-3.1-405b, tokens: 15.6e12, precision: bf16}\n  - {serve: deepseek-r1, precision: int8}",
    )
    study = load_text(tmp_path, text)
    axis = next(axis for axis in study.space.blocks[0].axes if "workload" in axis.names)
    assert axis.size == 2
    assert [axis.value(name, 1) for name in ("workload", "phase", "precision")] == ["deepseek-r1", "serve", "int8"]


def test_blocks_replace_what_they_name(tmp_path: Path) -> None:
    text = SMALL + "blocks:\n  - {levers: {domains: [1]}}\n  - {scenarios: {wacc: [0.1, 0.2, 0.3]}}\n"
    study = load_text(tmp_path, text)
    sizes = [block.size for block in study.space.blocks]
    assert sizes == [1 * 3 * 4 * 2 * 2 * 3, 1 * 3 * 4 * 2 * 2, 3 * 3 * 4 * 2 * 2 * 3 * 3, 3 * 3 * 4 * 2 * 2 * 3]
    assert study.space.design(0)["domains"] == 1
    assert study.space.design(study.space.size - 1)["wacc"] == 0.3


def test_a_sample_is_one_axis_with_an_index(tmp_path: Path) -> None:
    text = SMALL + "sample: {method: lhs, points: 16, over: {equipment_life: {from: 3, to: 6, unit: yr}}}\n"
    study = load_text(tmp_path, text)
    lives = sorted({float(study.space.design(i)["equipment_life"]) for i in range(study.space.size)})
    assert len(lives) == 16
    assert 3 <= lives[0] < 3 + 3 / 16
    assert study.roles["equipment_life"] == "scenario"


def test_seed_zero_is_a_seed(tmp_path: Path) -> None:
    assert load_text(tmp_path, SMALL + "seed: 0\n").seed == 0
    sampled = "sample: {method: random, points: 2, over: {wacc: {from: 0, to: 1}}}\n"
    text = changed("  zip: {wacc: [0.05, 0.09], utilisation: [0.9, 0.7]}\n", "") + sampled
    zero, one = (load_text(tmp_path, text + f"seed: {seed}\n").space.design(0)["wacc"] for seed in (0, 1))
    assert zero != one


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("best", Keep("best")),
        ("top 10", Keep("top", 10.0)),
        ("sample 0.25", Keep("sample", 0.25)),
        (
            "pareto [cost_per_token, maximize tokens_per_second]",
            Keep("pareto", goals=(Objective("cost_per_token", "minimize"), Objective("tokens_per_second", "maximize"))),
        ),
    ],
)
def test_keep(tmp_path: Path, keep: str, expected: Keep) -> None:
    assert load_text(tmp_path, SMALL + f"keep: {keep}\n").keep == expected


def test_basis_is_kept_in_si(tmp_path: Path) -> None:
    deadline, budget = load_text(tmp_path, SMALL).basis
    assert (deadline.metric, deadline.limit) == ("time_to_train", 90 * 86400)
    assert (budget.metric, budget.limit) == ("capital_cost", 500e6)


def test_digest_ignores_comments_and_depends_on_values_and_catalogue(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL)
    assert load_text(tmp_path, "# a comment\n" + SMALL).digest == study.digest
    assert load_text(tmp_path, changed("[3, 11, 45]", "[3, 11, 46]")).digest != study.digest
    folder = tmp_path / "mine" / "regions"
    folder.mkdir(parents=True)
    (folder / "moon.yaml").write_text("title: The Moon\ncountry: US\n")
    path = tmp_path / "study.yaml"
    path.write_text(SMALL)
    other, _ = open_study(path, catalogue_dirs=[tmp_path / "mine"])
    assert other.digest != study.digest


def test_study_survives_pickling_and_its_own_text(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL, ["levers.domains=[1, 2]", "scenarios.region=null"])
    assert pickle.loads(pickle.dumps(study)) == study
    again = load_text(tmp_path, study.text)
    assert again.digest == study.digest
    assert again.space == study.space


def test_overrides_change_the_study_before_it_is_checked(tmp_path: Path) -> None:
    study = load_text(tmp_path, changed("[3, 11, 45]", "[0]"), ["levers.domains=[7]", "workload.tokens=1e12"])
    assert study.space.design(0)["domains"] == 7
    assert study.space.design(0)["training_tokens"] == 1e12
    assert study.places["domains"] == "--set levers.domains=[7]"


def test_a_study_brings_its_own_catalogue(tmp_path: Path) -> None:
    folder = tmp_path / "facts" / "regions"
    folder.mkdir(parents=True)
    (folder / "moon.yaml").write_text("title: The Moon\ncountry: US\n")
    path = tmp_path / "study.yaml"
    path.write_text(changed("region: [own, us-texas]", "region: moon") + "catalogue: [facts]\n")
    study, found = open_study(path)
    assert "moon" in found.names("regions")
    assert study.space.design(0)["region"] == "moon"
    assert study.catalogue_dirs == (str(tmp_path / "facts"),)


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("question: Which one?", "colour: blue", "2 colour", "is no key here; did you mean columns?"),
        ("question: Which one?", "study: twice", "2 study", "given twice (first on line 1)"),
        ("question: Which one?", "seed: -1", "2 seed", "needs at least 0, got -1"),
        ("question: Which one?", "float: float16", "2 float", "write float32 or float64"),
        ("question: Which one?", "keep: first 3", "2 keep", "write all, best, pareto"),
        ("question: Which one?", "keep: pareto [step_time]", "2 keep", "two metrics or more"),
        ("question: Which one?", "columns: [cost_per_tokn]", "2 columns[0]", "did you mean cost_per_token?"),
        ("question: Which one?", "partition: [sytem]", "2 partition[0]", "did you mean system?"),
        ("question: Which one?", "partition: [power_price]", "2 partition[0]", "too many values"),
        ("question: Which one?", "facts: {chip_pric: 3}", "2 facts.chip_pric", "did you mean chip_price?"),
        ("question: Which one?", "facts: {nvl72: {wacc: 3}}", "2 facts.nvl72", "is no system"),
        ("question: Which one?", "where: chips < 4", "2 where", "write the condition under require, or derive it"),
        ("question: Which one?", "require: facility_power <= 60", "2 require", "facility_power is in MW: write 60 MW"),
        ("question: Which one?", "where: [domains]", "2 where[0]", "is no condition"),
        ("question: Which one?", "metrics: {a: b * 2, b: a / 2}", "2 metrics.a", "in a circle"),
        ("question: Which one?", "metrics: {wacc: domains}", "2 metrics.wacc", "is the name of a quantity already"),
        ("question: Which one?", "derive: {chip_price: domains * 3 kg}", "2 derive.chip_price", "is in USD"),
        ("question: Which one?", "derive: {precision: domains}", "2 derive.precision", "cannot be derived"),
        (
            "question: Which one?",
            "derive: {buyer_country: region}",
            "2 derive.buyer_country",
            "is a word and cannot be derived",
        ),
        ("question: Which one?", "derive: {wacc: 0.1}", "2 derive.wacc", "is a lever or scenario as well"),
        (
            "minimize: cost_per_token",
            "minimize: cost_per_tokn",
            "14 objective.minimize",
            "did you mean cost_per_token?",
        ),
        ("minimize: cost_per_token", "minimize: mapping", "14 objective.minimize", "is no metric with numbers"),
        ("{minimize: cost_per_token}", "cost_per_token", "14 objective", "needs keys and values"),
        ("{minimize: cost_per_token}", "{}", "14 objective", "needs one of minimize and maximize"),
        ("deadline: 90 d", "deadline: 90", "4 basis.deadline", "has no unit; write it as 90 d"),
        ("deadline: 90 d", "deadline: 5 GB", "4 basis.deadline", "GB cannot be converted to s"),
        ("system: [cloudmatrix384,", "system: [cloudmatrix38,", "6 levers.system[0]", "did you mean cloudmatrix384?"),
        ("domains: [3, 11, 45]", "domains: []", "7 levers.domains", "is empty; give at least one value"),
        ("domains: [3, 11, 45]", "domains: [0]", "7 levers.domains[0]", "0 is below the least domains allowed, 1"),
        ("domains: [3, 11, 45]", "domains: [1.5]", "7 levers.domains[0]", "is a count, and 1.5 is not a whole number"),
        ("domains: [3, 11, 45]", "domains: [true]", "7 levers.domains[0]", "needs one number"),
        ("domains: [3, 11, 45]", "domains: {times: [2]}", "7 levers.domains.times", "cannot be multiplied"),
        ("domains: [3, 11, 45]", "domians: [3]", "7 levers.domians", "no quantity of the model; did you mean domains?"),
        ("domains: [3, 11, 45]", "domains: {steps: 3}", "7 levers.domains", "has none of the keys values, linspace"),
        ("domains: [3, 11, 45]", "domains: {from: 9, to: 2, steps: 3}", "7 levers.domains.to", "the range must rise"),
        ("domains: [3, 11, 45]", "domains: {from: 1, to: 2}", "7 levers.domains.steps", "is required and missing"),
        ("domains: [3, 11, 45]", "step_time: [1 s]", "7 levers.step_time", "is a result of the model, not an input"),
        (
            "domains: [3, 11, 45]",
            "dgx-h100: {domains: [3]}",
            "7 levers.dgx-h100",
            "not among the systems of this study",
        ),
        ("domains: [3, 11, 45]", "cloudmatrix384: 3", "7 levers.cloudmatrix384", "names a system"),
        ("domains: [3, 11, 45]", "global_batch: 3", "7 levers.global_batch", "is already set by the workload"),
        (
            "domains: [3, 11, 45]",
            "power_price: [0.1 USD/kWh]",
            "10 scenarios.power_price",
            "is given under levers as well",
        ),
        ("{times: [0.5, 1, 2]}", "5 GB", "8 levers.scale_up_bandwidth", "write it as 5 GB/s"),
        ("{times: [0.5, 1, 2]}", "[fast]", "8 levers.scale_up_bandwidth[0]", "it is not a number"),
        ("{times: [0.5, 1, 2]}", "[-1 GB/s]", "8 levers.scale_up_bandwidth[0]", "-1 GB/s is below the least"),
        ("{times: [0.5, 1, 2]}", "{times: [-2]}", "8 levers.scale_up_bandwidth.times[0]", "is no multiplier"),
        ("{times: [0.5, 1, 2]}", "[.nan]", "8 levers.scale_up_bandwidth[0]", "is not a finite number"),
        ("{times: [0.5, 1, 2]}", "[1e400 GB/s]", "8 levers.scale_up_bandwidth[0]", "is not a finite number"),
        ("steps: 4, unit: USD/kWh", "steps: 4, unit: kW", "10 scenarios.power_price.linspace[0]", "kW cannot be"),
        ("steps: 4, unit: USD/kWh", "steps: 1", "10 scenarios.power_price.steps", "needs at least 2, got 1"),
        ("[0.02, 0.20], steps", "[0.02, .inf], steps", "10 scenarios.power_price.linspace[1]", "not a finite number"),
        ("region: [own, us-texas]", "region: [own, us-texs]", "11 scenarios.region[1]", "did you mean us-texas?"),
        ("region: [own, us-texas]", "region: 3", "11 scenarios.region", "region is a word, and 3 is a number"),
        ("region: [own, us-texas]", "rule_date: 2025-13-01", "11 scenarios.rule_date", "write it as YYYY-MM-DD"),
        ("region: [own, us-texas]", "rule_date: 2021-12-31", "11 scenarios.rule_date", "before the first rules"),
        ("region: [own, us-texas]", "buyer_country: UK", "11 scenarios.buyer_country", "the United Kingdom is GB"),
        ("region: [own, us-texas]", "import_tariff: [-0.2]", "11 scenarios.import_tariff[0]", "below the least"),
        ("region: [own, us-texas]", "equipment_subsidy: [1]", "11 scenarios.equipment_subsidy[0]", "less than 1"),
        ("[0.9, 0.7]", "[0.9, 0]", "12 scenarios.zip.utilisation[1]", "utilisation must be more than 0 and at most 1"),
        ("region: [own, us-texas]", "chip_price: 30000", "11 scenarios.chip_price", "write it as 30000 USD"),
        ("region: [own, us-texas]", "chip_price: [3e4, 2]", "11 scenarios.chip_price", "{values: [...], unit: USD}"),
        ("region: [own, us-texas]", "chip_price: [3 GBP]", "11 scenarios.chip_price[0]", "no exchange rate for GBP"),
        ("region: [own, us-texas]", "chip_price: [3 CNY/kg]", "11 scenarios.chip_price[0]", "cannot be converted"),
        ("steps: 4, unit: USD/kWh", "steps: 4", "10 scenarios.power_price.linspace", "add 'unit: USD/kWh'"),
        ("region: [own, us-texas]", "chip_price: [-1 USD]", "11 scenarios.chip_price[0]", "below the least"),
        ("region: [own, us-texas]", "power_cap: [1.2]", "11 scenarios.power_cap[0]", "above the largest"),
        ("region: [own, us-texas]", "assembly_order: last", "11 scenarios.assembly_order", "chip_last"),
        ("region: [own, us-texas]", "buyer_country: China", "11 scenarios.buyer_country", "two capital letters"),
        ("[0.9, 0.7]", "[0.9]", "12 scenarios.zip", "wacc has 2, utilisation has 1"),
        ("wacc: [0.05, 0.09]", "wacc: [5, 9 %]", "12 scenarios.zip.wacc[0]", "5 is above the largest wacc allowed, 1"),
        ("train: llama-3.1-405b", "train: lama-3.1-405b", "3 workload.train", "did you mean llama-3.1-405b?"),
        ("train: llama-3.1-405b", "model: llama-3.1-405b", "3 workload", "needs one of train and serve"),
        ("tokens: 15.6e12", "tokens: many", "3 workload.tokens", "it is not a number"),
        ("precision: bf16", "precision: bf17", "3 workload.precision", "did you mean bf16?"),
        ("precision: bf16", "precision: {gb200-nvl72: fp8}", "3 workload.precision", "no entry for cloudmatrix384"),
        ("sequence: 8192", "sequence: [8192, 4096]", "3 workload.sequence", "needs one number"),
    ],
)
def test_bad_input_is_one_sentence_with_its_place(tmp_path: Path, old: str, new: str, where: str, words: str) -> None:
    line, path = where.split(" ")
    found = [problem for problem in faults(tmp_path, changed(old, new)) if problem.path == path]
    assert len(found) == 1, faults(tmp_path, changed(old, new))
    assert found[0].where == f"{tmp_path / 'study.yaml'}:{line}"
    assert words in found[0].message
    assert "\n" not in found[0].message


def test_all_faults_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        changed("tokens: 15.6e12", "tokens: 1 kg")
        .replace("[3, 11, 45]", "{from: 1}")
        .replace("us-texas", "texas")
        .replace("question", "qestion")
        .replace("minimize", "minimise")
    )
    found = faults(tmp_path, text)
    assert [problem.path for problem in found] == [
        "qestion",
        "workload.tokens",
        "levers.domains.to",
        "levers.domains.steps",
        "scenarios.region[1]",
        "objective.minimise",
    ]


@pytest.mark.parametrize("systems", ["system: []", "system: [cloudmatrix38]", "zip: {system: [gb2000]}"])
def test_a_wrong_system_brings_no_second_fault(tmp_path: Path, systems: str) -> None:
    text = changed("system: [cloudmatrix384, gb200-nvl72]", systems).replace("cloudmatrix384: {staff_", "{staff_")
    problem = fault(tmp_path, text.replace("  {staff_multiplier: [1, 3, 5]}\n", ""))
    assert problem.path.startswith(("levers.system", "levers.zip.system"))


def test_a_system_of_ones_own_that_is_not_found_says_how_to_bring_it(tmp_path: Path) -> None:
    (problem,) = [each for each in faults(tmp_path, changed("gb200-nvl72]", "my-pod]")) if "my-pod" in each.message]
    assert "--catalogue DIR" in problem.message


def test_a_number_as_yaml_1_2_reads_it_and_its_unit(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL + "facts: {peak_bf16: 989e12 FLOP/s}\n")
    assert study.facts[0].value == pytest.approx(989)  # TFLOP/s
    problem = fault(tmp_path, SMALL + "facts: {peak_bf16: 989e12}\n")
    assert "above the largest" in problem.message
    assert problem.message.endswith("a number without a unit is in TFLOP/s")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("levers.domains=!!python/name:os.system 1", "the tag !!python/name:os.system is not allowed"),
        ("levers.domains", "write it as path=value"),
        ("levers.domains[9]=3", "there is no item [9] to set"),
        ("study.name=3", "name cannot be set inside 'small'"),
        ("levers.domains=[1", "is not valid YAML"),
        ("levers.domains=[x]", "it is not a number"),
        ("colour=blue", "is no key here"),
        ("a.b=3", "is no key here"),
        ("levers.system=null", "needs a system, such as"),
    ],
)
def test_a_wrong_override_is_named(tmp_path: Path, override: str, words: str) -> None:
    problem = fault(tmp_path, SMALL, [override])
    assert problem.where.startswith(("--set " + override, str(tmp_path)))
    assert words in problem.message


def test_two_wrong_overrides_are_both_named(tmp_path: Path) -> None:
    assert len(faults(tmp_path, SMALL, ["x", "y"])) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("levers: !!python/object:os.system {}\n", "the tag !!python/object:os.system is not allowed"),
        ("a: &x [1]\nb: *x\n", "anchors and aliases (& and *) are not allowed"),
        ("a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\n", "anchors and aliases"),
        ("- 1\n", "must hold keys and values"),
        ("", "must hold keys and values"),
        ("a: [\n", "is not valid YAML"),
        ("where: (lambda: 1)() > 0\n", "put a text that holds a colon in quotes"),
        ("levers:\n\tdomains: 1\n", "indent with spaces, not tabs"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(tmp_path: Path, text: str, words: str) -> None:
    problem = fault(tmp_path, text)
    assert problem.where.startswith(f"{tmp_path / 'study.yaml'}:")
    assert words in problem.message


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("__import__('os').system('true') == 0", "'.' is no part of an expression"),
        ("domains.__class__ == 1", "'.' is no part of an expression"),
        ("9**9**9**9 > domains", "exponent"),
        ("[1 for x in domains]", "only numbers, quantities, + - * /"),
        ("domains[0] > 1", "brackets [ ] stand only behind 'in'"),
        ("(" * 300 + "domains" + ")" * 300 + " > 1", "brackets inside each other"),
        ("domains > " + "1+" * 2000 + "1", "is longer than 2,000 characters"),
    ],
)
def test_hostile_expressions_are_refused(tmp_path: Path, condition: str, words: str) -> None:
    problem = fault(tmp_path, SMALL + f'where: "{condition}"\n')
    assert (problem.path, problem.where) == ("where", f"{tmp_path / 'study.yaml'}:15")
    assert words in problem.message


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot be read"):
        load_study(tmp_path / "none.yaml", catalogue())


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_load_and_say_which_schema_describes_them(path: Path) -> None:
    study = load_study(path, catalogue())
    assert study.name == path.stem
    assert study.question.endswith("?")
    schema = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == schema_file().resolve()


def test_the_main_study_is_what_was_asked_for() -> None:
    study = load_study(configs_dir() / "studies" / "cloudmatrix384-vs-gb200-nvl72.yaml", catalogue())
    assert study.space.size >= 5_000_000
    assert not study.where
    assert {equal.name for equal in study.basis} == {"deadline", "budget", "power"}
    for block in study.space.blocks:
        counts = {block.design(number)["domains"] for number in range(0, block.size, block.size // 1_000)}
        assert {3, 11, 45} <= counts
    assert {"system", "domains", "scale_up_bandwidth", "scale_out_bandwidth"} <= set(study.levers)
    assert {"power_price", "staff_multiplier", "chip_price", "region"} <= set(study.scenarios)


def test_a_catalogue_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(SMALL + "catalogue: [nowhere]\n")
    with pytest.raises(StudyError, match="is no folder"):
        open_study(path)
