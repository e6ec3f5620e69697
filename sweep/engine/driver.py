"""Running a study: what is missing is computed, what is there is kept, and a finished run is left alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sweep.catalogue import Catalogue
from sweep.dataset.layout import point_latest
from sweep.dataset.lock import only_worker
from sweep.dataset.manifest import write_manifest
from sweep.dataset.merge import drop_unneeded, merge
from sweep.dataset.parts import Part
from sweep.dataset.runs import Run, open_run
from sweep.dataset.store import LocalStore, Store, check_writable, open_store
from sweep.engine.cluster import ray_session, run_on_ray
from sweep.engine.job import Failure, Job, run_chunk
from sweep.engine.prepare import done_parts, first_manifest, is_complete, prepare
from sweep.errors import Interrupted, StudyError, SweepError
from sweep.study import Study


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Designs count before ``where``; rows are what was written so far."""

    chunks_done: int
    chunks: int
    designs_done: int
    designs: int
    rows: int
    ok: int
    bytes: int

    def plus(self, part: Part) -> Progress:
        """Return the progress after one more part."""
        return Progress(
            self.chunks_done + 1,
            self.chunks,
            self.designs_done + part.stop - part.start,
            self.designs,
            self.rows + part.rows,
            self.ok + part.ok,
            self.bytes + part.bytes,
        )


@dataclass(frozen=True, slots=True)
class RunResult:
    """A complete run; ``computed`` of its chunks were missing before."""

    run: Run
    computed: int
    seconds: float


class DefectError(SweepError):
    """The program failed on a design; ``trace`` is the traceback of the process that did."""

    def __init__(self, sentence: str, trace: str) -> None:
        super().__init__(sentence)
        self.trace = trace


def run(
    study: Study,
    catalogue: Catalogue,
    output: str | Path = "results",
    *,
    workers: int | None = None,
    in_process: bool = False,
    limit: int | None = None,
    address: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Run a study, or finish it.

    Parameters
    ----------
    study, catalogue
        What to compute.
    output
        Folder or URI of results; the run gets ``<study>/<run id>/`` in it.
    workers
        Ray workers on this machine; the number of cores when not given.
    in_process
        Compute in this process, without Ray. The rows are the same.
    limit
        Only the first designs by id, this many; such a run has its own id.
    address
        Ray cluster to use instead of this machine.
    progress
        Called at the start and after every part.

    Raises ``SweepError`` (or one of its kinds) with one sentence; finished parts are kept.
    """
    started = time.perf_counter()
    manifest, location = first_manifest(study, catalogue, output, limit)
    store = open_store(location)
    computed = 0
    if not is_complete(store):
        check_writable(store)
        with only_worker(store):
            done = done_parts(store, manifest)
            session = nullcontext(1) if in_process else ray_session(workers or cores(), address)
            job = Job(study, catalogue, store.location, manifest)  # absolute: workers stand in a folder of their own
            computed = _work(job, done, session, progress, in_process=in_process)
    point_latest(location)
    return RunResult(open_run(location), computed, time.perf_counter() - started)


def _work(
    job: Job,
    done: dict[int, Part],
    session: AbstractContextManager[int],
    progress: Callable[[Progress], None] | None,
    *,
    in_process: bool,
) -> int:
    """Compute the missing chunks, merge where the study reduces, close the manifest; return how many were missing."""
    tally = _Tally(job, done, progress)
    opening = time.perf_counter()
    try:
        with session as at_once:
            opened = time.perf_counter()
            # Not before: when Ray cannot start there is no run, not even an empty one.
            prepare(open_store(job.location), job.study, job.catalogue, job.manifest, done)
            point_latest(job.location)  # so that status finds it by the study's name while it is going
            missing = (number for number in range(job.manifest.chunks) if number not in done)
            results = _here(job, missing) if in_process else run_on_ray(job, missing, at_once)
            computed = tally.collect(results)
            worked = time.perf_counter()
        _close(job, tally.parts, computed, {"start": opened - opening, "wall": worked - opened}, at_once)
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted; run it again to finish {job.location}") from error
    return len(computed)


def _here(job: Job, numbers: Iterable[int]) -> Iterator[Part | Failure]:
    return (run_chunk(job, number) for number in numbers)


def _close(job: Job, parts: dict[int, Part], computed: list[int], seconds: dict[str, float], workers: int) -> None:
    """Merge if need be and write the final manifest. Raises ``StudyError`` when ``where`` dropped every design."""
    manifest, store = job.manifest, open_store(job.location)
    pruned = sum(part.pruned for part in parts.values())
    if pruned == manifest.designs:
        raise StudyError.at(f"drops every one of the {pruned:,} designs; loosen a condition", job.study.file, "where")
    seconds |= {
        "model": sum(parts[number].model_seconds for number in computed),
        "rows": sum(parts[number].rows_seconds for number in computed),
        "parquet": sum(parts[number].parquet_seconds for number in computed),
    }
    final = [part for _, part in sorted(parts.items())]
    if manifest.keep.merged:
        started = time.perf_counter()
        final = merge(store, manifest, final)
        seconds["merge"] = time.perf_counter() - started
    write_manifest(store, manifest.completed(final, pruned, seconds, workers))
    drop_unneeded(store)


class _Tally:
    """Counts parts as they come in, and stops at the first failure."""

    def __init__(self, job: Job, done: dict[int, Part], progress: Callable[[Progress], None] | None) -> None:
        self.parts = dict(done)
        self._store = open_store(job.location)
        self._progress = progress
        self._now = Progress(0, job.manifest.chunks, 0, job.manifest.designs, 0, 0, 0)
        for part in done.values():
            self._now = self._now.plus(part)
        self._report()

    def collect(self, results: Iterable[Part | Failure]) -> list[int]:
        """Return the numbers of the chunks that were computed. Raises ``SweepError``."""
        computed = []
        for result in results:
            if isinstance(result, Failure):
                raise DefectError(result.sentence, result.trace) if result.trace else SweepError(result.sentence)
            _check_arrived(self._store, result)
            self.parts[result.index] = result
            computed.append(result.index)
            self._now = self._now.plus(result)
            self._report()
        return computed

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._now)


def _check_arrived(store: Store, part: Part) -> None:
    """Raise ``SweepError`` when a worker wrote a part where this process cannot see it."""
    if part.name and isinstance(store, LocalStore) and not (store.root / part.name).exists():
        raise SweepError(
            f"a worker on another machine wrote {part.name} to its own disk; give --output a folder that all machines "
            "share, or a URI such as s3://bucket/results"
        )


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
