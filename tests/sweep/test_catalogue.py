"""The catalogue's rules: what a file may say, what wins over what, and one clear sentence for every fault."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from sweep.catalogue import KINDS, Catalogue
from sweep.errors import StudyError
from sweep.money import foreign

CHIP = """\
title: A chip of mine
vendor: Mine
facts:
  peak_bf16: {value: 1, unit: PFLOP/s, source: my data sheet, date: 2026-01, confidence: vendor_doc}
"""

SYSTEM = """\
title: A system of mine
vendor: Mine
chip: my-chip
scale_up: nvlink4-hgx
scale_out: infiniband-ndr
home_region: us-texas
facts:
  scale_up_size: {value: 8, source: my data sheet, date: 2026, confidence: vendor_doc}
"""


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


def write(folder, kind, name, text):
    path = folder / kind / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def fault(folder):
    """The sentences that loading the folder ends with."""
    with pytest.raises(StudyError) as caught:
        Catalogue.load([folder])
    return [str(problem) for problem in caught.value.problems]


def fact(text):
    """A chip file with this one fact."""
    return f"title: A chip\nvendor: Mine\nfacts:\n  {text}\n"


def test_names_are_sorted_and_kebab_case(catalogue):
    for kind in KINDS:
        names = catalogue.names(kind)
        assert names == sorted(names)
        assert names
        assert all(name == name.lower() and "_" not in name and " " not in name for name in names)


def test_unknown_entry_names_the_nearest(catalogue):
    with pytest.raises(StudyError, match="did you mean cloudmatrix384"):
        catalogue.entry("systems", "cloudmatrix-384")


def test_unknown_kind_names_the_kinds(catalogue):
    with pytest.raises(StudyError, match="did you mean chips"):
        catalogue.entry("chip", "h100-sxm")


def test_value_is_converted_to_the_unit_of_the_model(catalogue):
    found = catalogue.entry("chips", "h100-sxm").facts["hbm_bandwidth"]
    assert (found.value, found.unit, found.si) == (3350, "GB/s", 3.35e12)


def test_foreign_currency_is_converted_with_the_rate_of_the_price_list(tmp_path):
    text = "price: {value: 1000, unit: CNY, source: s, date: 2026, confidence: press, currency_year: 2026}"
    system = SYSTEM.replace("my-chip", "h20") + "  system_" + text + "\n"
    write(tmp_path, "systems", "my-system", system)
    catalogue = Catalogue.load([tmp_path])
    found = catalogue.entry("systems", "my-system").facts["system_price"]
    rate = catalogue.exchange_rate("CNY")
    assert 0.12 < rate < 0.16
    assert found.exchange_rate == rate
    assert (found.value, found.si) == (1000, pytest.approx(1000 * rate))


def test_currency_without_rate_is_refused(tmp_path):
    prices = "title: No rates\nreplaces: true\n"
    write(tmp_path, "prices", "parts", prices)
    text = "power_price: {value: 0.2, unit: EUR/kWh, source: s, date: 2026, confidence: press, currency_year: 2026}"
    write(tmp_path, "regions", "here", f"title: Here\ncountry: FR\nfacts:\n  {text}\n")
    assert "no exchange rate" in fault(tmp_path)[0]


def test_a_subsidised_price_is_for_domestic_chips_only(catalogue):
    """Financial Times, 2025-11-04: the hubs' 0.4 yuan is for sites that use domestic chips."""
    huawei, nvidia = (catalogue.facts(system, None, "china-west") for system in ("cloudmatrix384", "gb200-nvl72"))
    assert huawei["power_price"].value * 3.6e6 == pytest.approx(0.056)
    assert nvidia["power_price"].value * 3.6e6 == pytest.approx(0.088)
    assert huawei["carbon_intensity"] == nvidia["carbon_intensity"]
    assert huawei["power_price"].where != nvidia["power_price"].where
    texas = [catalogue.facts(name, None, "us-texas")["power_price"] for name in ("cloudmatrix384", "gb200-nvl72")]
    assert texas[0] == texas[1]


def test_a_chip_of_no_country_pays_the_ordinary_price(tmp_path):
    write(tmp_path, "chips", "mine", "title: A chip\nvendor: Mine\n")
    write(tmp_path, "systems", "my-system", SYSTEM.replace("my-chip", "mine"))
    facts = Catalogue.load([tmp_path]).facts("my-system", None, "china-west")
    assert facts["power_price"].value * 3.6e6 == pytest.approx(0.088)


def test_a_country_that_does_not_exist_is_refused(tmp_path):
    path = write(tmp_path, "regions", "here", "title: Here\ncountry: UK\n")
    assert fault(tmp_path) == [
        f"{path}:2: country: 'UK' is the code of no country in ISO 3166; the United Kingdom is GB"
    ]


def test_later_entries_win(catalogue):
    found = catalogue.facts("cloudmatrix384", "llama-3.1-405b", "us-virginia")
    assert found["wacc"].kind == "defaults"
    assert found["storage_price_per_chip"].kind == "prices"
    assert found["scale_out_switch_power"].entry == "roce-400g"  # the fabric's own figure over the price list's
    assert found["transceiver_price"].entry == "cloudmatrix384"  # and the system's over both
    assert found["hbm_capacity"].entry == "ascend-910c"
    assert found["scale_up_planes"].entry == "ub-cloudmatrix384"
    assert found["gemm_efficiency_bf16"].kind == "calibration"
    assert found["training_tokens"].entry == "llama-3.1-405b"
    assert found["power_price"].entry == "us-virginia"
    assert found["power_usage_effectiveness"].kind == "regions"  # over the default


def test_own_region_is_the_home_of_the_system(catalogue):
    for own in (None, "own"):
        assert catalogue.facts("cloudmatrix384", None, own)["power_price"].entry == "china-west"
        assert catalogue.facts("gb200-nvl72", None, own)["power_price"].entry == "us-texas"


def test_a_system_overrides_its_fabric(catalogue):
    assert catalogue.facts("ascend-910b-384")["scale_up_bandwidth"].value == 196e9
    assert catalogue.facts("cloudmatrix384")["scale_up_bandwidth"].value == 392e9


def test_an_unknown_fact_leaves_the_default_in_place(catalogue):
    assert catalogue.entry("regions", "uae").facts["shell_price_per_power"].si is None
    found = catalogue.facts("dgx-h100", None, "uae")["shell_price_per_power"]
    assert (found.kind, found.value) == ("defaults", 11.7)


def test_formula_is_kept_as_text(catalogue):
    found = catalogue.facts("cloudmatrix384")["chip_price"]
    assert found.value is None
    assert found.formula == "system_price / 384 - scale_up_price_per_bandwidth * 392 GB/s"


def test_where_points_at_the_line_of_the_fact(catalogue):
    found = catalogue.facts("dgx-h100")["hbm_capacity"]
    file, line = found.where.rsplit(":", 1)
    assert Path(file).read_text(encoding="utf-8").splitlines()[int(line) - 1].strip() == "hbm_capacity:"


def test_user_adds_a_chip_with_one_file(tmp_path):
    write(tmp_path, "chips", "my-chip", CHIP)
    catalogue = Catalogue.load([tmp_path])
    assert catalogue.entry("chips", "my-chip").facts["peak_bf16"].si == 1e15
    assert "h100-sxm" in catalogue.names("chips")


def test_user_system_without_calibration_takes_the_median_chip(tmp_path):
    write(tmp_path, "chips", "my-chip", CHIP)
    write(tmp_path, "systems", "my-system", SYSTEM)
    found = Catalogue.load([tmp_path]).facts("my-system")
    assert found["gemm_efficiency_bf16"].kind == "calibration"
    assert found["gemm_efficiency_bf16"].fact.confidence == "derived"


def test_existing_name_needs_replaces(tmp_path):
    write(tmp_path, "chips", "h100-sxm", CHIP)
    (message,) = fault(tmp_path)
    assert "h100-sxm is already in" in message
    assert "'replaces: true'" in message
    write(tmp_path, "chips", "h100-sxm", CHIP + "replaces: true\n")
    assert Catalogue.load([tmp_path]).entry("chips", "h100-sxm").title == "A chip of mine"


def test_replaces_without_anything_to_replace(tmp_path):
    write(tmp_path, "chips", "my-chip", CHIP + "replaces: true\n")
    assert "no my-chip to replace" in fault(tmp_path)[0]


def test_digest_changes_with_a_fact_and_not_with_time(tmp_path, catalogue):
    assert Catalogue.load().digest() == catalogue.digest()
    write(tmp_path, "chips", "my-chip", CHIP)
    first = Catalogue.load([tmp_path]).digest()
    write(tmp_path, "chips", "my-chip", CHIP.replace("value: 1,", "value: 2,"))
    assert len({catalogue.digest(), first, Catalogue.load([tmp_path]).digest()}) == 3


def test_catalogue_travels_between_processes(catalogue):
    catalogue.facts("dgx-h100")
    assert pickle.loads(pickle.dumps(catalogue)).facts("dgx-h100") == catalogue.facts("dgx-h100")


GOOD = "source: s, date: 2026, confidence: press"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"hbm_capacity: {{value: 80, unit: GB, soruce: s, {GOOD}}}", ["soruce", "did you mean source"]),
        (f"hbm_capasity: {{value: 80, unit: GB, {GOOD}}}", ["no input of the model", "did you mean hbm_capacity"]),
        (f"step_time: {{value: 1, unit: s, {GOOD}}}", ["no input of the model"]),
        (f"hbm_capacity: {{value: 80, unit: GB/s, {GOOD}}}", ["wrong unit", "write it in GB"]),
        (f"hbm_capacity: {{value: 80, unit: gigs, {GOOD}}}", ["wrong unit", "gigs"]),
        (f"hbm_capacity: {{value: 80, {GOOD}}}", ["wrong unit", "pure number"]),
        (f"dies: {{value: 2, unit: W, {GOOD}}}", ["leave the unit away"]),
        (f"hbm_capacity: {{value: -80, unit: GB, {GOOD}}}", ["is -80 GB", "more than 0"]),
        (f"attention_efficiency: {{value: 1.2, {GOOD}}}", ["more than 0 and at most 1"]),
        (f"dies: {{value: 1.5, {GOOD}}}", ["whole number"]),
        (f"hbm_capacity: {{value: lots, unit: GB, {GOOD}}}", ["the text 'lots'"]),
        (f"hbm_capacity: {{value: true, unit: GB, {GOOD}}}", ["write one number"]),
        (f"hbm_capacity: {{value: [1, 2], unit: GB, {GOOD}}}", ["write one number"]),
        (f"hbm_capacity: {{value: .nan, unit: GB, {GOOD}}}", ["not a finite number"]),
        ("hbm_capacity: {value: null, unit: GB, confidence: not_found}", ["null", "without a note"]),
        ("hbm_capacity: {value: 80, unit: GB, date: 2026, confidence: press}", ["has no source"]),
        ("hbm_capacity: {value: 80, unit: GB, source: s, confidence: press}", ["has no date"]),
        ("hbm_capacity: {value: 80, unit: GB, source: s, date: May, confidence: press}", ["has no date"]),
        ("hbm_capacity: {value: 80, unit: GB, source: s, date: 2026}", ["confidence", "is missing"]),
        ("hbm_capacity: {value: 80, unit: GB, source: s, date: 2026, confidence: pres}", ["did you mean press"]),
        (f"nic_price: {{value: 80, unit: USD, {GOOD}}}", ["currency_year"]),
        (f"nic_price: {{value: 80, {GOOD}}}", ["wrong unit", "write it in USD"]),
        (f"power_price: {{value: 0.08, unit: 1/kWh, {GOOD}}}", ["wrong unit", "write it in USD/kWh"]),
        (f"power_price: {{value: 0.08, unit: GBP/kWh, {GOOD}}}", ["wrong unit", "GBP"]),
        (f"nic_price: {{value: -80, unit: USD, currency_year: 2025, {GOOD}}}", ["must be at least 0"]),
        (f"import_tariff: {{value: -1.5, {GOOD}}}", ["must be at least 0"]),
        (f"equipment_subsidy: {{value: 1, {GOOD}}}", ["must be at least 0 and less than 1"]),
        (f"chip_power: {{formula: 2 * host_powr, unit: W, {GOOD}}}", ["host_powr", "did you mean host_power"]),
        (f"chip_power: {{formula: 2 W, value: 2, unit: W, {GOOD}}}", ["a value and a formula"]),
    ],
)
def test_bad_fact_is_one_sentence_with_its_line(tmp_path, text, words):
    path = write(tmp_path, "chips", "my-chip", fact(text))
    (message,) = fault(tmp_path)
    assert message.startswith(f"{path}:4: ")
    for word in words:
        assert word in message


def test_bad_alternative_is_found(tmp_path):
    alternative = "{value: 1, unit: W, source: s, date: 2026, confidence: press}"
    text = f"hbm_capacity: {{value: 80, unit: GB, {GOOD}, alternatives: [{alternative}]}}"
    write(tmp_path, "chips", "my-chip", fact(text))
    (message,) = fault(tmp_path)
    assert "facts.hbm_capacity.alternatives[0]" in message
    assert "wrong unit" in message


def test_all_faults_of_all_files_at_once(tmp_path):
    write(tmp_path, "chips", "one", fact("hbm_capacity: {value: -1, unit: GB, date: 2026, confidence: press}"))
    bad = f"{{value: -1, unit: GB, {GOOD}}}"
    write(tmp_path, "chips", "two", fact(f"hbm_capacity: {bad}\n  hbm_bandwidth: {bad}"))
    write(tmp_path, "systems", "three", SYSTEM)
    assert len(fault(tmp_path)) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CHIP + "vendor: Mine\n", ["given twice"]),
        (CHIP + "colour: red\n", ["colour", "is no key of this file"]),
        ("vendor: Mine\n", ["title", "is missing"]),
        ("title: [1, 2]\nvendor: Mine\n", ["title"]),
    ],
)
def test_bad_entry_is_one_sentence(tmp_path, text, words):
    write(tmp_path, "chips", "my-chip", text)
    (message,) = fault(tmp_path)
    for word in words:
        assert word in message


def test_link_to_nothing_names_the_nearest(tmp_path):
    write(tmp_path, "systems", "my-system", SYSTEM.replace("my-chip", "h100-smx"))
    (message,) = fault(tmp_path)
    assert "chip: 'h100-smx' is not in the catalogue of chips; did you mean h100-sxm" in message


SHAPE = "layers: 2, hidden: 8, ffn_hidden: 32, heads: 2, kv_heads: 2, head_dim: 4, vocabulary: 100"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"shape: {{{SHAPE}, hiden: 8}}\nshape_source: s\n", ["hiden", "did you mean hidden"]),
        ("shape: {layers: 2}\nshape_source: s\n", ["does not describe a model", "hidden"]),
        (f"shape: {{{SHAPE.replace('layers: 2', 'layers: -2')}}}\nshape_source: s\n", ["cannot be negative"]),
        (f"shape: {{{SHAPE}}}\n", ["has no shape_source"]),
        ("shape: null\n", ["say why in notes"]),
        ("shape_source: s\n", ["shape", "is missing"]),
    ],
)
def test_bad_shape_is_one_sentence(tmp_path, text, words):
    write(tmp_path, "workloads", "mine", "title: Mine\n" + text)
    (message,) = fault(tmp_path)
    for word in words:
        assert word in message


def test_folder_that_is_none(tmp_path):
    assert "is no folder" in fault(tmp_path / "nowhere")[0]
    assert "holds no entries" in fault(tmp_path)[0]


def test_folder_of_unknown_kind(tmp_path):
    write(tmp_path, "chip", "my-chip", CHIP)
    assert "did you mean chips" in fault(tmp_path)[0]


def test_one_report_in_two_currencies_is_no_conflict_with_itself():
    """A price within 3 % of the fact in another currency is the same report, and says so."""
    known = Catalogue.load()
    marked = []
    for kind in KINDS:
        for name in known.names(kind):
            entry = known.entry(kind, name)
            for fact in (*entry.facts.values(), *(each for part in entry.sections.values() for each in part.values())):
                for other in fact.alternatives:
                    near = isinstance(other.si, float) and fact.si and abs(other.si / fact.si - 1) < 0.03
                    if near and foreign(other.unit) != foreign(fact.unit):
                        marked.append((name, other.value))
                        assert other.restates, (name, other)
                        assert other not in fact.others
    assert set(marked) == {("cloudmatrix384", 6e7), ("china-west", 0.4)}
