"""The dataset of a run: its folder, its Parquet parts, its manifest, and how they are read and checked."""

from sweep.dataset.manifest import Manifest
from sweep.dataset.runs import Run, open_run
from sweep.dataset.verify import verify

__all__ = ["Manifest", "Run", "open_run", "verify"]
