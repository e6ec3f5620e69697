"""The fingerprint of the code that makes the rows: two processes with the same one compute the same rows."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import models
import sweep

ROWS_COME_FROM = (
    "dataset/columns.py",
    "dataset/parts.py",
    "dataset/reduce.py",
    "engine/cells.py",
    "engine/job.py",
    "engine/rows.py",
    "assembly.py",
    "expressions",
    "inputs.py",
    "space",
    "units.py",
)
"""What in ``sweep`` shapes a row, besides all of ``models``."""


@cache
def source_digest() -> str:
    """Return the SHA-256 over names and contents of the source files that shape a row, as this process imports them."""
    files = _files(Path(models.__path__[0]), ("",)) | _files(Path(sweep.__path__[0]), ROWS_COME_FROM)
    total = hashlib.sha256()
    for name in sorted(files):
        content = hashlib.sha256(files[name].read_bytes()).hexdigest()
        total.update(f"{name} {content}\n".encode())
    return total.hexdigest()


def _files(package: Path, parts: tuple[str, ...]) -> dict[str, Path]:
    found: list[Path] = []
    for part in parts:
        place = package / part
        found += [place] if place.is_file() else [*place.rglob("*.py"), *place.rglob("*.csv")]
    return {f"{package.name}/{path.relative_to(package).as_posix()}": path for path in found}
