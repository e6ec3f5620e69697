"""Fits with something left out as a table beside the calibration: ``split,left_out,kind,name,family,value``."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from models.coefficients import Coefficients
from sweep.accuracy.choices import IN_SAMPLE
from sweep.calibration.problem import Fit
from sweep.calibration.steps import Fits
from sweep.errors import SweepError

HEADER: Final = ("split", "left_out", "kind", "name", "family", "value")
COEFFICIENT, RATE = "coefficient", "rate"


def _rows(fits: Fits) -> Iterator[tuple[str, str, str, str, str, str]]:
    for (split, left_out), fit in {(IN_SAMPLE, ""): fits.full, **fits.folds}.items():
        for name in Coefficients.__dataclass_fields__:
            yield split, left_out, COEFFICIENT, name, "", f"{getattr(fit.coefficients, name):.6g}"
        for (system, family), rate in fit.rates.items():
            yield split, left_out, RATE, system, family, f"{rate:.6g}"


def write_folds(fits: Fits, path: Path) -> None:
    """Write all fits; raises ``OSError`` when the file cannot be written."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(_rows(fits))


def read_folds(path: Path) -> Fits:
    """Read what ``write_folds`` wrote; raises ``SweepError`` when the file is missing or does not fit the model."""
    coefficients: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    rates: dict[tuple[str, str], dict[tuple[str, str], float]] = defaultdict(dict)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                fold = row["split"], row["left_out"]
                if row["kind"] == COEFFICIENT:
                    coefficients[fold][row["name"]] = float(row["value"])
                else:
                    rates[fold][row["name"], row["family"]] = float(row["value"])
        fits = {fold: Fit(Coefficients(**values), rates[fold]) for fold, values in coefficients.items()}
        return Fits(fits.pop((IN_SAMPLE, "")), fits)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SweepError(f"{path} does not hold the fits of this version: run supernode calibrate ({error})") from error
