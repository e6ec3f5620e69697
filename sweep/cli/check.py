"""``supernode check``: all faults of a study at once."""

from __future__ import annotations

import click

from sweep.cli.find import find_study, study_argument
from sweep.cli.output import answer, answer_json
from sweep.cli.settings import common_options, json_option, opened, set_option


@click.command()
@study_argument
@set_option
@json_option
@common_options
def check(*, study: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check a study: every fault at once, with file and line, and what is allowed.

    STUDY is a file or the name of a shipped study. Nothing is evaluated and nothing is written.
    """
    path = find_study(study)
    from sweep.counting import require_designs  # noqa: PLC0415 - NumPy, pydantic, pint

    loaded, catalogue = opened(path, overrides)
    rows = require_designs(loaded, catalogue)
    if as_json:
        count = {"estimate": rows.rows, "low": rows.low, "high": rows.high, "exact": rows.exact}
        told = {"study": loaded.name, "file": path, "designs": loaded.space.size, "rows": count}
        answer_json({**told, "digest": loaded.digest})
    else:
        about = "" if rows.exact else "about "
        passing = f", {about}{rows.rows:,} of them pass where" if loaded.where else ""
        answer(f"{path}: no fault, {loaded.space.size:,} designs{passing}")
