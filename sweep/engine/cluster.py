"""Ray: starting it quietly, a bounded number of tasks in flight, and every fault of it as one sentence.

Workers get this program's packages and an empty working directory, so that a folder called ``models`` or ``sweep``
where the user happens to be is never imported; each task also compares source digests (``run_chunk``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import models
import sweep
from sweep.dataset.parts import Part
from sweep.engine.job import Failure, Job, run_chunk
from sweep.errors import SweepError

OBJECT_STORE_BYTES = 100_000_000
"""Only the study and short records travel, so the smallest store Ray allows (about 75 MB) is nearly enough."""
CONNECT_SECONDS = 10
RETRIES = 3
PER_WORKER = 2
"""Tasks in flight per worker: one that works and one that waits."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}


@contextlib.contextmanager
def ray_session(workers: int, address: str | None = None) -> Iterator[int]:
    """Start Ray on this machine, or connect to a cluster; yield the number of tasks it can run at once.

    A connection that is open already is used as it is and left open. Raises ``SweepError`` when Ray cannot start.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    import ray  # noqa: PLC0415  (0.3 s, and only runs on Ray need it)

    if ray.is_initialized():
        yield _cores(ray)
        return
    with tempfile.TemporaryDirectory(prefix="supernode-") as neutral:
        Path(neutral, "README").write_text("Empty on purpose: workers import nothing from here.\n", encoding="utf-8")
        try:
            _start(ray, workers, address, neutral)
            yield workers if address is None else _cores(ray)
        finally:
            ray.shutdown()


def _start(ray: Any, workers: int, address: str | None, neutral: str) -> None:
    packages = [str(Path(package.__path__[0]).resolve()) for package in (sweep, models)]
    options: dict[str, Any] = {
        "runtime_env": {"working_dir": neutral, "py_modules": packages},
        "logging_level": logging.ERROR,
        "log_to_driver": False,
    }
    if address is None:
        local = {"num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
        options |= {"address": "local", **local}
    else:
        _check_reachable(address)
        options["address"] = address
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises a dozen kinds, from ConnectionError to its own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if address is not None:
            raise SweepError(f"there is no Ray cluster at {address} ({reason})") from error
        raise SweepError(
            f"Ray cannot start on this machine ({reason}); it needs free ports, memory and room in the temporary "
            "folder. --in-process runs the same study without Ray"
        ) from error


def _check_reachable(address: str) -> None:
    """Raise ``SweepError`` when nobody listens at ``host:port``; Ray itself would try for over a minute."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdigit()):
        return  # such as auto
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise SweepError(f"there is no Ray cluster at {address} ({error.strerror or error})") from error


def _cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def run_on_ray(job: Job, numbers: Iterable[int], at_once: int) -> Iterator[Part | Failure]:
    """Yield what becomes of each chunk, in the order in which they finish; at most a few are in flight."""
    import ray  # noqa: PLC0415

    task = ray.remote(run_chunk).options(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)
    shared = ray.put(job)
    waiting = iter(numbers)
    flying = [task.remote(shared, number) for number in islice(waiting, at_once * PER_WORKER)]
    while flying:
        done, flying = ray.wait(flying, num_returns=1)
        flying += [task.remote(shared, number) for number in islice(waiting, len(done))]
        yield _result(ray, done[0])


def _result(ray: Any, reference: Any) -> Part | Failure:
    try:
        result: Part | Failure = ray.get(reference)
    except ray.exceptions.OutOfMemoryError:
        return Failure("workers ran out of memory; use fewer (--workers) or lower rows_per_part in the study")
    except ray.exceptions.WorkerCrashedError:
        return Failure(f"a worker died {RETRIES + 1} times at the same chunk; finished parts are kept")
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        return Failure(f"a Ray task failed: {lines[-1] if lines else type(error).__name__}", str(error))
    return result
