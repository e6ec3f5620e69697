"""How far a search is, and the command that goes on with it."""

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_search import WIDE
from test_search_warm import COARSE
from tiny_study import tiny_model, tiny_study

from sweep.cli.app import cli
from sweep.engine import run
from sweep.errors import Interrupted
from sweep.search import Options, search
from sweep.study import open_study

PLACE = """\
title: Nowhere
country: US
facts:
  power_price: {value: 0.05, unit: USD/kWh, currency_year: 2026, source: a napkin, date: '2026', confidence: assumption}
"""


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def supernode(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def interrupted(study, catalogue, folder, options, trials=100, **others):
    """The folder of a search that was stopped after its first 32 trials."""

    def stop(done, _):
        if done >= 32:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        search(study, catalogue, folder, trials, options, progress=stop, **others)
    (found,) = (path for path in folder.glob("*/search-*") if not path.is_symlink())
    return found


def again(folder):
    """What the command prints that status gives, as data."""
    (line,) = (line for line in supernode("status", folder).splitlines() if line.startswith("Finish it with: "))
    words = shlex.split(line.removeprefix("Finish it with: "))
    assert words[:2] == ["supernode", "optimize"]
    return json.loads(supernode(*words[1:], "--in-process", "--json"))


def test_an_interrupted_search_counts_its_trials_and_goes_on_by_the_command_shown(tmp_path):
    start = run(*tiny_study(tmp_path, COARSE), tmp_path / "sweep", in_process=True).run
    options = Options("nsgaii", 7, over="worst", start=start.location)
    storage = f"sqlite:///{tmp_path / 'my trials.db'}"
    folder = interrupted(*tiny_study(tmp_path, WIDE), tmp_path / "out", options, storage=storage)
    shown = supernode("status", folder)
    assert "trials    32 of 100" in shown
    assert "designs " not in shown
    (listed,) = json.loads(supernode("ls", tmp_path / "out", "--json"))
    assert (listed["state"], listed["trials_done"], listed["search"]["trials"]) == ("interrupted", 32, 100)
    assert listed["designs_done"] is None
    assert "interrupted 32 %" in supernode("ls", tmp_path / "out")
    ended = again(folder)
    assert ended["run"] == str(folder)
    assert (ended["sampler"], ended["seed"], ended["over"]) == ("nsgaii", 7, "worst")
    assert "trials    100 of 100" in supernode("status", folder)
    assert {path.name for path in tmp_path.glob("out/*/*") if not path.is_symlink()} == {folder.name}


def test_a_search_with_a_scenario_by_name_and_a_catalogue_of_ones_own_goes_on(tmp_path):
    (tmp_path / "mine" / "regions").mkdir(parents=True)
    (tmp_path / "mine" / "regions" / "nowhere.yaml").write_text(PLACE)
    (tmp_path / "tiny.yaml").write_text(WIDE.replace("[own, us-texas]", "[own, nowhere]"))
    study, catalogue = open_study(tmp_path / "tiny.yaml", ["levers.domains=[1, 2, 3]"], [tmp_path / "mine"])
    options = Options("qmc", 3, over="region=nowhere,power_price=0.08")
    folder = interrupted(study, catalogue, tmp_path / "out", options, 40)
    assert again(folder)["run"] == str(folder)


def test_a_finished_search_has_as_many_trials_as_were_asked_for_also_when_it_was_extended(tmp_path):
    for trials in (5, 21):
        found = search(*tiny_study(tmp_path, WIDE), tmp_path / "out", trials, Options("random", batch=8)).run.location
        shown = supernode("status", found)
        assert f"trials    {trials} of {trials}" in shown
        assert "Finish it" not in shown


def test_a_study_that_was_only_searched_is_read_by_its_name_and_a_sweep_comes_first(tmp_path):
    found = search(*tiny_study(tmp_path, WIDE), tmp_path / "out", 5, Options("random", batch=8)).run.location
    study = tmp_path / "out" / "tiny"
    assert not (study / "latest").exists()
    assert json.loads(supernode("status", study, "--json"))["run"] == Path(found).name
    swept = run(*tiny_study(tmp_path, WIDE), tmp_path / "out", in_process=True).run.manifest.run
    assert json.loads(supernode("status", study, "--json"))["run"] == swept
    assert json.loads(supernode("status", study / "latest-search", "--json"))["run"] == Path(found).name
    listed = json.loads(supernode("ls", tmp_path / "out", "--json"))
    assert sorted(each["run"] for each in listed) == sorted([swept, Path(found).name])


def test_a_password_is_not_in_the_command(tmp_path):
    folder = interrupted(*tiny_study(tmp_path, WIDE), tmp_path / "out", Options("tpe"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["search"]["storage"] = "postgresql://me:***@host/trials"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "--storage 'postgresql://me:***@host/trials'" in supernode("status", folder)
    assert "Give the password of the database in place of ***." in supernode("status", folder)
