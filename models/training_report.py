"""The training metrics of the winning mappings, by their names in the quantity table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.columns import rows
from models.inputs import Array
from models.mapping import Cell, Mappings, label
from models.memory import FULL, NONE, RECOMPUTE
from models.placement import PLACEMENTS
from models.reasons import Reason
from models.slot import Machine, Slot
from models.step import Step
from models.transformer import (
    forward_matrix_flops,
    forward_score_flops,
    head_parameters,
    model_flops_per_token,
    prediction_flops,
    without_predictions,
)


@dataclass(frozen=True, slots=True)
class Winners:
    """Per design: row of the best mapping (of the one that needs least memory where none is legal), and counts."""

    index: NDArray[np.int64]
    legal: NDArray[np.int64]
    near: NDArray[np.int64]


TIMES: Final = (
    "step_time",
    "compute_time",
    "recompute_time",
    "vector_time",
    "tensor_parallel_time",
    "context_parallel_time",
    "expert_parallel_time",
    "pipeline_time",
    "bubble_time",
    "data_parallel_time",
    "cross_site_time",
    "optimizer_time",
    "overhead_time",
)
"""Step time and its parts, which add up to it."""

RATES: Final = (
    "tokens_per_second",
    "tokens_per_second_per_chip",
    "model_flops_utilisation",
    "hardware_flops_utilisation",
)

MEMORY: Final = ("memory_per_chip", "memory_weights", "memory_gradients", "memory_optimizer", "memory_activations")

COUNTS: Final = {
    "tensor_parallel": "tensor",
    "pipeline_parallel": "pipeline",
    "virtual_pipeline": "virtual",
    "data_parallel": "data",
    "context_parallel": "context",
    "expert_parallel": "expert",
    "micro_batch": "micro_batch",
    "optimizer_sharding": "sharding",
    "sharding_group": "group",
}
"""Solved whole numbers and the columns that hold them."""


def infeasible(reason: Reason) -> dict[str, Any]:
    """Metrics of a block in which no mapping exists whatever the memory: a reason, and nothing else."""
    unknown: dict[str, Any] = dict.fromkeys((*TIMES, "site_exchange_time", *RATES, *MEMORY), np.asarray(np.nan))
    nothing = dict.fromkeys((*COUNTS, "chips_used", "legal_mappings", "near_optimal_mappings"), np.asarray(0))
    blank = dict.fromkeys(("recompute", "placement", "mapping"), np.asarray(""))
    state = {"status": np.asarray(1, dtype=np.int8), "reason": np.asarray(reason, dtype=np.int16)}
    return unknown | nothing | blank | state


def step_parts(best: Mappings, times: Slot, whole: Step, machine: Machine) -> dict[str, Array]:
    """Parts of the step [s]: work of a mean stage times its micro-batches, and what the schedule adds."""
    share = best.layout.micro_batches / best.layout.pipeline
    return {
        "step_time": whole.total,
        "compute_time": share * (times.compute + times.head),
        "recompute_time": share * times.recompute,
        "vector_time": share * times.vector,
        "tensor_parallel_time": share * times.tensor,
        "context_parallel_time": share * times.context,
        "expert_parallel_time": share * times.expert,
        "pipeline_time": whole.pipeline,
        "bubble_time": whole.bubble,
        "data_parallel_time": whole.data,
        "cross_site_time": whole.sites,
        "optimizer_time": whole.optimizer,
        "overhead_time": share * times.floor + machine.coefficients.step_overhead,
    }


def executed_flops_per_token(cell: Cell, recompute: Array) -> Array:
    """FLOPs that a trained token executes, recomputation included.

    Full recomputation repeats the forward pass of all layers; selective repeats the attention scores where they are
    not fused. Unfused attention executes the whole square, a packed sequence only within its documents. Frozen weights
    have no gradient. The up-projections of latent attention that selective recomputation repeats are left out (at most
    3 %).
    """
    shape, passes = cell.shape, 3.0 if cell.trained else 2.0
    forward = forward_matrix_flops(shape) + prediction_flops(shape)
    layers = forward - 2.0 * (1.0 + shape.mtp_layers) * head_parameters(shape)
    scores = forward_score_flops(shape, cell.packed or cell.sequence, causal=cell.fused_attention)
    full = recompute == FULL
    scores_again = full if cell.fused_attention else recompute > NONE
    return np.asarray(passes * forward + full * layers + (3.0 + scores_again) * scores)


def _rates(cell: Cell, best: Mappings, whole: Step, peak: Array) -> dict[str, Array]:
    """Tokens per second and utilisation of the peak of the number format (of a rank), over the ranks used.

    Multi-token prediction is work of the hardware, not of the model: its modules are dropped after training.
    """
    tokens = cell.batch * cell.sequence / whole.total
    per_rank = tokens / best.layout.ranks
    useful = model_flops_per_token(
        without_predictions(cell.shape), cell.packed or cell.sequence, frozen=not cell.trained
    )
    return {
        "tokens_per_second": tokens,
        "tokens_per_second_per_chip": per_rank * cell.ranks_per_chip,
        "model_flops_utilisation": per_rank * useful / peak,
        "hardware_flops_utilisation": per_rank * executed_flops_per_token(cell, best.layout.recompute) / peak,
    }


def _labels(table: Mappings, index: NDArray[np.int64]) -> NDArray[np.str_]:
    """Words of the winning mappings; each is spelled once, for few mappings win many designs."""
    used, inverse = np.unique(index, return_inverse=True)
    return label(rows(table.layout, used))[inverse.reshape(index.shape)]


def report(
    cell: Cell,
    table: Mappings,
    best: Mappings,
    winners: Winners,
    times: Slot,
    whole: Step,
    machine: Machine,
    reason: NDArray[np.int16],
) -> dict[str, Any]:
    """Return the metrics of the best mappings; where memory is short, its metrics are those of the least demanding.

    The counts of the mapping are ranks; chips, and the memory of one, are packages.
    """
    ok = reason == Reason.NONE
    need, layout = best.budget, best.layout
    timed = step_parts(best, times, whole, machine) | _rates(cell, best, whole, machine.matrix_peak)
    timed["site_exchange_time"] = np.zeros(1) if machine.wide is None else machine.wide.exchange
    metrics: dict[str, Any] = {
        name: np.where(ok, np.broadcast_to(value[..., 0], ok.shape), np.nan) for name, value in timed.items()
    }
    memory = (need.total, need.weights, need.gradients, need.optimizer, need.activations)
    known = reason != Reason.PRECISION
    per_chip = float(cell.ranks_per_chip)
    metrics |= {
        name: np.where(known, per_chip * value[..., 0], np.nan) for name, value in zip(MEMORY, memory, strict=True)
    }
    whole_numbers = {name: getattr(layout, column) for name, column in COUNTS.items()}
    whole_numbers |= {"chips_used": np.ceil(layout.ranks / per_chip)}
    metrics |= {name: np.where(ok, value[..., 0], 0).astype(np.int64) for name, value in whole_numbers.items()}
    words = {
        "recompute": np.asarray(RECOMPUTE)[layout.recompute.astype(np.int64)],
        "placement": np.asarray(PLACEMENTS)[layout.placement.astype(np.int64)],
    }
    metrics |= {name: np.where(ok, value[..., 0], "") for name, value in words.items()}
    metrics["mapping"] = np.where(ok, _labels(table, winners.index), "")
    metrics["legal_mappings"] = np.where(ok, winners.legal, 0)
    metrics["near_optimal_mappings"] = np.where(ok, winners.near, 0)
    return metrics | {"status": np.asarray(~ok, dtype=np.int8), "reason": reason}
