"""The table of coefficients: complete, bounded, described; and every one of them acts as its row says."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from training_facts import ALONE, DEEPSEEK_V3, DGX_H100, LLAMA_8B, MIXTRAL, NVL72, gpt, job, part

from models import coefficients as module
from models.coefficients import Coefficients, prior_coefficients, priors

NAMES = [field.name for field in fields(Coefficients)]


def rows() -> list[dict[str, str]]:
    with Path(module.__file__).with_name("coefficients.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_rows_are_the_fields_in_their_order():
    assert [row["name"] for row in rows()] == NAMES
    assert list(priors()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_complete_and_its_prior_inside_its_bounds(name):
    prior = priors()[name]
    assert 0 <= prior.minimum < prior.maximum
    assert prior.minimum <= prior.value <= prior.maximum
    assert prior.value > 0  # its spread is that of the logarithm
    assert prior.spread > 0
    assert prior.unit in ("", "byte", "s")
    assert len(prior.description.split()) >= 4


def test_descriptions_differ_and_no_cell_is_left_over():
    assert len({prior.description for prior in priors().values()}) == len(NAMES)
    assert all(None not in row and None not in row.values() for row in rows())


def test_coefficients_before_any_fit_are_the_priors():
    assert asdict(prior_coefficients()) == {row["name"]: float(row["prior"]) for row in rows()}


def test_no_optimizer_moves_less_than_adam_needs():
    # reads a gradient and three fp32 states, and writes the three
    assert priors()["optimizer_bytes"].minimum >= 4 + 12 + 12


FASTER = {"product_rate", "narrow_rate", "score_rate", "grouped_rate", "graph_saving", "expert_overlap"}
FASTER |= {"tensor_overlap"}
"""Coefficients that shorten a step as they grow; all others lengthen it."""

TINY = job(DGX_H100 | ALONE, gpt(24, 128, 2, vocabulary=128), domains=1, global_batch=8, sequence_length=128)
PLAIN = job(DGX_H100 | ALONE, LLAMA_8B, domains=1, global_batch=4)
UNFUSED = job(DGX_H100 | ALONE, gpt(8, 6000, 60), domains=1, global_batch=4, attention_kernel="unfused")
SMALL_MIXTURE = job(DGX_H100 | ALONE, MIXTRAL, domains=1, global_batch=4, sequence_length=64)
EXPERTS = job(NVL72 | ALONE, DEEPSEEK_V3, domains=1, global_batch=64, sequence_length=4096, precision="fp8")
EXPERTS |= {"data_parallel": 64, "expert_parallel": 64}
PARALLEL = job(NVL72 | ALONE, LLAMA_8B, domains=1, global_batch=8, overlap_tensor=1.0)
PARALLEL |= {"tensor_parallel": 4, "context_parallel": 2, "data_parallel": 8, "optimizer_sharding": 1}
SHARDED = PARALLEL | {"tensor_parallel": 1, "context_parallel": 1, "optimizer_sharding": 3}

ACTS: dict[str, dict[str, Any]] = {
    "narrow_rate": EXPERTS,
    "unfused_passes": UNFUSED,
    "unaligned_heads": UNFUSED,
    "quantise_bytes": EXPERTS,
    "layer_dispatch": TINY | {"captured_graphs": 0.0},
    "graph_saving": TINY | {"captured_graphs": 1.0},
    "mixture_layer_dispatch": SMALL_MIXTURE | {"captured_graphs": 0.0},
    "router_time": EXPERTS,
    "expert_kernels": EXPERTS | {"captured_graphs": 0.0},
    "grouped_rate": EXPERTS,
    "permute_bytes": EXPERTS,
    "expert_exposed": EXPERTS,
    "expert_overlap": EXPERTS,
    "tensor_exposed": PARALLEL,
    "tensor_overlap": PARALLEL,
    "tensor_backward": PARALLEL,
    "context_exposed": PARALLEL,
    "gradient_exposed": PARALLEL,
    "sharded_ring": SHARDED,
    "sharded_exposed": SHARDED,
    "selective_vector": PLAIN | {"recompute": "selective"},
    "adapter_bytes": PLAIN | {"trained_weights": "adapters"},
    "mixture_drift": EXPERTS | {"software_date": 2024.0},
}
"""Where a coefficient acts, if not on a plain step."""


@pytest.mark.parametrize("name", NAMES)
def test_every_coefficient_acts_in_one_direction_all_over_its_bounds(name):
    prior, inputs = priors()[name], ACTS.get(name, PLAIN)
    values = [prior.minimum + share * (prior.maximum - prior.minimum) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    times = [
        part("step_time", inputs | {"coefficients": replace(prior_coefficients(), **{name: value})}) for value in values
    ]
    times = times[::-1] if name in FASTER else times
    assert times == sorted(times)
    assert times[0] < times[-1] * (1 - 1e-6)
