"""How far runs are, read from their folders alone, so that it works from another shell or machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweep.dataset import Manifest, open_run
from sweep.dataset.layout import LATEST, MANIFEST
from sweep.dataset.lock import is_worked_on
from sweep.dataset.parts import finished_parts
from sweep.dataset.store import LocalStore, below, open_store
from sweep.errors import StudyError


@dataclass(frozen=True, slots=True)
class Standing:
    """One run: parts and designs done of all, and what is in them. ``designs`` count before ``where``.

    ``state`` is complete, running or interrupted; in an object store nobody knows whether a process still runs.
    """

    study: str
    run: str
    location: str
    state: str
    chunks_done: int
    chunks: int
    designs_done: int
    designs: int
    rows: int
    infeasible: int
    bytes: int
    started: str
    finished: str
    limit: int | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.state == "complete"

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def standing(location: str) -> Standing:
    """Return how far a run is. Raises ``SweepError`` when there is none."""
    run = open_run(location)
    manifest = run.manifest
    if manifest.state == "complete":
        done = (manifest.chunks, manifest.designs, manifest.rows, manifest.rows - manifest.ok, manifest.bytes)
        return _standing(manifest, run.location, *done)
    parts = finished_parts(run.store).values()
    rows = sum(part.rows for part in parts)
    return _standing(
        manifest, run.location, len(parts), sum(part.stop - part.start for part in parts), rows,
        rows - sum(part.ok for part in parts), sum(part.bytes for part in parts), worked_on=is_worked_on(run.store),
    )  # fmt: skip


def _standing(
    manifest: Manifest,
    location: str,
    chunks: int,
    designs: int,
    rows: int,
    infeasible: int,
    size: int,
    *,
    worked_on: bool = False,
) -> Standing:
    return Standing(
        study=manifest.study,
        run=manifest.run,
        location=location,
        state=manifest.state if manifest.state == "complete" or worked_on else "interrupted",
        chunks_done=chunks,
        chunks=manifest.chunks,
        designs_done=designs,
        designs=manifest.designs,
        rows=rows,
        infeasible=infeasible,
        bytes=size,
        started=manifest.started,
        finished=manifest.finished,
        limit=manifest.limit,
    )


def standings(results: str) -> list[Standing]:
    """Return all runs of a results folder, newest first; a folder without any has none.

    Raises ``StudyError`` when there is no such folder.
    """
    store = open_store(results)
    if not isinstance(store, LocalStore):
        names = {name.rpartition("/")[0] for name in store.files() if name.rpartition("/")[2] == MANIFEST}
    elif Path(results).is_dir():
        found = Path(results).glob(f"*/*/{MANIFEST}")
        names = {path.parent.relative_to(results).as_posix() for path in found}
    else:
        raise StudyError.at("is no folder; supernode run makes one, and -o there names another", results)
    runs = [standing(below(results, name)) for name in names if name.rpartition("/")[2] != LATEST]
    return sorted(runs, key=lambda run: (run.started, run.location), reverse=True)
