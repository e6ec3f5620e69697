"""A run and its data: opening it, and reading it with Arrow, DuckDB, Polars or pandas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sweep.dataset.layout import MANIFEST, resolve
from sweep.dataset.manifest import Manifest, read_manifest
from sweep.dataset.parts import Part, finished_parts
from sweep.dataset.store import LocalStore, RemoteStore, open_store
from sweep.errors import SweepError

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow.dataset as ds


@dataclass(frozen=True, slots=True)
class Run:
    """One run and its data, complete or still growing."""

    location: str
    manifest: Manifest
    store: LocalStore | RemoteStore

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that can be read now."""
        if self.manifest.state == "complete":
            return self.manifest.parts
        if self.manifest.keep.merged:
            return ()
        return tuple(part for _, part in sorted(finished_parts(self.store).items()))

    def files(self) -> list[str]:
        """Return the paths of the parts: absolute for a folder, inside the file system for a URI."""
        return [f"{self.store.root}/{part.name}" for part in self.parts if part.name]

    def table(self) -> ds.Dataset:
        """Return the rows as a lazy Arrow dataset."""
        import pyarrow.dataset as ds  # noqa: PLC0415  (it imports pandas where that is installed: 0.2 s)

        files = self.files()
        if not files:
            return ds.dataset(self.manifest.schema.empty_table())
        filesystem = self.store.filesystem if isinstance(self.store, RemoteStore) else None
        return ds.dataset(files, schema=self.manifest.schema, format="parquet", filesystem=filesystem)

    def arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all rows as an Arrow table, with units in the metadata of its fields."""
        return self.table().to_table(columns=list(columns) if columns is not None else None)

    def pandas(self, columns: Sequence[str] | None = None) -> Any:
        """Return all rows as a pandas ``DataFrame``; needs the extra ``frames``."""
        _need("pandas")
        return self.arrow(columns).to_pandas()

    def polars(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all rows as a Polars data frame; needs the extra ``frames``."""
        _need("polars")
        import polars as pl  # noqa: PLC0415  (an optional extra)

        frame = pl.from_arrow(self.arrow(columns))
        assert isinstance(frame, pl.DataFrame)
        return frame

    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """Return a DuckDB connection with the tables ``designs``, ``columns``, ``sources`` and ``parts``."""
        from sweep.dataset.query import connect  # noqa: PLC0415  (DuckDB is needed by few callers)

        return connect(self)


def _need(package: str) -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    if find_spec(package) is None:
        raise SweepError(f"{package} is not installed; pip install 'supernode-sweep[frames]'")


def open_run(path: str | Path) -> Run:
    """Open a run by its folder, by its study's folder or by ``latest``. Raises ``SweepError`` when there is none."""
    location = resolve(path)
    store = open_store(location)
    manifest = read_manifest(store)
    if manifest is None:  # removed since it was resolved
        raise SweepError(f"{location} has no {MANIFEST} any more")
    return Run(location, manifest, store)
