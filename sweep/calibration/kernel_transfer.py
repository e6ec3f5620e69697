"""What chips without kernel tables take from those that have them, and how far off that is.

The rule: constants of shape come from the neighbouring architecture (``NEIGHBOUR``), efficiencies from the largest
product published for the chip itself (``from_largest_product``), else from the median of the measured chips. Its error
is measured by leaving every generation out in turn and predicting it from its neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sweep.calibration.kernel_tables import Kernels, read_attention, read_gemm, read_latent_attention
from sweep.calibration.kernels import (
    TRAINING_ROWS,
    TRAINING_TOKENS,
    Fit,
    KernelFits,
    Residual,
    Time,
    attention_seconds,
    fit_curve,
    gemm_seconds,
    groups,
    rates_of,
    residual_of,
)
from sweep.catalogue import Catalogue

NEIGHBOUR: Final = {
    "Ampere": ("Hopper",),
    "Hopper": ("Ampere", "Blackwell"),
    "Blackwell": ("Hopper",),
    "Blackwell Ultra": ("Hopper",),
}
"""Architecture that is left out → those that stand in for it, the first that has the number format.

Blackwell and Blackwell Ultra are one generation: neither stands in for the other, except in fp4, which only they have.
"""

LARGEST_PRODUCT: Final[Mapping[str, Mapping[str, float]]] = {
    "a100-sxm-80gb": {"bf16": 0.869},
    "h100-sxm": {"bf16": 0.803, "fp8": 0.709},
    "h200-sxm": {"fp8": 0.734},
    "b200-sxm": {"bf16": 0.776, "fp8": 0.763},
    "b300-sxm": {"bf16": 0.786, "fp8": 0.745},
    "gb200": {"bf16": 0.729, "fp8": 0.723},
    "gaudi2": {"bf16": 0.969},
    "gaudi3": {"bf16": 0.741, "fp8": 0.769},
    "mi300x": {"bf16": 0.514},
    "mi325x": {"bf16": 0.604},
    "mi355x": {"bf16": 0.626},
}
"""Fraction of the peak that the fastest of many products reached, by chip and family. Source: ``LARGEST_SOURCE``."""

LARGEST_SOURCE: Final = "https://github.com/stas00/ml-engineering/blob/744d01e/compute/accelerator/README.md"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A chip predicted from another architecture.

    ``shape``: residual where only the shape constants are taken over and the efficiency is the chip's own.
    ``blind``: residual where the efficiency is the median of the donor's chips too. ``bias``: median of
    predicted / measured - 1 of the blind prediction.
    """

    operator: str
    chip: str
    family: str
    donor: str
    shape: Residual
    blind: Residual
    bias: float


def left_out(folder: Path, fits: KernelFits, catalogue: Catalogue) -> tuple[LeftOut, ...]:
    """Predict every chip of the tables in ``folder`` from the neighbour of its architecture."""
    gemm = read_gemm(folder)
    gemm = gemm.where(gemm.sides["rows"] >= TRAINING_ROWS)
    found = _left_out("matrix product", gemm, fits.gemm, gemm_seconds, catalogue)
    attention = read_attention(folder)
    attention = attention.where((attention.sides["tokens"] >= TRAINING_TOKENS) & (attention.sides["width"] == 128.0))
    found += _left_out("attention", attention, fits.attention, attention_seconds, catalogue)
    latent = read_latent_attention(folder)
    latent = latent.where(latent.sides["tokens"] >= TRAINING_TOKENS)
    return found + _left_out("latent attention", latent, fits.latent_attention, attention_seconds, catalogue)


def _left_out(
    operator: str, kernels: Kernels, fits: tuple[Fit, ...], time: Time, catalogue: Catalogue
) -> tuple[LeftOut, ...]:
    known = {(fit.architecture, fit.family): fit for fit in fits}
    found = []
    for architecture, family, group in groups(kernels):
        donor = donor_of(architecture, family, known)
        own = fit_curve(group, catalogue, time, {}, donor.constants, family, architecture)
        for chip in own.efficiency:
            part = group.where(group.chip == chip)
            taken = {"efficiency": float(np.median(list(donor.efficiency.values()))), **donor.constants}
            predicted = time(part, rates_of(part, catalogue), taken)
            bias = float(np.median(predicted / part.seconds)) - 1.0
            blind = residual_of(predicted, part.seconds)
            found.append(LeftOut(operator, chip, family, donor.architecture, own.residual[chip], blind, bias))
    return tuple(found)


def donor_of(architecture: str, family: str, known: Mapping[tuple[str, str], Fit]) -> Fit:
    """Return the fit that stands in for an architecture that is left out."""
    others = [*NEIGHBOUR[architecture], *(name for name, one in known if one == family and name != architecture)]
    return next(known[name, family] for name in others if (name, family) in known)


def largest_product_factors(fits: KernelFits) -> dict[tuple[str, str], float]:
    """Return fitted efficiency over the largest published product, by chip and family."""
    return {
        (chip, fit.family): value / LARGEST_PRODUCT[chip][fit.family]
        for fit in fits.gemm
        for chip, value in fit.efficiency.items()
        if fit.family in LARGEST_PRODUCT.get(chip, {})
    }


def from_largest_product(fits: KernelFits, family: str) -> tuple[float, float]:
    """Return the median factor of a family, and the largest relative distance of a measured chip from it."""
    factors = [factor for (_, one), factor in largest_product_factors(fits).items() if one == family]
    middle = float(np.median(factors))
    return middle, float(max(abs(factor / middle - 1.0) for factor in factors))
