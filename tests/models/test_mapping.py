"""The mapping table: what is legal, what idles, and why nothing fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_facts import DEEPSEEK_V3, LLAMA_8B, LLAMA_405B

from models.amounts import count
from models.columns import rows
from models.mapping import Cell, Fixed, fixed_fault, label, legal, mappings
from models.memory import FULL, NONE, USABLE
from models.placement import groups_available, pack, place
from models.reasons import Reason

CELL = Cell(LLAMA_405B, 8192, 2048, 16, 72, "single_tier", sequence_parallel=True, fused_attention=True, fixed=Fixed())
MEMORY = 186e9


def table(cell: Cell, memory: float = MEMORY):
    return mappings(cell, memory, memory)


@pytest.mark.parametrize("domain", [8, 72, 384])
@pytest.mark.parametrize("domains", [1, 5, 64])
@pytest.mark.parametrize("shape", [LLAMA_405B, DEEPSEEK_V3, LLAMA_8B])
def test_no_mapping_uses_more_than_was_bought(shape, domain, domains):
    layout = table(replace(CELL, shape=shape, domain=domain, domains=domains)).layout
    assert (layout.ranks <= domain * domains).all()
    groups = layout.pipeline * layout.data
    room = groups_available(pack(layout.tensor, layout.context, domain), np.float64(domains))
    assert (groups <= room).all()


def test_the_batch_is_covered_and_no_replica_is_empty():
    layout = table(CELL).layout
    held = layout.data * layout.micro_batch * layout.micro_batches
    assert (held >= CELL.batch).all()
    assert (held - layout.micro_batch * layout.data * (layout.micro_batches - 1) >= 1).all()
    fewer = (layout.data - 1) * layout.micro_batch * layout.micro_batches
    assert (fewer < CELL.batch).all()  # one replica less would not do with as many micro-batches


def test_a_domain_of_72_idles_8_chips_under_tensor_parallel_32():
    packing = pack(np.asarray([8.0, 16.0, 32.0, 72.0]), np.ones(4), 72)
    assert packing.per_domain.tolist() == [9, 4, 2, 1]


def test_a_group_beyond_the_domain_takes_whole_domains():
    packing = pack(np.asarray([8.0, 16.0]), np.asarray([16.0, 1.0]), 8)
    assert packing.domains_per_group.tolist() == [16, 2]
    assert groups_available(packing, np.float64(64)).tolist() == [4, 32]


def test_126_layers_fit_16_stages_and_61_layers_fit_any_number():
    assert 16 in table(CELL).layout.pipeline
    stages = set(table(replace(CELL, shape=DEEPSEEK_V3)).layout.pipeline.tolist())
    assert {1.0, 4.0, 8.0, 16.0} <= stages


@pytest.mark.parametrize("schedule", ["zero_bubble", "dualpipe"])
def test_only_the_interleaved_schedule_is_searched_in_chunks(schedule):
    assert set(table(CELL).layout.virtual.tolist()) == {1.0, 2.0, 4.0, 8.0}
    assert set(table(replace(CELL, schedule=schedule)).layout.virtual.tolist()) == {1.0}
    two = replace(CELL, schedule=schedule, fixed=Fixed(virtual=2))
    assert set(table(two).layout.virtual.tolist()) == {2.0}


def test_a_mapping_recomputes_no_more_than_memory_asks_for():
    found = table(CELL)
    assert (found.budget.total <= MEMORY * USABLE).all()
    assert (found.lighter > MEMORY * USABLE).all()
    assert set(table(CELL, 1e15).layout.recompute.tolist()) == {NONE}
    assert FULL in table(CELL, 80e9).layout.recompute


def test_more_memory_keeps_every_layout():
    def layouts(memory: float) -> set[str]:
        return {
            word.replace("selective", "").replace("full", "").replace("none", "")
            for word in label(table(CELL, memory).layout)
        }

    assert layouts(80e9) <= layouts(141e9) <= layouts(288e9)


def test_the_table_of_a_range_holds_the_tables_of_its_ends():
    wide = mappings(CELL, 80e9, 192e9)
    for memory in (80e9, 192e9):
        inside = rows(wide.layout, legal(wide, memory, memory))
        assert sorted(label(inside)) == sorted(label(table(CELL, memory).layout))


@given(st.integers(1, 63))
def test_doubling_the_cluster_keeps_or_beats_the_fewest_micro_batches(domains):
    small, large = (table(replace(CELL, domains=count), 1e15).layout for count in (domains, 2 * domains))
    assert large.micro_batches.min() <= small.micro_batches.min()


@pytest.mark.parametrize(
    ("fixed", "reason"),
    [
        (Fixed(tensor=256), Reason.TENSOR),
        (Fixed(pipeline=127), Reason.LAYERS),
        (Fixed(pipeline=16, virtual=9), Reason.LAYERS),
        (Fixed(context=9000), Reason.SEQUENCE),
        (Fixed(expert=2), Reason.EXPERTS),
        (Fixed(tensor=8, pipeline=16, data=10), Reason.CHIPS),
        (Fixed(tensor=8, pipeline=200, data=10), Reason.LAYERS),
        (Fixed(data=2049), Reason.BATCH),
        (Fixed(data=1025, micro_batch=2), Reason.BATCH),
        (Fixed(tensor=8, pipeline=16, data=9), Reason.NONE),
    ],
)
def test_an_impossible_mapping_names_its_limit(fixed, reason):
    cell = replace(CELL, fixed=fixed)
    assert fixed_fault(cell) is reason
    assert (len(table(cell)) == 0) is (reason is not Reason.NONE)


def test_a_fixed_mapping_is_the_only_one():
    fixed = Fixed(8, 16, 1, 9, 1, 1, 1, "full", 1, "pipeline")
    found = table(replace(CELL, fixed=fixed))
    assert label(found.layout).tolist() == ["tp8.pp16.vpp1.dp9.cp1.ep1.mb1.full.z1.pipeline"]


def test_nothing_fits_leaves_the_mapping_that_needs_least():
    found = table(replace(CELL, domains=1, domain=8), 80e9)
    assert len(found) == 1
    assert found.reason is Reason.NONE
    assert found.budget.total.item() > 80e9


def test_placement_decides_who_shares_a_domain():
    ones = np.ones(2)
    groups = place(8 * ones, ones, 16 * ones, 64 * ones, ones, np.asarray([0.0, 1.0]), 72, "single_tier")
    assert groups.replicas.inside.tolist() == [9, 1]  # beside data: nine replicas of one stage
    assert groups.hops_between.tolist() == [15, 1]  # beside pipeline: sixteen stages in runs of nine
    assert (groups.hops_inside + groups.hops_between == 15).all()


@given(
    st.sampled_from([1, 2, 4, 8, 16]),
    st.sampled_from([1, 2, 3, 8, 16]),
    st.integers(1, 300),
    st.sampled_from([1, 8, 64, 256]),
    st.sampled_from([0.0, 1.0]),
)
def test_experts_and_their_replicas_fill_the_ranks_of_a_stage(tensor, pipeline, data, expert, placement):
    if expert > tensor * data:
        return
    column = [np.asarray([float(value)]) for value in (tensor, 1, pipeline, data, expert, placement)]
    groups = place(*column, 72, "single_tier")
    assert groups.expert.size.item() * groups.expert_replicas.size.item() <= tensor * data
    assert groups.expert.inside.item() <= 72
    assert groups.replicas.inside.item() * tensor <= 72


def test_ranks_beyond_whole_expert_groups_leave_their_tokens_to_the_others():
    ones = np.ones(3)
    data = np.asarray([8.0, 14.0, 16.0])
    groups = place(8 * ones, ones, ones, data, 64 * ones, 0 * ones, 72, "single_tier")
    assert groups.expert_replicas.size.tolist() == [1, 1, 2]
    assert groups.spill.tolist() == [1, 112 / 64, 1]
    cell = replace(CELL, shape=DEEPSEEK_V3, fixed=Fixed(8, 1, 1, 0, 1, 64, 1, "full", 1, "data"))
    tables = [table(replace(cell, fixed=replace(cell.fixed, data=int(size))), 1e15) for size in data]
    routed = [count(cell, found, "bf16").routed[0].rows.item() for found in tables]
    assert routed[1] > 1.5 * routed[0] == 1.5 * routed[2]


def test_a_domain_of_72_can_use_64_chips_for_whole_expert_groups():
    layout = table(
        replace(CELL, shape=DEEPSEEK_V3, domains=1, fixed=Fixed(tensor=1, expert=64, pipeline=1)), 1e15
    ).layout
    assert {64.0, 72.0} & set(layout.ranks.tolist()) == {64.0, 72.0}


def test_tables_stay_small():
    # thousands of rows, so that a block of a thousand designs stays in the cache tile by tile
    for domains in (1, 16, 64, 1024):
        for shape, domain in ((LLAMA_405B, 72), (DEEPSEEK_V3, 384)):
            assert len(table(replace(CELL, shape=shape, domain=domain, domains=domains))) < 32000


def test_a_supernode_of_768_dies_holds_sharding_groups_of_96_at_tensor_parallel_8():
    """A copy over 96 ranks of 8 dies stays in one CloudMatrix 384; one over 768 takes eight of them."""
    ones = np.ones(2)
    groups = place(8 * ones, ones, ones, 3840 * ones, ones, 0 * ones, 768, "two_tier_ub", np.asarray([96.0, 768.0]))
    assert groups.shards.domains.tolist() == [1, 8]
    assert groups.mirrors.size.tolist() == [40, 5]


@pytest.mark.parametrize(("domain", "domains"), [(72, 40), (768, 40), (8, 64)])
def test_sharded_copies_fill_whole_domains_and_divide_the_replicas(domain, domains):
    layout = table(replace(CELL, domain=domain, domains=domains, batch=3840), 1e15).layout
    copies = rows(layout, layout.group > 0)
    packing = pack(copies.tensor, copies.context, domain)
    inside = packing.context_inside * np.minimum(copies.data, np.maximum(packing.per_domain, 1))
    assert copies.group.size
    assert (np.mod(copies.context * copies.data, copies.group) == 0).all()
    assert set((copies.group / inside).tolist()) <= {1, 2, 4, 8, 16}
    assert (copies.sharding == 3).all()
    words = label(copies)
    assert all(f"z3x{int(group)}." in word for word, group in zip(words, copies.group, strict=True))


def test_a_sharding_group_that_is_given_is_the_only_one():
    for group in (0, 96):
        layout = table(replace(CELL, fixed=Fixed(sharding=3, pipeline=1, sharding_group=group)), 1e15).layout
        assert set(layout.group.tolist()) == {group}
