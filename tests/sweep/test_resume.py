"""A run that was stopped, killed or damaged becomes the same dataset when it is run again."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_study import TINY, tiny_model, tiny_study

from sweep.dataset import open_run, verify
from sweep.dataset.manifest import read_manifest
from sweep.dataset.store import LocalStore, open_store
from sweep.engine import run
from sweep.errors import SweepError

KEEPS = ["all", "best", "top 3", "pareto [cost_per_token, time_to_train]", "sample 0.3"]

DRIVER = """
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
from tiny_study import tiny_model, tiny_study
import sweep.engine.rows
from sweep.engine import run

def slow(known):
    time.sleep(0.02)
    return tiny_model(known)

sweep.engine.rows.evaluate = slow
study, catalogue = tiny_study(Path({folder!r}), Path({folder!r}, "study.yaml").read_text())
run(study, catalogue, Path({folder!r}, "results"), in_process=True)
"""


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def finish(folder, text=TINY):
    return run(*tiny_study(folder, text), folder / "results", in_process=True)


def content(run_folder):
    """Every byte of the dataset and of what describes it, without the manifest's clock."""
    root = Path(run_folder)
    names = [*root.glob("data/**/*.parquet"), root / "columns.csv", root / "sources.csv", root / "study.yaml"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in names}


def stopped_after(parts, folder, text=TINY):
    """Run until some parts are done, then stop as Ctrl-C does; return the folder of the run."""

    def stop(progress):
        if progress.chunks_done == parts:
            raise KeyboardInterrupt

    with pytest.raises(SweepError, match="run it again"):
        run(*tiny_study(folder, text), folder / "results", in_process=True, progress=stop)
    return folder_of(folder)


def folder_of(folder):
    """The one run below a test's folder, without the link ``latest``."""
    (found,) = (path for path in folder.glob("results/tiny/*") if not path.is_symlink())
    return found


def test_the_second_run_does_nothing(tmp_path):
    first = finish(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in Path(first.run.location).rglob("*")}
    second = finish(tmp_path)
    assert (first.computed, second.computed) == (15, 0)
    assert {path: path.stat().st_mtime_ns for path in Path(first.run.location).rglob("*")} == before


def test_an_unfinished_run_is_found_by_the_name_of_its_study(tmp_path):
    stopped_after(3, tmp_path)
    found = open_run(tmp_path / "results" / "tiny")
    assert (found.manifest.state, len(found.parts)) == ("running", 3)


@pytest.mark.parametrize("keep", KEEPS)
def test_stopped_and_finished_equals_uninterrupted(tmp_path, keep):
    text = TINY + f"keep: {keep}\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = finish(tmp_path / "a", text)
    stopped_after(7, tmp_path / "b", text)
    rest = finish(tmp_path / "b", text)
    assert rest.computed == 8
    assert content(rest.run.location) == content(whole.run.location)
    assert rest.run.manifest.digests == whole.run.manifest.digests
    assert verify(rest.run) == []


def test_killed_and_finished_equals_uninterrupted(tmp_path):
    (tmp_path / "a").mkdir()
    whole = finish(tmp_path / "a")
    (tmp_path / "study.yaml").write_text(TINY)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    code = DRIVER.format(paths=paths, folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("results/tiny/[0-9a-f]*/parts/*.json"))) < 5:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    rest = finish(tmp_path)
    assert 0 < rest.computed <= 10
    assert content(rest.run.location) == content(whole.run.location)
    assert rest.run.manifest.digests["dataset"] == whole.run.manifest.digests["dataset"]


def test_a_part_without_its_record_and_half_a_file_are_done_again(tmp_path):
    folder = stopped_after(6, tmp_path)
    records, parts = sorted(folder.glob("parts/*.json")), sorted(folder.glob("data/*/*.parquet"))
    records[0].unlink()
    records[1].write_text("{")
    parts[-1].write_bytes(parts[-1].read_bytes()[:-5])
    (parts[0].parent / ".part-000001.parquet.0a1b2c3d.tmp").write_bytes(b"half")
    result = finish(tmp_path)
    assert result.computed == 15 - 6 + 3
    assert verify(result.run) == []
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize("keep", ["all", "best"])
def test_a_complete_run_that_lost_a_part_is_repaired(tmp_path, keep):
    text = TINY + f"keep: {keep}\n"
    first = finish(tmp_path, text)
    before = content(first.run.location)
    Path(first.run.files()[1]).unlink()
    repaired = finish(tmp_path, text)
    assert repaired.computed == (1 if keep == "all" else 15)
    assert content(repaired.run.location) == before


def test_a_repair_that_is_stopped_loses_nothing(tmp_path):
    first = finish(tmp_path)
    before = content(first.run.location)
    for file in first.run.files()[1:4]:
        Path(file).unlink()
    stopped_after(14, tmp_path)
    repaired = finish(tmp_path)
    assert repaired.computed == 1
    assert content(repaired.run.location) == before


def test_records_and_partial_parts_go_when_the_run_is_complete(tmp_path):
    result = finish(tmp_path, TINY + "keep: best\n")
    names = {path.name for path in Path(result.run.location).iterdir()}
    assert names == {".lock", "manifest.json", "study.yaml", "columns.csv", "sources.csv", "data"}


def test_a_full_disk_stops_with_a_sentence_and_can_be_resumed(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    whole = finish(tmp_path / "a")
    real = LocalStore.put
    room = [25]

    def put(self, name, data):
        room[0] -= 1
        if room[0] == 0:
            monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        real(self, name, data)

    monkeypatch.setattr(LocalStore, "put", put)
    with pytest.raises(SweepError, match="no space left for"):
        finish(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)
    folder = folder_of(tmp_path)
    assert read_manifest(open_store(folder)).state == "running"
    assert not list(folder.rglob("*.tmp"))
    rest = finish(tmp_path)
    assert content(rest.run.location) == content(whole.run.location)


def test_two_processes_do_not_work_on_one_run(tmp_path):
    study, catalogue = tiny_study(tmp_path)

    def second(progress):
        if progress.chunks_done == 2:
            run(study, catalogue, tmp_path / "results", in_process=True)

    with pytest.raises(SweepError, match="another process is working on"):
        run(study, catalogue, tmp_path / "results", in_process=True, progress=second)


def test_another_version_of_the_model_is_another_run(tmp_path, monkeypatch):
    first = finish(tmp_path)
    monkeypatch.setattr("sweep.engine.prepare.source_digest", lambda: "f" * 64)
    monkeypatch.setattr("sweep.engine.job.source_digest", lambda: "f" * 64)
    second = finish(tmp_path)
    assert second.run.location != first.run.location
    assert second.computed == 15
    assert open_run(tmp_path / "results/tiny").manifest.run == second.run.manifest.run
    with pytest.raises(SweepError, match=r"holds run .* of another study, catalogue or model version"):
        run(*tiny_study(tmp_path), first.run.location, in_process=True)


def test_the_folder_of_the_run_itself_may_be_the_output(tmp_path):
    folder = stopped_after(3, tmp_path)
    result = run(*tiny_study(tmp_path), folder, in_process=True)
    assert result.run.location == str(folder)
    assert result.computed == 12


def test_a_worker_with_other_source_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.job.source_digest", lambda: "0" * 64)
    with pytest.raises(SweepError, match="imports another version of models/ or sweep/"):
        finish(tmp_path)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("data/notes.txt", "holds data/notes.txt, which is not from this program"),
        ("manifest.json", "was not written by this version"),
    ],
)
def test_files_of_others_are_not_touched(tmp_path, place, sentence):
    folder = stopped_after(2, tmp_path)
    (folder / place).write_text("mine")
    with pytest.raises(SweepError, match=sentence):
        finish(tmp_path)
    assert (folder / place).read_text() == "mine"


def test_output_inside_a_file(tmp_path):
    (tmp_path / "results").write_text("x")
    with pytest.raises(SweepError, match="lies inside a file"):
        finish(tmp_path)
