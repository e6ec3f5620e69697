"""The device that serving software sees, from the facts of a chip and its fabric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.inputs import Array, Known, integer, number, number_or_nan

PRECISION_BYTES: Final = {
    "fp32": 4.0,
    "tf32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "fp4": 0.5625,  # block-scaled: one scale byte for every 16 elements (NVFP4)
}
"""Bytes of one weight by number format."""
GEMM_EFFICIENCY: Final = 0.72
"""Of peak, large matrix products, where a chip has no figure of its own: mean of the measured 0.71-0.78 at fp8 of H100,
H200, B200 and H800 (ML Engineering, maximum achievable matmul FLOPS; DeepGEMM) and of the 910C (arXiv:2506.12708)."""
ATTENTION_EFFICIENCY: Final = 0.65
"""Of the bf16 peak, attention core, same rule: FlashMLA 0.667 on H800, 0.654 on the 910C (arXiv:2506.12708)."""
HBM_EFFICIENCY: Final = 0.83
"""Of memory bandwidth, weight streaming in small matrix products, same rule: H100 and H200 GEMM tables of
aiconfigurator-core 0.12.0."""


@dataclass(frozen=True, slots=True)
class Device:
    """What one device (rank) can do; arrays end in the three dimensions of the serving model, of length 1.

    A chip of several dies may be one device (B200) or several (Ascend 910C: two, each with its own memory).
    """

    bandwidth: Array
    gemm_rate: Array
    attention_rate: Array
    memory_rate: Array
    memory: Array
    scale_up: Array
    scale_out: Array
    domain: int
    per_chip: int
    peak: Array
    weight_bytes: float


def mesh(values: Array) -> Array:
    """Return ``values`` with three further dimensions: load, instance size and tensor-parallel width."""
    return np.asarray(values, dtype=np.float64)[..., np.newaxis, np.newaxis, np.newaxis]


def _fact_or(known: Known, name: str, fallback: float) -> Array:
    """Return a fact of the chip, or the general figure where the chip has none."""
    value = number_or_nan(known, name)
    return np.where(np.isnan(value), fallback, value)


def device_of(known: Known, precision: str) -> Device:
    """Return the device of a design.

    Parameters
    ----------
    known
        Facts per chip; ``devices_per_chip`` (1 where absent) says how many ranks a package is.
    precision
        Number format of the matrix products. A chip without it, or without the bf16 or fp16 in which attention is
        computed, has a peak of NaN.
    """
    per_chip = integer(known, "devices_per_chip") if "devices_per_chip" in known else 1
    family = {"fp16": "bf16", "tf32": "bf16", "fp32": "bf16"}.get(precision, precision)
    peak = number_or_nan(known, f"peak_{precision}")
    bandwidth = number(known, "hbm_bandwidth")
    wide = number_or_nan(known, "peak_bf16")
    wide = np.where(np.isnan(wide), number_or_nan(known, "peak_fp16"), wide)
    return Device(
        bandwidth=mesh(bandwidth / per_chip),
        gemm_rate=mesh(peak * _fact_or(known, f"gemm_efficiency_{family}", GEMM_EFFICIENCY) / per_chip),
        attention_rate=mesh(wide * _fact_or(known, "attention_efficiency", ATTENTION_EFFICIENCY) / per_chip),
        memory_rate=mesh(bandwidth * _fact_or(known, "hbm_efficiency", HBM_EFFICIENCY) / per_chip),
        memory=mesh(number(known, "hbm_capacity") / per_chip),
        scale_up=mesh(number(known, "scale_up_bandwidth") / per_chip),
        scale_out=mesh(number_or_nan(known, "scale_out_bandwidth") / per_chip),
        domain=integer(known, "scale_up_size") * per_chip,
        per_chip=per_chip,
        peak=np.where(np.isnan(wide), np.nan, peak),
        weight_bytes=PRECISION_BYTES[precision],
    )
