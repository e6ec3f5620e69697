"""``supernode show``: totals from the catalogue alone, and every number with its source."""

import json

import pytest
from click.testing import CliRunner

from models.quantities import quantities
from sweep.cli.app import cli
from sweep.cli.show import KINDS


def shown(*arguments):
    result = CliRunner().invoke(cli, ["show", *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def totals_of(system):
    return {
        row["name"]: (row["value"], row["unit"]) for row in json.loads(shown("systems", system, "--json"))["totals"]
    }


def test_cloudmatrix384_adds_up_to_its_published_totals():
    """Zuo et al. 2025 (arXiv 2506.12708) for chips and switches, SemiAnalysis 2025-04-16 for the optical modules."""
    totals = totals_of("cloudmatrix384")
    assert totals["peak_bf16"] == (pytest.approx(271.8, rel=1e-4), "PFLOP/s")  # printed to four digits
    assert totals["hbm_capacity"] == (pytest.approx(49.15, rel=1e-4), "TB")
    assert totals["hbm_bandwidth"] == (pytest.approx(1229, rel=1e-3), "TB/s")
    assert totals["scale_up_switch_chips"][0] == 336
    assert totals["scale_up_spine_chips"][0] == 112
    assert totals["transceivers"][0] == 6912


def test_gb200_nvl72_adds_up_to_its_published_totals():
    """NVIDIA's GB200 NVL72 data sheet, dense figures (half of those printed with sparsity)."""
    totals = totals_of("gb200-nvl72")
    assert totals["peak_bf16"] == (pytest.approx(180), "PFLOP/s")
    assert totals["hbm_capacity"] == (pytest.approx(13.4, rel=2e-3), "TB")
    assert totals["hbm_bandwidth"] == (pytest.approx(576), "TB/s")
    assert totals["scale_up_switch_chips"][0] == 18


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "studies"])
def test_every_kind_is_listed_as_text_and_as_json(kind):
    listed = json.loads(shown(kind, "--json"))
    lines = shown(kind).splitlines()
    assert listed
    assert all(any(line.startswith(f"{entry['name']} ") for line in lines) for entry in listed)


def test_an_entry_shows_every_fact_with_source_date_and_confidence():
    entry = json.loads(shown("chips", "ascend-910c", "--json"))
    text = shown("chips", "ascend-910c")
    for name, fact in entry["facts"].items():
        line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
        assert fact["confidence"].replace("_", " ") in line
        assert fact["date"] in line
        assert fact["source"] in line
        assert str(fact["value"] is None) in {"False", str("unknown" in line)}
    alternatives = sum(len(fact["alternatives"]) for fact in entry["facts"].values())
    assert alternatives == sum(line.startswith("  or ") for line in text.partition("published")[0].splitlines()) > 0


def test_quantities_come_from_the_table():
    listed = json.loads(shown("quantities", "--json"))
    assert [row["name"] for row in listed] == [*quantities()]
    assert json.loads(shown("quantities", "power_price", "--json"))["unit"] == "USD/kWh"


@pytest.mark.parametrize(
    ("kind", "wrong", "right"), [("chips", "h100sxm", "h100-sxm"), ("systems", "gb200", "gb200-nvl72")]
)
def test_a_wrong_name_gets_the_nearest(kind, wrong, right):
    result = CliRunner().invoke(cli, ["show", kind, wrong])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"did you mean {right}?" in result.stderr


def test_a_wrong_kind_gets_the_nearest():
    result = CliRunner().invoke(cli, ["show", "chip"])
    assert result.exit_code == 2
    assert "there is no kind 'chip'; did you mean chips?" in result.stderr


def test_a_quantity_is_told_in_full():
    lines = [line.split(maxsplit=1) for line in shown("quantities", "wacc").splitlines()]
    assert ["role", "scenario"] in lines
    assert ["range", "0 to 1"] in lines


def test_a_chip_of_the_users_own_is_shown(tmp_path):
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "mine.yaml").write_text(
        "title: My chip\nvendor: Me\nfacts:\n  peak_bf16: {value: 1.5, unit: PFLOP/s, source: a napkin,"
        " date: '2026-01-01', confidence: assumption}\n"
    )
    own, verb = ["--catalogue", str(tmp_path)], ["show", "chips"]
    for arguments in (own + verb, verb + own):
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0
        line = next(line for line in result.stdout.splitlines() if line.startswith("mine "))
        assert line.split()[4] == "1,500"  # TFLOP/s, the unit of the table
