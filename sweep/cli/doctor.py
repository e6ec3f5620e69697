"""``supernode doctor``: whether this machine and folder are fit for a run."""

from __future__ import annotations

from dataclasses import asdict

import click

from sweep.cli.find import RESULTS
from sweep.cli.output import answer_json, answer_table
from sweep.cli.settings import common_options, json_option, settings
from sweep.text import Table


@click.command()
@json_option
@common_options
def doctor(*, as_json: bool) -> None:
    """Check versions, Ray, cores, memory, disk, the results folder and known traps.

    Exit code 1 when something would make a run fail; a warning alone is exit code 0.
    """
    from sweep.doctor import examine  # noqa: PLC0415

    checks = examine(RESULTS, settings().catalogue)
    if as_json:
        answer_json([asdict(check) for check in checks])
    else:
        rows = [(check.name, check.status, check.found, check.advice) for check in checks]
        answer_table(Table("", ("check", "status", "found", "what to do"), [*rows]))
    if any(check.status == "fail" for check in checks):
        raise click.exceptions.Exit(1)
