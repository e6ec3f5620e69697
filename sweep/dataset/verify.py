"""Proof that a run's files are what was computed: digests, row counts, schema and design ids, part by part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sweep.dataset.columns import DESIGN
from sweep.dataset.manifest import Manifest
from sweep.dataset.parts import DATA, Part, dataset_digest
from sweep.dataset.runs import Run


def verify(run: Run, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Return every fault of a run as a sentence; an empty list means that all of it is as computed.

    ``progress`` is called with the number of parts read and their total.
    """
    manifest, parts = run.manifest, run.parts
    sizes = run.store.files(DATA)
    faults = list(_manifest_faults(manifest, parts))
    names = {part.name for part in parts if part.name}
    faults += [f"{name} belongs to no part of this run" for name in sorted(sizes.keys() - names)]
    for done, part in enumerate(parts, start=1):
        if part.name:
            faults += _part_faults(run, part, sizes)
        if progress is not None:
            progress(done, len(parts))
    return faults


def _manifest_faults(manifest: Manifest, parts: tuple[Part, ...]) -> Iterator[str]:
    if manifest.state != "complete":
        done = "not merged yet" if manifest.keep.merged else f"{len(parts)} of {manifest.chunks} parts are there"
        yield f"the run is not complete ({done}); run it again to finish it"
        return
    if dataset_digest(parts) != manifest.digests.get("dataset"):
        yield "the digest of the dataset does not follow from the parts that the manifest lists"
    if sum(part.rows for part in parts) != manifest.rows:
        yield f"the manifest counts {manifest.rows:,} rows, its parts {sum(part.rows for part in parts):,}"
    if manifest.keep.by_chunk:
        yield from _range_faults(manifest, parts)


def _range_faults(manifest: Manifest, parts: tuple[Part, ...]) -> Iterator[str]:
    expected = 0
    for part in parts:
        if part.start != expected:
            yield f"designs {expected} to {part.start - 1} are in no part"
        expected = part.stop
    if expected != manifest.designs:
        yield f"the parts end at design {expected}, the study has {manifest.designs:,}"


def _part_faults(run: Run, part: Part, sizes: Mapping[str, int]) -> list[str]:
    if part.name not in sizes:
        return [f"{part.name} is missing"]
    data = run.store.get(part.name)
    if len(data) != part.bytes:
        return [f"{part.name} has {len(data):,} bytes instead of {part.bytes:,}"]
    if hashlib.sha256(data).hexdigest() != part.digest:
        return [f"{part.name} was changed after it was written: its digest differs from the manifest's"]
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        if not file.schema_arrow.equals(run.manifest.schema, check_metadata=True):
            return [f"{part.name} has other columns, types or units than the manifest says"]
        ids = file.read(columns=[DESIGN])[DESIGN].to_numpy()
    except (pa.ArrowException, OSError) as error:
        return [f"{part.name} cannot be read as Parquet: {str(error).splitlines()[0]}"]
    return [f"{part.name} {fault}" for fault in _id_faults(ids, part, run.manifest)]


def _id_faults(ids: np.ndarray[tuple[int], np.dtype[np.int64]], part: Part, manifest: Manifest) -> Iterator[str]:
    if ids.size != part.rows:
        yield f"has {ids.size:,} rows instead of {part.rows:,}"
    if ids.size and (np.diff(ids) <= 0).any():
        yield "does not hold its designs once each and in order"
    if ids.size and (ids[0] != part.first or ids[0] < part.start or ids[-1] >= part.stop):
        yield f"holds designs outside {part.start} to {part.stop - 1}"
    if manifest.keep.kind == "all" and part.rows + part.pruned != part.stop - part.start:
        yield f"has {part.rows:,} rows where {part.stop - part.start - part.pruned:,} designs were evaluated"
