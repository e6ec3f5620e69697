"""Where the files of a run live: a local or shared folder, or an object store through ``pyarrow.fs``.

A file appears whole or not at all. In a folder it is written under a temporary name, synced and renamed. On S3, Google
Cloud Storage and Azure an object becomes visible only when its upload is closed, so it is put in place directly. Any
other file system (HDFS, for one) gets a temporary name and a move.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlparse

from pyarrow import fs

from sweep.errors import SweepError

TEMPORARY = ".tmp"
PUT_IS_ATOMIC = frozenset({"s3", "gcs", "abfs"})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Store(Protocol):
    """A folder of files that are written once and whole; names are relative and use ``/``."""

    @property
    def location(self) -> str:
        """The folder as a user would write it."""

    def put(self, name: str, data: Any) -> None:
        """Write bytes (or any buffer) as one file, replacing what was there."""

    def get(self, name: str) -> bytes:
        """Return the content of a file; raises ``FileNotFoundError``."""

    def files(self, under: str = "") -> dict[str, int]:
        """Return name → bytes of every file below a folder; temporary files included."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""


@dataclass(frozen=True, slots=True)
class LocalStore:
    """A folder on a local or shared disk."""

    root: Path

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self.root)

    def put(self, name: str, data: Any) -> None:
        """Write to a temporary name in the same folder, sync, rename, sync the folder."""
        final = self.root / name
        temporary = final.parent / f".{final.name}.{uuid.uuid4().hex[:8]}{TEMPORARY}"
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(final)
            _sync_folder(final.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise storage_error(error, self.location) from error

    def get(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.root / name).read_bytes()

    def files(self, under: str = "") -> dict[str, int]:
        """Return name → bytes of every file below a folder."""
        found: dict[str, int] = {}
        for folder, _, names in os.walk(self.root / under):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):  # renamed by a worker since the folder was listed
                    found[path.relative_to(self.root).as_posix()] = path.stat().st_size
        return found

    def delete(self, name: str) -> None:
        """Remove a file, and its folder when that is empty now."""
        path = self.root / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, self.location) from error
        if path.parent != self.root:
            with contextlib.suppress(OSError):
                path.parent.rmdir()


@dataclass(frozen=True, slots=True)
class RemoteStore:
    """A folder in any file system that pyarrow knows."""

    filesystem: fs.FileSystem
    root: str
    location: str

    def put(self, name: str, data: Any) -> None:
        """Put the object directly where that is atomic, otherwise move it into place."""
        final = f"{self.root}/{name}"
        atomic = self.filesystem.type_name in PUT_IS_ATOMIC
        target = final if atomic else f"{final}.{uuid.uuid4().hex[:8]}{TEMPORARY}"
        try:
            if not atomic:
                self.filesystem.create_dir(final.rpartition("/")[0], recursive=True)
            with self.filesystem.open_output_stream(target) as stream:
                stream.write(data)
            if not atomic:
                self.filesystem.move(target, final)
        except OSError as error:
            raise storage_error(error, self.location) from error

    def get(self, name: str) -> bytes:
        """Return the content of an object."""
        with self.filesystem.open_input_stream(f"{self.root}/{name}") as stream:
            return bytes(stream.read())

    def files(self, under: str = "") -> dict[str, int]:
        """Return name → bytes of every object below a folder."""
        base = f"{self.root}/{under}" if under else self.root
        selector = fs.FileSelector(base, recursive=True, allow_not_found=True)
        try:
            found = self.filesystem.get_file_info(selector)
        except OSError as error:
            raise storage_error(error, self.location) from error
        start = len(self.root) + 1
        return {info.path[start:]: info.size for info in found if info.type == fs.FileType.File}

    def delete(self, name: str) -> None:
        """Remove an object."""
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_file(f"{self.root}/{name}")


def open_store(location: str | Path) -> LocalStore | RemoteStore:
    """Return the store of a path or URI; creates nothing. Raises ``SweepError`` for a URI pyarrow cannot open."""
    text = str(location)
    parsed = urlparse(text)
    if "://" not in text:
        return LocalStore(Path(text).expanduser().absolute())
    if parsed.scheme == "file":
        return LocalStore(Path(unquote(parsed.path)))
    try:
        filesystem, root = fs.FileSystem.from_uri(text)
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        first_line = str(error).splitlines()[0]
        raise SweepError(
            f"{text} cannot be opened ({first_line}); give a folder or a URI such as s3://bucket/results"
        ) from error
    return RemoteStore(filesystem, root.rstrip("/"), text.rstrip("/"))


def below(location: str | Path, *parts: str) -> str:
    """Return the location of a folder inside another, path or URI."""
    text = str(location)
    return "/".join((text.rstrip("/"), *parts)) if "://" in text else str(Path(text, *parts))


def check_writable(store: Store) -> None:
    """Write and remove a small file, so that a fault shows before the work starts. Raises ``SweepError``."""
    probe = f".probe-{uuid.uuid4().hex[:8]}"
    store.put(probe, b"probe")
    store.delete(probe)


def storage_error(error: OSError, location: str) -> SweepError:
    """Return the sentence for a failed read or write."""
    if error.errno in FULL:
        return SweepError(f"no space left for {location}: free some and run again, finished parts are kept")
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return SweepError(f"{location} lies inside a file, not a folder; choose another --output")
    reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
    return SweepError(f"{location} cannot be written ({reason}); check its permissions or choose another --output")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
