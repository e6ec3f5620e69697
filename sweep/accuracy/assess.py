"""From a file of measured runs to everything that is said about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sweep.accuracy.case import Case, Prediction
from sweep.accuracy.choices import SPLITS
from sweep.accuracy.collectives import collective_errors
from sweep.accuracy.kernels import kernel_residuals
from sweep.accuracy.predict import predicted
from sweep.accuracy.rows import LeftOut, read_cases, training_table
from sweep.accuracy.targets import Figure, collective_figure, figures, kernel_figure
from sweep.accuracy.tiers import Tiers
from sweep.catalogue import Catalogue

NO_MAPPING: Final = "the model finds no legal mapping"


@dataclass(frozen=True, slots=True)
class Assessment:
    """Predictions of measured runs by split, the rows that are not predicted, the tiers, and the figures to reach.

    ``figures`` is empty unless the published runs were predicted in every split.
    """

    splits: Mapping[str, list[Prediction]]
    left_out: tuple[LeftOut, ...]
    tiers: Tiers
    figures: tuple[Figure, ...] = ()


def assess(catalogue: Catalogue, splits: Iterable[str] = SPLITS) -> Assessment:
    """Predict the published runs in some splits; in all of them gives the figures to reach as well.

    Raises ``SweepError`` when the catalogue does not fit the runs.
    """
    cases, reasons = read_cases(training_table(), catalogue)
    tiers = Tiers.of(cases, catalogue, measured=cases)
    found = {split: predicted(cases, catalogue, split) for split in splits}
    left_out = (*reasons, *_without_prediction(cases, found))
    if set(found) != set(SPLITS):
        return Assessment(found, left_out, tiers)
    others = [collective_figure(collective_errors(catalogue)), kernel_figure(*kernel_residuals(catalogue))]
    return Assessment(found, left_out, tiers, tuple(figures(found, len(left_out), tiers, others)))


def assess_file(path: Path, catalogue: Catalogue, split: str) -> Assessment:
    """Predict the runs of a user's file, in the columns of the published ones.

    Raises ``SweepError`` with file and line when a row cannot be read.
    """
    cases, reasons = read_cases(path, catalogue)
    known, _ = read_cases(training_table(), catalogue)
    found = {split: predicted(cases, catalogue, split)}
    left_out = (*reasons, *_without_prediction(cases, found))
    return Assessment(found, left_out, Tiers.of(cases, catalogue, measured=known))


def _without_prediction(cases: Iterable[Case], splits: Mapping[str, list[Prediction]]) -> list[LeftOut]:
    """Return the runs that the model leaves out itself, in any split."""
    names = [{each.case.name for each in found} for found in splits.values()]
    known = set.intersection(*names)
    return [LeftOut(case.name, NO_MAPPING) for case in cases if case.name not in known]
