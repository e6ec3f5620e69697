"""A calibration as an entry of the catalogue: the kernels' entry with what the fit to training steps changes.

The rate of every chip and number format becomes the efficiency of its matrix products, a chip without runs takes the
median rate of its vendor, and the errors on runs left out become the uncertainty of step times by chip.
"""

from __future__ import annotations

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.speeds import EFFICIENCY
from sweep.accuracy.case import Case, Prediction
from sweep.accuracy.choices import WITHOUT_CHIP, WITHOUT_SOURCE
from sweep.accuracy.figures import errors
from sweep.accuracy.predict import predict
from sweep.accuracy.tiers import Tiers
from sweep.calibration.problem import Class, class_of
from sweep.calibration.steps import Fits, fold_names
from sweep.catalogue import Catalogue

SOURCE: Final = "supernode calibrate: published training runs, configs/measurements/training.csv"

Text = dict[str, Any]


def digest_of(paths: Iterable[Path]) -> str:
    """Return the fingerprint of the data of a fit."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def left_out_predictions(cases: Sequence[Case], fits: Fits, tiers: Tiers) -> list[Prediction]:
    """Predict every run without its family, and those on a chip that no other family covers without the chip."""
    groups: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        split = WITHOUT_CHIP if tiers.blind(case) else WITHOUT_SOURCE
        groups[split, fold_names(case, tiers.chips)[split]].append(case)
    return [
        prediction
        for fold, members in sorted(groups.items())
        for prediction in predict(members, fits.folds.get(fold, fits.full))
    ]


def _fact(value: float, date: str, confidence: str, note: str) -> Text:
    return {"value": float(f"{value:.4g}"), "source": SOURCE, "date": date, "confidence": confidence, "note": note}


def _efficiencies(
    base: Mapping[str, Any], fits: Fits, cases: Sequence[Case], tiers: Tiers, catalogue: Catalogue, date: str
) -> dict[str, Text]:
    """Return the fitted efficiencies of matrix products by chip."""
    runs: dict[Class, int] = defaultdict(int)
    for case in cases:
        runs[class_of(case)] += 1
    fitted: dict[str, Text] = defaultdict(dict)
    by_vendor: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (system, family), rate in fits.full.rates.items():
        name = EFFICIENCY[family]
        by_vendor[tiers.vendors[system], name].append(rate)
        known = catalogue.facts(system, calibration=str(base["name"]))[name].value
        assert isinstance(known, float)
        note = f"{known:.4g} before, times {rate:.3f} inside training steps; {runs[system, family]} runs"
        fitted[tiers.chips[system]][name] = _fact(min(known * rate, 1.0), date, "measured", note)
    for chip in catalogue.names("chips"):
        vendor = catalogue.entry("chips", chip).labels.get("vendor", "")
        for (owner, name), rates in by_vendor.items():
            own = base["chips"].get(chip, {}).get(name) or base["facts"].get(name)
            if owner == vendor and own and name not in fitted[chip]:
                rate = statistics.median(rates)
                note = f"{own['value']:.4g} before, times {rate:.3f}, the median of {vendor}; no published runs"
                fitted[chip][name] = _fact(min(own["value"] * rate, 1.0), date, "derived", note)
    return {chip: facts for chip, facts in fitted.items() if facts}


def _uncertainty(
    predictions: Sequence[Prediction], tiers: Tiers, catalogue: Catalogue, date: str
) -> tuple[Text, dict[str, Text]]:
    """Return the mean absolute error on runs left out: of chips no other family covers, and by chip.

    Only runs whose mapping is stated count, for the distance to a range says too little. A chip without runs whose
    vendor has some takes the larger of the vendor's error and that of chips no other family covers.
    """
    sizes: dict[str, list[float]] = defaultdict(list)
    vendors: dict[str, list[float]] = defaultdict(list)
    blind: list[float] = []
    for each, error in zip(predictions, errors(predictions), strict=True):
        if not each.case.stated:
            continue
        size, system = abs(float(error)), each.case.system
        sizes[tiers.chips[system]].append(size)
        vendors[tiers.vendors[system]].append(size)
        if tiers.blind(each.case):
            blind.append(size)
    typical = float(np.mean(blind))
    about = f"chips without published runs: mean absolute error of {len(blind)} runs predicted without their chip"
    found: dict[str, Text] = {}
    for chip in catalogue.names("chips"):
        own = sizes.get(chip)
        vendor = catalogue.entry("chips", chip).labels.get("vendor", "")
        if own:
            note = f"mean absolute error of {len(own)} runs predicted without their source or chip"
            found[chip] = _fact(float(np.mean(own)), date, "measured", note)
        elif vendor in vendors:
            note = f"no published runs: the larger of that of {vendor} and of chips that no other source covers"
            found[chip] = _fact(max(float(np.mean(vendors[vendor])), typical), date, "derived", note)
    return _fact(typical, date, "derived", about), found


def entry_text(
    base: Mapping[str, Any], fits: Fits, cases: Sequence[Case], catalogue: Catalogue, date: str, digest: str
) -> Text:
    """Return the entry as text of the catalogue; ``base`` is the text of the kernels' entry with its ``name``."""
    tiers = Tiers.of(cases, catalogue, measured=cases)
    runs = [case for case in cases if not case.microbenchmark]
    predictions = left_out_predictions(runs, fits, tiers)
    default, uncertain = _uncertainty(predictions, tiers, catalogue, date)
    chips = {chip: dict(facts) for chip, facts in base["chips"].items()}
    for chip, facts in _efficiencies(base, fits, cases, tiers, catalogue, date).items():
        chips.setdefault(chip, {}).update(facts)
    for chip, fact in uncertain.items():
        chips.setdefault(chip, {})["step_time_error"] = fact
    signed = errors(predictions)
    return {
        "title": f"Kernels, and the training model fitted to {len(cases):,} published runs",
        "notes": "Written by supernode calibrate; docs/accuracy.md holds its errors. Do not edit: change the data or "
        "the priors (models/coefficients.csv, the kernels' entry) and run it again.",
        "training": {
            "date": date,
            "digest": digest,
            "rows": len(cases),
            "residuals": {
                "left_out_mean": float(f"{np.mean(np.abs(signed)):.4g}"),
                "left_out_median": float(f"{np.median(np.abs(signed)):.4g}"),
                "left_out_bias": float(f"{np.mean(signed):.4g}"),
            },
            "coefficients": {name: float(f"{value:.6g}") for name, value in asdict(fits.full.coefficients).items()},
        },
        "facts": {**base["facts"], "step_time_error": default},
        "chips": dict(sorted(chips.items())),
    }
