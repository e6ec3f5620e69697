"""The boundary of the command line: exit codes, one sentence per error, stdout apart from stderr, completion."""

import errno
import os
import subprocess
import sys

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from models.inputs import ModelInputError
from sweep.cli.app import VERBS, cli, report
from sweep.errors import Interrupted, Problem, StudyError, SweepError


@pytest.fixture
def supernode():
    def invoke(*arguments):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return invoke


def test_help_lists_every_verb_in_order(supernode):
    result = supernode("--help")
    assert result.exit_code == 0
    listed = result.stdout.partition("Commands:")[2].partition("A first session")[0]
    places = [listed.index(f"\n  {verb} ") for verb in VERBS]
    assert places == sorted(places)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(supernode, verb):
    for option in ("--help", "-h"):
        result = supernode(verb, option)
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: supernode {verb} ")


def test_no_verb_shows_the_help_as_a_usage_error(supernode):
    result = supernode()
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Commands:" in result.stderr


def test_version(supernode):
    assert supernode("--version").stdout.startswith("supernode-sweep ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shw",), "did you mean show?"),
        (("show", "--jsn"), "--json"),
        (("show", "chip"), "did you mean chips?"),
        (("show", "quantities", "power_prise"), "did you mean power_price?"),
        (("check",), "'STUDY'"),
        (("check", "no-such-file.yaml"), "no-such-file.yaml: there is no such file"),
        (("--catalogue", "no-such-folder", "show"), "no-such-folder"),
        (("query", "no-such-run", "SELECT 1"), "no run has this name or path"),
        (("status",), "supernode run STUDY"),
        (("verify", "no-such-run"), "no run has this name or path"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_code_2(supernode, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    result = supernode(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SweepError("the disk is full"), 1, "error: the disk is full\n"),
        (StudyError.at("is no unit", "a.yaml:3", "levers"), 2, "error: a.yaml:3: levers: is no unit\n"),
        (StudyError([Problem("x", "a:1"), Problem("y", "a:2")]), 2, "error: 2 faults\n  a:1: x\n  a:2: y\n"),
        (ModelInputError("phase", "phase is 'rest'"), 2, "error: phase is 'rest'\n"),
        (OSError(errno.EACCES, "Permission denied", "results"), 1, "error: results: Permission denied\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (Interrupted("interrupted; run it again"), 130, "interrupted; run it again\n"),
        (click.Abort(), 130, "interrupted\n"),
        (KeyError("mesh"), 1, "error: this is a defect of supernode-sweep: KeyError: 'mesh' (--debug shows where)\n"),
        (SystemExit(3), 3, ""),
    ],
)
def test_errors_become_a_sentence_and_an_exit_code(capsys, error, code, said):
    assert report(error) == code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == said


def test_memory_that_runs_out_says_what_to_do(capsys):
    assert report(MemoryError()) == 1
    assert "--workers" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback_wherever_it_is_given(supernode, place):
    arguments = ["check", "no-such-study"]
    result = supernode(*(["--debug", *arguments] if place == "before" else [*arguments, "--debug"]))
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_a_reader_that_goes_away_ends_the_command_quietly():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", "from sweep.cli import main; main()", "show", "quantities"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 1


def test_help_imports_no_heavy_library():
    heavy = {"ray", "numpy", "pyarrow", "duckdb", "optuna", "scipy", "pydantic", "pint", "rich", "ruamel", "moocore"}
    start = "import sys; from sweep.cli.app import cli, report\n"
    code = f"{start}try: cli.main(['--help'])\nexcept SystemExit: print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def completed(*words):
    *arguments, incomplete = words
    found = BashComplete(cli, {}, "supernode", "_SUPERNODE_COMPLETE").get_completions(list(arguments), incomplete)
    return {item.value for item in found if item.type == "plain"}


def test_completion_knows_verbs_kinds_entries_and_studies():
    assert completed("sh") == {"show"}
    assert completed("show", "ch") == {"chips"}
    assert completed("show", "chips", "ascend-910c") >= {"ascend-910c"}
    assert completed("show", "quantities", "power_pr") == {"power_price"}
    assert "cloudmatrix384-vs-gb200-nvl72" in completed("plan", "cloud")


def test_completion_answers_the_shell():
    asked = {"_SUPERNODE_COMPLETE": "bash_complete", "COMP_WORDS": "supernode show reg", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", "from sweep.cli import main; main()"],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | asked,
    )  # fmt: skip
    assert done.stdout == "plain,regions\n"
