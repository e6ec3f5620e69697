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

SAMPLERS = ["tpe", "nsgaii", "random"]
TRIALS = 30
TWO_GOALS = WIDE + "keep: pareto [cost_per_token, time_to_train]\n"

DRIVER = """
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
from tiny_study import tiny_model, tiny_study
import sweep.engine.rows
from sweep.search import Options, search

def slow(known):
    time.sleep(0.02)
    return tiny_model(known)

sweep.engine.rows.evaluate = slow
folder = Path({folder!r})
study, catalogue = tiny_study(folder, (folder / "study.yaml").read_text())
search(study, catalogue, folder / "out", {trials}, Options({sampler!r}, batch=8))
"""


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def searched(folder, sampler, trials=TRIALS, seed=0, progress=None, text=WIDE):
    folder.mkdir(exist_ok=True)
    study, catalogue = tiny_study(folder, text)
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


def test_two_goals_extended_equal_uninterrupted(tmp_path):
    whole = searched(tmp_path / "a", "auto", text=TWO_GOALS)
    searched(tmp_path / "b", "auto", 21, text=TWO_GOALS)
    same(searched(tmp_path / "b", "auto", text=TWO_GOALS), whole)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_killed_within_a_batch_and_finished_equals_uninterrupted(tmp_path, sampler):
    whole = searched(tmp_path / "a", sampler)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "study.yaml").write_text(WIDE)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    code = DRIVER.format(paths=paths, folder=str(tmp_path / "b"), trials=TRIALS, sampler=sampler)
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "7"})
    try:
        wait_for_open_trials(process, tmp_path / "b", at_least=19)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    (folder,) = (path for path in (tmp_path / "b").glob("out/*/*") if not path.is_symlink())
    assert any(trial[-1] == "RUNNING" for trial in told(folder))
    same(searched(tmp_path / "b", sampler), whole)


def wait_for_open_trials(process, folder, at_least):
    """Wait until a batch is asked, and not yet told."""
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < deadline
        lines = [line for path in folder.glob("out/*/*/trials.journal") for line in path.read_bytes().splitlines()]
        asked = sum(b'"op_code":4,' in line for line in lines)
        finished = sum(b'"op_code":6,' in line for line in lines)
        if asked >= at_least and asked > finished:
            return
        time.sleep(0.002)


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
