"""The calibration of the training model: the fit to all measured steps, and one fit for everything left out.

Leaving out whole families of sources (siblings by the same authors, machine or data together) and whole dies shows how
far the model is off on runs that its constants do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sweep.accuracy.case import Case
from sweep.accuracy.choices import WITHOUT_CHIP, WITHOUT_SOURCE
from sweep.accuracy.dies import die_of
from sweep.accuracy.stack import stack_runs
from sweep.calibration.problem import Fit, Problem
from sweep.catalogue import Catalogue

EVALUATIONS: Final = 60
"""Evaluations of a fit. Each starts from the priors: from the fit to all runs it would remember what it leaves out."""

MEASURED_KERNELS: Final = "gemm_wave_bf16"
"""A fact that only chips with measured kernels, or of the same die, have of their own."""


@dataclass(frozen=True, slots=True)
class Fits:
    """The fit to all runs, and by split and name the fit to all but those of one family or chip."""

    full: Fit
    folds: Mapping[tuple[str, str], Fit]


def fold_names(case: Case, chips: Mapping[str, str]) -> dict[str, str]:
    """Return what is left out to predict a case, by split; ``chips`` gives the chip of a system.

    With a chip go all of the same die: an A100 of 40 GB says what one of 80 GB does.
    """
    return {WITHOUT_SOURCE: case.family, WITHOUT_CHIP: die_of(chips[case.system])}


def chips_of(cases: Sequence[Case], catalogue: Catalogue) -> dict[str, str]:
    """Return the chip of every system that occurs."""
    return {case.system: catalogue.entry("systems", case.system).links["chip"] for case in cases}


def calibrate(
    cases: Sequence[Case], catalogue: Catalogue, calibration: str, progress: Callable[[str], None] = lambda _: None
) -> Fits:
    """Fit the coefficients and rates to measured runs, and again with every family and every chip left out.

    Runs whose mapping the model has to search are not fitted to. ``calibration`` names the entry whose chips with
    curves of their own count as measured; ``progress`` is told what is fitted next.
    """
    mapped = [case for case in cases if not case.searched]
    variants = [(index, known) for index, case in enumerate(mapped) for known in case.variants]
    runs, faults = stack_runs(variants)
    if faults:
        gone = {variants[position][0] for position in faults}
        return calibrate(
            [case for index, case in enumerate(mapped) if index not in gone], catalogue, calibration, progress
        )
    chips = chips_of(mapped, catalogue)
    sections = catalogue.entry("calibration", calibration).sections
    measured = np.asarray([MEASURED_KERNELS in sections.get(chips[case.system], {}) for case in mapped])
    problem = Problem(runs, mapped, measured)
    progress("all runs")
    full = problem.solve(np.ones(len(mapped), dtype=bool), problem.start(), EVALUATIONS)
    names = [fold_names(case, chips) for case in mapped]
    folds: dict[tuple[str, str], Fit] = {}
    for split in (WITHOUT_SOURCE, WITHOUT_CHIP):
        left = np.asarray([name[split] for name in names])
        for name in sorted(set(left.tolist())):
            progress(f"all but {name}")
            folds[split, name] = problem.fit_of(problem.solve(left != name, problem.start(), EVALUATIONS))
    return Fits(problem.fit_of(full), folds)
