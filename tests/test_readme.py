"""What the README shows is what happens: its study runs, its snippet reads the results, its verbs exist."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sweep.cli.app import VERBS, cli

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def block(marker: str) -> str:
    """Return the code block after a marker."""
    found = re.search(rf"<!-- {re.escape(marker)} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"the README has no block marked {marker}"
    return found[1]


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the README's study in an empty folder."""
    monkeypatch.chdir(tmp_path)
    Path("my-first-study.yaml").write_text(block("study"), encoding="utf-8")
    done = CliRunner().invoke(cli, ["run", "my-first-study.yaml", "--in-process"])
    assert done.exit_code == 0, done.output
    return tmp_path


def test_the_study_answers_its_question(finished: Path) -> None:
    done = CliRunner().invoke(
        cli,
        ["query", "my-first-study", "SELECT count(*) AS n FROM designs WHERE status = 'ok'", "--format", "csv"],
    )
    assert int(done.stdout.split()[-1]) > 0
    assert (finished / "results/my-first-study/latest/manifest.json").is_file()


def test_the_snippet_reads_the_results(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block("python: needs a finished run"), "README.md", "exec"), {})
    assert "gb200-nvl72" in capsys.readouterr().out
    assert finished.is_dir()


def test_a_search_after_the_run_does_not_change_what_the_snippet_reads(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def counted(run: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["query", run, "SELECT count(*) AS n FROM designs", "--format", "csv"])
        assert done.exit_code == 0, done.output
        return int(done.stdout.split()[-1]), done.stderr

    swept, _ = counted("my-first-study")
    shown = re.search(r"supernode (optimize my-first-study.yaml) --trials", TEXT)
    assert shown
    done = CliRunner().invoke(cli, [*shlex.split(shown[1]), "--trials", "8", "--in-process"])
    assert done.exit_code == 0, done.output
    (location,) = (str(path) for path in finished.glob("results/*/search-*"))
    again, said = counted("my-first-study")
    assert again == swept
    assert "reading results/my-first-study/" in said
    assert "search" not in said
    tried, said = counted("my-first-study/latest-search")
    assert 0 < tried < swept
    assert "a search: it holds the designs that were tried, not all of the study" in said
    assert counted(location)[0] == tried
    namespace: dict[str, object] = {}
    exec(compile(block("python: needs a finished run"), "README.md", "exec"), namespace)
    frame = namespace["pandas"].read_parquet(namespace["data"])  # type: ignore[attr-defined]
    assert len(frame) == swept
    assert capsys.readouterr().out


def test_every_command_shown_exists() -> None:
    shown = re.findall(r"(?:bin/|`)supernode ((?!-)[a-z]+)", TEXT)
    assert set(shown) <= set(VERBS)
    assert len(shown) > 5


def test_every_shipped_study_is_in_the_table_and_the_pages_are_linked() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", TEXT, re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "configs" / "studies").glob("*.yaml"))
    linked = set(re.findall(r"\]\(([^)#:]+)\)", TEXT))
    assert all((ROOT / path).exists() for path in linked)
    assert {f"docs/{page}.md" for page in ("search", "sensitivity", "compare", "economics", "catalogue")} <= linked


@pytest.mark.parametrize("marker", ["main command", "test command"])
def test_the_two_commands_are_one_line_each_and_use_the_constraints(marker: str) -> None:
    command = block(marker)
    assert command.count("\n") == 1
    assert "-c constraints.txt" in command
    assert shlex.split(command)[0] == "python3"


ROWS = {
    "another source has the chip and number format": ("tier 1, covered: mean error", "tier 1, covered: median error"),
    "of these dense models": ("tier 1, covered, dense: mean error", "tier 1, covered, dense: median error"),
    "of these mixtures of experts": (
        "tier 1, covered, mixture of experts: mean error",
        "tier 1, covered, mixture of experts: median error",
    ),
    "no other source has them": ("tier 1, otherwise: mean error", "tier 1, otherwise: median error"),
    "Ascend 910B, all its sources left out": ("Ascend 910B: mean error",),
    "profiles of small models on one node": ("microbenchmarks on one node: mean error",),
}


@pytest.mark.parametrize(("row", "figures"), ROWS.items())
def test_the_errors_are_those_of_the_accuracy_page(row: str, figures: tuple[str, ...]) -> None:
    # the page itself is held against the model by ``python -m sweep.accuracy.page --check``
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    runs, errors = re.search(rf"\| {re.escape(row)} \| ([\d,]+) \| ([\d. /]+) %", TEXT).groups()
    for figure, error in zip(figures, errors.split(" / "), strict=False):
        cells = re.search(rf"\| {re.escape(figure)} \| left-out-source \| (.*) \|", page)[1].split(" | ")
        assert (cells[0], cells[2]) == (runs, f"{error} %")
