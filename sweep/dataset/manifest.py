"""The manifest of a run: what was computed from what, by which versions, and what lies in every part."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from sweep.dataset.columns import Column, Floats, arrow_schema
from sweep.dataset.layout import FORMAT, MANIFEST, manifest_bytes
from sweep.dataset.parts import Part, dataset_digest, part_from
from sweep.dataset.reduce import Goal, Keep
from sweep.dataset.store import Store
from sweep.errors import SweepError

State = Literal["running", "complete"]
LIBRARIES = ("supernode-sweep", "numpy", "pyarrow", "ray")


@dataclass(frozen=True, slots=True)
class SearchAsked:
    """How a search was asked for: the same words go on with it.

    ``storage`` is an address without its password, empty for a journal in the run's folder; ``start`` the folder of the
    run that it begins with, empty for none.
    """

    trials: int
    sampler: str
    seed: int
    over: str
    storage: str = ""
    start: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything a reader of the dataset may ask about its making.

    ``digests`` are those of the study, the catalogue, the model's source and, when complete, the dataset. ``seconds``
    and ``shares`` describe the last session that worked on the run; shares are of the workers' time. ``folders`` hold
    catalogue entries of the user that the study does not name; ``search`` is None for a sweep.
    """

    study: str
    question: str
    run: str
    state: State
    digests: dict[str, str]
    designs: int
    chunks: int
    keep: Keep
    floats: Floats
    partition: tuple[str, ...]
    columns: tuple[Column, ...]
    seed: int = 0
    limit: int | None = None
    format: int = FORMAT
    rows: int = 0
    ok: int = 0
    pruned: int = 0
    bytes: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    git: str = ""
    host: dict[str, Any] = field(default_factory=dict)
    simd: tuple[str, ...] = ()
    started: str = ""
    finished: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    folders: tuple[str, ...] = ()
    search: SearchAsked | None = None

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every part."""
        about = {"study": self.study, "run": self.run, "model": self.digests["model"], "format": str(self.format)}
        return arrow_schema(self.columns, self.floats, about)

    @property
    def encoded(self) -> tuple[str, ...]:
        """Columns stored by dictionary: the axes."""
        return tuple(column.name for column in self.columns if column.axis)

    def completed(self, parts: Sequence[Part], pruned: int, seconds: dict[str, float], workers: int) -> Manifest:
        """Return the manifest of the finished run with its part table and digest."""
        return replace(
            self,
            state="complete",
            parts=tuple(parts),
            digests={**self.digests, "dataset": dataset_digest(parts)},
            rows=sum(part.rows for part in parts),
            ok=sum(part.ok for part in parts),
            pruned=pruned,
            bytes=sum(part.bytes for part in parts),
            simd=tuple(sorted({part.simd for part in parts if part.simd})),
            finished=now(),
            seconds={name: round(value, 3) for name, value in seconds.items()},
            shares=time_shares(seconds, workers),
        )


def time_shares(seconds: dict[str, float], workers: int) -> dict[str, float]:
    """Return which shares of the workers' time went into the model, into rows, into Parquet and into all else."""
    available = seconds.get("wall", 0.0) * workers
    if available <= 0 or "model" not in seconds:
        return {}
    shares = {name: round(min(seconds[name] / available, 1.0), 4) for name in ("model", "rows", "parquet")}
    return {**shares, "overhead": round(max(0.0, 1 - sum(shares.values())), 4)}


def write_manifest(store: Store, manifest: Manifest) -> None:
    """Write the manifest, whole or not at all."""
    store.put(MANIFEST, (json.dumps(asdict(manifest), indent=1) + "\n").encode())


def read_manifest(store: Store) -> Manifest | None:
    """Return the manifest of a run's folder, or None. Raises ``SweepError`` when it cannot be understood."""
    content = manifest_bytes(store)
    if content is None:
        return None
    try:
        return _manifest_from(json.loads(content))
    except (ValueError, KeyError, TypeError) as error:
        raise SweepError(
            f"{MANIFEST} in {store.location} was not written by this version of the program; choose another --output"
        ) from error


def _manifest_from(data: dict[str, Any]) -> Manifest:
    keep = dict(data["keep"])
    keep["goals"] = tuple(Goal(**goal) for goal in keep["goals"])
    keep["scenarios"] = tuple(keep["scenarios"])
    if data["format"] != FORMAT:
        raise ValueError("format")
    return Manifest(
        **{
            **data,
            "keep": Keep(**keep),
            "columns": tuple(Column(**column) for column in data["columns"]),
            "parts": tuple(part_from(part) for part in data["parts"]),
            "partition": tuple(data["partition"]),
            "simd": tuple(data["simd"]),
            "folders": tuple(data.get("folders", ())),
            "search": SearchAsked(**data["search"]) if data.get("search") else None,
        }
    )


def now() -> str:
    """Return the time, UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def library_versions(names: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape the data."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def host_facts() -> dict[str, Any]:
    """Return what kind of machine this is."""
    return {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count() or 1}


@cache
def simd_class() -> str:
    """Return the widest instruction set NumPy found here: bits may differ between classes in the last place."""
    found: Any = np.show_config(mode="dicts")
    extensions = (found or {}).get("SIMD Extensions", {})
    names = [*extensions.get("baseline", []), *extensions.get("found", [])]
    return str(names[-1]) if names else "unknown"


@cache
def git_revision() -> str:
    """Return the revision of the source checkout, or nothing when this is an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]  # read only, no input from outside
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
