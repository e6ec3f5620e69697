"""Options that every verb takes, and the talk on stderr that they govern."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sweep.catalogue import Catalogue
    from sweep.study import Study

Target = TypeVar("Target", bound=Callable[..., Any] | click.Command)


@dataclass(slots=True)
class Settings:
    """What the common options said, before or after the verb."""

    debug: bool = False
    verbosity: int = 0
    catalogue: tuple[Path, ...] = ()

    def load_catalogue(self) -> Catalogue:
        """Return the shipped catalogue with the user's own folders on top."""
        from sweep.catalogue import Catalogue  # noqa: PLC0415 - pydantic and pint are not for --help

        return Catalogue.load(self.catalogue)


def settings() -> Settings:
    """Return the settings of the running command."""
    found = click.get_current_context().find_object(Settings)
    assert found is not None
    return found


def talk(message: str, level: int = 0) -> None:
    """Write a line to stderr; ``level`` 0 is shown unless ``-q``, 1 needs ``-v``."""
    if settings().verbosity >= level:
        click.echo(message, err=True)


def opened(path: Path | str, overrides: Sequence[str]) -> tuple[Study, Catalogue]:
    """Return a study with its catalogue, and say at which rate its prices in other currencies became dollars."""
    from sweep.study import open_study  # noqa: PLC0415 - pydantic, pint

    study, catalogue = open_study(path, overrides, settings().catalogue)
    talk_exchanges(study)
    return study, catalogue


def talk_exchanges(study: Study) -> None:
    """Say at which rate the prices of a study that are not in dollars became so."""
    for each in study.exchanges:
        talk(str(each))


def _debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value and (found := ctx.find_object(Settings)):
        found.debug = True


def _louder(ctx: click.Context, param: click.Parameter, value: int) -> None:
    if value and (found := ctx.find_object(Settings)):
        found.verbosity += value if param.name == "verbose" else -value


def _folders(ctx: click.Context, _: click.Parameter, value: tuple[Path, ...]) -> None:
    if value and (found := ctx.find_object(Settings)):
        found.catalogue += value


def common_options(target: Target) -> Target:
    """Add --catalogue, -q, -v and --debug; they are accepted before and after the verb."""
    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    options = [
        click.option(
            "--catalogue", type=folder, multiple=True, metavar="DIR", callback=_folders, expose_value=False,
            help="Folder with your own chips, systems, prices ... beside the shipped ones; may be repeated.",
        ),
        click.option("-q", "--quiet", count=True, callback=_louder, expose_value=False, help="Less talk on stderr."),
        click.option("-v", "--verbose", count=True, callback=_louder, expose_value=False, help="More talk on stderr."),
        click.option(
            "--debug", is_flag=True, callback=_debug, expose_value=False, is_eager=True,
            help="Show the traceback of an error.",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        target = option(target)
    return target


json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")

set_option = click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE",
    help="Change one value of the study, such as --set levers.domains=[1,2] or --set seed=7; may be repeated.",
)  # fmt: skip
