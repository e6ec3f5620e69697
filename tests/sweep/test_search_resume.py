"""A search that was stopped, killed or extended has the trials of one that ran through."""

import os
import shutil
import signal
import subprocess
import sys
import time
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
BATCH = 8

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
search(study, catalogue, folder / "out", {trials}, Options({sampler!r}, batch={batch}), storage={storage!r})
"""
TOLD = b'"op_code":4'
"""What Optuna's journal writes for a finished trial, and for nothing else."""


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def searched(folder, sampler, trials=TRIALS, seed=0, progress=None, text=None, batch=BATCH):
    folder.mkdir(exist_ok=True)
    study, catalogue = tiny_study(folder, text or TEXTS.get(sampler, WIDE))
    return search(study, catalogue, folder / "out", trials, Options(sampler, seed, batch=batch), progress=progress)


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


def started(folder, sampler, text, trials=TRIALS, storage=None, batch=BATCH):
    """A search in a process of its own, as it is about to begin."""
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(text)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    code = DRIVER.format(paths=paths, folder=str(folder), trials=trials, sampler=sampler, storage=storage, batch=batch)
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def killed(folder, sampler, seconds, text, trials=TRIALS, storage=None):
    """Start a search and kill it so many seconds after it began; return whether it had ended before."""
    with started(folder, sampler, text, trials, storage) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return False
    return True


def written(folder):
    """How many told trials the journal of a search holds at this moment, while another process writes it."""
    journals = folder.glob("out/*/search-*/trials.journal")
    return sum(path.read_bytes().rpartition(b"\n")[0].count(TOLD) for path in journals)


def killed_at(folder, sampler, count, part, text, trials, batch=BATCH):
    """Start a search and kill it after it told ``count`` trials, when a ``part`` of a further batch's time is over.

    Returns how many trials it had told when it was killed, None when it ended before.
    """
    with started(folder, sampler, text, trials, batch=batch) as process:
        seen, steps = written(folder), []
        while process.poll() is None and seen < count:
            time.sleep(0.001)
            now = written(folder)
            if now > seen:
                steps.append(time.perf_counter())
            seen = now
        if process.poll() is None:
            pace = (steps[-1] - steps[0]) / (len(steps) - 1) if len(steps) > 1 else 0.0
            time.sleep(part * pace)
            process.send_signal(signal.SIGKILL)
    return None if process.returncode == 0 else written(folder)


def kept_of(folder):
    """The told trials of the search in a folder."""
    (journal,) = folder.glob("out/*/search-*/trials.journal")
    return told(journal.parent)


def killed_and_finished(folder, sampler, moments, text, trials, batch=BATCH):
    """The trials kept after each kill, at told counts spread over the search; and the search then run to its end.

    A kill before which the search had ended is left out.
    """
    kept = []
    for moment in range(moments):
        count = 1 + (trials - 1) * moment // moments
        if killed_at(folder, sampler, count, moment * 0.37 % 1, text, trials, batch) is not None:
            kept.append(kept_of(folder))
    return kept, searched(folder, sampler, trials, text=text, batch=batch)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [*SAMPLERS, "nsgaiii"])
def test_killed_again_and_again_and_finished_equals_uninterrupted(tmp_path, sampler):
    text = TEXTS.get(sampler, WIDE)
    whole = searched(tmp_path / "a", sampler, 96, text=text)
    kept, rest = killed_and_finished(tmp_path / "b", sampler, MOMENTS, text, 96)
    assert 0 < len(kept[0]) < 96  # on a busy machine a later kill may come when all is told
    last = told(rest.run.location)
    assert all(trials == last[: len(trials)] for trials in kept)  # nothing that was told is lost
    assert [trial[0] for trial in last] == list(range(96))  # and nothing doubled
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
