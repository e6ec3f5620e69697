"""Names in a results folder: ``results/<study>/<run id>/``, ``latest`` for sweeps, ``latest-search`` for searches."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path

from sweep.dataset.store import TEMPORARY, LocalStore, Store, below, open_store
from sweep.errors import SweepError, nearest

FORMAT = 1
MANIFEST = "manifest.json"
LATEST = "latest"
LATEST_SEARCH = "latest-search"
"""The latest search of a study: it holds the designs that were tried, so it never takes the place of a sweep."""
STUDY = "study.yaml"
COLUMNS = "columns.csv"
SOURCES = "sources.csv"


def run_id(study: str, catalogue: str, model: str, limit: int | None) -> str:
    """Return the id of a run: it depends on what is computed, not on when, where or how."""
    text = json.dumps([FORMAT, study, catalogue, model, limit])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run_location(output: str | Path, study: str, identity: str) -> str:
    """Return the folder of a run below an output folder, or ``output`` itself when it already is that run.

    Raises ``SweepError`` when ``output`` is the folder of another run.
    """
    found = run_in(output)
    if found is None:
        return below(output, study, identity)
    if found == identity:
        return str(output)
    raise SweepError(
        f"{output} holds run {found} of another study, catalogue or model version (this one is {identity}); "
        "give a folder of results, and every run gets its own folder in it"
    )


def run_in(location: str | Path) -> str | None:
    """Return the id of the run whose folder this is, or None. Raises ``SweepError`` when the manifest is damaged."""
    content = manifest_bytes(open_store(location))
    if content is None:
        return None
    try:
        return str(json.loads(content)["run"])
    except (ValueError, KeyError, TypeError) as error:
        raise SweepError(
            f"{below(location, MANIFEST)} is no manifest of this program; choose another folder"
        ) from error


def manifest_bytes(store: Store) -> bytes | None:
    """Return the manifest as it is in the store, or None when there is none."""
    try:
        return store.get(MANIFEST)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def point_latest(location: str, link: str = LATEST) -> None:
    """Make ``latest`` beside a run's folder name it: a link, or a text file where links are not possible."""
    if isinstance(open_store(location), LocalStore):
        path = Path(location)
        temporary = path.parent / f".{link}.{uuid.uuid4().hex[:8]}{TEMPORARY}"
        try:
            temporary.symlink_to(path.name, target_is_directory=True)
            temporary.replace(path.parent / link)
        except OSError:
            temporary.unlink(missing_ok=True)
        else:
            return
    parent, _, name = location.rstrip("/").rpartition("/")
    open_store(parent or os.curdir).put(link, f"{name}\n".encode())


def resolve(path: str | Path) -> str:
    """Return the folder of the run that a path means: a run's own folder, a study's folder, or its ``latest``.

    A study's folder means its latest sweep, or its latest search where it has no sweep.

    Raises ``SweepError`` when there is no run.
    """
    if run_in(path) is not None:
        return str(path)
    text = str(path).rstrip("/")
    parent, _, last = text.rpartition("/")
    links = (last,) if last in {LATEST, LATEST_SEARCH} else (LATEST, LATEST_SEARCH)
    folder = (parent if last in links else text) or os.curdir
    for link in links:
        name = _latest_name(folder, link)
        if name and run_in(below(folder, name)) is not None:
            return below(folder, name)
    runs = _known(folder if last in links else parent or os.curdir)
    hint = nearest(last, runs) if runs else ""
    raise SweepError(f"{path} is no run and no folder with a latest one{hint}; `supernode ls` lists runs")


def _latest_name(folder: str, link: str) -> str:
    store = open_store(folder)
    if isinstance(store, LocalStore) and (store.root / link).is_symlink():
        return str((store.root / link).readlink())
    try:
        return store.get(link).decode().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _known(folder: str) -> list[str]:
    store = open_store(folder)
    if not isinstance(store, LocalStore) or not store.root.is_dir():
        return []
    return [entry.name for entry in store.root.iterdir() if entry.is_dir() and not entry.is_symlink()]
