"""docs/catalogue.md: its files make a catalogue, its commands run, and errors look as it says."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sweep.catalogue.schema import FactText
from sweep.cli.app import cli

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "catalogue.md").read_text(encoding="utf-8")
FILES = re.findall(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"<!-- commands -->\n```sh\n(.*?)```", TEXT, re.DOTALL)
BROKEN = re.findall(r"<!-- broken: (\S+): (.*?) -> (.*?) -->\n```text\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


def test_no_block_of_the_page_is_left_out() -> None:
    assert len(FILES) + len(COMMANDS) + len(BROKEN) == TEXT.count("\n```") / 2
    assert (len(FILES), len(COMMANDS), len(BROKEN)) == (5, 1, 1)


@pytest.mark.usefixtures("_folder")
def test_the_commands_run_and_every_result_is_known() -> None:
    for line in COMMANDS[0].splitlines():
        words = shlex.split(line)
        assert words[0] == "supernode"
        done = CliRunner().invoke(cli, words[1:])
        assert done.exit_code == 0, done.output
        if words[1] == "plan":
            assert "not known" not in done.output
    sql = "SELECT count(*) AS n FROM designs WHERE status = 'ok' AND cost_to_train > 0 AND system = 'my-pod'"
    done = CliRunner().invoke(cli, ["query", "mine", sql, "--format", "csv"])
    assert int(done.stdout.split()[-1]) == 8  # domains, regions and prices


@pytest.mark.usefixtures("_folder")
def test_an_error_looks_as_shown() -> None:
    ((name, old, new, said),) = BROKEN
    text = Path(name).read_text(encoding="utf-8")
    assert old in text
    Path(name).write_text(text.replace(old, new), encoding="utf-8")
    done = CliRunner().invoke(cli, ["check", "mine.yaml"])
    assert done.exit_code == 2
    assert done.stderr.replace(f"{Path.cwd()}/", "") == said


def test_the_fields_of_a_fact_are_those_of_the_schema() -> None:
    rows = re.search(r"## The fields of a fact\n(.*?)\n\n`conf", TEXT, re.DOTALL)
    assert rows
    named = re.findall(r"^\| (`.*?) \|", rows[1], re.MULTILINE)
    assert {name for cell in named for name in re.findall(r"`(\w+)`", cell)} == set(FactText.model_fields)
