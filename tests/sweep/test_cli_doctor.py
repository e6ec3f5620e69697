"""The doctor: every check says what it found, and every finding that is not ok says what to do."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sweep import doctor
from sweep.cli.app import cli


def check_of(name, results, folder):
    return next(check for check in doctor.examine(results, (), folder) if check.name == name)


def test_this_machine_can_run_a_study(tmp_path):
    checks = doctor.examine(tmp_path / "results", (), tmp_path)
    assert [check for check in checks if check.status == "fail"] == []
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.found for check in checks)
    assert all(check.advice for check in checks if check.status != "ok")
    assert not (tmp_path / "results").exists(), "the doctor leaves nothing behind"


@pytest.mark.parametrize("name", ["models", "sweep", "models.py"])
def test_a_folder_named_like_a_package_of_ours_is_a_trap(tmp_path, name):
    (tmp_path / name).mkdir()
    check = check_of("working folder", tmp_path, tmp_path)
    assert check.status == "warn"
    assert str(tmp_path / name) in check.found


def test_our_own_source_tree_is_no_trap(tmp_path):
    root = Path(doctor.__file__).parents[1]
    assert check_of("working folder", tmp_path, root).status == "ok"


def test_a_results_folder_that_cannot_be_written_fails(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    check = check_of("results folder", tmp_path, tmp_path)
    assert check.status == "fail"
    assert "Permission denied" in check.found


def test_scarce_disk_and_memory_are_warnings(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    monkeypatch.setattr(doctor, "available_memory", lambda: 1e9)
    monkeypatch.setattr(doctor, "SHARED_MEMORY", tmp_path)
    for name in ("disk", "memory", "shared memory"):
        assert check_of(name, tmp_path, tmp_path).status == "warn"


def test_the_quota_of_a_container_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "CGROUP", tmp_path)
    without = doctor.cores()
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert doctor.cores() == 0.5 < without
    assert doctor.available_memory() == 2e6


def test_a_broken_catalogue_of_the_users_is_named(tmp_path):
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "mine.yaml").write_text("titel: x\n")
    check = next(check for check in doctor.examine(tmp_path, (tmp_path,), tmp_path) if check.name == "catalogue")
    assert check.status == "fail"
    assert "mine.yaml" in check.found


def test_a_failing_check_is_exit_code_1_and_still_an_answer(monkeypatch):
    finding = doctor.Check("disk", "fail", "full", "free some")
    monkeypatch.setattr(doctor, "examine", lambda *_: [finding])
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [{"name": "disk", "status": "fail", "found": "full", "advice": "free some"}]
    assert result.stderr == ""
