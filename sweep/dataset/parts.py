"""One part of a dataset: its name, its Parquet bytes and the short record that says what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sweep.dataset.store import Store

ROW_GROUP = 128 * 1024
RECORDS = "parts"
DATA = "data"
PARTIAL = "partial"
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one chunk.

    ``start`` and ``stop`` bound its design ids; ``pruned`` of them were dropped by ``where``. ``name`` is empty when
    no row was left to write. ``ok`` counts rows whose design is feasible; seconds and ``simd`` say how it went and are
    no part of any digest. ``trials`` counts those of a search whose batch it is.
    """

    index: int
    name: str
    start: int
    stop: int
    pruned: int
    rows: int
    ok: int
    bytes: int
    digest: str
    first: int
    model_seconds: float = 0.0
    rows_seconds: float = 0.0
    parquet_seconds: float = 0.0
    simd: str = ""
    trials: int = 0


def part_name(folder: str, partition: Sequence[tuple[str, Any]], index: int) -> str:
    """Return the deterministic name of a part, with one ``key=value`` folder per partition column."""
    values = (f"{name}={quote(str(value), safe='') if value is not None else HIVE_NULL}" for name, value in partition)
    return "/".join((folder, *values, f"part-{index:06d}.parquet"))


def record_name(index: int) -> str:
    """Return the name of the record that says a chunk is finished."""
    return f"{RECORDS}/part-{index:06d}.json"


def parquet_bytes(table: pa.Table, encoded: Iterable[str]) -> pa.Buffer:
    """Return a table as Parquet: zstd, ``encoded`` columns and text by dictionary, other floats split by byte.

    The same table gives the same bytes with the same version of Arrow.
    """
    dictionary = {name for name in encoded if name != table.schema.names[0]}
    dictionary |= {field.name for field in table.schema if pa.types.is_dictionary(field.type)}
    floats = [f.name for f in table.schema if pa.types.is_floating(f.type) and f.name not in dictionary]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=[name for name in table.schema.names if name in dictionary],
        use_byte_stream_split=floats,
        sorting_columns=[pq.SortingColumn(0)],
        write_page_index=True,
    )
    return sink.getvalue()


def write_part(store: Store, name: str, table: pa.Table, encoded: Iterable[str]) -> tuple[int, str]:
    """Write a table as one part, whole or not at all; return its bytes and its SHA-256."""
    data = parquet_bytes(table, encoded)
    store.put(name, data)
    return data.size, hashlib.sha256(data).hexdigest()


def ok_rows(table: pa.Table) -> int:
    """Return how many rows of a part are feasible designs."""
    return int(pc.sum(pc.equal(table["status"], "ok")).as_py() or 0)


def write_record(store: Store, part: Part) -> None:
    """Write the record of a part; done after the part itself, so that a record means a whole part."""
    store.put(record_name(part.index), json.dumps(asdict(part)).encode())


def part_from(data: Mapping[str, Any]) -> Part:
    """Return the part that a record or a manifest describes."""
    return Part(**data)


def finished_parts(store: Store) -> dict[int, Part]:
    """Return the recorded parts whose file is there with the right size; anything else counts as not done."""
    sizes = store.files()
    found: dict[int, Part] = {}
    for name in sizes:
        if name.startswith(f"{RECORDS}/") and name.endswith(".json"):
            try:
                part = part_from(json.loads(store.get(name)))
            except (ValueError, TypeError, FileNotFoundError):
                continue
            if not part.name or sizes.get(part.name) == part.bytes:
                found[part.index] = part
    return found


def dataset_digest(parts: Iterable[Part]) -> str:
    """Return the digest of a dataset: over the names and digests of its parts, in the order of the names."""
    lines = sorted(f"{part.name} {part.rows} {part.digest}" for part in parts if part.name)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
