"""The export status from a study's regions to its rows: it follows the place where the cluster will stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_files import catalogue
from tiny_study import tiny_model, tiny_study

from models.export_control import rules_stage
from sweep.engine import run
from sweep.engine.cells import cells
from sweep.explain import explain
from sweep.inputs import inputs_with_origins
from sweep.paths import configs_dir
from sweep.space import Chunks
from sweep.study import load_study

TEXT = """
study: export
question: Who may buy what, and where?
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers: {system: [cloudmatrix384, gb200-nvl72], domains: [2]}
scenarios:
  region: [own, china-west, us-texas]
  rule_date: ["2022-01-01", "2026-01-15"]
objective: {minimize: cost_per_token}
columns: [export_status, cost_per_token, buyer_country]
"""


def model_with_rules(known: Mapping[str, Any]) -> dict[str, Any]:
    """The small stand-in of the tests, and the real rules."""
    return tiny_model(known) | rules_stage(known)


@pytest.fixture(autouse=True)
def _small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.engine.rows.evaluate", model_with_rules)


def rows(folder: Path, extra: str = "") -> list[dict[str, Any]]:
    study, found = tiny_study(folder, TEXT + extra)
    found_rows: list[dict[str, Any]] = run(study, found, folder / "results", in_process=True).run.arrow().to_pylist()
    return found_rows


def statuses(system: str) -> dict[str, str]:
    """Return the status by region in the main study."""
    study = load_study(configs_dir() / "studies" / "cloudmatrix384-vs-gb200-nvl72.yaml", catalogue())
    assert "export_status" in study.columns
    found: dict[str, str] = {}
    for number in range(len(chunks := Chunks(study.space, 100_000))):
        cell = next(iter(cells(chunks[number])))
        if cell.structural["system"] == system:
            known = inputs_with_origins(study, catalogue(), cell.structural, cell.mesh, cell.times).values
            places, status = np.broadcast_arrays(known["region"], rules_stage(known)["export_status"])
            for region in np.unique(places).tolist():
                (found[region],) = set(status[places == region].tolist())
    return found


def test_the_main_study_says_what_may_be_bought_where() -> None:
    """Every Blackwell part is beyond the limits of January 2026 for China; no United States rule governs the 910C."""
    assert statuses("gb200-nvl72") == {"own": "free", "china-west": "denied", "us-texas": "free"}
    assert statuses("cloudmatrix384") == dict.fromkeys(("own", "china-west", "us-texas"), "free")


def test_rows_hold_the_status_of_their_region_and_date(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert len(found) == 12
    for row in found:
        bought_in_china = row["region"] == "china-west" and row["system"] == "gb200-nvl72"
        late = row["rule_date"] == "2026-01-15"
        assert row["export_status"] == ("denied" if bought_in_china and late else "free")
        home = {"cloudmatrix384": "CN", "gb200-nvl72": "US"}[row["system"]]
        assert row["buyer_country"] == {"own": home, "china-west": "CN", "us-texas": "US"}[row["region"]]


def test_a_requirement_refuses_what_may_not_be_bought_and_where_leaves_places_out(tmp_path: Path) -> None:
    extra = "require: export_status in ['free', 'case_by_case']\nwhere: buyer_country == 'CN'\n"
    found = rows(tmp_path, extra)
    assert {(row["system"], row["region"]) for row in found} == {
        ("cloudmatrix384", "own"),
        ("cloudmatrix384", "china-west"),
        ("gb200-nvl72", "china-west"),
    }
    for row in found:
        denied = row["export_status"] == "denied"
        assert (row["reason"] is not None) == (row["status"] == "infeasible") == denied
        assert not denied or row["reason"].startswith("export_status in [")
    assert sum(row["export_status"] == "denied" for row in found) == 1


def test_a_country_of_the_study_replaces_that_of_the_region(tmp_path: Path) -> None:
    extra = TEXT.replace("scenarios:", "scenarios:\n  buyer_country: [CN, SG]")
    study, found = tiny_study(tmp_path, extra)
    listed = run(study, found, tmp_path / "results", in_process=True).run.arrow().to_pylist()
    assert len(listed) == 24
    for row in listed:
        bought_in_china = row["buyer_country"] == "CN" and row["system"] == "gb200-nvl72"
        denied = bought_in_china and row["rule_date"] == "2026-01-15"
        assert row["export_status"] == ("denied" if denied else "free")


def test_a_status_that_is_not_known_is_null_and_fails_a_requirement_as_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_area(known: Mapping[str, Any]) -> dict[str, Any]:
        unknown = {**known, "die_area": np.nan, "peak_fp8": np.nan, "peak_fp4": np.nan, "peak_int8": np.nan,
                   "peak_bf16": 100e12, "peak_fp16": 100e12, "peak_fp32": np.nan, "peak_tf32": np.nan}  # fmt: skip
        return tiny_model(known) | rules_stage(unknown)

    monkeypatch.setattr("sweep.engine.rows.evaluate", without_area)
    found = rows(tmp_path, "require: export_status == 'free'\nwhere: rule_date == '2026-01-15'\n")
    unknown = [row for row in found if row["export_status"] is None]
    assert {(row["system"], row["region"]) for row in unknown} == {("gb200-nvl72", "china-west")}
    assert {row["reason"] for row in unknown} == {"export_status == 'free': not known"}


def test_explain_shows_country_and_status_of_one_design(tmp_path: Path) -> None:
    study, found = tiny_study(tmp_path, TEXT)
    for number in range(study.space.size):
        design = study.space.design(number)
        told = explain(study, found, number)
        country = next(each.value for each in told.inputs if each.name == "buyer_country")
        assert country == ("CN" if design["region"] == "china-west" or design | OWN_CHINA == design else "US")
        assert told.outputs["export_status"].value in {"free", "denied"}


OWN_CHINA = {"system": "cloudmatrix384", "region": "own"}
