"""The memory budget of a mapping: what sharding saves and what it must gather."""

from __future__ import annotations

from dataclasses import replace

import pytest
from training_facts import DEEPSEEK_V3, LLAMA_405B

from models.mapping import Cell, Fixed, mappings
from models.transformer import (
    Transformer,
    embedding_parameters,
    expert_parameters,
    head_parameters,
    norm_parameters,
    parameters,
)

PLAIN = Fixed(tensor=1, pipeline=1, virtual=1, context=1, expert=1, micro_batch=1, recompute="full", placement="data")

CELL = Cell(LLAMA_405B, 8192, 4096, 8, 72, "single_tier", sequence_parallel=True, fused_attention=True, fixed=PLAIN)


def needed(shape: Transformer, fixed: Fixed, domains: int = 8):
    """Budget of the one mapping of 72-chip domains that ``fixed`` allows, on chips of any memory."""
    table = mappings(replace(CELL, shape=shape, domains=domains, fixed=fixed), 1e15, 1e15)
    assert len(table) == 1
    return table.budget


def test_sharded_weights_are_gathered_two_layers_at_a_time():
    shape = LLAMA_405B
    held = parameters(shape) - norm_parameters(shape) / 2  # the final norm is not counted
    ends = embedding_parameters(shape) + head_parameters(shape)
    gathered = 2 * (held - ends) / shape.layers + ends
    need = needed(shape, replace(PLAIN, data=512, sharding=3))
    assert need.weights.item() == pytest.approx(2 * (held / 512 + gathered), rel=1e-4)
    assert need.gradients.item() == pytest.approx(4 * (held / 512 + gathered), rel=1e-4)
    assert need.optimizer.item() == pytest.approx(12 * held / 512, rel=1e-4)


def test_every_stage_of_sharding_saves_what_it_shards():
    stages = [needed(LLAMA_405B, replace(PLAIN, data=512, sharding=stage)) for stage in (0, 1, 2, 3)]
    totals = [need.total.item() for need in stages]
    assert totals == sorted(totals, reverse=True)
    assert stages[0].optimizer.item() == pytest.approx(512 * stages[1].optimizer.item())
    assert stages[1].weights.item() == stages[0].weights.item() == stages[2].weights.item()
    assert stages[1].gradients.item() == pytest.approx(512 * stages[2].gradients.item())


def test_experts_are_sharded_over_the_ranks_that_hold_the_same():
    # 512 ranks in eight groups of 64: the optimizer of the experts is cut in eight, that of the rest in 512
    need = needed(DEEPSEEK_V3, replace(PLAIN, data=512, expert=64, sharding=1))
    experts = DEEPSEEK_V3.moe_layers * expert_parameters(DEEPSEEK_V3) / 64
    rest = parameters(DEEPSEEK_V3) - 64 * experts
    assert need.optimizer.item() == pytest.approx(12 * (experts / 8 + rest / 512), rel=1e-3)


def test_logits_count_where_the_head_is():
    # one micro-batch in flight everywhere: the last stage holds 6 bytes per token and word on top
    one = replace(CELL, batch=1, domains=1, fixed=replace(PLAIN, pipeline=2, data=1, sharding=0))
    activations = mappings(one, 1e15, 1e15).budget.activations.item()
    assert activations == pytest.approx(8192 * (63 * 2 * 16384 + 6 * 128256 + 4 * 16384), rel=1e-9)
