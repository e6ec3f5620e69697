"""Fitting the efficiency curves of ``models.curves`` to tables of measured kernels.

One fit per operator, number format and chip architecture: the efficiency is one number per chip, every other constant
is shared by the chips of the architecture and held within physical bounds. The loss is soft-L1 on the logarithm of the
time, so that a few stalled measurements do not bend a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from models.curves import AttentionCurve, GemmCurve, GroupedCurve, attention_time, gemm_time, grouped_time
from models.inputs import Array
from sweep.calibration.kernel_tables import (
    ELEMENT_BYTES,
    PEAKS,
    Kernels,
    read_attention,
    read_gemm,
    read_grouped,
    read_latent_attention,
)
from sweep.catalogue import Catalogue

ARCHITECTURES: Final = {
    "a100-sxm-80gb": "Ampere",
    "h100-sxm": "Hopper",
    "h200-sxm": "Hopper",
    "b200-sxm": "Blackwell",
    "gb200": "Blackwell",
    "b300-sxm": "Blackwell Ultra",
    "gb300": "Blackwell Ultra",
}
"""Chip → architecture, whose chips share all constants but the efficiency."""

TRAINING_ROWS: Final = 512.0
"""Fewest rows of the products that are fitted: micro-batches of training have more."""

TRAINING_TOKENS: Final = 1024.0
"""Shortest sequence of the attention that is fitted [tokens]."""

EXPERT_ROWS: Final = 256.0
"""Fewest rows per expert of the grouped products that are fitted."""

LOSS_SCALE: Final = 0.1
"""Relative error above which the loss grows linearly."""

NOTHING: Final = 1e-6
"""Constants below this part of their first value are zero."""

Bounds = Mapping[str, tuple[float, float, float]]

EFFICIENCY: Final = (0.05, 0.7, 1.0)
GEMM_BOUNDS: Final = {
    "wave": (0.0, 3e5, 6e6),
    "depth": (0.0, 100.0, 2000.0),
    "traffic": (1.0, 1.2, 4.0),
    "quantise": (0.0, 4.0, 15.0),
    "launch": (0.0, 5e-6, 30e-6),
}
"""Lowest, first and highest value of the constants of a matrix product, in the units of ``GemmCurve``."""

ATTENTION_BOUNDS: Final = {
    "start": (0.0, 1000.0, 6000.0),
    "fill": (0.0, 18e3, 1e5),
    "softmax": (0.0, 64.0, 512.0),
    "launch": (0.0, 15e-6, 60e-6),
}
GROUPED_BOUNDS: Final = {
    "efficiency": (0.1, 0.9, 1.5),
    "permute": (0.0, 10.0, 60.0),
    "combine": (0.0, 4.0, 40.0),
    "launch": (0.0, 40e-6, 400e-6),
}


@dataclass(frozen=True, slots=True)
class Residual:
    """Errors |predicted / measured - 1| of some kernels: how many, their median and their mean."""

    count: int
    median: float
    mean: float


@dataclass(frozen=True, slots=True)
class Fit:
    """One curve: constants of the architecture, efficiency and residual of each of its chips.

    ``efficiency`` is empty where the chips share it.
    """

    architecture: str
    family: str
    constants: Mapping[str, float]
    efficiency: Mapping[str, float]
    residual: Mapping[str, Residual]


@dataclass(frozen=True, slots=True)
class KernelFits:
    """Every curve that the tables give, by operator."""

    gemm: tuple[Fit, ...]
    attention: tuple[Fit, ...]
    latent_attention: tuple[Fit, ...]
    grouped: tuple[Fit, ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """Catalogue rates of every kernel: peak of its format [FLOP/s] and streaming memory bandwidth [byte/s]."""

    peak: Array
    stream: Array


Constants = Mapping[str, "float | Array"]
Time = Callable[[Kernels, Rates, Constants], Array]


def rates_of(kernels: Kernels, catalogue: Catalogue) -> Rates:
    """Return the rates of every kernel; the curves are fractions of the catalogue's peaks, whatever their convention.

    The streaming bandwidth is ``hbm_bandwidth`` times the ``hbm_efficiency`` of the catalogue's calibration.
    """
    measured = catalogue.entry("calibration", "kernels").sections
    peak, stream = np.zeros(len(kernels.seconds)), np.zeros(len(kernels.seconds))
    for chip in np.unique(kernels.chip):
        facts = catalogue.entry("chips", str(chip)).facts
        here = kernels.chip == chip
        stream[here] = _si(facts["hbm_bandwidth"].si) * _si(measured[str(chip)]["hbm_efficiency"].si)
        for family in np.unique(kernels.family[here]):
            peak[here & (kernels.family == family)] = _si(facts[PEAKS[str(family)]].si)
    return Rates(peak, stream)


def _si(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def gemm_seconds(kernels: Kernels, rates: Rates, constants: Constants) -> Array:
    """Predict matrix products [s]; a 16-bit product quantises nothing."""
    element = ELEMENT_BYTES[str(kernels.family[0])]
    sides = kernels.sides
    curve = GemmCurve(**constants)
    return gemm_time(sides["rows"], sides["columns"], sides["depth"], element, rates.peak, rates.stream, curve)


def attention_seconds(kernels: Kernels, rates: Rates, constants: Constants) -> Array:
    """Predict causal prefill attention [s]."""
    return attention_time(**kernels.sides, peak=rates.peak, curve=AttentionCurve(**constants))


def grouped_seconds(kernels: Kernels, rates: Rates, constants: Constants, dense: GemmCurve) -> Array:
    """Predict gated expert layers beside a dense curve [s]."""
    element = ELEMENT_BYTES[str(kernels.family[0])]
    grouped = GroupedCurve(**constants)
    return grouped_time(**kernels.sides, element_bytes=element, peak=rates.peak, stream=rates.stream, gates=2.0,
                        dense=dense, grouped=grouped)  # fmt: skip


def residual_of(predicted: Array, measured: Array) -> Residual:
    """Return the errors of a prediction."""
    error = np.abs(predicted / measured - 1.0)
    return Residual(len(error), float(np.median(error)), float(np.mean(error)))


def fit_curve(
    kernels: Kernels,
    catalogue: Catalogue,
    time: Time,
    bounds: Bounds,
    fixed: Mapping[str, float],
    family: str,
    name: str,
) -> Fit:
    """Fit one curve to kernels of one family and architecture (named ``family`` and ``name``).

    ``bounds``: lowest, first and highest value of the shared constants; without one for the efficiency, that is fitted
    for each chip. ``fixed``: constants that are not fitted.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415

    rates, measured = rates_of(kernels, catalogue), np.log(kernels.seconds)
    chips, index = np.unique(kernels.chip, return_inverse=True)
    own = 0 if "efficiency" in bounds else len(chips)
    names, limits = list(bounds), [EFFICIENCY] * own + list(bounds.values())

    def constants(point: Array) -> dict[str, float | Array]:
        each = {"efficiency": point[:own][index]} if own else {}
        return {**each, **fixed, **dict(zip(names, point[own:], strict=True))}

    def error(point: Array) -> Array:
        return np.asarray(np.log(time(kernels, rates, constants(point))) - measured)

    low, first, high = (np.array(side) for side in zip(*limits, strict=True))
    found = least_squares(error, first, bounds=(low, high), x_scale=first, loss="soft_l1", f_scale=LOSS_SCALE).x
    found = np.where(found > NOTHING * first, found, 0.0)
    predicted = time(kernels, rates, constants(found))
    residual = {
        str(chip): residual_of(predicted[index == place], kernels.seconds[index == place])
        for place, chip in enumerate(chips)
    }
    shared = dict(zip(names, map(float, found[own:]), strict=True))
    return Fit(
        name, family, {**shared, **fixed}, dict(zip(map(str, chips), map(float, found[:own]), strict=False)), residual
    )


def groups(kernels: Kernels) -> list[tuple[str, str, Kernels]]:
    """Split kernels by architecture and family; combinations without kernels are left out."""
    architecture = np.array([ARCHITECTURES[str(chip)] for chip in kernels.chip])
    pairs = sorted({(str(one), str(two)) for one, two in zip(architecture, kernels.family, strict=True)})
    return [(one, two, kernels.where((architecture == one) & (kernels.family == two))) for one, two in pairs]


def fit_gemm(kernels: Kernels, catalogue: Catalogue) -> tuple[Fit, ...]:
    """Fit the curves of matrix products to those of at least ``TRAINING_ROWS`` rows."""
    fits = []
    for architecture, family, group in groups(kernels.where(kernels.sides["rows"] >= TRAINING_ROWS)):
        fixed = {"quantise": 0.0} if family == "bf16" else {}
        bounds = {name: limits for name, limits in GEMM_BOUNDS.items() if name not in fixed}
        fits.append(fit_curve(group, catalogue, gemm_seconds, bounds, fixed, family, architecture))
    return tuple(fits)


def small_products(kernels: Kernels, fits: tuple[Fit, ...], catalogue: Catalogue) -> dict[tuple[str, str], Residual]:
    """Return the errors on products of fewer rows than were fitted, by chip and family."""
    found = {}
    for fit in fits:
        for chip, efficiency in fit.efficiency.items():
            small = (kernels.chip == chip) & (kernels.family == fit.family) & (kernels.sides["rows"] < TRAINING_ROWS)
            part = kernels.where(small)
            predicted = gemm_seconds(part, rates_of(part, catalogue), {"efficiency": efficiency, **fit.constants})
            found[chip, fit.family] = residual_of(predicted, part.seconds)
    return found


def fit_attention(kernels: Kernels, catalogue: Catalogue, *, latent: bool) -> tuple[Fit, ...]:
    """Fit the curves of attention to sequences of at least ``TRAINING_TOKENS``.

    The width penalty is fitted where there are several widths; latent attention and the Ampere table have one.
    """
    fits = []
    for architecture, family, group in groups(kernels.where(kernels.sides["tokens"] >= TRAINING_TOKENS)):
        one_width = latent or len(np.unique(group.sides["width"])) == 1
        fixed = {"softmax": 0.0} if one_width else {}
        bounds = {name: limits for name, limits in ATTENTION_BOUNDS.items() if name not in fixed}
        fits.append(fit_curve(group, catalogue, attention_seconds, bounds, fixed, family, architecture))
    return tuple(fits)


def fit_grouped(kernels: Kernels, gemm: tuple[Fit, ...], catalogue: Catalogue) -> tuple[Fit, ...]:
    """Fit the curves of expert layers of at least ``EXPERT_ROWS`` rows per expert, on top of the dense curves."""
    fits = []
    dense_fits = {(fit.architecture, fit.family): fit for fit in gemm}
    for architecture, family, group in groups(kernels.where(kernels.sides["rows"] >= EXPERT_ROWS)):
        known = dense_fits[architecture, family]
        each = np.array([known.efficiency[str(chip)] for chip in group.chip])
        time = partial(grouped_seconds, dense=GemmCurve(efficiency=each, **known.constants))
        fits.append(fit_curve(group, catalogue, time, GROUPED_BOUNDS, {}, family, architecture))
    return tuple(fits)


def fit_kernels(folder: Path, catalogue: Catalogue) -> KernelFits:
    """Fit every curve to the tables in a folder.

    Reads ``gemm.parquet``, ``attention.parquet``, ``mla.parquet`` and ``moe.parquet``; raises ``StudyError`` where one
    is missing or lacks a column.
    """
    gemm = fit_gemm(read_gemm(folder), catalogue)
    return KernelFits(
        gemm=gemm,
        attention=fit_attention(read_attention(folder), catalogue, latent=False),
        latent_attention=fit_attention(read_latent_attention(folder), catalogue, latent=True),
        grouped=fit_grouped(read_grouped(folder), gemm, catalogue),
    )
