"""The generated pages are those of the code, and every verb is documented."""

from pathlib import Path

import click
import pytest

from models.quantities import quantities
from sweep.cli.app import VERBS, cli
from sweep.cli.reference import PAGES, main

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_pages_in_docs_are_up_to_date(name):
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), f"run: python -m sweep.cli.reference (docs/{name} is older than its source)"


def test_pages_are_written_into_a_folder(tmp_path):
    main([str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == set(PAGES)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_every_option_has_help(verb):
    command = cli.get_command(click.Context(cli), verb)
    assert command.name == verb
    assert command.help
    assert len(command.help) > 40
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert all(option.help and option.help.endswith(".") for option in options)
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    assert all(argument.name.upper() in command.help for argument in arguments), "say what each argument is"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_the_common_options(verb):
    command = cli.get_command(click.Context(cli), verb)
    names = {name for parameter in command.params for name in parameter.opts}
    assert {"--catalogue", "--quiet", "--verbose", "--debug"} <= names


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_answers_in_json(verb):
    command = cli.get_command(click.Context(cli), verb)
    assert "--json" in {name for parameter in command.params for name in parameter.opts}


def test_the_quantity_page_has_every_quantity_once():
    page = PAGES["quantities.md"]()
    assert all(page.count(f"| `{name}` |") == 1 for name in quantities())
