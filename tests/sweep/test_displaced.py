"""Alternatives that take the place of other facts: read, shown, compared and drawn together with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from study_files import fault, load_text
from uncertain_studies import HEAD

from sweep.catalogue import KINDS, Catalogue
from sweep.cli.app import cli
from sweep.compare import compare
from sweep.compare.conflicts import conflicts_of, together
from sweep.compare.request import Request
from sweep.errors import StudyError
from sweep.inputs import inputs_with_origins
from sweep.study import Study

CATALOGUE = Catalogue.load()
SMALL = {"train": "llama-3-8b", "tokens": 2e11, "global_batch": 512, "sequence": 8192, "precision": "bf16"}
PAIR = ("cloudmatrix384", "gb200-nvl72")
ALL_CAUSES = {"host_failure_rate", "nic_failure_rate", "switch_failure_rate", "transceiver_failure_rate"}
YEAR = 365 * 86400

GOOD = "source: s, date: 2026, confidence: press"
OWN = """\
title: A chip
vendor: Mine
facts:
  chip_power:
    value: 700
    unit: W
    source: s
    date: 2026
    confidence: press
    alternatives: [{value: VALUE, unit: W, GOOD, with: WITH}]
"""


def own(folder: Path, given: str, value: str = "900") -> Path:
    file = folder / "chips" / "my-chip.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(OWN.replace("GOOD", GOOD).replace("WITH", given).replace("VALUE", value), encoding="utf-8")
    return folder


def with_displaced() -> list[tuple[str, object, object]]:
    """Every alternative of the catalogue that takes the place of other facts: of which fact it is one, and itself."""
    entries = [CATALOGUE.entry(kind, name) for kind in KINDS for name in CATALOGUE.names(kind)]
    parts = [(name, fact) for entry in entries for name, fact in entry.facts.items()]
    return [(name, fact, other) for name, fact in parts for other in fact.alternatives if other.displaced]


def test_a_displaced_fact_is_read_in_the_unit_of_the_table_or_its_own(tmp_path: Path) -> None:
    catalogue = Catalogue.load([own(tmp_path, "{host_power: 0.2 kW, fan_power: 30}")])
    (other,) = catalogue.entry("chips", "my-chip").facts["chip_power"].alternatives
    assert [(each.name, each.value, each.unit, each.si) for each in other.displaced] == [
        ("host_power", 200.0, "W", 200.0),
        ("fan_power", 30.0, "W", 30.0),
    ]


@pytest.mark.parametrize(
    ("given", "value", "words"),
    [
        ("{host_powr: 1}", "900", ["alternatives[0].with.host_powr", "no number", "did you mean host_power"]),
        ("{host_power: 1 s}", "900", ["alternatives[0].with.host_power", "wrong unit"]),
        ("{host_power: -1}", "900", ["alternatives[0].with.host_power", "at least 0"]),
        ("{scale_up_size: 8}", "900", ["no number that the model takes"]),
        ("{host_power: 1}", "700", ["needs a value of its own", "700 is there twice"]),
    ],
)
def test_a_bad_one_is_a_sentence(tmp_path: Path, given: str, value: str, words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        Catalogue.load([own(tmp_path, given, value)])
    (message,) = [str(problem) for problem in caught.value.problems]
    assert all(word in message for word in words), message


def test_none_displaces_what_a_formula_gives_or_the_fact_itself() -> None:
    """A formula would be computed anew over what a draw has set."""
    computed = {
        name for system in CATALOGUE.names("systems") for name, fact in CATALOGUE.facts(system).items() if fact.formula
    }
    for name, _, other in with_displaced():
        assert computed.isdisjoint(each.name for each in other.displaced)
        assert name not in {each.name for each in other.displaced}


def test_what_is_measured_stays_when_the_peak_it_is_a_share_of_is_another() -> None:
    """491.9 TFLOP/s of attention on a 910C and 328 GB/s between its nodes, whatever the peaks are said to be."""
    facts = CATALOGUE.facts("cloudmatrix384")
    for name, share in (("peak_bf16", "attention_efficiency"), ("scale_up_bandwidth", "scale_up_efficiency")):
        measured = facts[name].value * facts[share].value
        for other in facts[name].fact.alternatives:
            (displaced,) = [each for each in other.displaced if each.name == share]
            assert other.si * displaced.si == pytest.approx(measured, rel=1e-4), (name, other.value)


def test_rates_of_all_causes_leave_none_for_single_parts() -> None:
    """6.50 and 2.34 failures per 1,000 days of a node of eight A100 (arXiv 2410.21680)."""
    rates = CATALOGUE.entry("defaults", "scenario").facts["chip_failure_rate"].alternatives
    found = {round(8 * other.si * 1000 * 86400, 2): other for other in rates if other.displaced}
    assert set(found) == {6.5, 2.34}
    for other in found.values():
        assert {each.name: each.si for each in other.displaced} == dict.fromkeys(ALL_CAUSES, 0.0)


def test_show_names_them() -> None:
    text = CliRunner().invoke(cli, ["show", "defaults", "scenario"]).stdout
    assert "with host failure rate 0 1/yr, nic failure rate 0 1/yr" in text
    entry = json.loads(CliRunner().invoke(cli, ["show", "defaults", "scenario", "--json"]).stdout)
    others = entry["facts"]["chip_failure_rate"]["alternatives"]
    assert {each["name"] for each in others[0]["displaced"]} == ALL_CAUSES


def test_a_conflict_sets_them_too_and_a_corner_holds_nothing_twice() -> None:
    """Failures of all causes instead of by part: what setting the five rates by hand gives."""
    (case,) = compare(PAIR, SMALL, {"domains": 1}, regions=["own"], alternatives=True).cases
    conflicts = case.pairs[0].alternatives
    assert conflicts is not None
    (every,) = [each for each in conflicts.alone if each.name == "chip_failure_rate" and round(each.value, 3) == 0.297]
    assert set(every.displaced) == ALL_CAUSES
    given = [f"{name}={value!r}" for name, value in {**every.displaced, every.name: every.value}.items()]
    (again,) = compare(PAIR, SMALL, {"domains": 1}, regions=["own"], overrides=given).cases
    assert again.pairs[0].verdict.ratio == pytest.approx(every.ratio, rel=1e-9)


def test_a_set_with_its_scale_out_network_in_the_price_pays_for_neither_switches_nor_modules() -> None:
    """No source says what the 8.2 MUSD have in them: both readings are there, on top of each published price."""
    (case,) = compare(PAIR, SMALL, {"domains": 2}, regions=["own"], alternatives=True).cases
    conflicts, (first, _) = case.pairs[0].alternatives, case.designs
    assert conflicts is not None
    assert first is not None
    (inside,) = [each for each in conflicts.alone if each.name == "scale_out_switch_price"]
    assert (inside.of, inside.value, inside.displaced) == (PAIR[0], 0.0, {"transceiver_price": 0.0})
    assert inside.shift < 0
    fabric = CATALOGUE.entry("fabrics", "roce-400g").facts["scale_out_switch_price"]
    assert CATALOGUE.facts(PAIR[0])["scale_out_switch_price"].value == fabric.si
    given = [f"{PAIR[0]}.{name}=0 USD" for name in ("scale_out_switch_price", "transceiver_price")]
    (again,) = compare(PAIR, SMALL, {"domains": 2}, regions=["own"], overrides=given).cases
    assert again.pairs[0].verdict.ratio == pytest.approx(inside.ratio, rel=1e-9)
    (other, _) = again.designs
    assert other is not None
    # what is left of the network is the scale-up fabric of 4,672 USD per chip, with installation
    installed = 1 + CATALOGUE.facts(PAIR[0])["installation_fraction"].value
    assert other.capital["network"] == pytest.approx(768 * 4672e-6 * installed, rel=1e-4)
    assert first.capital["network"] > other.capital["network"]


def test_of_conflicts_that_exclude_each_other_the_strongest_is_taken() -> None:
    from sweep.compare.basis import Basis
    from sweep.compare.comparison import _machines
    from sweep.compare.side import Side

    opened = Request(PAIR, SMALL, {"domains": 1}, ["own"]).open()
    ((machines, _),) = _machines(opened)
    pair = tuple(Side(machine, "own", (1,), Basis("domains", "1", domains=(1, 1))) for machine in machines)
    found = {(each.move.name, round(each.value, 4)): each for each in conflicts_of(pair)}
    low, high = found["chip_failure_rate", 0.1068], found["chip_failure_rate", 0.2966]
    slow = found["restart_time", 1200.0]
    assert together({low: 0.1, slow: 0.2, high: 0.3}) == [high, slow]
    peak, share = found["peak_bf16", 780.0], found["attention_efficiency", 0.868]
    assert together({peak: 0.1, share: 0.2}) == [share]


def drawn(folder: Path, entry: str) -> tuple[Study, dict[str, np.ndarray]]:
    text = f"uncertain:\n  draws: 200\n  model_error: false\n  inputs:\n    cloudmatrix384: {entry}\n"
    study = load_text(folder, HEAD + text)
    given = {"system": "cloudmatrix384", "workload": "llama-3.1-405b", "region": "own", "domains": 1}
    found = inputs_with_origins(study, CATALOGUE, given, {"draw": np.arange(200)})
    assert study.uncertain is not None
    rates = study.uncertain.drawn(0, 200)["cloudmatrix384.chip_failure_rate"]
    return study, {"rate": rates, **{name: found.values[name] for name in (*ALL_CAUSES, "chip_failure_rate")}}


def test_a_draw_of_an_alternative_sets_them_in_its_worlds_alone(tmp_path: Path) -> None:
    _, values = drawn(tmp_path, "{chip_failure_rate: {choice: alternatives}}")
    every = np.isin(values["rate"].round(4), [0.2966, 0.1068])
    assert 50 < every.sum() < 150
    facts = CATALOGUE.facts("cloudmatrix384")
    for name in ALL_CAUSES:
        expected = np.where(every, 0.0, facts[name].value)
        assert np.broadcast_to(values[name], 200) == pytest.approx(expected, rel=1e-12, abs=0)
    assert values["chip_failure_rate"] == pytest.approx(values["rate"] / YEAR, rel=1e-12)


def test_at_the_nominal_value_of_the_catalogue_nothing_is_displaced(tmp_path: Path) -> None:
    study, _ = drawn(tmp_path, "{chip_failure_rate: {choice: alternatives}}")
    given = {"system": "cloudmatrix384", "workload": "llama-3.1-405b", "region": "own", "domains": 1}
    nominal = inputs_with_origins(study, CATALOGUE, given, {}).values
    assert nominal["host_failure_rate"] == CATALOGUE.facts("cloudmatrix384")["host_failure_rate"].value


def test_a_study_that_sets_a_displaced_fact_is_told_so(tmp_path: Path) -> None:
    text = "facts: {host_failure_rate: 1}\nuncertain:\n  inputs:\n"
    message = fault(tmp_path, HEAD + text + "    cloudmatrix384: {chip_failure_rate: {choice: alternatives}}\n")
    assert "takes the place of host_failure_rate" in str(message)
    assert "list the numbers" in str(message)
