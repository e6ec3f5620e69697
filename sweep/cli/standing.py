"""How far runs are, read from their folders alone, so that it works from another shell or machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweep.dataset import Manifest, open_run
from sweep.dataset.layout import LATEST, LATEST_SEARCH, MANIFEST
from sweep.dataset.lock import is_worked_on
from sweep.dataset.manifest import SearchAsked
from sweep.dataset.parts import Part, finished_parts
from sweep.dataset.store import LocalStore, below, open_store
from sweep.errors import StudyError


@dataclass(frozen=True, slots=True)
class Standing:
    """One run: parts and designs done of all, and what is in them. ``designs`` count before ``where``.

    ``state`` is complete, running or interrupted; in an object store nobody knows whether a process still runs. A
    search counts its trials, those that it began with apart; ``designs_done`` is None there, as it covers no range.
    """

    study: str
    run: str
    location: str
    state: str
    chunks_done: int
    chunks: int
    designs_done: int | None
    designs: int
    rows: int
    infeasible: int
    bytes: int
    started: str
    finished: str
    limit: int | None = None
    folders: tuple[str, ...] = ()
    search: SearchAsked | None = None
    trials_done: int | None = None

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1: of the trials of a search, of the parts of a sweep."""
        if self.search is not None and self.trials_done is not None:
            return min(self.trials_done / self.search.trials, 1.0)
        return self.chunks_done / max(self.chunks, 1)

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
        return _standing(manifest, run.location, manifest.parts, worked_on=False)
    parts = [*finished_parts(run.store).values()]
    return _standing(manifest, run.location, parts, worked_on=is_worked_on(run.store))


def _standing(manifest: Manifest, location: str, parts: Sequence[Part], *, worked_on: bool) -> Standing:
    complete, search = manifest.state == "complete", manifest.search
    rows = sum(part.rows for part in parts)
    covered = manifest.designs if complete else sum(part.stop - part.start for part in parts)
    return Standing(
        study=manifest.study,
        run=manifest.run,
        location=location,
        state=manifest.state if complete or worked_on else "interrupted",
        chunks_done=manifest.chunks if complete else len(parts),
        chunks=manifest.chunks,
        designs_done=covered if search is None else None,
        designs=manifest.designs,
        rows=rows,
        infeasible=rows - sum(part.ok for part in parts),
        bytes=sum(part.bytes for part in parts),
        started=manifest.started,
        finished=manifest.finished,
        limit=manifest.limit,
        folders=manifest.folders,
        search=search,
        trials_done=None if search is None else sum(part.trials for part in parts),
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
    runs = [standing(below(results, name)) for name in names if name.rpartition("/")[2] not in {LATEST, LATEST_SEARCH}]
    return sorted(runs, key=lambda run: (run.started, run.location), reverse=True)
