"""The speeds of a design as the training model needs them: rates after efficiency, both tiers of the fabric.

All are per *rank*: what software sees as one device. A package of two dies with memory of their own (Ascend 910C) is
two ranks, each with half of the peaks, the memory and the links; the link between its dies is not counted on top
(pessimistic for tensor parallelism: it could carry up to 1.4 times what a die's own scale-up links do).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.collectives import Fabric
from models.inputs import Array, Known, ModelInputError, integer, number, number_or_nan
from models.quantities import quantities
from models.slot import Machine

EFFICIENCY: Final = {
    "fp32": "gemm_efficiency_bf16",
    "tf32": "gemm_efficiency_bf16",
    "bf16": "gemm_efficiency_bf16",
    "fp16": "gemm_efficiency_bf16",
    "fp8": "gemm_efficiency_fp8",
    "fp4": "gemm_efficiency_fp4",
    "int8": "gemm_efficiency_int8",
}
"""The quantity that holds the efficiency of matrix products, by number format."""

MATRIX_FORMATS: Final = tuple(EFFICIENCY)

WIDE: Final = {"fp8": "bf16", "fp4": "bf16", "int8": "bf16"}
"""The format of attention scores and output head where the products of the layers are narrow."""


def matrix_peak(known: Known, precision: str) -> Array:
    """Dense peak of a number format per chip [FLOP/s]; NaN where the chip does not have it."""
    return number_or_nan(known, f"peak_{precision}")


def positive(known: Known, name: str) -> Array:
    """Return a quantity that must be known and above zero everywhere [SI]."""
    value = number(known, name)
    if not (value > 0).all():
        raise ModelInputError(name, f"{name} must be known and above zero in every design")
    return value


def ranks_per_chip(known: Known) -> int:
    """Devices that one package shows to software; one where the catalogue does not say otherwise."""
    return integer(known, "devices_per_chip") if "devices_per_chip" in known else 1


def memory_of(known: Known) -> Array:
    """Memory of one rank [byte]."""
    return positive(known, "hbm_capacity") / ranks_per_chip(known)


def _last(value: Array) -> Array:
    """Add the mapping axis."""
    return value[..., None]


def _assumed(known: Known, name: str) -> Array:
    """Return a software assumption, or the default of the quantity table (its unit is that of the model)."""
    value = np.asarray(known.get(name, quantities()[name].default), dtype=np.float64)
    row = quantities()[name]
    low, high = row.minimum or 0.0, np.inf if row.maximum is None else row.maximum
    if not ((value >= low) & (value <= high)).all():
        raise ModelInputError(name, f"{name} must lie between {low:g} and {high:g}")
    return value


def _wide_peak(known: Known, precision: str) -> Array:
    """Peak for scores and head: the format itself when it is wide, else bf16, or fp16 where there is no bf16."""
    peak = matrix_peak(known, WIDE.get(precision, precision))
    return np.where(np.isnan(peak), matrix_peak(known, "fp16"), peak)


def fabric_of(known: Known) -> Fabric:
    """Both tiers of the fabric per rank after efficiency and oversubscription, mapping axis last."""
    ranks = ranks_per_chip(known)
    up = positive(known, "scale_up_bandwidth") * positive(known, "scale_up_efficiency")
    out = positive(known, "scale_out_bandwidth") * positive(known, "scale_out_efficiency")
    oversubscription = np.asarray(known.get("oversubscription", 1.0), dtype=np.float64)
    return Fabric(
        up_rate=_last(up / ranks),
        up_latency=_last(number(known, "scale_up_latency")),
        out_rate=_last(out / oversubscription / ranks),
        out_latency=_last(number(known, "scale_out_latency")),
    )


def machine_of(known: Known, precision: str) -> Machine:
    """Speeds of one rank in every design of a block.

    The matrix rate is NaN where the chip lacks the number format; the caller makes those designs infeasible.
    """
    ranks = ranks_per_chip(known)
    peak, wide = matrix_peak(known, precision) / ranks, _wide_peak(known, precision) / ranks
    efficiency = np.asarray(1.0) if np.isnan(peak).all() else positive(known, EFFICIENCY[precision])
    wide_efficiency = positive(known, "gemm_efficiency_bf16")
    return Machine(
        matrix_peak=_last(peak),
        matrix_rate=_last(peak * efficiency),
        head_rate=_last(wide * wide_efficiency),
        score_rate=_last(wide * positive(known, "attention_efficiency")),
        memory_rate=_last(positive(known, "hbm_bandwidth") * positive(known, "hbm_efficiency") / ranks),
        launch=_last(number(known, "kernel_launch_time")),
        moe_floor=_last(_assumed(known, "moe_layer_floor")),
        fabric=fabric_of(known),
        tensor_overlap=_last(_assumed(known, "tensor_parallel_overlap")),
        expert_overlap=_last(_assumed(known, "expert_parallel_overlap")),
        data_overlap=_last(_assumed(known, "data_parallel_overlap")),
        imbalance=_last(_assumed(known, "expert_imbalance")),
    )
