"""One process at a time works on a run; the operating system lets go of the lock however that process ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sweep.dataset.store import LocalStore, Store
from sweep.errors import SweepError

LOCK = ".lock"


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


def _lock(descriptor: int, operation: int, location: str) -> None:
    import fcntl  # noqa: PLC0415

    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError as error:
        raise SweepError(f"another process is working on {location}; wait for it or stop it first") from error
