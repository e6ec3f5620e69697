"""Predictions of measured runs with the shipped constants, or with those fitted without their source or chip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from models.speeds import EFFICIENCY, calibrated
from models.training import training_stage
from models.training_report import TIMES, step_parts
from sweep.accuracy.case import Case, Prediction
from sweep.accuracy.choices import IN_SAMPLE
from sweep.accuracy.stack import evaluate, stack_runs
from sweep.calibration.fold_table import read_folds
from sweep.calibration.problem import Fit, class_of, ranges, rate_factors
from sweep.calibration.steps import Fits, chips_of, fold_names
from sweep.catalogue import Catalogue
from sweep.paths import configs_dir

SEARCH_SLACK: Final = 1.2
"""A run whose mapping is not stated is taken to be at most this much slower than the best mapping the model finds."""

FOLDS: Final = "2026-11-folds.csv"
"""The fits that belong to the shipped calibration."""


def shipped_fits() -> Fits:
    """Return the fits that come with the program."""
    return read_folds(configs_dir() / "calibration" / FOLDS)


def predicted(cases: Sequence[Case], catalogue: Catalogue, split: str) -> list[Prediction]:
    """Predict cases with the constants of a split; a case that the model cannot place is missing.

    A source or chip that no fit knows is predicted with the constants fitted to all runs: they do not know it either.
    """
    fits, chips = shipped_fits(), chips_of(cases, catalogue)
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups["" if split == IN_SAMPLE else fold_names(case, chips)[split]].append(case)
    found = {
        prediction.case.name: prediction
        for name, members in groups.items()
        for prediction in predict(members, fits.folds.get((split, name), fits.full))
    }
    return [found[case.name] for case in cases if case.name in found]


def predict(cases: Sequence[Case], fit: Fit) -> list[Prediction]:
    """Predict cases with one fit."""
    mapped = [case for case in cases if not case.searched]
    searched = [prediction for case in cases if case.searched if (prediction := _searched(case, fit))]
    return [*_mapped(mapped, fit), *searched] if mapped else searched


def _mapped(cases: Sequence[Case], fit: Fit) -> list[Prediction]:
    """Predict cases with a mapping, all at once."""
    variants = [(index, known) for index, case in enumerate(cases) for known in case.variants]
    try:
        runs, _ = stack_runs(variants)
    except ValueError:
        return []
    times, step = evaluate(runs, fit.coefficients, rate_factors(runs, cases, fit.rates))
    low, high = ranges(runs, len(cases), step.total)
    parts = step_parts(runs.table, times, step, calibrated(runs.speeds, fit.coefficients))
    predictions = []
    for index, case in enumerate(cases):
        own = np.flatnonzero(runs.owner == index)
        if not own.size or not np.isfinite(low[index]):
            continue
        own = own[runs.fits[own]] if runs.fits[own].any() else own
        middle = own[np.argsort(step.total[own])[own.size // 2]]
        shares = {name: float(np.broadcast_to(parts[name], step.total.shape)[middle]) for name in TIMES[1:]}
        predictions.append(Prediction(case, float(low[index]), float(high[index]), shares))
    return predictions


def with_fit(known: Mapping[str, Any], case: Case, fit: Fit) -> dict[str, Any]:
    """Return model inputs that hold a fit: its coefficients, and the efficiencies of the chip with its rate."""
    rate = fit.rates.get(class_of(case), 1.0)
    names = {EFFICIENCY[known["precision"]], EFFICIENCY["bf16"]}
    efficiencies = {name: float(known[name]) * rate for name in sorted(names) if name in known}
    return {**known, **efficiencies, "coefficients": fit.coefficients}


def _searched(case: Case, fit: Fit) -> Prediction | None:
    """Predict a case whose mapping the model has to find; None where it finds none."""
    outs = [training_stage(with_fit(known, case, fit)) for known in case.variants]
    found = sorted((out for out in outs if not int(out["status"])), key=lambda out: float(out["step_time"]))
    if not found:
        return None
    low, high = float(found[0]["step_time"]), SEARCH_SLACK * float(found[-1]["step_time"])
    return Prediction(case, low, high, {name: float(found[0][name]) for name in TIMES[1:]})
