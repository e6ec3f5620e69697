"""How well the kernel curves of the shipped entry meet the kernels they were fitted to."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from sweep.accuracy.machines import KERNELS
from sweep.catalogue import Catalogue

RESIDUAL: Final = re.compile(r"(\d+) kernels, error median ([\d.]+)%")
"""What the fit writes beside every efficiency."""


def kernel_residuals(catalogue: Catalogue) -> tuple[int, float]:
    """Return how many matrix products were fitted, and the mean over chips and formats of the median error.

    The tables themselves are not shipped (docs/kernels.md); the fit left its residuals in the notes of the entry.
    """
    found = [
        match
        for facts in catalogue.entry("calibration", KERNELS).sections.values()
        for name, fact in facts.items()
        if name.startswith("gemm_efficiency") and (match := RESIDUAL.search(fact.note))
    ]
    return sum(int(match[1]) for match in found), float(np.mean([float(match[2]) / 100 for match in found]))
