"""The legal mappings of a structural cell: how a model is laid over the chips of a cluster.

Chips bought are at least chips used, and nothing needs to divide anything: groups of tensor x context ranks are packed
whole into domains, stages have up to ``ceil(layers / stages)`` layers, the fullest replica has ``ceil(batch / (micro
batch x replicas))`` micro-batches. Chips may idle: a layout uses all domains or as few as hold its stages. Ladders are
coarse, so that a table has thousands of rows; a user can fix any value beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.budget import Budget, budget
from models.columns import rows, stack
from models.inputs import Array
from models.memory import RECOMPUTE, USABLE
from models.placement import DATA, PIPELINE, PLACEMENTS, Groups, groups_available, pack, place
from models.reasons import Reason
from models.schedule import schedule_idle
from models.transformer import Transformer

TENSOR: Final = (1, 2, 4, 8, 16, 32)
PIPELINE_STAGES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
VIRTUAL: Final = (1, 2, 4, 8)
MICRO_BATCH: Final = (1, 2, 4, 8, 16)
CONTEXT: Final = (1, 2, 4, 8, 16, 32, 64)
CONTEXT_TOKENS: Final = 4096
"""A sequence is searched in context-parallel parts of at least this many tokens: MLPerf runs cut 8,192 in two."""
MICRO_BATCH_TOKENS: Final = 65536
"""A micro-batch of more than one sequence is searched up to this many tokens."""
EXPERT_HALVINGS: Final = 4
COPY_DOMAINS: Final = (1, 2, 4, 8, 16)
"""Whole domains over which a sharded copy of the weights is searched, beside all replicas."""
ALL_REPLICAS: Final = 0
SEARCHED: Final = -1
"""Values of ``Fixed.sharding_group`` beside a number of ranks."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a user has fixed; 0 or an empty text leaves the choice to the model, -1 the stage and group of ZeRO."""

    tensor: int = 0
    pipeline: int = 0
    virtual: int = 0
    data: int = 0
    context: int = 0
    expert: int = 0
    micro_batch: int = 0
    recompute: str = ""
    sharding: int = -1
    placement: str = ""
    sharding_group: int = SEARCHED


@dataclass(frozen=True, slots=True)
class Cell:
    """A structural cell: everything that decides which mappings are legal before memory.

    ``domain``: ranks of one domain, ``ranks_per_chip`` of them in a package. ``input_bytes``: of an element that a
    matrix product keeps of its input for the backward pass. ``trained``: false where the weights are frozen and only
    adapters learn. ``packed``: tokens of one document in a packed sequence, 0 when a sequence is one document.
    ``schedule``: of the pipeline, one of ``models.schedule.SCHEDULES``. ``offload``: part of the activations kept on
    the host. ``fused_dispatch``: a token crosses to a domain once, not once per expert there. ``bucketed``: sharded
    weights are gathered layer by layer, not tensor by tensor. ``scattered``: gradients go to the owner of their shard
    of the optimizer alone, not to every replica. ``gradient_bytes``: of one, on its way and in its sum.
    ``gathered_bytes``: of a weight that is gathered.
    """

    shape: Transformer
    sequence: int
    batch: int
    domains: int
    domain: int
    topology: str
    sequence_parallel: bool
    fused_attention: bool
    fixed: Fixed
    ranks_per_chip: int = 1
    input_bytes: float = 2.0
    trained: bool = True
    packed: float = 0.0
    schedule: str = "interleaved"
    offload: float = 0.0
    fused_dispatch: bool = True
    bucketed: bool = True
    scattered: bool = True
    gradient_bytes: float = 4.0
    gathered_bytes: float = 2.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a mapping table: whole numbers as floats, one row per mapping.

    ``recompute``, ``sharding`` and ``placement`` are codes: index into ``RECOMPUTE``, ZeRO stage, index into
    ``PLACEMENTS``. ``micro_batches`` belongs to the fullest replica. ``group``: ranks (data x context) of one sharded
    copy, 0 where all share one.
    """

    tensor: Array
    pipeline: Array
    virtual: Array
    context: Array
    expert: Array
    micro_batch: Array
    sharding: Array
    micro_batches: Array
    data: Array
    recompute: Array
    placement: Array
    group: Array

    @property
    def ranks(self) -> Array:
        """Ranks used."""
        return self.tensor * self.context * self.pipeline * self.data

    @property
    def fully_sharded(self) -> NDArray[np.bool_]:
        """Whether weights are sharded and gathered layer by layer: ZeRO 3."""
        return np.asarray(self.sharding >= 3.0)


@dataclass(frozen=True, slots=True)
class Mappings:
    """The mapping table of a cell: layout, groups and memory; and why it is empty when it is.

    ``idle``: part of the bubble that the schedule leaves; ``waits``: 1 where it waits for transfers. ``lighter``: least
    memory [byte] of the same layout with less recomputation, infinite when there is none. A mapping is legal where it
    fits and its lighter twin does not: nobody recomputes more than the memory asks for.
    """

    layout: Layout
    groups: Groups
    budget: Budget
    lighter: Array
    idle: Array
    waits: Array
    reason: Reason

    def __len__(self) -> int:
        return self.layout.tensor.size


def _ladder(fixed: int, values: Sequence[int]) -> tuple[int, ...]:
    return (fixed,) if fixed else tuple(values)


def _stage_ladder(layers: int) -> tuple[int, ...]:
    """Stage counts worth trying: the fewest stages for each number of layers per stage on a coarse ladder."""
    return tuple(sorted({-(-layers // -(-layers // count)) for count in PIPELINE_STAGES if count <= layers}))


def _expert_ladder(experts: int) -> tuple[int, ...]:
    """Expert-parallel widths worth trying: one, and the experts halved up to four times."""
    return tuple(sorted({1} | {-(-experts // (1 << k)) for k in range(EXPERT_HALVINGS + 1)})) if experts else (1,)


def _product(*ladders: Sequence[float]) -> list[Array]:
    """All combinations of the ladders, as one column each; the last varies fastest."""
    mesh = np.meshgrid(*(np.asarray(ladder, dtype=np.float64) for ladder in ladders), indexing="ij")
    return [np.ascontiguousarray(axis.reshape(-1)) for axis in mesh]


def fixed_fault(cell: Cell) -> Reason:
    """Return the limit that a fixed mapping breaks whatever the memory is, the tightest first; NONE if none."""
    fixed, shape = cell.fixed, cell.shape
    tensor, context, pipeline = (max(value, 1) for value in (fixed.tensor, fixed.context, fixed.pipeline))
    packing = pack(np.asarray(tensor, dtype=np.float64), np.asarray(context, dtype=np.float64), cell.domain)
    groups = float(groups_available(packing, np.asarray(cell.domains, dtype=np.float64)))
    faults = (
        (fixed.tensor > shape.heads, Reason.TENSOR),
        (fixed.pipeline > shape.layers or fixed.virtual > -(-shape.layers // pipeline), Reason.LAYERS),
        (fixed.context > cell.sequence, Reason.SEQUENCE),
        (fixed.expert > max(shape.experts, 1), Reason.EXPERTS),
        (fixed.data > -(-cell.batch // max(fixed.micro_batch, 1)), Reason.BATCH),
        (groups < pipeline * max(fixed.data, 1), Reason.CHIPS),
    )
    return next((reason for broken, reason in faults if broken), Reason.NONE)


def _layouts(cell: Cell) -> Layout:
    """All combinations of the ladders that make sense, before data parallelism, recomputation and placement.

    Several sequences per micro-batch on several context ranks are left out: as many replicas more of one sequence each
    hold the same tokens without the exchange.
    """
    fixed, shape = cell.fixed, cell.shape
    tensor, pipeline, virtual, context, expert, micro_batch, sharding = _product(
        _ladder(fixed.tensor, [size for size in TENSOR if size <= min(cell.domain, shape.heads)]),
        _ladder(fixed.pipeline, _stage_ladder(shape.layers)),
        _ladder(fixed.virtual, VIRTUAL if cell.schedule == "interleaved" else (1,)),
        _ladder(fixed.context, [size for size in CONTEXT if size == 1 or cell.sequence >= size * CONTEXT_TOKENS]),
        _ladder(fixed.expert, _expert_ladder(shape.experts)),
        _ladder(fixed.micro_batch, [size for size in MICRO_BATCH if size <= cell.batch]),
        (1, 3) if fixed.sharding < 0 else (fixed.sharding,),
    )
    tokens = micro_batch * cell.sequence / context
    keep = virtual <= np.ceil(shape.layers / pipeline)
    keep &= (virtual == 1) | (pipeline > 1) | (fixed.virtual > 0)
    keep &= (micro_batch == 1) | (tokens <= MICRO_BATCH_TOKENS) | (fixed.micro_batch > 0)
    keep &= (micro_batch == 1) | (context == 1) | (fixed.micro_batch > 0) | (fixed.context > 0)
    keep &= (sharding < 3) | (pipeline == 1) | (fixed.sharding == 3)
    blank = np.zeros_like(tensor)
    blanks = (blank, blank, blank, blank)
    group = np.full_like(tensor, max(fixed.sharding_group, ALL_REPLICAS))
    layout = Layout(tensor, pipeline, virtual, context, expert, micro_batch, sharding, *blanks, group)
    return rows(layout, keep)


def _with_replicas(layout: Layout, cell: Cell) -> Layout:
    """Add the data-parallel widths: the least width with the fewest micro-batches that some number of groups allows.

    With d domains of replicas per stage, gathers between domains cost ``(d - 1)/d`` and the work ``1/d``: step time is
    linear in 1/d, so that one of the ends is best, but a domain filled in part costs as much as a full one. So a layout
    uses all groups bought, or as many whole domains per stage as that allows, or one, or as few domains as hold its
    stages. Of one domain and of all, with experts, also what fills whole expert groups. The best width can lie between
    these only where the interfaces are slower than half of today's: up to 4 % with experts, 2 % without.
    """
    packing = pack(layout.tensor, layout.context, cell.domain)
    bought = groups_available(packing, np.asarray(cell.domains, dtype=np.float64))
    if cell.fixed.data:
        data = np.full_like(layout.tensor, cell.fixed.data)
        micro_batches = np.ceil(cell.batch / (layout.micro_batch * data))
        return _possible(replace(layout, data=data, micro_batches=micro_batches), bought, cell)
    slots = np.maximum(packing.per_domain, 1.0)
    fewest = np.minimum(np.ceil(layout.pipeline / slots) * slots, bought)
    each = layout.pipeline * slots
    one_each = np.minimum(each, bought)
    whole = np.maximum(np.floor(bought / each) * each, one_each)
    unit = np.maximum(np.ceil(layout.expert / (layout.tensor * layout.context)), 1.0)
    choices = [(fewest, 1.0), (one_each, unit), (one_each, 1.0), (whole, 1.0), (bought, unit), (bought, 1.0)]
    parts: list[Layout] = []
    before = np.zeros_like(layout.tensor)
    for groups, multiple in choices:
        width = np.maximum(np.floor(groups / layout.pipeline / multiple) * multiple, 1.0)
        micro_batches = np.ceil(cell.batch / (layout.micro_batch * width))
        least = np.ceil(cell.batch / (layout.micro_batch * micro_batches))
        even = np.ceil(least / unit) * unit
        data = np.where(even <= np.minimum(width, np.floor(cell.batch / layout.micro_batch)), even, least)
        new = np.where(micro_batches != before, groups, 0.0)
        parts.append(_possible(replace(layout, data=data, micro_batches=micro_batches), new, cell))
        before = micro_batches
    return stack(parts)


def _possible(layout: Layout, groups: Array, cell: Cell) -> Layout:
    """Keep the layouts whose stages and replicas find groups, whose experts have ranks, whose sharding has replicas."""
    keep = (groups >= layout.pipeline * layout.data) & (layout.expert <= layout.tensor * layout.context * layout.data)
    keep &= (layout.sharding < 3) | (layout.data * layout.context > 1) | (cell.fixed.sharding == 3)
    return rows(layout, keep)


def _with_placement(layout: Layout, cell: Cell) -> Layout:
    """Add the placement; one that changes nothing is left out."""
    if cell.fixed.placement:
        code = float(PLACEMENTS.index(cell.fixed.placement))
        return replace(layout, placement=np.full_like(layout.tensor, code))
    per_domain = pack(layout.tensor, layout.context, cell.domain).per_domain
    several = (layout.pipeline > 1) & (layout.data > 1) & (per_domain > 1)
    several &= layout.pipeline * layout.data > per_domain
    beside_pipeline = rows(layout, several)
    return stack(
        (
            replace(layout, placement=np.full_like(layout.tensor, DATA)),
            replace(beside_pipeline, placement=np.full_like(beside_pipeline.tensor, PIPELINE)),
        )
    )


def _with_copies(layout: Layout, cell: Cell) -> Layout:
    """Add the sharded copies that fill whole domains (hybrid sharding), of layouts whose weights are sharded.

    A copy over fewer ranks is gathered over fewer and nearer links, and leaves more to sum over the copies; which is
    best lies between one domain and all. Copies that do not divide the replicas are left out.
    """
    if cell.fixed.sharding_group != SEARCHED:
        return layout
    sharded = rows(layout, layout.fully_sharded)
    packing = pack(sharded.tensor, sharded.context, cell.domain)
    inside = packing.context_inside * np.minimum(sharded.data, np.maximum(packing.per_domain, 1.0))
    replicas = sharded.context * sharded.data
    parts = [layout]
    for count in COPY_DOMAINS:
        group = count * inside
        whole = (group > 1) & (group < replicas) & (np.mod(replicas, group) == 0)
        parts.append(rows(replace(sharded, group=group), whole))
    return stack(parts)


def _describe(layout: Layout, cell: Cell) -> tuple[Groups, Budget]:
    """Return the groups and the memory of every layout."""
    groups = place(
        layout.tensor,
        layout.context,
        layout.pipeline,
        layout.data,
        layout.expert,
        layout.placement,
        cell.domain,
        cell.topology,
        layout.group,
        fused_dispatch=cell.fused_dispatch,
    )
    need = budget(
        cell.shape,
        cell.sequence,
        layout.tensor,
        layout.pipeline,
        layout.virtual,
        layout.context,
        layout.expert,
        layout.micro_batch,
        layout.micro_batches,
        layout.recompute,
        layout.sharding,
        groups,
        sequence_parallel=cell.sequence_parallel,
        fused_attention=cell.fused_attention,
        input_bytes=cell.input_bytes,
        trained=cell.trained,
        offload=cell.offload,
        schedule=cell.schedule,
        gradient_bytes=cell.gradient_bytes,
    )
    return groups, need


@lru_cache(maxsize=64)
def mappings(cell: Cell, smallest: float, largest: float) -> Mappings:
    """Return the mapping table of a cell for chips with ``smallest`` to ``largest`` bytes of memory.

    Mappings that no such chip can hold, or that recompute more than any such chip needs, are left out: they are legal
    in no design. When nothing fits, the table holds the mapping that needs least, so that a design can say how much is
    missing. Fully sharded ones come last, so that few tiles of the search have any. When the fixed mapping is
    impossible whatever the memory, ``reason`` says why and the table is empty.
    """
    reason = fixed_fault(cell)
    layout = _with_copies(_with_placement(_with_replicas(_layouts(cell), cell), cell), cell)
    if not layout.tensor.size and reason is Reason.NONE:
        reason = Reason.EXPERTS if cell.fixed.expert else Reason.CHIPS
    if reason is not Reason.NONE:
        layout = rows(layout, slice(0, 0))
    tables = _by_recompute(layout, cell, reason)
    kept = [rows(table, legal(table, smallest, largest)) for table in tables]
    if not sum(map(len, kept)) and layout.tensor.size:
        least = min(tables, key=lambda table: table.budget.total.min())
        kept = [rows(least, np.asarray([np.argmin(least.budget.total)]))]
    table = stack(kept)
    return rows(table, np.argsort(table.layout.fully_sharded, kind="stable"))


def legal(table: Mappings, smallest: Array | float, largest: Array | float) -> NDArray[np.bool_]:
    """Whether some chip between the two memory sizes [byte] holds a mapping and does not hold its lighter twin."""
    needed = table.budget.total <= np.asarray(largest) * USABLE
    return needed & (table.lighter > np.asarray(smallest) * USABLE)


def _by_recompute(layout: Layout, cell: Cell, reason: Reason) -> list[Mappings]:
    """One table per kind of recomputation, from none to full; each knows what its lighter twin needs."""
    codes = [RECOMPUTE.index(cell.fixed.recompute)] if cell.fixed.recompute else range(len(RECOMPUTE))
    lighter = np.full_like(layout.tensor, np.inf)
    tables = []
    for code in codes:
        choice = replace(layout, recompute=np.full_like(layout.tensor, float(code)))
        groups, need = _describe(choice, cell)
        idle = schedule_idle(cell.schedule, layout.pipeline)
        waits = np.full_like(idle, 1.0 if cell.schedule == "interleaved" else 0.0)
        tables.append(Mappings(choice, groups, need, lighter, idle, waits, reason))
        lighter = need.total if code == codes[0] else np.minimum(lighter, need.total)
    return tables


def label(layout: Layout) -> NDArray[np.str_]:
    """One word per mapping: ``tp8.pp16.vpp1.dp128.cp1.ep1.mb1.full.z1.data``; ``z3x96`` where 96 ranks share a copy."""
    recompute = np.asarray(RECOMPUTE)[layout.recompute.astype(np.int64)]
    placement = np.asarray(PLACEMENTS)[layout.placement.astype(np.int64)]
    counts = (
        ("tp", layout.tensor),
        ("pp", layout.pipeline),
        ("vpp", layout.virtual),
        ("dp", layout.data),
        ("cp", layout.context),
        ("ep", layout.expert),
        ("mb", layout.micro_batch),
    )
    words = np.asarray([""])
    for prefix, column in counts:
        words = np.strings.add(np.strings.add(words, prefix), column.astype(np.int64).astype(np.str_))
        words = np.strings.add(words, ".")
    words = np.strings.add(np.strings.add(words, recompute), ".z")
    words = np.strings.add(words, layout.sharding.astype(np.int64).astype(np.str_))
    copies = (layout.group > 0) & (layout.group < layout.data * layout.context)
    words = np.where(
        copies, np.strings.add(np.strings.add(words, "x"), layout.group.astype(np.int64).astype(np.str_)), words
    )
    words = np.strings.add(words, ".")
    words = np.strings.add(words, placement)
    return words.astype(f"U{max(map(len, words.tolist()), default=1)}")
