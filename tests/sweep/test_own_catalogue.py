"""A chip and a system of the user's own: two files in a folder, a study that uses them, and what goes wrong."""

import json

import pytest
from click.testing import CliRunner

from sweep.cli.app import cli

FACT = "source: a napkin, date: '2026', confidence: assumption"
CHIP = f"""\
title: Dream X
vendor: Dream Inc
facts:
  peak_bf16: {{value: 2, unit: PFLOP/s, {FACT}}}
  hbm_capacity: {{value: 256, unit: GB, {FACT}}}
  hbm_bandwidth: {{value: 8, unit: TB/s, {FACT}}}
  chip_power: {{value: 1200, unit: W, {FACT}}}
"""
SYSTEM = f"""\
title: Dream pod of 64
vendor: Dream Inc
chip: dream-x
scale_up: nvlink5-nvl72
scale_out: infiniband-ndr
home_region: us-texas
facts:
  scale_up_size: {{value: 64, {FACT}}}
  chips_per_node: {{value: 8, {FACT}}}
  host_power: {{value: 300, unit: W, {FACT}}}
  chip_price: {{value: 30000, unit: USD, currency_year: 2026, {FACT}}}
"""
STUDY = """\
study: mine
question: Does my pod beat NVL72?
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers:
  system: [dream-pod, gb200-nvl72]
  domains: [16, 64]
objective: {minimize: cost_per_token}
"""


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    for kind, name, text in (("chips", "dream-x", CHIP), ("systems", "dream-pod", SYSTEM)):
        (folder / kind).mkdir(parents=True)
        (folder / kind / f"{name}.yaml").write_text(text)
    (tmp_path / "study.yaml").write_text(STUDY)
    return folder


def supernode(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def answer(*arguments):
    result = supernode(*arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_two_files_are_enough_to_run_a_study(mine, tmp_path):
    study, own = tmp_path / "study.yaml", ("--catalogue", mine)
    assert "Dream pod" in supernode("show", "systems", *own).stdout
    totals = {row["name"]: row["value"] for row in answer("show", "systems", "dream-pod", *own, "--json")["totals"]}
    assert totals["peak_bf16"] == pytest.approx(128)  # PFLOP/s
    assert answer("plan", study, *own, "--json")["unknown"] == {}
    assert supernode("run", study, *own, "--in-process", "-q", "-o", tmp_path / "results").exit_code == 0
    sql = "SELECT DISTINCT system, status, cost_per_token > 0 AS known FROM designs ORDER BY system"
    rows = answer("query", tmp_path / "results" / "mine", sql, "--format", "json")
    assert [tuple(row.values()) for row in rows] == [("dream-pod", "ok", True), ("gb200-nvl72", "ok", True)]


def test_the_study_may_name_the_folder_itself(mine, tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY + f"catalogue: [{mine.name}]\n")
    assert answer("check", tmp_path / "study.yaml", "--json")["designs"] == 4


def test_without_the_folder_the_system_is_not_known_and_the_way_is_told(mine, tmp_path):
    assert mine.is_dir()
    result = supernode("check", tmp_path / "study.yaml")
    assert result.exit_code == 2
    assert f"{tmp_path / 'study.yaml'}:5: levers.system[0]: there is no system 'dream-pod'" in result.stderr
    assert "--catalogue DIR" in result.stderr


def test_what_the_own_system_lacks_is_said_before_the_run(mine, tmp_path):
    bare = "\n".join(line for line in SYSTEM.splitlines() if "host_power" not in line and "chip_price" not in line)
    (mine / "systems" / "dream-pod.yaml").write_text(bare)
    planned = answer("plan", tmp_path / "study.yaml", "--catalogue", mine, "--json")
    assert planned["unknown"] == {"dream-pod": ["host_power", "chip_price"]}
    text = supernode("plan", tmp_path / "study.yaml", "--catalogue", mine).stdout
    assert "host_power, chip_price of dream-pod" in text
    assert f"Next: supernode run {tmp_path / 'study.yaml'} --catalogue {mine}" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value: 256, unit: GB", "value: 256, unit: GB/s", "facts.hbm_capacity"),
        ("value: 2, unit: PFLOP/s", "value: 2e15, unit: TFLOP/s", "peak_bf16"),
        ("value: 1200", "value: -1200", "facts.chip_power"),
        ("hbm_bandwidth:", "hbm_bandwith:", "did you mean hbm_bandwidth?"),
        (f"value: 8, unit: TB/s, {FACT}", "value: 8, unit: TB/s, confidence: assumption", "source"),
    ],
)
def test_a_wrong_fact_is_named_by_file_and_line(mine, tmp_path, old, new, said):
    assert old in CHIP
    file = mine / "chips" / "dream-x.yaml"
    file.write_text(CHIP.replace(old, new))
    line = 1 + next(place for place, text in enumerate(file.read_text().splitlines()) if new in text)
    result = supernode("check", tmp_path / "study.yaml", "--catalogue", mine)
    assert result.exit_code == 2
    assert f"{file}:{line}" in result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
