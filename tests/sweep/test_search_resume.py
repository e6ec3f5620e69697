"""A search that was stopped, killed or extended has the trials of one that ran through."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from test_search import WIDE
from tiny_study import tiny_model, tiny_study

from sweep.dataset import verify
from sweep.errors import Interrupted
from sweep.search import Options, search

SAMPLERS = ["tpe", "nsgaii", "cmaes", "qmc", "random"]
TRIALS = 30
TWO_GOALS = WIDE + "keep: pareto [cost_per_token, time_to_train]\n"
NUMBERS = WIDE.replace("[cloudmatrix384, gb200-nvl72]", "gb200-nvl72").replace(
    "  cloudmatrix384: {staff_multiplier: {times: [1, 3]}}\n", ""
)
TEXTS = {"cmaes": NUMBERS, "nsgaiii": TWO_GOALS}
"""Studies for samplers that do not take the usual one; others take ``WIDE``."""
MOMENTS = 3
"""How often a search is killed before it may end; ``benchmarks/search_resume.py`` kills each sampler 20 times."""

DRIVER = """
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
from tiny_study import tiny_model, tiny_study
import sweep.engine.rows
from sweep.search import Options, search

def slow(known):
    time.sleep(0.004)
    return tiny_model(known)

sweep.engine.rows.evaluate = slow
folder = Path({folder!r})
study, catalogue = tiny_study(folder, (folder / "study.yaml").read_text())
print("ready", flush=True)
search(study, catalogue, folder / "out", {trials}, Options({sampler!r}, batch=8), storage={storage!r})
"""


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def searched(folder, sampler, trials=TRIALS, seed=0, progress=None, text=None):
    folder.mkdir(exist_ok=True)
    study, catalogue = tiny_study(folder, text or TEXTS.get(sampler, WIDE))
    return search(study, catalogue, folder / "out", trials, Options(sampler, seed, batch=8), progress=progress)


def told(folder):
    """Parameters and values of every trial, as Optuna has them."""
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(Path(folder) / "trials.journal"))
    )
    (study,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).get_trials()
    return [(trial.number, trial.params, trial.values, trial.constraints, trial.state.name) for trial in trials]


def content(folder):
    names = [*Path(folder).glob("data/*.parquet"), Path(folder, "trials.parquet")]
    return {path.name: path.read_bytes() for path in names}


def same(rest, whole):
    assert told(rest.run.location) == told(whole.run.location)
    assert content(rest.run.location) == content(whole.run.location)
    assert rest.run.manifest.digests == whole.run.manifest.digests
    assert verify(rest.run) == []


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("first", [5, 19])
def test_extended_equals_uninterrupted(tmp_path, sampler, first):
    whole = searched(tmp_path / "a", sampler)
    assert searched(tmp_path / "b", sampler, first).trials == first
    same(searched(tmp_path / "b", sampler), whole)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_stopped_and_finished_equals_uninterrupted(tmp_path, sampler):
    whole = searched(tmp_path / "a", sampler)

    def stop(done, total):
        assert total == TRIALS
        if done == 24:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="run it again"):
        searched(tmp_path / "b", sampler, progress=stop)
    same(searched(tmp_path / "b", sampler), whole)


@pytest.mark.parametrize("sampler", ["auto", "nsgaiii", "tpe"])
def test_two_goals_extended_equal_uninterrupted(tmp_path, sampler):
    whole = searched(tmp_path / "a", sampler, 44, text=TWO_GOALS)
    for first in (11, 29):
        searched(tmp_path / "b", sampler, first, text=TWO_GOALS)
    same(searched(tmp_path / "b", sampler, 44, text=TWO_GOALS), whole)


def killed(folder, sampler, seconds, text, trials=TRIALS, storage=None):
    """Start a search and kill it so many seconds after it began; return whether it had ended before."""
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(text)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    code = DRIVER.format(paths=paths, folder=str(folder), trials=trials, sampler=sampler, storage=storage)
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return False
    return True


def killed_and_finished(folder, sampler, moments, text, trials=TRIALS):
    """The trials told after each kill, and the result of the search that was then let run to its end.

    Every kill comes later than the last, so that the moments spread over the whole search.
    """
    told_after = []
    for moment in range(1, moments + 1):
        ended = killed(folder, sampler, 0.6 + 0.15 * moment, text, trials)
        journals = list(folder.glob("out/*/search-*/trials.journal"))
        told_after.append(len(told(journals[0].parent)) if journals and journals[0].stat().st_size else 0)
        if ended:
            break
    return told_after, searched(folder, sampler, trials, text=text)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [*SAMPLERS, "nsgaiii"])
def test_killed_again_and_again_and_finished_equals_uninterrupted(tmp_path, sampler):
    text = TEXTS.get(sampler, WIDE)
    whole = searched(tmp_path / "a", sampler, 96, text=text)
    told_after, rest = killed_and_finished(tmp_path / "b", sampler, MOMENTS, text, 96)
    assert told_after == sorted(told_after)  # nothing that was told is lost
    assert [trial[0] for trial in told(rest.run.location)] == list(range(96))  # and nothing doubled
    same(rest, whole)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_journal_cut_anywhere_goes_on_as_if_nothing_had_happened(tmp_path, share):
    whole = searched(tmp_path / "a", "tpe")
    shutil.copytree(tmp_path / "a", tmp_path / "b", symlinks=True)
    (folder,) = (path for path in (tmp_path / "b").glob("out/*/*") if not path.is_symlink())
    (folder / "manifest.json").unlink()
    journal = folder / "trials.journal"
    os.truncate(journal, int(share * journal.stat().st_size))
    same(searched(tmp_path / "b", "tpe"), whole)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_seed_gives_the_same_trials_and_another_seed_others(tmp_path, sampler):
    one, same_seed, other = (
        searched(tmp_path / name, sampler, 16, seed) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert told(one.run.location) == told(same_seed.run.location)
    assert [trial[1] for trial in told(one.run.location)] != [trial[1] for trial in told(other.run.location)]
