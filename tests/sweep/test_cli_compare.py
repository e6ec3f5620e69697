"""``supernode compare`` as a planner types it: answers, strict JSON, faults in one sentence."""

import json

import pytest
from click.testing import CliRunner

from sweep.cli.app import cli

SYSTEMS = ("cloudmatrix384", "dgx-h100")
SMALL = ("--workload", "llama-3-8b", "--tokens", "2e11", "--global-batch", "512", "--sequence", "8192")


def run(*arguments):
    return CliRunner().invoke(cli, ["compare", *arguments])


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def answered():
    arguments = (*SYSTEMS, *SMALL, "--deadline", "40 d", "--domains", "2,64", "--region", "us-texas", "--alternatives")
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return strict(result.stdout), run(*arguments)


def test_the_json_holds_every_case_with_designs_break_evens_and_conflicts(answered):
    data, _ = answered
    assert data["systems"] == [*SYSTEMS]
    assert [(case["basis"]["name"], case["place"]) for case in data["cases"]] == [
        ("deadline", "us-texas"),
        ("domains", "us-texas"),
    ]
    for case in data["cases"]:
        assert case["job"] == {"training_tokens": 2e11, "global_batch": 512, "sequence_length": 8192}
        for design in case["designs"]:
            assert {"cost_to_train", "facility_power", "mapping", "export_status", "goodput"} <= set(design["values"])
        (pair,) = case["pairs"]
        inputs = {(each["input"], each["of"]) for each in pair["break_evens"]}
        assert {("power_price", "both"), ("utilisation", "both"), ("staff_cost", "both")} <= inputs
        for name in ("chip_price", "staff_multiplier", "utilisation", "import_tariff"):
            assert {(name, system) for system in SYSTEMS} <= inputs
        assert all(bool(each["crossings"]) != bool(each["never"]) for each in pair["break_evens"])
        gaps = [each["relative_gap"] for found in pair["break_evens"] for each in found["crossings"]]
        assert gaps
        assert max(gaps) <= 1e-9
        assert pair["alternatives"]["alone"]
    assert data["units"]["cost_to_train"] == "MUSD"


def test_the_answer_says_the_same_as_the_json(answered):
    data, result = answered
    assert result.exit_code == 0
    for case in data["cases"]:
        (pair,) = case["pairs"]
        assert pair["sentence"].split(" (")[0].split(": ")[-1] in " ".join(result.stdout.split())
    for words in ("Break-even", "Never:", "What decides", "Published conflicts", "costs of a year", "export status"):
        assert words in result.stdout
    widest = max(len(line) for line in result.stdout.splitlines())
    assert widest <= 140


def test_counts_of_domains_are_in_the_order_of_the_systems(answered):
    data, _ = answered
    designs = data["cases"][1]["designs"]
    assert [design["values"]["chips"] for design in designs] == [2 * 384, 64 * 8]


def test_a_study_gives_workload_precision_and_basis():
    result = run(*SYSTEMS, "--study", "cloudmatrix384-vs-gb200-nvl72", "--domains", "2,64", "--region", "own", "--json")
    cases = strict(result.stdout)["cases"]
    assert [case["workload"] for case in cases] == ["llama-3.1-405b", "deepseek-v3"]
    assert [design["precision"] for design in cases[0]["designs"]] == ["bf16", "bf16"]
    assert [design["precision"] for design in cases[1]["designs"]] == ["bf16", "fp8"]  # not named there: its best


def test_three_systems_are_compared_with_the_first():
    result = run(*SYSTEMS, "dgx-a100", *SMALL, "--domains", "1", "--region", "own")
    assert result.exit_code == 0, result.stderr
    assert "1st/3rd" in result.stdout
    assert "cloudmatrix384 against dgx-a100" in result.stdout


def test_who_may_not_be_sold_to_the_buyer_is_said():
    """The rules of the United States keep the GB200 from a buyer in China (88 FR 73458)."""
    result = run("cloudmatrix384", "gb200-nvl72", *SMALL, "--domains", "1", "--region", "china-west")
    assert "gb200-nvl72 is denied to a buyer in CN" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cloudmatrix384",), "name two systems or more"),
        (("cloudmatrix38", "dgx-h100"), "SYSTEM: there is no system 'cloudmatrix38'; did you mean cloudmatrix384?"),
        (
            (*SYSTEMS, "--workload", "llama-3-9b"),
            "--workload llama-3-9b: there is no workload 'llama-3-9b'; did you mean",
        ),
        ((*SYSTEMS, "--deadline", "90"), "--deadline 90: 90 has no unit; write it as 90 d"),
        ((*SYSTEMS, "--deadline", "90 MW"), "is no deadline"),
        ((*SYSTEMS, "--budget", "-3 MUSD"), "is not above zero"),
        ((*SYSTEMS, "--region", "texas"), "--region: there is no region 'texas'; did you mean us-texas"),
        ((*SYSTEMS, "--set", "wac=0.1"), "'wac' is no quantity and no system; did you mean wacc?"),
        ((*SYSTEMS, "--set", "import_tariff=-0.5"), "-0.5 is below the least import_tariff allowed, 0"),
        ((*SYSTEMS, "--set", "server_tariff=-0.8"), "-0.8 is below the least server_tariff allowed, 0"),
        (
            (*SYSTEMS, "--set", "equipment_subsidy=1"),
            "1 is too much; equipment_subsidy must be at least 0 and less than 1",
        ),
        (
            ("cloudmatrix384", "gb200-nvl72", "--set", "cloudmatrix384.system_price=1 MUSD"),
            "leaves -2,068 USD for chip_price of cloudmatrix384, which must be at least 0; give system_price at least",
        ),
        (
            ("cloudmatrix384", "gb200-nvl72", "--set", "gb200-nvl72.system_power=20"),
            "leaves -1,091 W for host_power of gb200-nvl72, which must be at least 0; give system_power at least 98.6",
        ),
        ((*SYSTEMS, "--set", "utilisation=0"), "0 is too little; utilisation must be more than 0 and at most 1"),
        ((*SYSTEMS, "--set", "dgx-h100.chip_price=5 kW"), "5 kW' does not fit chip_price (in USD)"),
        ((*SYSTEMS, "--set", "rule_date=2021"), "rule_date"),
        ((*SYSTEMS, "--domains", "1,2,3"), "gives 3 counts for 2 systems"),
        ((*SYSTEMS, "--domains", "0"), "0 is below the least domains allowed, 1"),
        ((*SYSTEMS, "--precision", "fp9"), "'fp9' is no precision; did you mean fp8?"),
        ((*SYSTEMS, "--workload", "llama-3-8b", "--serve", "deepseek-r1"), "give one of them"),
        ((*SYSTEMS, "--serve", "deepseek-r1", "--deadline", "9 d"), "serving has no end"),
        ((*SYSTEMS, "--study", "nope"), "no file and no shipped study has this name"),
    ],
)
def test_a_fault_is_one_sentence_and_exit_code_2(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
