"""The speeds of a design as the training model needs them: rates after efficiency, both tiers of the fabric.

All are per *rank*: what software sees as one device. A package of two dies with memory of their own (Ascend 910C) is
two ranks, each with half of the peaks, the memory and the links; the link between its dies is not counted on top
(pessimistic for tensor parallelism: it could carry up to 1.4 times what a die's own scale-up links do).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.coefficients import Coefficients, prior_coefficients
from models.collectives import START, Fabric
from models.curves import AttentionCurve, GemmCurve
from models.inputs import Array, Known, ModelInputError, integer, number, number_or_nan
from models.quantities import quantities
from models.slot import Machine
from models.transformer import Transformer
from models.work import Curves

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

SOFTWARE_TODAY: Final = 2026.5
"""Date of the newest software that the calibration knows [year]."""

HOST_BANDWIDTH: Final = 64e9
"""Bandwidth of PCI Express 5.0 with 16 lanes per direction [byte/s], where a chip states no other link to its host."""

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
    """Return a software assumption, or the default of the quantity table [SI]."""
    row = quantities()[name]
    value = np.asarray(known.get(name, row.default_si), dtype=np.float64)
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
        switch_reduction=_last(_assumed(known, "scale_up_switch_reduction")),
        start=_last(np.asarray(known.get("scale_up_start", START), dtype=np.float64)),
    )


def coefficients_of(known: Known) -> Coefficients:
    """Return the calibrated coefficients of the design, or their priors where no calibration is given."""
    given = known.get("coefficients")
    return given if isinstance(given, Coefficients) else prior_coefficients()


def _scalar(known: Known, name: str) -> float:
    """Return a curve parameter, which must be one for all designs of a block, or its default [SI]."""
    value = _assumed(known, name)
    if value.size != 1:
        raise ModelInputError(name, f"{name} must be the same in all designs of a block")
    return float(value.reshape(()))


def _gemm_curve(known: Known, family: str) -> GemmCurve:
    """Return the curve of matrix products of a family of formats; efficiency and casts are charged elsewhere."""
    return GemmCurve(
        efficiency=1.0,
        wave=_scalar(known, f"gemm_wave_{family}"),
        depth=_scalar(known, f"gemm_depth_{family}"),
        traffic=_scalar(known, f"gemm_traffic_{family}"),
        quantise=0.0,
        launch=_scalar(known, f"gemm_launch_{family}"),
    )


def curves_of(known: Known, precision: str, *, latent: bool) -> Curves:
    """Return the kernel curves of a chip in a number format; ``latent``: of latent attention (MLA)."""
    prefix = "latent_attention" if latent else "attention"
    attention = AttentionCurve(
        efficiency=1.0,
        start=_scalar(known, f"{prefix}_start"),
        fill=_scalar(known, f"{prefix}_fill"),
        softmax=0.0 if latent else _scalar(known, "attention_softmax"),
        launch=_scalar(known, f"{prefix}_launch"),
    )
    family = EFFICIENCY[precision].removeprefix("gemm_efficiency_")
    return Curves(_gemm_curve(known, family), _gemm_curve(known, "bf16"), attention)


def software_age(known: Known) -> Array:
    """Half-years by which the software of a run is older than ``SOFTWARE_TODAY``; none where its date is not given."""
    date = np.asarray(known.get("software_date", SOFTWARE_TODAY), dtype=np.float64)
    return np.maximum(2.0 * (SOFTWARE_TODAY - date), 0.0)


def _host_bandwidth(known: Known) -> Array:
    """Bandwidth between a chip and its host [byte/s]; that of PCI Express where it is not known."""
    given = number_or_nan(known, "host_bandwidth")
    if (given <= 0.0).any():
        raise ModelInputError("host_bandwidth", "host_bandwidth must be above zero")
    return np.where(np.isnan(given), HOST_BANDWIDTH, given)


@dataclass(frozen=True, slots=True)
class Speeds:
    """The speeds of a design before calibration; every array has the mapping axis last.

    Rates as in ``models.slot.Machine``, after the efficiency of kernels alone. ``narrow``: 1 for formats of 8 bits or
    less; ``age`` of the software [half-years]; ``captured``: part of the launches in graphs; ``blocking``: part that
    the host waits for; ``asynchronous``: 1 where messages run beside products.
    """

    matrix_peak: Array
    matrix_rate: Array
    head_rate: Array
    score_rate: Array
    memory_rate: Array
    host_rate: Array
    launch: Array
    narrow: Array
    age: Array
    captured: Array
    blocking: Array
    asynchronous: Array
    fabric: Fabric
    overlap_tensor: Array
    overlap_experts: Array
    overlap_gradients: Array
    imbalance: Array


def speeds_of(known: Known, precision: str) -> Speeds:
    """Speeds of one rank in every design of a block, before calibration.

    The matrix rate is NaN where the chip lacks the number format; the caller makes those designs infeasible.
    """
    ranks = ranks_per_chip(known)
    peak, wide = matrix_peak(known, precision) / ranks, _wide_peak(known, precision) / ranks
    efficiency = np.asarray(1.0) if np.isnan(peak).all() else positive(known, EFFICIENCY[precision])
    shape = known.get("shape")
    latent = isinstance(shape, Transformer) and shape.latent_attention and "latent_attention_efficiency" in known
    scores = positive(known, "latent_attention_efficiency" if latent else "attention_efficiency")
    return Speeds(
        matrix_peak=_last(peak),
        matrix_rate=_last(peak * efficiency),
        head_rate=_last(wide * positive(known, "gemm_efficiency_bf16")),
        score_rate=_last(wide * scores),
        memory_rate=_last(positive(known, "hbm_bandwidth") * positive(known, "hbm_efficiency") / ranks),
        host_rate=_last(_host_bandwidth(known) / ranks),
        launch=_last(number(known, "kernel_launch_time")),
        narrow=np.asarray([1.0 if precision in WIDE else 0.0]),
        age=_last(software_age(known)),
        captured=_last(_assumed(known, "captured_graphs")),
        blocking=_last(_assumed(known, "blocking_launches")),
        asynchronous=_last(_assumed(known, "overlap_input_gradients")),
        fabric=fabric_of(known),
        overlap_tensor=_last(_assumed(known, "overlap_tensor")),
        overlap_experts=_last(_assumed(known, "overlap_experts")),
        overlap_gradients=_last(_assumed(known, "overlap_gradients")),
        imbalance=_last(_assumed(known, "expert_imbalance")),
    )


def calibrated(speeds: Speeds, by: Coefficients) -> Machine:
    """Return the machine of a design: kernels inside a training step, under software of its age."""
    inside = np.where(speeds.narrow > 0.0, by.narrow_rate, by.product_rate)
    return Machine(
        matrix_peak=speeds.matrix_peak,
        matrix_rate=np.minimum(speeds.matrix_rate * inside, speeds.matrix_peak),
        head_rate=speeds.head_rate * by.product_rate,
        score_rate=speeds.score_rate * by.score_rate,
        memory_rate=speeds.memory_rate,
        host_rate=speeds.host_rate,
        launch=speeds.launch,
        mixture_age=1.0 + by.mixture_drift * speeds.age,
        eager=1.0 - by.graph_saving * speeds.captured,
        eager_experts=1.0 - by.graph_saving * np.maximum(2.0 * speeds.captured - 1.0, 0.0),
        blocking=speeds.blocking,
        waiting=np.maximum(speeds.blocking, 1.0 - speeds.asynchronous),
        fabric=speeds.fabric,
        overlap_tensor=speeds.overlap_tensor,
        overlap_experts=speeds.overlap_experts,
        overlap_gradients=speeds.overlap_gradients,
        imbalance=speeds.imbalance,
        coefficients=by,
    )


def machine_of(known: Known, precision: str) -> Machine:
    """Return the machine of every design of a block, as ``speeds_of`` and ``calibrated`` say."""
    machine = calibrated(speeds_of(known, precision), coefficients_of(known))
    return replace(machine, wide=known["wide_area"]) if "wide_area" in known else machine
