"""One chunk of work: evaluate, reduce, write the part, write its record. The same code in this process and on Ray."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass

import numpy as np

from sweep.catalogue import Catalogue
from sweep.dataset.columns import DESIGN
from sweep.dataset.manifest import Manifest, simd_class
from sweep.dataset.parts import DATA, PARTIAL, Part, ok_rows, part_name, write_part, write_record
from sweep.dataset.reduce import reduce
from sweep.dataset.store import open_store
from sweep.engine.rows import evaluate_chunk
from sweep.engine.source import source_digest
from sweep.errors import SweepError
from sweep.space import Chunks
from sweep.study import Study


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know; the same for every chunk of a run."""

    study: Study
    catalogue: Catalogue
    location: str
    manifest: Manifest

    @property
    def chunks(self) -> Chunks:
        """The chunks of the study."""
        return Chunks(self.study.space, self.study.rows_per_part)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a chunk has no part: a sentence for the user, and the traceback when the program is at fault."""

    sentence: str
    trace: str = ""


def run_chunk(job: Job, number: int) -> Part | Failure:
    """Compute one chunk and write its part and its record; doing it twice changes nothing.

    Failures are returned, not raised, so that they cross process borders as they are.
    """
    if source_digest() != job.manifest.digests["model"]:
        return Failure(
            "a worker imports another version of models/ or sweep/ than this process; install the same version of "
            "supernode-sweep everywhere, or use --in-process"
        )
    chunk = job.chunks[number]
    try:
        return _part(job, number)
    except SweepError as error:
        return Failure(str(error))
    except MemoryError:
        return Failure(f"not enough memory for {chunk.rows:,} designs at once; lower rows_per_part in the study")
    except Exception as error:  # noqa: BLE001  (any other error is a defect, and the driver says so)
        kind = type(error).__name__
        sentence = f"designs from {chunk.first}: this is a defect of supernode-sweep: {kind}: {error}"
        return Failure(sentence, traceback.format_exc())


def _part(job: Job, number: int) -> Part:
    manifest, chunk = job.manifest, job.chunks[number]
    rows = evaluate_chunk(job.study, job.catalogue, chunk, manifest.columns, manifest.schema)
    stop = min(chunk.first + chunk.rows, manifest.designs)
    evaluated = time.perf_counter()
    counted = rows.table.slice(0, int(np.searchsorted(rows.table[DESIGN].to_numpy(), stop)))
    table = reduce(counted, manifest.keep)
    reduced = time.perf_counter()
    store = open_store(job.location)
    name, size, digest = "", 0, ""
    if table.num_rows:
        folder, values = (PARTIAL, {}) if manifest.keep.merged else (DATA, chunk.partition())
        name = part_name(folder, [(key, values.get(key)) for key in manifest.partition if values], number)
        size, digest = write_part(store, name, table, manifest.encoded)
    part = Part(
        index=number,
        name=name,
        start=chunk.first,
        stop=stop,
        pruned=stop - chunk.first - counted.num_rows,
        rows=table.num_rows,
        ok=ok_rows(table),
        bytes=size,
        digest=digest,
        first=table[DESIGN][0].as_py() if table.num_rows else chunk.first,
        model_seconds=round(rows.model_seconds, 6),
        rows_seconds=round(rows.seconds - rows.model_seconds + reduced - evaluated, 6),
        parquet_seconds=round(time.perf_counter() - reduced, 6),
        simd=simd_class(),
    )
    write_record(store, part)
    return part
