"""The calibrated coefficients of the training model: named, bounded, each with a physical meaning.

``coefficients.csv`` holds one row each: the prior (from kernels, papers or counting), the bounds beyond which a value
has no physical reading, and the spread of the prior (of its logarithm). ``supernode calibrate`` fits them to published
steps; a calibration in the catalogue holds the fitted values. All apply to every chip, workload and source.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The coefficients of the training model; meaning, unit and bounds of each are its row of ``coefficients.csv``."""

    product_rate: float
    narrow_rate: float
    score_rate: float
    attention_backward: float
    unfused_passes: float
    unaligned_heads: float
    norm_bytes: float
    wide_bytes: float
    ffn_bytes: float
    vector_backward: float
    logit_bytes: float
    quantise_bytes: float
    accumulate_bytes: float
    optimizer_bytes: float
    step_overhead: float
    kernel_tails: float
    layer_dispatch: float
    router_time: float
    mixture_layer_dispatch: float
    expert_kernels: float
    graph_saving: float
    grouped_rate: float
    permute_bytes: float
    expert_exposed: float
    expert_overlap: float
    tensor_exposed: float
    tensor_overlap: float
    tensor_backward: float
    context_exposed: float
    gradient_exposed: float
    sharded_ring: float
    sharded_exposed: float
    selective_vector: float
    adapter_bytes: float
    mixture_drift: float


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a coefficient before any fit: value, bounds, spread of its logarithm, unit and meaning."""

    value: float
    minimum: float
    maximum: float
    spread: float
    unit: str
    description: str


@cache
def priors() -> Mapping[str, Prior]:
    """Return the prior of every coefficient, in the order of the table."""
    with (Path(__file__).parent / "coefficients.csv").open(newline="", encoding="utf-8") as file:
        return {
            row["name"]: Prior(
                value=float(row["prior"]),
                minimum=float(row["minimum"]),
                maximum=float(row["maximum"]),
                spread=float(row["spread"]),
                unit=row["unit"],
                description=row["description"],
            )
            for row in csv.DictReader(file)
        }


@cache
def prior_coefficients() -> Coefficients:
    """Return the coefficients before any fit."""
    return Coefficients(**{name: prior.value for name, prior in priors().items()})
