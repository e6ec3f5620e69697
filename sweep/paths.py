"""Where the facts live: inside the package when it is installed, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path


def configs_dir() -> Path:
    """Return the folder of catalogue and studies: ``sweep/configs`` of a wheel, else ``configs`` of a checkout."""
    package = Path(__file__).resolve().parent
    packaged = package / "configs"
    return packaged if packaged.is_dir() else package.parent / "configs"


def schema_file() -> Path:
    """Return the JSON Schema of a study file."""
    return configs_dir() / "schema" / "study.json"
