"""Claims: what the two articles say, against numbers worked out by hand from the published inputs."""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sweep.catalogue import Catalogue
from sweep.claims.judge import Judged, PartFound, judge, verdict_of
from sweep.claims.page import answer
from sweep.claims.questions import QUESTIONS, SYSTEMS, Questions
from sweep.claims.read import Claim, Claimed, Part, read_articles, read_claims
from sweep.claims.values import Values
from sweep.cli.app import cli
from sweep.compare import compare
from sweep.errors import StudyError

VALUES = Values(Catalogue.load())


@cache
def judged(name: str) -> Judged:
    return judge(read_claims()[name], VALUES)


def part(name: str, place: int) -> PartFound:
    return judged(name).parts[place]


def numbers(name: str, place: int) -> list[float]:
    return [float(figure.value) for figure in part(name, place).figures]


def test_every_claim_is_there_once_and_judged() -> None:
    """67 compiled claims (30 of the report, 37 of the post), and the last words of each that had no entry."""
    claims = read_claims()
    assert [sum(name.startswith(seed) for name in claims) for seed in ("S0-", "S3-")] == [31, 38]
    assert {judged(name).by for name in claims} == {"numbers", "sources", "nobody"}


@pytest.mark.parametrize("name", sorted(read_claims()))
def test_a_claim_says_all_that_its_reader_needs(name: str) -> None:
    """What is not confirmed says what would have to be true; what nobody can judge why; what differs from what."""
    found, claim = judged(name), judged(name).claim
    needed = any(each.needed for each in found.parts)
    assert found.verdict == "confirmed" or needed or claim.holds_if
    assert (found.by == "nobody") <= bool(claim.reason)
    assert found.differs == bool(claim.difference)
    assert claim.finding
    assert claim.sources or found.verdict == "not testable"


def test_sixty_seven_percent_needs_781_tflops_per_chip() -> None:
    """384 t / (72 x 2,500) TFLOP/s: 1.510 at 707.8, 1.604 at 752, 1.664 at 780; 300/180 needs 300,000/384 = 781.25."""
    assert numbers("S0-10", 0) == pytest.approx([1.50997, 1.60427, 1.664], rel=1e-5)
    needed = part("S0-10", 0).needed
    assert needed is not None
    assert needed.value == pytest.approx(781.25, rel=1e-4)
    assert judged("S0-10").verdict == "ambiguous"


def test_the_published_300_pflops_bear_sixty_seven_percent_out() -> None:
    """300 / 180 on Huawei's slide; by the tolerance of the claim the 780 TFLOP/s of SemiAnalysis do, too."""
    assert numbers("S0-10", 1) == pytest.approx([300 / 180, 288.8 / 180])
    assert [figure.holds for figure in part("S0-10", 1).figures] == [True, False]
    assert [figure.holds for figure in part("S0-10", 0).figures] == [False, False, True]


def test_the_page_says_by_whose_peak() -> None:
    said = answer(read_articles(), {name: judged(name) for name in read_claims()})
    assert "is 51 percent by Huawei's own modelling tool, and 66 to 67 percent at the 780 TFLOP/s of a 910C" in said
    assert "the 300 PFLOP/s of the system on Huawei's slide" in said
    assert "another chip" not in said


def test_three_hundred_petaflops_of_the_910b_need_848_chips() -> None:
    """300,000 / 353.9 = 847.7; 384 of them make 135.9 PFLOP/s in bf16 and 144.4 in fp16."""
    assert numbers("S3-10", 0) == pytest.approx([135.8976, 144.384])
    needed = part("S3-10", 1).needed
    assert needed is not None
    assert needed.value == 848
    assert judged("S3-10").verdict == "contradicted"


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("S0-11", 0, [49152 / 13392, 49152 / 13824]),
        ("S0-14", 0, [336]),
        ("S0-14", 1, [112]),
        ("S0-15", 0, [5376]),
        ("S0-15", 1, [6912]),
        ("S0-18", 0, [3.8578, 4.1379, 4.1022, 4.4981, 3.4483]),
        ("S0-24", 1, [1.6426, 1.8102, 1.2320, 1.3576]),
        ("S3-03", 0, [271.795, 288.768, 299.52]),
        ("S3-23", 1, [61.056]),
        ("S3-23", 2, [5.4]),
        ("S3-24", 0, [0.0944, 0.1040]),
        ("S3-35", 0, [3.5321, 3.2051]),
    ],
)
def test_figures_against_published_arithmetic(name: str, place: int, expected: list[float]) -> None:
    """Ratios and totals as the findings of the claims print them, worked out from the inputs of each basis."""
    assert numbers(name, place) == pytest.approx(expected, rel=1e-3)


def test_verdicts_that_the_numbers_lead_to() -> None:
    wanted = {
        "S0-02": "confirmed",
        "S0-12": "confirmed",
        "S0-15": "partly confirmed",
        "S3-05": "contradicted",
        "S3-08": "partly confirmed",
        "S3-17": "contradicted",
        "S3-21": "ambiguous",
        "S3-25": "unsupported",
        "S3-30": "not testable",
    }
    assert {name: judged(name).verdict for name in wanted} == wanted


def test_no_power_price_makes_the_chinese_run_the_cheaper_one() -> None:
    """With power for nothing it still costs more: no price above zero can do it."""
    assert numbers("S0-22", 1)[0] > 1
    needed = part("S0-22", 2).needed
    assert needed is not None
    assert needed.value is None


def test_at_the_price_it_pays_the_run_costs_what_it_costs() -> None:
    """0.056 USD/kWh, subsidised for domestic chips: solving for the price starts from today's cost, idle power paid."""
    needed = part("S0-22", 2).needed
    assert needed is not None
    assert needed.now == pytest.approx(0.056)
    assert numbers("S0-22", 2) == [pytest.approx(numbers("S0-22", 0)[0], rel=1e-9)]


def test_electricity_in_western_china_is_subsidised_for_domestic_chips_alone() -> None:
    """559.378 kW x 1.2 x 8,760 h x 0.056 USD/kWh = 0.3293 MUSD; 145 kW at 0.088 are 0.1341; 8.2 MUSD the set."""
    assert numbers("S0-19", 0) == [pytest.approx(0.32929, rel=1e-4)]
    assert numbers("S0-19", 1) == [pytest.approx(0.13413, rel=1e-4)]
    assert numbers("S0-19", 2) == pytest.approx([2.4550, 2.1944, 3.8578], rel=1e-4)
    assert numbers("S0-19", 3) == [pytest.approx(4.0157, rel=1e-4)]


def test_a_section_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"x": "regions.china-west.domestic.power_prise", "y": "regions.china-wst.domestic.power_price"}
    monkeypatch.setattr("sweep.claims.values.read_names", lambda: (names, "values.yaml"))
    with pytest.raises(StudyError, match=r"did you mean domestic\.power_price"):
        Values(Catalogue.load()).value("x")
    with pytest.raises(StudyError, match="did you mean china-west"):
        Values(Catalogue.load()).value("y")


def test_forty_sites_train_gpt4_where_the_links_allow() -> None:
    """One supernode at the 40 % to 55 % that large runs reach takes 2.1e25 / (271.8e15 u) s: 1,626 to 2,236 days."""
    assert 1626 < numbers("S3-26", 0)[0] < 2236
    one_place = numbers("S3-26", 1)[0]
    wide, thin = numbers("S3-26", 2)
    assert one_place == pytest.approx(numbers("S3-26", 0)[0] / 40, rel=0.2)
    assert one_place < wide < 1.1 * one_place
    assert thin > 365 > wide


@pytest.mark.parametrize("name", [name for name, claim in read_claims().items() if claim.parts])
def test_no_verdict_rests_on_less_than_the_error_of_the_model(name: str) -> None:
    """Step times are off by 13 % and 9 % (Ascend, Blackwell): together 16 %."""
    for found in judged(name).parts:
        if found.part.claimed is None or "(model)" not in found.part.says or isinstance(found.figures[0].value, bool):
            continue
        for figure in found.figures:
            assert abs(float(figure.value) / found.part.claimed.target - 1) > 0.16, found.part.says


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (["holds", "holds"], "confirmed"),
        (["fails"], "contradicted"),
        (["holds", "fails"], "partly confirmed"),
        (["depends", "fails"], "partly confirmed"),
        (["holds", "depends"], "ambiguous"),
        (["depends"], "ambiguous"),
    ],
)
def test_rule_from_parts_to_verdict(states: list[str], verdict: str) -> None:
    assert verdict_of(states) == verdict  # type: ignore[arg-type]


def claim_of(**fields: object) -> Claim:
    given = {"says": "x", **fields}
    return Claim(
        id="T-1", claim="x", kind="quantitative", compiled="confirmed", finding="x", parts=(Part.model_validate(given),)
    )


def test_a_solution_makes_the_claim_hold() -> None:
    needs = {"change": "cm_power", "say": "power", "unit": "kW"}
    found = judge(claim_of(formula="cm_power / nvl_power", claimed={"at_most": 2}, needs=needs), VALUES)
    needed = found.parts[0].needed
    assert needed is not None
    assert (needed.value, needed.now) == (pytest.approx(290), pytest.approx(559.378))


def test_what_holds_needs_nothing() -> None:
    needs = {"change": "cm_power", "say": "power", "unit": "kW"}
    found = judge(claim_of(formula="cm_power / nvl_power", claimed={"at_least": 2}, needs=needs), VALUES)
    assert found.verdict == "confirmed"
    assert found.parts[0].needed is None


@pytest.mark.parametrize(
    ("claimed", "inside", "outside"),
    [
        ({"value": 3, "within": 0.25}, [2.75, 3.25], [2.7, 3.3]),
        ({"at_least": 300, "within": 0.5}, [299.5, 1e9], [299.4]),
        ({"at_most": 1}, [-5, 1], [1.01]),
    ],
)
def test_what_a_claimed_number_allows(claimed: dict[str, float], inside: list[float], outside: list[float]) -> None:
    low, high = Claimed.model_validate(claimed).limits()
    assert all(low <= value <= high for value in inside)
    assert not any(low <= value <= high for value in outside)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"formula": "cm_chip_count"}, "cm_chip_count"),
        ({"formula": "cm_power + cm_price"}, "cm_price"),
        ({"formula": "cm_power", "unit": "kW", "bases": {"x": {"cm_power": 123}}}, "no published value 123"),
        ({"formula": "cm_power", "unit": "kW", "bases": {"x": {"nvl_power": 132}}}, "does not use nvl_power"),
    ],
)
def test_a_formula_that_cannot_be_used_is_one_sentence(fields: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        judge(claim_of(**fields), VALUES)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["claims", *arguments])
    return result.exit_code, result.output


def test_command_line_shows_one_claim_with_formulas_and_sources() -> None:
    code, shown = run("s0-10")
    assert code == 0
    assert "verdict: ambiguous (by numbers)" in shown
    assert "781.2" in shown or "781.3" in shown
    assert "ascend_bf16 = 780 TFLOP/s" in shown
    assert "semianalysis.com/2025/04/16" in shown


def test_command_line_filters_by_verdict_and_speaks_json() -> None:
    code, shown = run("--verdict", "unsupported", "--json")
    found = json.loads(shown)
    assert code == 0
    assert {each["id"] for each in found} == {"S0-21", "S3-25"}
    assert all(each["verdict"] == "unsupported" and each["holds_if"] for each in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("S9-99",), "is no claim"), (("--verdict", "true"), "confirmed"), (("--ratios", "S0-10"), "--ratios")],
)
def test_wrong_command_lines_are_one_sentence_and_exit_2(arguments: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(cli, ["claims", *arguments])
    assert result.exit_code == 2
    assert message in result.output


def test_the_headline_is_what_the_command_compares() -> None:
    """Both in bf16 and each chip in its best format: the designs of ``supernode compare``, not points of a grid."""
    for name, cost, energy in (("training-bf16", ("S0-22", 0), ("S0-18", 2)), ("training", ("S0-22", 3), ("S0-18", 3))):
        question = QUESTIONS[name]
        (case,) = compare(SYSTEMS, question.workload, question.basis, regions=["own"]).cases
        first, other = case.designs
        assert first is not None
        assert other is not None
        assert numbers(*cost) == [pytest.approx(case.pairs[0].verdict.ratio, rel=1e-9)]
        used = [design.number("energy_to_train") for design in (first, other)]
        assert numbers(*energy) == [pytest.approx(float(used[0] or 0) / float(used[1] or 1), rel=1e-9)]
        assert set(case.precisions) == ({"bf16"} if name == "training-bf16" else {"bf16", "fp8"})


def test_a_comparison_that_was_made_as_a_whole_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    cases = [SimpleNamespace(designs=("one", "two"))]
    monkeypatch.setattr(Questions, "_opened", lambda _, name: made.append(name) or name)
    monkeypatch.setattr("sweep.compare.comparison.compared", lambda *_, **__: SimpleNamespace(cases=cases))
    questions = Questions()
    assert questions.comparison("site") is questions.comparison("site")
    assert questions.design("site", SYSTEMS[1]) == "two"
    assert made == ["site"]


@pytest.mark.parametrize(
    ("question", "system", "message"),
    [("trainin", SYSTEMS[0], "there is no comparison trainin"), ("site", "gb200", "gb200 is not compared")],
)
def test_a_comparison_that_is_not_there_is_one_sentence(question: str, system: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Questions().design(question, system)
