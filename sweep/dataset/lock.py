"""One process at a time works on a run; the operating system lets go of the lock however that process ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sweep.dataset.store import LocalStore, Store
from sweep.errors import SweepError

LOCK = ".lock"
LOOK = 0.05
"""Seconds that a look at the lock may take."""


@contextmanager
def only_worker(store: Store) -> Iterator[None]:
    """Hold the run's lock. Raises ``SweepError`` when another process has it.

    Only a local or shared folder can be locked; in an object store two processes would write the same bytes twice.
    """
    if not isinstance(store, LocalStore) or sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415  (not on Windows)

    path = store.root / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with suppress(OSError):  # some network file systems cannot lock; parts are idempotent there too
            _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, store.location)
        yield
    finally:
        os.close(descriptor)


def is_worked_on(store: Store) -> bool:
    """Return whether a process holds the run's lock; true also where that cannot be known."""
    if not isinstance(store, LocalStore) or sys.platform == "win32":
        return True
    import fcntl  # noqa: PLC0415  (not on Windows)

    try:
        descriptor = os.open(store.root / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # held, or a file system that cannot lock
        return True
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int, operation: int, location: str) -> None:
    import fcntl  # noqa: PLC0415

    with suppress(BlockingIOError):
        fcntl.flock(descriptor, operation)
        return
    time.sleep(LOOK)  # one who only looks lets go at once
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError as error:
        raise SweepError(f"another process is working on {location}; wait for it or stop it first") from error
