"""Files appear whole or not at all, in folders and in other file systems."""

import errno
import os

import pytest
from pyarrow import fs

from sweep.dataset.store import LocalStore, RemoteStore, below, check_writable, open_store
from sweep.errors import SweepError


def remote(tmp_path, type_name="local"):
    """A store through pyarrow's own local file system: not atomic on put, so it has to move."""
    assert fs.LocalFileSystem().type_name == type_name
    return RemoteStore(fs.LocalFileSystem(), str(tmp_path), "mock://bucket")


@pytest.fixture(params=["local", "remote"])
def store(request, tmp_path):
    return LocalStore(tmp_path) if request.param == "local" else remote(tmp_path)


def test_what_is_put_is_there(store):
    store.put("data/system=a/part-000000.parquet", b"rows")
    store.put("manifest.json", b"{}")
    assert store.get("data/system=a/part-000000.parquet") == b"rows"
    assert store.files() == {"data/system=a/part-000000.parquet": 4, "manifest.json": 2}
    assert store.files("data") == {"data/system=a/part-000000.parquet": 4}
    assert store.files("nowhere") == {}


def test_put_replaces_and_delete_forgives(store):
    store.put("a", b"old")
    store.put("a", b"newer")
    assert store.get("a") == b"newer"
    store.delete("a")
    store.delete("a")
    assert store.files() == {}
    with pytest.raises(FileNotFoundError):
        store.get("a")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, code):
    def full(_):
        raise OSError(code, os.strerror(code))

    store = LocalStore(tmp_path)
    store.put("data/part", b"first")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SweepError, match=r"no space left for .* finished parts are kept"):
        store.put("data/part", b"second")
    monkeypatch.undo()
    assert store.files() == {"data/part": 5}
    assert store.get("data/part") == b"first"


def test_output_inside_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SweepError, match="lies inside a file"):
        check_writable(LocalStore(tmp_path / "file" / "results"))


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(SweepError, match=r"cannot be written \(Permission denied\)"):
        check_writable(LocalStore(tmp_path))


def test_check_leaves_no_trace(tmp_path):
    check_writable(LocalStore(tmp_path / "new"))
    assert list((tmp_path / "new").iterdir()) == []


def test_locations(tmp_path):
    assert open_store(tmp_path) == LocalStore(tmp_path)
    assert open_store(f"file://{tmp_path}/a%20b") == LocalStore(tmp_path / "a b")
    assert open_store("mock:///bucket/").location == "mock:///bucket"
    assert below("s3://bucket/results/", "study", "id") == "s3://bucket/results/study/id"
    assert below("results", "study") == os.path.join("results", "study")  # noqa: PTH118
    with pytest.raises(SweepError, match="cannot be opened"):
        open_store("nonsense://bucket")
