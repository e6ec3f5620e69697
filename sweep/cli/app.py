"""The command group, its verbs, and the one place that turns errors into a sentence and an exit code.

Verbs are imported when they are called, and the heavy libraries only inside them: ``supernode --help`` stays quick.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from sweep.cli.settings import Settings, common_options
from sweep.errors import StudyError, SweepError, nearest

VERBS = {
    "init": "sweep.cli.init",
    "show": "sweep.cli.show",
    "check": "sweep.cli.check",
    "plan": "sweep.cli.plan",
    "run": "sweep.cli.run",
    "optimize": "sweep.cli.optimize",
    "sensitivity": "sweep.cli.sensitivity",
    "ls": "sweep.cli.runs",
    "status": "sweep.cli.runs",
    "compare": "sweep.cli.compare",
    "verify": "sweep.cli.verify",
    "calibrate": "sweep.cli.calibrate",
    "accuracy": "sweep.cli.accuracy",
    "explain": "sweep.cli.explain",
    "query": "sweep.cli.query",
    "claims": "sweep.cli.claims",
    "cite": "sweep.cli.cite",
    "doctor": "sweep.cli.doctor",
}
"""Every verb and the module that holds a command of that name, in the order of the help page."""

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

FAILED, USAGE, INTERRUPTED = 1, 2, 130

EPILOG = """\b
A first session:
  supernode show systems
  supernode plan cloudmatrix384-vs-gb200-nvl72
  supernode run cloudmatrix384-vs-gb200-nvl72
  supernode query cloudmatrix384-vs-gb200-nvl72 "SELECT count(*) FROM designs"

\b
Exit codes: 0 done, 1 failed, 2 wrong study or command line, 130 interrupted.
Completion for bash: eval "$(_SUPERNODE_COMPLETE=bash_source supernode)" (zsh_source, fish_source for the others).
"""


class Supernode(click.Group):
    """The group of verbs, loaded on demand, whose ``main`` never shows a traceback unless asked to."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order a user meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(VERBS[cmd_name]), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb named first in ``args``; an unknown one is an error that names the nearest."""
        if args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"{args[0]} is no verb{nearest(args[0], VERBS, limit=len(VERBS))}")
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]  # click declares overloads for the two standalone modes
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **extra: Any
    ) -> None:
        """Run the command line and leave with its exit code."""
        settings = Settings()
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name or "supernode", obj=settings, **extra) or 0
            sys.stdout.flush()  # a reader that went away is noticed here, not at shutdown
        except BaseException as error:  # noqa: BLE001 - the one place where errors end
            if settings.debug and not isinstance(error, SystemExit):
                traceback.print_exception(error)
                click.echo(getattr(error, "trace", ""), err=True)  # that of a worker
            code = report(error)
        sys.exit(code)


def report(error: BaseException) -> int:
    """Say in one sentence (or a list of faults) on stderr what went wrong; return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, BrokenPipeError):
        # The reader went away; nothing may be written at shutdown either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return USAGE
    for line in sentences(error):
        click.echo(line, err=True)
    if isinstance(error, click.ClickException):
        return error.exit_code
    return error.exit_code if isinstance(error, SweepError) else USAGE if _is_input_error(error) else FAILED


def sentences(error: BaseException) -> list[str]:
    """Return what to tell the user about an error, one line per fault."""
    if isinstance(error, click.ClickException):
        usage = isinstance(error, click.UsageError) and error.ctx
        hint = f" (see {usage.command_path} --help)" if usage else ""
        return [f"error: {error.format_message().rstrip('.')}{hint}"]
    if isinstance(error, StudyError) and len(error.problems) > 1:
        return [f"error: {len(error.problems)} faults", *(f"  {problem}" for problem in error.problems)]
    if isinstance(error, SweepError) or _is_input_error(error):
        interrupted = getattr(error, "exit_code", FAILED) == INTERRUPTED
        return [str(error) if interrupted else f"error: {error}"]
    if isinstance(error, OSError):
        return [f"error: {_of_system(error)}"]
    if isinstance(error, MemoryError):
        return ["error: not enough memory; use fewer workers (--workers) or keep fewer rows (keep: best)"]
    kind = f"{type(error).__module__}.{type(error).__name__}".removeprefix("builtins.")
    return [f"error: this is a defect of supernode-sweep: {kind}: {error} (--debug shows where)"]


def _of_system(error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and not error.strerror:  # Arrow's, of a part of a run
        path = str(error).splitlines()[0]
        return f"{path}: there is no such file any more; running the study again writes what is missing"
    return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)


def _is_input_error(error: BaseException) -> bool:
    module = sys.modules.get("models.inputs")  # not imported: then no model ran, and NumPy need not be loaded
    return module is not None and isinstance(error, module.ModelInputError)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value and not ctx.resilient_parsing:
        from importlib import metadata  # noqa: PLC0415 - 15 ms that --help need not spend

        try:
            version = metadata.version("supernode-sweep")
        except metadata.PackageNotFoundError:  # a source tree on the path
            version = "(not installed)"
        click.echo(f"supernode-sweep {version}")
        ctx.exit()


@click.group("supernode", cls=Supernode, epilog=EPILOG, context_settings=CONTEXT)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@common_options
def cli() -> None:
    """Sweep designs of AI clusters: performance, power, reliability, money and export rules.

    A study is a YAML file or the name of a shipped one. A run is a folder under results/, or the name of a study for
    its latest sweep, or else search. Answers go to stdout, talk goes to stderr.
    """


def main() -> None:
    """Entry point of the ``supernode`` command."""
    cli.main()
