"""A small study from the command line alone: check, plan, run, look, ask, explain; and what goes wrong."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from sweep.cli import runs, standing
from sweep.cli.app import cli
from sweep.dataset.lock import only_worker
from sweep.dataset.store import LocalStore

STUDY = """\
study: tiny
question: Does a faster link pay?
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers:
  system: [cloudmatrix384, gb200-nvl72]
  domains: [1, 11, 64]
  scale_up_bandwidth: {times: [0.5, 1]}
scenarios:
  power_price: {values: [0.05, 0.1], unit: USD/kWh}
require: facility_power <= 40 MW
objective: {minimize: cost_per_token}
columns: [cost_per_token, time_to_train, model_flops_utilisation, facility_power, mapping]
"""
DESIGNS = 24


def supernode(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tiny")
    (place / "tiny.yaml").write_text(STUDY)
    return place


@pytest.fixture(scope="module")
def ran(folder):
    return supernode("run", folder / "tiny.yaml", "--in-process", "-o", folder / "results", "--json")


@pytest.fixture
def run_folder(folder, ran):
    assert ran.exit_code == 0, ran.stderr
    return folder / "results" / "tiny"


def answer(*arguments):
    result = supernode(*arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_check_says_that_a_study_is_right(folder):
    assert answer("check", folder / "tiny.yaml", "--json")["designs"] == DESIGNS
    assert "24 designs" in supernode("check", folder / "tiny.yaml").stdout


def test_set_changes_the_study(folder):
    assert answer("check", folder / "tiny.yaml", "--set", "levers.domains=[1, 2]", "--json")["designs"] == 16


def test_plan_counts_designs_and_writes_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planned = answer("plan", folder / "tiny.yaml", "--json")
    assert planned["designs"] == planned["rows"]["estimate"] == DESIGNS
    assert planned["first_rows"][0]["design"] == 0
    text = supernode("plan", folder / "tiny.yaml").stdout
    assert f"designs           {DESIGNS} " in text
    assert any(line.split()[:2] == ["facility_power", "MW"] for line in text.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_leaves_no_design_says_which_condition(tmp_path):
    (tmp_path / "none.yaml").write_text(STUDY + "where: domains > 64\n")
    for verb in ("check", "plan", "run"):
        result = supernode(
            verb, tmp_path / "none.yaml", *(("--in-process", "-o", tmp_path / "results") * (verb == "run"))
        )
        assert result.exit_code == 2
        assert "domains > 64" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"none.yaml"}


def test_run_answers_in_json_and_talks_on_stderr(run_folder, ran):
    told = json.loads(ran.stdout)
    assert told["designs"] == told["rows"] == DESIGNS
    assert told["chunks_computed"] > 0
    assert 0 < told["infeasible"] < DESIGNS
    assert str(run_folder) in ran.stderr


@pytest.mark.usefixtures("run_folder")
def test_running_again_computes_nothing_and_prints_the_answer(folder, ran):
    again = supernode("run", folder / "tiny.yaml", "--in-process", "-o", folder / "results")
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr
    assert again.stdout.startswith("Does a faster link pay?")
    quiet = supernode("run", folder / "tiny.yaml", "--in-process", "-o", folder / "results", "-q", "--json")
    assert quiet.stderr == ""
    assert json.loads(quiet.stdout)["digest"] == json.loads(ran.stdout)["digest"]


def test_ls_and_status_show_the_run(folder, run_folder):
    (listed,) = answer("ls", folder / "results", "--json")
    assert listed["study"] == "tiny"
    assert listed["state"] == "complete"
    assert listed["rows"] == DESIGNS
    assert "complete" in supernode("ls", folder / "results").stdout
    assert answer("status", run_folder, "--json") == listed
    assert supernode("status", run_folder, "--follow").exit_code == 0


def test_status_follows_a_run_until_it_is_complete(run_folder, monkeypatch):
    done = standing.standing(str(run_folder))
    states = [replace(done, state="running", chunks_done=0, rows=0), done]
    monkeypatch.setattr(standing, "standing", lambda _: states.pop(0))
    monkeypatch.setattr(runs, "POLL", 0.0)
    assert "complete" in supernode("status", run_folder, "--follow").stdout
    assert states == []


def test_status_stops_following_a_run_that_nobody_works_on(run_folder, monkeypatch):
    done = standing.standing(str(run_folder))
    idle, going = (replace(done, state=state, chunks_done=0) for state in ("interrupted", "running"))
    states = [idle, going, *(runs.LEFT * [idle]), done]
    monkeypatch.setattr(standing, "standing", lambda _: states.pop(0))
    monkeypatch.setattr(runs, "POLL", 0.0)
    shown = supernode("status", run_folder, "--follow").stdout
    assert "interrupted" in shown
    assert "Finish it with" in shown
    assert states == [done]


def test_a_run_that_is_going_says_how_to_finish_it(run_folder, monkeypatch):
    half = replace(standing.standing(str(run_folder)), state="running")
    monkeypatch.setattr(standing, "standing", lambda _: half)
    assert f"supernode run {half.location}/study.yaml -o {run_folder.parent}" in supernode("status", run_folder).stdout


def test_a_run_is_found_by_the_name_of_its_study_and_by_nothing(folder, run_folder, monkeypatch):
    monkeypatch.chdir(folder)
    named = {
        answer("status", *arguments, "--json")["run"] for arguments in ((), ("tiny",), ("tiny.yaml",), (run_folder,))
    }
    assert len(named) == 1
    wrong = supernode("status", "tinny")
    assert wrong.exit_code == 2
    assert "did you mean tiny?" in wrong.stderr


def test_verify_finds_a_flipped_byte(run_folder):
    good = supernode("verify", run_folder)
    assert good.exit_code == 0
    assert f"{DESIGNS} rows" in good.stdout
    part = next((run_folder / "latest").resolve().rglob("*.parquet"))
    content = part.read_bytes()
    try:
        part.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
        bad = supernode("verify", run_folder, "--json")
    finally:
        part.write_bytes(content)
    assert bad.exit_code == 1
    told = json.loads(bad.stdout)
    assert not told["ok"]
    assert part.name in told["faults"][0]


COUNT = "SELECT status, count(*) AS n FROM designs GROUP BY status ORDER BY status"


def test_query_gives_the_same_rows_in_every_form(run_folder, tmp_path):
    rows = answer("query", run_folder, COUNT, "--json")
    assert sum(row["n"] for row in rows) == DESIGNS
    assert json.loads(supernode("query", run_folder, COUNT, "--format", "json").stdout) == rows
    listed = list(csv.DictReader(io.StringIO(supernode("query", run_folder, COUNT, "--format", "csv").stdout)))
    assert [(row["status"], int(row["n"])) for row in listed] == [(row["status"], row["n"]) for row in rows]
    file = tmp_path / "counts.parquet"
    assert supernode("query", run_folder, COUNT, "--format", "parquet", "-o", file).stdout == ""
    assert pq.read_table(file).to_pylist() == rows
    lines = supernode("query", run_folder, COUNT).stdout.splitlines()
    assert lines[0].split() == ["status", "n"]
    assert [line.split() for line in lines[1:]] == [[row["status"], str(row["n"])] for row in rows]


def test_an_empty_answer_is_empty_in_every_form(run_folder):
    none = "SELECT design FROM designs WHERE design < 0"
    assert answer("query", run_folder, none, "--json") == []
    assert supernode("query", run_folder, none, "--format", "csv").stdout.splitlines() == ['"design"']


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nothing FROM designs", "nothing"),
        ("SELEC 1", "syntax error"),
        ("CREATE TABLE x (y INT)", "SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("COPY designs TO 'stolen.csv'", "cannot write"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled"),
        ("SELECT CAST(mapping AS INT) FROM designs", "Conversion"),
    ],
)
def test_wrong_sql_is_one_sentence(run_folder, tmp_path, monkeypatch, sql, said):
    monkeypatch.chdir(tmp_path)
    result = supernode("query", run_folder, sql)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_explain_gives_the_numbers_of_the_row(folder, run_folder):
    (row,) = answer("query", run_folder, "SELECT * FROM designs WHERE status = 'ok' ORDER BY design LIMIT 1", "--json")
    chain = answer("explain", folder / "tiny.yaml", "--design", row["design"], "--json")
    results = {result["name"]: result["value"] for step in chain["steps"] for result in step["outputs"]}
    for name in ("cost_per_token", "time_to_train", "facility_power"):
        assert results[name] == pytest.approx(row[name], rel=1e-12)
    assert results["mapping"] == row["mapping"]
    text = supernode("explain", folder / "tiny.yaml", "--design", row["design"]).stdout
    assert all(each["name"] in text and each["source"] in text for each in chain["inputs"])
    assert "facility_power <= 40 MW" in text


def test_explain_with_set_shows_what_moved(folder):
    arguments = ("explain", folder / "tiny.yaml", "--design", 2, "--set", "power_price=100 USD/MWh")
    told = answer(*arguments, "--json")
    assert [move["name"] for move in told["moved"]["inputs"]] == ["power_price"]
    moved = {move["name"]: move["change"] for move in told["moved"]["results"]}
    assert moved["energy_cost_to_train"] == pytest.approx(1.0)  # 0.05 to 0.1 USD/kWh doubles the energy bill
    assert "time_to_train" not in moved
    lines = [line for line in supernode(*arguments).stdout.splitlines() if line.startswith("power_price ")]
    assert lines[0].split() == ["power_price", "0.05", "USD/kWh", "0.1", "USD/kWh", "+100.00", "%"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--design", "24"), "ids run from 0 to 23"),
        (("--design", "0", "--set", "power_prise=1"), "did you mean power_price?"),
        (("--design", "0", "--set", "power_price=5 GB"), "USD/kWh"),
        (("--design", "0", "--set", "cost_to_train=5"), "not an input"),
        (("--design", "0", "--set", "power_price"), "path=value"),
        (("--design", "0", "--set", "system=gb2000"), "did you mean"),
        ((), "--design"),
    ],
)
def test_explain_refuses_what_it_cannot_do(folder, arguments, said):
    result = supernode("explain", folder / "tiny.yaml", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("domains: [1, 11, 64]", "domans: [1]", "did you mean domains?"),
        ("domains: [1, 11, 64]", "domains: [1]\n  domains: [2]", "twice"),
        ("unit: USD/kWh", "unit: GB", "power_price"),
        ("values: [0.05, 0.1]", "values: [-1]", "power_price"),
        ("values: [0.05, 0.1]", "values: [.nan]", "not a finite number"),
        ("cloudmatrix384,", "cloudmatrix-384,", "did you mean cloudmatrix384?"),
        ("<= 40 MW", "<= 40", "write 40 MW"),
        ("study: tiny", "study: !!python/object:os.system tiny", "tag"),
        ("tokens: 15.6e12", "tokens: '15.6e12 GB'", "token"),
        ("objective:", "objectiv:", "did you mean objective?"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_wrong_study_is_named_by_file_and_line_and_nothing_is_written(tmp_path, verb, old, new, said):
    assert old in STUDY
    file = tmp_path / "wrong.yaml"
    file.write_text(STUDY.replace(old, new))
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if new.splitlines()[-1] in text)
    rest = ("--in-process", "-o", tmp_path / "results") if verb == "run" else ()
    result = supernode(verb, file, *rest)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"{file}:{line}" in result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"wrong.yaml"}


def test_all_faults_are_named_at_once(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(STUDY.replace("domains:", "domans:").replace("40 MW", "40").replace("gb200-nvl72", "gb300-nvl73"))
    result = supernode("check", file)
    assert result.exit_code == 2
    head, *lines = result.stderr.splitlines()
    assert head == f"error: {len(lines)} faults"
    for said in ("did you mean domains?", "did you mean gb300-nvl72?", "write 40 MW"):
        assert sum(said in line for line in lines) == 1


@pytest.mark.parametrize(
    ("fixed", "limit"),
    [
        ("tensor_parallel: 4096", "heads: "),
        ("pipeline_parallel: 1000", "layers: "),
        ("data_parallel: 2048, tensor_parallel: 128", "chips: "),
        ("tensor_parallel: 1, pipeline_parallel: 1, optimizer_sharding: 0", "memory: "),
        ("data_parallel: 4096, tensor_parallel: 1, pipeline_parallel: 1", "batch: "),
    ],
)
def test_a_mapping_that_cannot_fit_says_which_limit_binds(tmp_path, fixed, limit):
    (tmp_path / "tight.yaml").write_text(STUDY + f"facts: {{{fixed}}}\n")
    arguments = ("run", tmp_path / "tight.yaml", "--in-process", "-o", tmp_path / "results", "-q")
    assert supernode(*arguments, "--set", "levers.domains=64").exit_code == 0
    rows = answer(
        "query", tmp_path / "results" / "tiny", "SELECT DISTINCT status, reason FROM designs", "--format", "json"
    )
    assert [(row["status"], row["reason"].startswith(limit)) for row in rows] == [("infeasible", True)]


@pytest.mark.parametrize("options", [("--workers", "2"), ("--address", "auto")])
def test_options_that_contradict_each_other_are_refused(folder, options):
    result = supernode("run", folder / "tiny.yaml", "--in-process", *options)
    assert result.exit_code == 2
    assert "--in-process uses no workers" in result.stderr


def test_results_that_cannot_be_written_are_exit_code_1(folder, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    result = supernode("run", folder / "tiny.yaml", "--in-process", "-o", tmp_path / "file")
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.stderr
    assert result.stderr.count("\n") == 1


def test_init_writes_a_study_that_is_right_and_overwrites_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert supernode("init").exit_code == 0
    (file,) = tmp_path.iterdir()
    assert supernode("check", file.name).exit_code == 0
    before = file.read_bytes()
    again = supernode("init")
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert file.read_bytes() == before
    assert supernode("init", "-o", "-").stdout.encode() == before
    schema = Path(file.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema="))
    assert schema.is_absolute()
    assert json.loads(schema.read_text())["title"] == "StudyFile"
    nowhere = supernode("init", "-o", "no/folder/x.yaml")
    assert nowhere.exit_code == 1
    assert nowhere.stderr.startswith("error: no/folder/x.yaml: cannot be written (No such file or directory)")


def test_init_lists_the_templates():
    templates = [row["name"] for row in answer("init", "--list", "--json")]
    assert "cloudmatrix384-vs-gb200-nvl72" in templates
    assert templates == [row["name"] for row in answer("show", "studies", "--json")]
    assert all(name in supernode("init", "--list").stdout for name in templates)


def test_an_interrupted_run_says_how_to_go_on_and_does(tmp_path):
    """A real signal to a real process, after its first part; 130 and one line, no traceback."""
    large = STUDY.replace("values: [0.05, 0.1]", "linspace: [0.05, 0.1], steps: 200000") + "rows_per_part: 10000\n"
    (tmp_path / "tiny.yaml").write_text(large)
    command = [sys.executable, "-c", "from sweep.cli import main; main()", "run", "tiny.yaml", "--in-process"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob("results/tiny/*/parts/*.json")) and time.monotonic() < deadline:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert said.count("\n") == 1
    assert "run it again" in said
    (run,) = (path for path in (tmp_path / "results" / "tiny").iterdir() if not path.is_symlink())
    assert answer("status", run, "--json")["state"] == "interrupted"
    with only_worker(LocalStore(run)):
        assert answer("status", run, "--json")["state"] == "running"


def test_a_reader_that_goes_away_ends_a_query_quietly(run_folder):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", "from sweep.cli import main; main()", "query", str(run_folder)]
    many = "SELECT * FROM designs, range(10000)"
    done = subprocess.run([*command, many, "--format", "csv"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 1


def test_a_study_file_named_without_its_ending_is_pointed_at(folder, monkeypatch):
    monkeypatch.chdir(folder)
    said = supernode("check", "tiny")
    assert said.exit_code == 2
    assert "write tiny.yaml" in said.stderr


def test_a_query_of_a_run_without_a_part_says_what_to_do(run_folder, tmp_path):
    latest = (run_folder / "latest").resolve()
    copy = shutil.copytree(latest, tmp_path / "tiny" / latest.name)
    lost = next(copy.glob("data/**/*.parquet"))
    lost.unlink()
    said = supernode("query", copy, "SELECT sum(design) FROM designs")
    assert said.exit_code == 1
    assert lost.name in said.stderr
    assert "running the study again" in said.stderr
    assert "delete what differs" in supernode("verify", copy).stderr
