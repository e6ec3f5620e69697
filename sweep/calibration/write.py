"""From data to files: the calibration entries and the table of fits with something left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from models.quantities import quantities
from sweep.accuracy.machines import KERNELS
from sweep.accuracy.rows import read_cases, training_table
from sweep.calibration.entry import digest_of, entry_text
from sweep.calibration.fold_table import write_folds
from sweep.calibration.steps import calibrate
from sweep.catalogue import Catalogue
from sweep.errors import SweepError

FOLDS: Final = "-folds.csv"
"""What follows the name of an entry in the name of its table of fits."""

FEWEST: Final = 30
"""Runs below which a fit of some forty constants says nothing."""


def calibrate_steps(
    catalogue: Catalogue, own: Path | None, name: str | None, folder: Path, talk: Callable[[str], None]
) -> list[Path]:
    """Fit the training model and write its entry and fits; return the files.

    Raises ``SweepError`` when the runs are too few or the folder cannot be written.
    """
    data = own or training_table()
    cases, left_out = read_cases(data, catalogue)
    mapped = [case for case in cases if not case.searched]
    if len(mapped) < FEWEST:
        raise SweepError(f"{data}: {len(mapped)} runs with a mapping; a fit needs at least {FEWEST}")
    talk(f"fitting to {len(mapped):,} runs; {len(left_out)} rows left out, {len(cases) - len(mapped)} without mapping")
    fits = calibrate(mapped, catalogue, KERNELS, lambda what: talk(f"fitting: {what}"))
    date = dt.datetime.now(tz=dt.UTC).date().isoformat()
    kernels = catalogue.entry("calibration", KERNELS).file
    base = {"name": KERNELS, **_read(kernels)}
    text = entry_text(base, fits, mapped, catalogue, date, digest_of([data, Path(kernels)]))
    name = name or date[:7]
    paths = [folder / f"{name}.yaml", folder / f"{name}{FOLDS}"]
    _write(paths[0], lambda path: _dump(text, path))
    _write(paths[1], lambda path: write_folds(fits, path))
    return paths


def calibrate_kernels(catalogue: Catalogue, tables: Path, folder: Path) -> Path:
    """Fit the kernel curves to tables and write them into the kernels' entry; return the file."""
    from sweep.calibration.kernel_facts import facts_of  # noqa: PLC0415 - pyarrow and SciPy
    from sweep.calibration.kernels import fit_kernels  # noqa: PLC0415

    text = _read(catalogue.entry("calibration", KERNELS).file)
    fitted = facts_of(fit_kernels(tables, catalogue))
    _merge(text["facts"], fitted["facts"])
    for chip, facts in fitted["chips"].items():
        _merge(text["chips"].setdefault(chip, {}), facts)
    path = folder / f"{KERNELS}.yaml"
    _write(path, lambda target: _dump(text, target))
    return path


def _merge(into: dict[str, Any], facts: Mapping[str, Any]) -> None:
    """Take the facts that are quantities of the model; the tables also give constants that only serving would use."""
    into.update({name: fact for name, fact in facts.items() if name in quantities()})


def _read(path: str) -> dict[str, Any]:
    from ruamel.yaml import YAML  # noqa: PLC0415

    return dict(YAML(typ="safe").load(Path(path)))


def _dump(text: Mapping[str, Any], path: Path) -> None:
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 4096
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(_plain(text), file)


def _plain(value: Any) -> Any:
    """Return text as plain dictionaries, so that nothing becomes an alias; words that begin with a digit are quoted."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # noqa: PLC0415

    if isinstance(value, str) and value[:1].isdigit():
        return DoubleQuotedScalarString(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _write(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file whole or not at all; raises ``SweepError`` when the folder cannot be written."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SweepError(f"cannot write {path}: {error.strerror or error}") from error
