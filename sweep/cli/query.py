"""``supernode query``: SQL over a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from sweep.cli.find import complete_run, read_run
from sweep.cli.output import answer_table, plain
from sweep.cli.settings import common_options, talk
from sweep.errors import StudyError
from sweep.text import Table, number

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 1000
BATCH = 50_000


@click.command()
@click.argument("run", shell_complete=complete_run)
@click.argument("sql", required=False)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table", show_default=True,
    help=f"Form of the answer; a table shows at most {SHOWN:,} rows, the others all of them.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write to a file instead of stdout.",
)  # fmt: skip
@common_options
def query(*, run: str, sql: str | None, form: str, as_json: bool, output: Path | None) -> None:
    """Ask a run in SQL (DuckDB).

    RUN is a folder, or the name of a study for its latest sweep, or else search (STUDY/latest-search where it has
    both); where results/ holds one study it may be left out: supernode query "SQL". The tables are designs (one row per
    design), columns (the data dictionary), sources (facts with source) and parts (the files).
    """
    name, text = (run, sql) if sql is not None else (None, run)
    form = "json" if as_json else form
    if form == "table" and output is not None:
        raise StudyError.at("a table goes to the terminal; add --format csv, json or parquet", "--output")
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise StudyError.at("is binary; name a file with -o FILE, or send stdout to one", "--format parquet")
    folder = read_run(name)
    with _faults_of_sql():
        reader = _ask(folder, text)
        if form == "table":
            _table(reader)
            return
        writer = {"csv": _csv, "json": _json, "parquet": _parquet}[form]
        with output.open("wb") if output else nullcontext(sys.stdout.buffer) as file:
            writer(reader, file)
    if output:
        talk(f"wrote {output}")


@contextmanager
def _faults_of_sql() -> Iterator[None]:
    """Turn what DuckDB refuses into one sentence, be it at once or in the middle of the rows."""
    import duckdb  # noqa: PLC0415

    try:
        yield
    except duckdb.Error as error:
        raise StudyError.at(" ".join(str(error).split()), "SQL") from error


def _ask(folder: str, sql: str) -> pa.RecordBatchReader:
    """Return the answer to one SELECT as record batches, so that any size of it fits in memory."""
    import duckdb  # noqa: PLC0415

    from sweep.dataset import open_run  # noqa: PLC0415
    from sweep.dataset.query import READING, TABLES  # noqa: PLC0415

    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in READING:
        raise StudyError.at(f"write one SELECT over the tables {', '.join(TABLES)}; a query cannot write", "SQL")
    return open_run(folder).duckdb().sql(statements[0]).to_arrow_reader(BATCH)


def _table(reader: pa.RecordBatchReader) -> None:
    columns = [f"{field.name}>" if _is_number(field.type) else field.name for field in reader.schema]
    table = Table("", columns)
    more = False
    for row in _rows(reader):
        if len(table.rows) == SHOWN:
            more = True
            break
        table.rows.append([_cell(value) for value in row.values()])
    answer_table(table)
    if more:
        talk(f"the first {SHOWN:,} rows; all of them: --format csv, json or parquet")


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return number(value) if isinstance(value, float) else str(value)


def _rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    for batch in reader:
        yield from batch.to_pylist()


def _csv(reader: pa.RecordBatchReader, file: IO[bytes]) -> None:
    from pyarrow import csv  # noqa: PLC0415

    with csv.CSVWriter(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _json(reader: pa.RecordBatchReader, file: IO[bytes]) -> None:
    opening = b"[\n"
    for row in _rows(reader):
        file.write(opening + json.dumps(plain(row), ensure_ascii=False, allow_nan=False).encode())
        opening = b",\n"
    file.write(b"[]\n" if opening == b"[\n" else b"\n]\n")


def _parquet(reader: pa.RecordBatchReader, file: IO[bytes]) -> None:
    from pyarrow import parquet  # noqa: PLC0415

    with parquet.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
