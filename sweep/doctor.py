"""Is this machine and folder fit for a run? Each check says what it found and, when not ok, what to do."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from sweep.errors import SweepError

GB = 1e9
LIBRARIES = (
    "numpy",
    "ray",
    "pyarrow",
    "optuna",
    "duckdb",
    "pydantic",
    "ruamel.yaml",
    "pint",
    "rich",
    "scipy",
    "moocore",
)
OPTIONAL = ("pandas", "polars")
CGROUP = Path("/sys/fs/cgroup")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the place where Ray keeps objects, not a temporary file of ours

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, how it stands, what was found and what to do about it."""

    name: str
    status: Status
    found: str
    advice: str = ""


def examine(results: Path, catalogue: Sequence[Path] = (), folder: Path | None = None) -> list[Check]:
    """Return the findings for a results folder, the user's catalogue folders and a working directory.

    Nothing is left behind: writability is tried with a file that is deleted at once. Ray is imported, not started.
    """
    here = Path.cwd() if folder is None else folder
    checks: list[Callable[[], Check]] = [
        _python,
        _libraries,
        _optional,
        _ray,
        _cores,
        _memory,
        _shared_memory,
        lambda: _disk(results),
        lambda: _writable(results),
        lambda: _shadows(here),
        _simd,
        lambda: _catalogue(catalogue),
    ]
    return [check() for check in checks]


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < (3, 11):  # noqa: UP036 - a wheel can be forced onto an older one
        return Check("python", "fail", version, "install Python 3.11 or newer")
    return Check("python", "ok", version)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _libraries() -> Check:
    versions = {name: _version(name) for name in LIBRARIES}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        advice = f"pip install {' '.join(missing)}"
        return Check("libraries", "fail", f"missing: {', '.join(missing)}", advice)
    ours = f"supernode-sweep {_version('supernode-sweep') or 'from a source tree'}"
    return Check("libraries", "ok", ", ".join((ours, *(f"{name} {version}" for name, version in versions.items()))))


def _optional() -> Check:
    versions = {name: _version(name) for name in OPTIONAL}
    missing = [name for name, version in versions.items() if version is None]
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if missing:
        advice = "only for Run.pandas() and Run.polars(): pip install 'supernode-sweep[frames]'"
        return Check(
            "data frames", "ok", "; ".join(filter(None, (found, f"not installed: {', '.join(missing)}"))), advice
        )
    return Check("data frames", "ok", found)


def _ray() -> Check:
    try:
        ray = importlib.import_module("ray")
    except Exception as error:  # noqa: BLE001 - a broken install raises anything
        advice = "pip install 'ray>=2.50,<3', or run with --in-process"
        return Check("ray", "fail", f"cannot be imported: {error}", advice)
    address = os.environ.get("RAY_ADDRESS")
    cluster = f", RAY_ADDRESS is {address}" if address else ""
    return Check("ray", "ok", f"{ray.__version__} can be imported{cluster}")


def cores() -> float:
    """Return the cores this process may use: affinity, and the quota of its container."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(CGROUP / "cpu.max").partition(" ")
    return min(usable, int(quota) / int(period)) if quota.isdigit() else usable


def _cores() -> Check:
    usable = cores()
    if usable < 2:
        return Check("cores", "warn", f"{usable:g}", "a run works, on one worker; more cores make it faster")
    return Check("cores", "ok", f"{usable:g}")


def available_memory() -> float | None:
    """Return the free memory in bytes: of the machine or, when smaller, of its container; None when unknown."""
    lines = dict(line.split(":", 1) for line in _read(Path("/proc/meminfo")).splitlines() if ":" in line)
    free = [1024.0 * int(lines["MemAvailable"].split()[0])] if "MemAvailable" in lines else []
    limit, used = _read(CGROUP / "memory.max"), _read(CGROUP / "memory.current")
    if limit.isdigit() and used.isdigit():
        free.append(float(limit) - float(used))
    return min(free, default=None)


def _memory() -> Check:
    free = available_memory()
    if free is None:
        return Check("memory", "ok", "not measured on this system")
    found = f"{free / GB:.1f} GB free"
    if free < 2 * GB:
        return Check("memory", "warn", found, "below 2 GB Ray may kill workers: close programs, or --in-process")
    return Check("memory", "ok", found)


def _shared_memory() -> Check:
    if not SHARED_MEMORY.is_dir():
        return Check("shared memory", "ok", "not used on this system")
    free = shutil.disk_usage(SHARED_MEMORY).free
    found = f"{free / GB:.2f} GB free in {SHARED_MEMORY}"
    if free < 0.1 * GB:
        return Check("shared memory", "warn", found, "Ray wants 0.1 GB: docker run --shm-size=1g, or --in-process")
    return Check("shared memory", "ok", found)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _disk(results: Path) -> Check:
    free = shutil.disk_usage(_existing(results)).free
    found = f"{free / GB:.1f} GB free for {results}/"
    if free < 2 * GB:
        return Check("disk", "warn", found, "see what a study writes with supernode plan, or use -o to write elsewhere")
    return Check("disk", "ok", found)


def _writable(results: Path) -> Check:
    folder = _existing(results)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "choose another folder with -o, or change its permissions"
        return Check("results folder", "fail", f"{folder} cannot be written: {error.strerror}", advice)
    return Check("results folder", "ok", f"{folder} can be written")


def _shadows(here: Path) -> Check:
    """Look for folders of the user's that have the names of our packages; Python may import them instead."""
    ours = Path(__file__).parents[1].resolve()
    found = [
        path
        for name in ("models", "sweep")
        for path in (here / name, here / f"{name}.py")
        if path.exists() and path.resolve().parent != ours
    ]
    if found:
        shown = ", ".join(str(path) for path in found)
        advice = "runs are guarded against it; a script or `python -m` here would import yours: start from elsewhere"
        return Check("working folder", "warn", f"has the name of one of our packages: {shown}", advice)
    return Check("working folder", "ok", f"{here} shadows no package")


def _simd() -> Check:
    from sweep.dataset.manifest import simd_class  # noqa: PLC0415 - Arrow

    return Check("vector unit", "ok", f"{simd_class()}; runs are the same to the bit on one class")


def _catalogue(folders: Sequence[Path]) -> Check:
    from sweep.catalogue import Catalogue  # noqa: PLC0415 - pydantic and pint only where needed

    try:
        catalogue = Catalogue.load(folders)
    except SweepError as error:
        return Check("catalogue", "fail", str(error).splitlines()[0], "correct the file, or install again")
    found = f"{len(catalogue.names('systems'))} systems, {len(catalogue.names('chips'))} chips"
    return Check("catalogue", "ok", found)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
