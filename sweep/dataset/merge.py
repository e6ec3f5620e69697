"""The one merge at the end of a reduced run: parts of chunks become the dataset.

It reads the partial parts in their order and reduces as it goes, so memory is bounded by the rows that stay. The same
partial parts give the same files, so a merge that was interrupted is simply done again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sweep.dataset.columns import DESIGN
from sweep.dataset.manifest import Manifest, simd_class
from sweep.dataset.parts import DATA, PARTIAL, RECORDS, Part, ok_rows, part_name, write_part
from sweep.dataset.reduce import reduce
from sweep.dataset.store import Store

PENDING_ROWS = 1_000_000


def merge(store: Store, manifest: Manifest, parts: Iterable[Part]) -> list[Part]:
    """Reduce the partial parts together and write the final ones, one per partition value; return their records."""
    kept = manifest.schema.empty_table()
    pending: list[pa.Table] = []
    waiting = 0
    for part in sorted(parts, key=lambda part: part.index):
        if part.name:
            pending.append(pq.read_table(pa.BufferReader(store.get(part.name))))
            waiting += part.rows
        if waiting > PENDING_ROWS + kept.num_rows:
            kept, pending, waiting = _reduced([kept, *pending], manifest), [], 0
    return write_final(store, manifest, _reduced([kept, *pending], manifest))


def write_final(store: Store, manifest: Manifest, rows: pa.Table, first: int = 0) -> list[Part]:
    """Write rows, in the order of their ids, as one part per partition value; return the records of the parts.

    ``first`` is the number of the first part.
    """
    parts_of = enumerate(_by_partition(rows, manifest.partition), start=first)
    return [_final_part(store, manifest, index, *found) for index, found in parts_of]


def drop_stale_parts(store: Store, parts: Iterable[Part]) -> None:
    """Remove data files of an earlier state of the dataset that are not among its parts any more."""
    for name in store.files(DATA).keys() - {part.name for part in parts}:
        store.delete(name)


def drop_unneeded(store: Store) -> None:
    """Remove partial parts and records once the manifest holds the part table."""
    for folder in (PARTIAL, RECORDS):
        for name in store.files(folder):
            store.delete(name)


def _reduced(tables: Sequence[pa.Table], manifest: Manifest) -> pa.Table:
    together = pa.concat_tables(tables).combine_chunks().sort_by(DESIGN)
    return reduce(together, manifest.keep)


def _by_partition(table: pa.Table, names: Sequence[str]) -> list[tuple[tuple[Any, ...], pa.Table]]:
    """Return the rows of each combination of partition values, in the order of the values' text."""
    if not names:
        return [((), table)] if table.num_rows else []
    combinations = table.select(list(names)).group_by(list(names)).aggregate([]).to_pylist()
    values = sorted((tuple(row[name] for name in names) for row in combinations), key=str)
    return [(value, table.filter(_mask(table, names, value))) for value in values]


def _mask(table: pa.Table, names: Sequence[str], values: Sequence[Any]) -> pa.ChunkedArray:
    mask = pa.array([True] * table.num_rows)
    for name, value in zip(names, values, strict=True):
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        mask = pc.and_(mask, pc.is_null(column) if value is None else pc.equal(column, value))
    return mask


def _final_part(store: Store, manifest: Manifest, index: int, values: tuple[Any, ...], rows: pa.Table) -> Part:
    name = part_name(DATA, list(zip(manifest.partition, values, strict=True)), index)
    rows = compact(rows)
    size, digest = write_part(store, name, rows, manifest.encoded)
    return Part(
        index=index,
        name=name,
        start=0,
        stop=manifest.designs,
        pruned=0,
        rows=rows.num_rows,
        ok=ok_rows(rows),
        bytes=size,
        digest=digest,
        first=rows[DESIGN][0].as_py(),
        simd=simd_class(),
    )


def compact(table: pa.Table) -> pa.Table:
    """Return the table with only the words in use in its dictionaries, sorted, so that equal rows give equal bytes."""
    columns = []
    for column, field in zip(table.columns, table.schema, strict=True):
        if pa.types.is_dictionary(field.type):
            plain = column.cast(pa.string()).combine_chunks()
            words = pc.unique(plain).drop_null().sort()
            codes = pc.index_in(plain, value_set=words).cast(pa.int32())
            columns.append(pa.DictionaryArray.from_arrays(codes, words))
        else:
            columns.append(column.combine_chunks())
    return pa.Table.from_arrays(columns, schema=table.schema)
