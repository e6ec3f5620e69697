"""Runs that start Ray themselves: a killed driver, foreign packages in the working folder, a Ray that cannot start."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_study import TINY, tiny_study

from sweep.dataset import verify
from sweep.engine import run
from sweep.errors import SweepError

SMALL_PARTS = TINY.replace("rows_per_part: 60", "rows_per_part: 7")

DRIVER = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from tiny_study import tiny_study
from sweep.engine import run
run(*tiny_study(Path({folder!r}), Path({folder!r}, "study.yaml").read_text()), Path({folder!r}, "results"), workers=2)
"""


@pytest.mark.slow
def test_a_killed_driver_and_folders_of_the_same_name_change_nothing(tmp_path, monkeypatch):
    whole = run(*tiny_study(tmp_path, SMALL_PARTS), tmp_path / "here", in_process=True).run.manifest
    (tmp_path / "study.yaml").write_text(SMALL_PARTS)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    process = subprocess.Popen([sys.executable, "-c", DRIVER.format(paths=paths, folder=str(tmp_path))])
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("results/tiny/*/parts/*.json"))) < 5:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    for package in ("models", "sweep"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    monkeypatch.chdir(tmp_path)
    result = run(
        *tiny_study(tmp_path, SMALL_PARTS), "results", workers=1
    )  # a path that a worker must not take as its own
    assert 0 < result.computed < whole.chunks
    assert result.run.manifest.digests == whole.digests
    assert verify(result.run) == []


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (None, r"Ray cannot start on this machine \(no free port\).*--in-process"),
        ("auto", r"there is no Ray cluster at auto \(no free port\)"),
        ("ray://127.0.0.1:1", r"there is no Ray cluster at ray://127.0.0.1:1 \(Connection refused\)"),
    ],
)
def test_when_ray_cannot_start_the_user_reads_what_to_do(tmp_path, monkeypatch, address, sentence):
    def fail(**_):
        raise ConnectionError("no free port\nmany more lines")

    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", fail)
    with pytest.raises(SweepError, match=sentence):
        run(*tiny_study(tmp_path), tmp_path / "results", address=address)
    assert not list(tmp_path.glob("results/**/manifest.json"))  # no run, not even an empty one


def test_in_process_runs_never_import_ray(tmp_path):
    code = DRIVER.replace("workers=2", "in_process=True") + "assert 'ray' not in sys.modules\n"
    (tmp_path / "study.yaml").write_text(TINY)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    subprocess.run([sys.executable, "-c", code.format(paths=paths, folder=str(tmp_path))], check=True)
