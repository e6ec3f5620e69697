"""``supernode init``: a commented study to start from."""

from __future__ import annotations

from pathlib import Path

import click

from sweep.cli.find import complete_study, find_study, shipped_studies
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.settings import common_options, json_option, talk
from sweep.errors import StudyError, SweepError
from sweep.text import Table

DEFAULT = "cloudmatrix384-vs-gb200-nvl72"
SCHEMA_COMMENT = "# yaml-language-server:"


@click.command()
@click.argument("template", default=DEFAULT, shell_complete=complete_study)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="File to write; TEMPLATE.yaml in this folder when not given, - for stdout.",
)  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="List the templates and stop.")
@json_option
@common_options
def init(*, template: str, output: Path | None, listed: bool, as_json: bool) -> None:
    """Copy a commented study to start from: TEMPLATE is the name of a shipped study.

    Without TEMPLATE it is the main study, cloudmatrix384-vs-gb200-nvl72. A file that exists is never overwritten.
    """
    if listed:
        _list(as_json=as_json)
        return
    source = find_study(template)
    text = _with_schema(source.read_text(encoding="utf-8"))
    if output == Path("-"):
        answer(text.rstrip("\n"))
        return
    target = output or Path(source.name)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise StudyError.at("exists already; name another file with -o FILE", str(target)) from error
    except OSError as error:
        advice = "name a file in a folder that can be written with -o FILE"
        raise SweepError(f"{target}: cannot be written ({error.strerror}); {advice}") from error
    talk(f"next: supernode plan {target}")
    if as_json:
        answer_json({"file": target, "template": source})
    else:
        answer(f"wrote {target}")


def _list(*, as_json: bool) -> None:
    from sweep.cli.show import study_rows  # noqa: PLC0415 - reads YAML

    rows = study_rows(shipped_studies())
    if as_json:
        answer_json(rows)
    else:
        answer_table(Table("", ("template", "question"), [(row["name"], row["question"]) for row in rows]))


def _with_schema(text: str) -> str:
    """Let the line that names the editor's schema name the installed one; its path is relative to the shipped file."""
    from sweep.paths import schema_file  # noqa: PLC0415 - not for --help

    line = f"{SCHEMA_COMMENT} $schema={schema_file().resolve().as_posix()}\n"
    lines = text.splitlines(keepends=True)
    return "".join(line if old.startswith(SCHEMA_COMMENT) else old for old in lines)
