"""Runs on one Ray of two workers, with the real model: same bits as in this process, dead workers, Ctrl-C."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_study import TINY, tiny_study

from sweep.dataset import verify
from sweep.engine import run
from sweep.engine.cluster import ray_session, run_on_ray
from sweep.engine.job import Failure, Job
from sweep.engine.prepare import first_manifest
from sweep.errors import Interrupted

SMALL_PARTS = TINY.replace("rows_per_part: 60", "rows_per_part: 7")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The dataset as this process computes it."""
    folder = tmp_path_factory.mktemp("whole")
    return run(*tiny_study(folder, SMALL_PARTS), folder / "results", in_process=True).run.manifest


@pytest.fixture(scope="module")
def two_workers():
    """One Ray for all tests of this file that need no start of their own."""
    with ray_session(2) as at_once:
        assert at_once == 2
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_two_workers_write_the_same_bytes(tmp_path, whole):
    seen = []
    result = run(*tiny_study(tmp_path, SMALL_PARTS), tmp_path / "results", progress=seen.append)
    assert result.run.manifest.digests == whole.digests
    assert verify(result.run) == []
    assert [progress.chunks_done for progress in seen] == list(range(len(seen)))
    assert set(result.run.manifest.shares) == {"model", "rows", "parquet", "overhead"}


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_a_reduced_run_is_the_same_on_ray(tmp_path):
    text = SMALL_PARTS + "keep: top 2\n"
    (tmp_path / "here").mkdir()
    here = run(*tiny_study(tmp_path / "here", text), tmp_path / "here", in_process=True)
    result = run(*tiny_study(tmp_path, text), tmp_path / "results")
    assert result.run.manifest.digests == here.run.manifest.digests


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_a_worker_that_dies_is_replaced(tmp_path, whole):
    killed = []

    def kill_one(progress):
        if progress.chunks_done >= 3 and not killed:
            killed.extend(_workers()[:1])  # between two chunks no worker has one: then at the next report
            for process in killed:
                os.kill(process, signal.SIGKILL)

    result = run(*tiny_study(tmp_path, SMALL_PARTS), tmp_path / "results", progress=kill_one)
    assert killed
    assert result.run.manifest.digests == whole.digests


def _workers():
    """Processes of this test's own Ray that work on chunks: children of a raylet that this process started."""
    processes = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    busy = [process for process in processes if _read(Path(f"/proc/{process}/cmdline")).startswith(b"ray::run_chunk")]
    return [process for process in busy if _parent(_parent(process)) == os.getpid()]


def _parent(process):
    return int(_read(Path(f"/proc/{process}/stat")).rpartition(b")")[2].split()[1] or 0)


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b") - 0"


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_ctrl_c_keeps_what_is_finished(tmp_path, whole):
    def stop(progress):
        if progress.chunks_done == 5:
            raise KeyboardInterrupt

    study, catalogue = tiny_study(tmp_path, SMALL_PARTS)
    with pytest.raises(Interrupted):
        run(study, catalogue, tmp_path / "results", progress=stop)
    result = run(study, catalogue, tmp_path / "results")
    assert 0 < result.computed <= whole.chunks - 5
    assert result.run.manifest.digests == whole.digests


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_a_worker_compares_its_source_with_the_drivers(tmp_path):
    study, catalogue = tiny_study(tmp_path)
    manifest, location = first_manifest(study, catalogue, tmp_path, None)
    other = replace(manifest, digests={**manifest.digests, "model": "0" * 64})
    (result,) = run_on_ray(Job(study, catalogue, location, other), [0], 1)
    assert isinstance(result, Failure)
    assert "imports another version of models/ or sweep/" in result.sentence
