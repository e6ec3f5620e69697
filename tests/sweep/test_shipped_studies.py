"""Every shipped study runs, and the queries that its comments give answer on what it writes."""

import re

import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

from sweep.cli.app import cli
from sweep.cli.find import shipped_studies
from sweep.dataset import open_run
from sweep.engine import run
from sweep.study import open_study

QUERY = re.compile(r'supernode query (\S+) "([^"]+)"')
FEW = {
    "cheapest-deepseek-r1-50ms": {
        "levers.domains": "[4]",
        **{f"levers.{node}.domains": "[8]" for node in ("dgx-b200", "dgx-h200", "dgx-h100", "hgx-h20")},
        "levers.speculative_tokens": "[1]",
        "levers.scale_up_bandwidth": "{times: [1]}",
        "levers.scale_out_bandwidth": "{times: [1]}",
        "levers.oversubscription": "[1]",
    },
    "cheapest-llama-405b": {
        "levers.domains": "[64]",
        "levers.cloudmatrix384.domains": "[16]",
        **{f"levers.{node}.domains": "[1024]" for node in ("dgx-b200", "dgx-h200", "dgx-h100", "hgx-h20")},
        "require": "[facility_power <= 50 MW]",
    },
    "cloudmatrix-910b-variant": {"levers.domains": "[16]", "levers.gb200-nvl72.domains": "[16]"},
    "cloudmatrix384-vs-gb200-nvl72": {
        "levers.domains": "[11]",
        "levers.gb200-nvl72.domains": "[45]",
        "scenarios.power_price": "[0.056 USD/kWh]",
        "scenarios.cloudmatrix384.chip_price": "{times: [1]}",
        "scenarios.gb200-nvl72.chip_price": "{times: [1]}",
    },
    "fleet-40-sites": {"scenarios.site_bandwidth": "[12.5, 1000]"},
    "cloudmatrix384-vs-gb200-nvl72-uncertain": {
        "levers.domains": "[64]",
        "levers.gb200-nvl72.domains": "[72]",
        "uncertain.draws": "50",
    },
    "importer-under-export-rules": {
        "levers.domains": "[16]",
        "levers.gb200-nvl72.domains": "[16]",
        **{f"levers.{node}.domains": "[1024]" for node in ("dgx-h100", "dgx-h200", "hgx-h800", "hgx-h20")},
        "scenarios.power_price": "[0.06 USD/kWh]",
    },
    "nvl72-scale-out-16k": {"levers.domains": "[1, 228]", "levers.cloudmatrix384.domains": "[42]"},
    "own-supernode": {
        "levers.scale_up_bandwidth": "{times: [1]}",
        "levers.scale_out_bandwidth": "{times: [1]}",
        "levers.oversubscription": "[1]",
        "levers.hbm_capacity": "{times: [1]}",
    },
    "serving-deepseek-r1": {"scenarios.power_price": "[0.06 USD/kWh]", "scenarios.kv_bytes": "[1]"},
}
"""What makes each study small; all its systems, workloads and other axes stay."""


@pytest.fixture(scope="module", params=sorted(shipped_studies()))
def ran(request, tmp_path_factory):
    overrides = [f"{path}={value}" for path, value in FEW[request.param].items()]
    study, catalogue = open_study(shipped_studies()[request.param], overrides)
    return study, run(study, catalogue, tmp_path_factory.mktemp("results"), in_process=True).run


def test_every_system_runs_every_workload_and_the_objective_is_known(ran):
    study, result = ran
    table = result.arrow(["system", "workload", "status", "reason", study.objective.name])
    ok = table.filter(pc.equal(table["status"], "ok"))
    pairs = {(row["system"], row["workload"]) for row in ok.to_pylist()}
    everything = {(row["system"], row["workload"]) for row in table.to_pylist()}
    assert pairs == everything
    assert ok[study.objective.name].null_count == 0


def test_every_column_holds_something(ran):
    study, result = ran
    table = result.arrow()
    assert [name for name in study.columns if table[name].null_count == table.num_rows] == []


def test_the_queries_of_its_comments_answer(ran):
    study, result = ran
    text = shipped_studies()[study.name].read_text()
    comments = " ".join(line[1:].strip() for line in text.splitlines() if line.startswith("#"))
    queries = QUERY.findall(comments)
    assert queries or study.name == "cloudmatrix384-vs-gb200-nvl72"  # whose answer needs none
    for name, sql in queries:
        assert name == study.name
        answer = CliRunner().invoke(cli, ["query", result.location, sql, "--format", "csv"])
        assert answer.exit_code == 0, answer.stderr
        assert len(answer.stdout.splitlines()) > 2


def test_the_importer_may_buy_what_the_rules_of_each_day_allow(tmp_path):
    overrides = [f"{path}={value}" for path, value in FEW["importer-under-export-rules"].items()]
    study, catalogue = open_study(shipped_studies()["importer-under-export-rules"], overrides)
    result = run(study, catalogue, tmp_path, in_process=True).run
    rows = open_run(result.location).arrow(["rule_date", "system", "status", "export_status"]).to_pylist()
    allowed = {(row["rule_date"], row["system"]) for row in rows if row["status"] == "ok"}
    assert all(row["export_status"] in {"free", "case_by_case"} for row in rows if row["status"] == "ok")
    days = sorted({row["rule_date"] for row in rows})
    # 87 FR 62186 (7 October 2022) stopped the H100 but not the H800, whose links stay below 600 GB/s; 88 FR 73458 (17
    # November 2023) stopped that as well and left the H20; the letter of 9 April 2025 asked a licence for the H20.
    assert [day for day in days if (day, "dgx-h100") in allowed][:1] == ["2022-09-01"]
    assert [day for day in days if (day, "hgx-h800") in allowed][:2] == ["2022-09-01", "2022-10-07"]
    assert [day for day in days if (day, "hgx-h20") in allowed] == ["2022-09-01", "2022-10-07", "2023-11-17"]
    assert [day for day in days if (day, "gb200-nvl72") in allowed] == ["2022-09-01"]
    assert [day for day in days if (day, "cloudmatrix384") in allowed] == days
