"""The memory budget of a mapping: what sharding saves and what it must gather."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from training_facts import DEEPSEEK_V3, LLAMA_405B

from models.budget import Budget
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


LAYER = 4 * 16384 + 4 * 16384 + 2 * (128 + 16) * 128 + 2 * 128 * 128 + 6 * 53248
"""Bytes per token that a layer of Llama 405B keeps: residuals, norms, heads and output, feed-forward part."""


def needed(shape: Transformer, fixed: Fixed, domains: int = 8, **changes: Any) -> Budget:
    """Budget of the one mapping of 72-chip domains that ``fixed`` allows, on chips of any memory."""
    table = mappings(replace(CELL, shape=shape, domains=domains, fixed=fixed, **changes), 1e15, 1e15)
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


def test_hybrid_sharding_cuts_over_the_ranks_of_one_copy():
    # 512 ranks in copies of 128: everything is cut in 128, experts on 64 ranks in the two that a copy holds of each
    held = parameters(LLAMA_405B) - norm_parameters(LLAMA_405B) / 2
    fixed = replace(PLAIN, data=512, sharding=3, sharding_group=128)
    need, all_ranks = needed(LLAMA_405B, fixed), needed(LLAMA_405B, replace(fixed, sharding_group=0))
    assert need.optimizer.item() == pytest.approx(12 * held / 128, rel=1e-4)
    for kind, size in (("weights", 2), ("gradients", 4)):
        more = getattr(need, kind).item() - getattr(all_ranks, kind).item()
        assert more == pytest.approx(size * held * (1 / 128 - 1 / 512), rel=1e-4)
    experts = DEEPSEEK_V3.moe_layers * expert_parameters(DEEPSEEK_V3) / 64
    rest = parameters(DEEPSEEK_V3) - 64 * experts
    mixture = needed(DEEPSEEK_V3, replace(fixed, expert=64, sharding=1))
    assert mixture.optimizer.item() == pytest.approx(12 * (experts / 2 + rest / 128), rel=1e-3)


@pytest.mark.parametrize("sharding", [0, 1, 3])
def test_frozen_weights_have_no_gradients_and_no_optimizer(sharding):
    fixed = replace(PLAIN, data=512, sharding=sharding)
    frozen, trained = needed(LLAMA_405B, fixed, trained=False), needed(LLAMA_405B, fixed)
    assert frozen.gradients.item() == frozen.optimizer.item() == 0.0
    assert frozen.weights.item() == trained.weights.item()
    assert frozen.activations.item() == trained.activations.item()
    saved = trained.gradients.item() + trained.optimizer.item()
    assert frozen.total.item() == pytest.approx(trained.total.item() - saved)


def test_logits_count_where_the_head_is():
    # one micro-batch in flight everywhere: the last stage holds 6 bytes per token and word on top
    one = replace(CELL, batch=1, domains=1, fixed=replace(PLAIN, pipeline=2, data=1, sharding=0))
    activations = mappings(one, 1e15, 1e15).budget.activations.item()
    assert activations == pytest.approx(8192 * (63 * 2 * 16384 + 6 * 128256 + 4 * 16384), rel=1e-9)


def test_the_layer_at_work_is_whole_again():
    # pipeline of two, two micro-batches: the first stage keeps two inputs of 63 layers and one layer as without
    # recomputation, of which it has the input already
    fixed = replace(PLAIN, pipeline=2, data=1, sharding=0)
    activations = needed(LLAMA_405B, fixed, batch=2).activations.item()
    assert activations == pytest.approx(8192 * (2 * 63 * 2 * 16384 + LAYER - 2 * 16384), rel=1e-9)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_offload_takes_its_part_of_what_is_kept_not_of_the_layer_at_work(share):
    fixed = replace(PLAIN, pipeline=2, data=1, sharding=0)
    activations = needed(LLAMA_405B, fixed, batch=2, offload=share).activations.item()
    kept = 2 * 63 * 2 * 16384
    assert activations == pytest.approx(8192 * ((1 - share) * kept + LAYER - 2 * 16384), rel=1e-9)
    # with all of it gone the logits of the last stage are the most
    gone = needed(LLAMA_405B, fixed, batch=2, offload=1.0).activations.item()
    assert gone == pytest.approx(8192 * (6 * 128256 + 4 * 16384), rel=1e-9)


@pytest.mark.parametrize(("batch", "flying"), [(40, 5), (5, 5), (3, 3)])
def test_dualpipe_holds_twice_the_weights_and_one_micro_batch_more(batch, flying):
    # arXiv:2412.19437, table 2: parameters twice, activations of p + 1; four stages of 32 layers
    fixed = replace(PLAIN, pipeline=4, data=1, sharding=0)
    plain, dual = (needed(LLAMA_405B, fixed, batch=batch, schedule=name) for name in ("interleaved", "dualpipe"))
    assert dual.weights.item() == 2 * plain.weights.item()
    assert dual.gradients.item() == plain.gradients.item()
    assert dual.optimizer.item() == plain.optimizer.item()
    for need, count in ((dual, flying), (plain, min(flying, 4))):
        expected = 8192 * (count * 32 * 2 * 16384 + LAYER - 2 * 16384)
        assert need.activations.item() == pytest.approx(expected, rel=1e-9)
