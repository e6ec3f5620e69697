"""``supernode check``: all faults of a study at once."""

from __future__ import annotations

import click

from sweep.cli.find import find_study, study_argument
from sweep.cli.output import answer, answer_json
from sweep.cli.settings import common_options, json_option, set_option, settings


@click.command()
@study_argument
@set_option
@json_option
@common_options
def check(*, study: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check a study: every fault at once, with file and line, and what is allowed.

    STUDY is a file or the name of a shipped study. Nothing is computed and nothing is written.
    """
    path = find_study(study)
    from sweep.study import open_study  # noqa: PLC0415 - pydantic, pint

    loaded, _ = open_study(path, overrides, settings().catalogue)
    if as_json:
        answer_json({"study": loaded.name, "file": path, "designs": loaded.space.size, "digest": loaded.digest})
    else:
        answer(f"{path}: {loaded.name} is right: {loaded.space.size:,} designs before where")
