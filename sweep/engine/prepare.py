"""What stands in a run's folder before the first part: the manifest, the study, the columns, the sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from sweep.catalogue import Catalogue
from sweep.dataset.columns import columns_csv
from sweep.dataset.layout import COLUMNS, SOURCES, STUDY, run_id, run_location
from sweep.dataset.manifest import (
    Manifest,
    git_revision,
    host_facts,
    library_versions,
    now,
    read_manifest,
    write_manifest,
)
from sweep.dataset.parts import DATA, RECORDS, Part, finished_parts, record_name, write_record
from sweep.dataset.store import TEMPORARY, Store
from sweep.engine.columns import study_columns, study_keep
from sweep.engine.source import source_digest
from sweep.engine.sources import sources_csv
from sweep.errors import SweepError
from sweep.space import Chunks
from sweep.study import Study

NONE_DONE: Mapping[int, Part] = MappingProxyType({})
OURS = re.compile(rf"{DATA}/([^/]+=[^/]*/)*part-\d{{6,}}\.parquet")


def first_manifest(study: Study, catalogue: Catalogue, output: str | Path, limit: int | None) -> tuple[Manifest, str]:
    """Return the manifest of a run that has not begun, and the folder it belongs in; writes nothing.

    Raises ``SweepError`` when ``output`` is the folder of another run.
    """
    digests = {"study": study.digest, "catalogue": catalogue.digest(), "model": source_digest()}
    identity = run_id(digests["study"], digests["catalogue"], digests["model"], limit)
    chunks = Chunks(study.space, study.rows_per_part)
    designs = study.space.size if limit is None else min(limit, study.space.size)
    manifest = Manifest(
        study=study.name,
        question=study.question,
        run=identity,
        state="running",
        digests=digests,
        designs=designs,
        chunks=chunks.holding(designs - 1).number + 1,
        keep=study_keep(study),
        floats=study.float_type,
        partition=study.partition,
        columns=study_columns(study),
        seed=study.seed,
        limit=limit,
        versions=library_versions(),
        git=git_revision(),
        host=host_facts(),
        started=now(),
        folders=tuple(folder for folder in catalogue.folders if folder not in study.catalogue_dirs),
    )
    return manifest, run_location(output, study.name, identity)


def done_parts(store: Store, manifest: Manifest) -> dict[int, Part]:
    """Return what an earlier session finished, by chunk number."""
    earlier = read_manifest(store)
    if earlier is None or earlier.state == "running" or manifest.keep.merged:
        return finished_parts(store)
    sizes = store.files(DATA)
    return {part.index: part for part in earlier.parts if not part.name or sizes.get(part.name) == part.bytes}


def is_complete(store: Store) -> bool:
    """Return whether the run is finished and every part of it still has its size."""
    earlier = read_manifest(store)
    if earlier is None or earlier.state != "complete":
        return False
    sizes = store.files(DATA)
    return all(sizes.get(part.name) == part.bytes for part in earlier.parts if part.name)


def prepare(
    store: Store, study: Study, catalogue: Catalogue, manifest: Manifest, done: Mapping[int, Part] = NONE_DONE
) -> None:
    """Write what describes the run, after clearing what a killed process left half written.

    A complete run has no records any more; one that is repaired gets those of its ``done`` parts back first.

    Raises ``SweepError`` when the data folder holds a file of someone else.
    """
    for name in store.files():
        if name.endswith(TEMPORARY):
            store.delete(name)
    for name in sorted(store.files(DATA)):
        if not OURS.fullmatch(name):
            raise SweepError(f"{store.location} holds {name}, which is not from this program; move it away")
    recorded = store.files(RECORDS)
    for part in done.values():
        if record_name(part.index) not in recorded:
            write_record(store, part)
    store.put(STUDY, study.text.encode())
    store.put(COLUMNS, columns_csv(manifest.columns, manifest.floats))
    store.put(SOURCES, sources_csv(study, catalogue))
    write_manifest(store, manifest)
