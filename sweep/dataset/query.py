"""SQL over a run through DuckDB: the tables ``designs``, ``columns``, ``sources`` and ``parts``, read only."""

from __future__ import annotations

import io
from dataclasses import asdict, fields
from typing import Protocol

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.dataset as ds

from sweep.dataset.columns import columns_csv
from sweep.dataset.layout import SOURCES
from sweep.dataset.manifest import Manifest
from sweep.dataset.parts import Part
from sweep.dataset.store import Store
from sweep.errors import SweepError

TYPES = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}
PARTS = pa.schema([(each.name, TYPES[str(each.type)]) for each in fields(Part)])
TABLES = ("designs", "columns", "sources", "parts")
READING = frozenset({duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN})


class Readable(Protocol):
    """What a query needs of a run."""

    @property
    def manifest(self) -> Manifest:
        """What the run is."""

    @property
    def store(self) -> Store:
        """Where it lies."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its parts that can be read."""

    def table(self) -> ds.Dataset:
        """Return its rows."""


def connect(run: Readable) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB with the tables of a run; it can neither read nor write any other file.

    The rows come through Arrow, so that a folder and an object store behave alike and no path is open to SQL.
    """
    connection = duckdb.connect()
    connection.register("designs", run.table())
    connection.register("columns", _csv(columns_csv(run.manifest.columns, run.manifest.floats)))
    connection.register("sources", _csv(run.store.get(SOURCES)))
    connection.register("parts", pa.Table.from_pylist([asdict(part) for part in run.parts], schema=PARTS))
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(run: Readable, sql: str) -> pa.Table:
    """Return the answer to one SELECT. Raises ``SweepError`` with DuckDB's first sentence when there is none."""
    try:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in READING:
            raise SweepError(f"give one SELECT over the tables {', '.join(TABLES)}; a query cannot write")
        with connect(run) as connection:
            return connection.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        raise SweepError(f"the query failed: {str(error).strip()}") from error


def _csv(content: bytes) -> pa.Table:
    """Return a small CSV as text columns; its numbers may be formulas or empty."""
    header = content.split(b"\n", 1)[0].decode().split(",")
    options = pacsv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True)
    return pacsv.read_csv(io.BytesIO(content), convert_options=options, parse_options=_multiline())


def _multiline() -> pacsv.ParseOptions:
    return pacsv.ParseOptions(newlines_in_values=True)
