"""The mapping of a measured run, and the values that its unstated knobs may have.

A knob that a row does not state is a range: every plausible value is a variant of the case, at most ``MOST``. Whether a
variant fits in memory is for the model to say.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.mapping import ALL_REPLICAS
from models.transformer import Transformer
from sweep.accuracy.machines import Machine
from sweep.accuracy.recipes import gathers_tensors, is_fused, reduces_all, sharding_group, sharding_stage
from sweep.accuracy.table import LeftOutError, Row

MOST: Final = 24
"""Variants of a case; of longer ranges the ends and the middle are kept."""

CHUNKS: Final = (1, 2, 4, 8)
"""Model chunks per pipeline stage when a source says that the schedule is interleaved and not how deep."""

SEQUENCES: Final = (1, 2, 4, 8)
"""Sequences per micro-batch when a source does not say."""

MICRO_BATCH_TOKENS: Final = 32768
"""Tokens of one micro-batch up to which several sequences are plausible."""

FULLY_SHARDED: Final = 3
"""ZeRO stage that shards the weights as well (FSDP)."""

COLUMNS: Final = {
    "tp": "tensor_parallel",
    "pp": "pipeline_parallel",
    "cp": "context_parallel",
    "ep": "expert_parallel",
    "vpp": "virtual_pipeline",
    "micro_batch": "micro_batch",
}
"""Columns of a mapping and the inputs they become."""

Variant = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What is known of the mapping of a run: its variants, and whether the model has to search it."""

    variants: tuple[Variant, ...]
    searched: bool


def mapping_of(row: Row, shape: Transformer, machine: Machine, batch: int, sequence: int) -> Mapped:
    """Return the mapping of a row with its ranges; raises ``LeftOutError`` when ranks and batch do not agree."""
    if not is_mapped(row):
        return Mapped((_search(row, shape, machine, batch),), searched=True)
    tensor, pipeline, context = row.need("tp", ""), row.need("pp", ""), row.count("cp") or 1
    data = machine.ranks // (tensor * pipeline * context)
    if not data or data > batch:
        raise LeftOutError("ranks, batch and micro-batch do not agree")
    group = sharding_group(row, machine, tensor)
    fixed = {
        "tensor_parallel": tensor,
        "pipeline_parallel": pipeline,
        "context_parallel": context,
        "data_parallel": data,
        "optimizer_sharding": sharding_stage(row),
        "placement": "data",
        **({"sharded_gathers": "tensor"} if gathers_tensors(row) else {}),
        **({"gradient_reduction": "all_reduce"} if reduces_all(row) else {}),
        "sharding_group": group if 1 < group < data * context else ALL_REPLICAS,
    }
    knobs = {
        "recompute": _recomputes(row, shape),
        "micro_batch": _micro_batches(row, batch, data, sequence, pipeline),
        "virtual_pipeline": _chunks(row, shape, pipeline),
        "expert_parallel": _experts(row, shape, machine.ranks // pipeline),
    }
    variants = tuple(fixed | choice for choice in _combinations(knobs))
    if not variants:
        raise LeftOutError("ranks, batch and micro-batch do not agree")
    return Mapped(variants, searched=False)


def _combinations(knobs: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """All combinations of the knobs; the longest ranges are thinned until there are at most ``MOST``."""
    ranges = dict(knobs)
    while _count(ranges) > MOST:
        longest = max(ranges, key=lambda name: len(ranges[name]))
        values = ranges[longest]
        ranges[longest] = (
            (values[0], values[len(values) // 2], values[-1]) if len(values) > 3 else values[:: len(values) - 1]
        )
    for values in itertools.product(*ranges.values()):
        yield dict(zip(ranges, values, strict=True))


def thinned(variants: Sequence[Variant], times: int) -> Sequence[Variant]:
    """Return the variants, evenly thinned where ``times`` as many are more than ``MOST``."""
    most = max(MOST // times, 1)
    step = -(-len(variants) // most)
    return variants[::step]


def _count(ranges: Mapping[str, Sequence[Any]]) -> int:
    total = 1
    for values in ranges.values():
        total *= len(values)
    return total


def _recomputes(row: Row, shape: Transformer) -> Sequence[str]:
    """Kinds of recomputation: stated, or all that differ.

    Selective recomputation repeats the attention core, which fused kernels always do; it differs from none where
    attention is not fused, and in mixtures, where it means cheap modules.
    """
    if stated := row.text("recompute"):
        return (stated,)
    return ("none", "selective", "full") if shape.experts or not is_fused(row) else ("none", "full")


def _micro_batches(row: Row, batch: int, data: int, sequence: int, pipeline: int) -> Sequence[int]:
    """Sequences per micro-batch: the whole batch of a replica where nothing accumulates, stated, or powers of two.

    Frameworks for TPUs do not accumulate; what their rows state is the batch of one chip, of which a replica has many.
    """
    stated, each = row.count("micro_batch"), -(-batch // data)
    if pipeline == 1 and re.search(r"^tpu|maxtext", _words(row, "chip", "zero_stage/dist_optimizer", "other_features")):
        return (each,)
    if stated:
        return (stated,) if stated <= each else ()
    return [size for size in SEQUENCES if each % size == 0 and size * sequence <= MICRO_BATCH_TOKENS] or [1]


def _chunks(row: Row, shape: Transformer, pipeline: int) -> Sequence[int]:
    """Model chunks per stage. A recipe that states its micro-batch and no chunks has one, unless it says otherwise."""
    most = -(-shape.layers // pipeline)
    if stated := row.count("vpp"):
        return (min(stated, most),)
    interleaved = re.search(r"interleav|virtual", row.features)
    if pipeline == 1 or (row.count("micro_batch") and not interleaved) or "dualpipe" in row.features:
        return (1,)
    if re.search(r"deepspeed|fsdp", row.features):
        return (1,)
    return [size for size in CHUNKS if size <= most and (most % size == 0 or size == 1)]


def _experts(row: Row, shape: Transformer, ranks: int) -> Sequence[int]:
    """Ranks that share the experts: stated, or powers of two that divide experts and ranks."""
    if not shape.experts:
        return (1,)
    if stated := row.count("ep"):
        if stated > min(shape.experts, ranks):
            raise LeftOutError("more expert-parallel ranks than experts or ranks")
        return (stated,)
    return [1 << k for k in range(9) if shape.experts % (1 << k) == 0 and ranks % (1 << k) == 0]


def _words(row: Row, *columns: str) -> str:
    return " ".join(row.text(column) for column in columns).lower()


def is_mapped(row: Row) -> bool:
    """Whether a row states how the model is laid over the chips."""
    return row.count("tp") is not None and row.count("pp") is not None


def implied(row: Row, machine: Machine, batch: int) -> Row:
    """Return a row with the mapping that its kind of parallelism implies, or as it is.

    Fully sharded data parallelism and nothing else (FSDP without a list of more) is a replica of the model per rank,
    where there is a sequence for each.
    """
    listed = re.search(r"[+/] ?(?:[tpce]p)\b", row.features)
    if is_mapped(row) or sharding_stage(row) != FULLY_SHARDED or listed or batch < machine.ranks:
        return row
    return row.completed({"tp": "1", "pp": "1", "cp": "1", "ep": "1"})


def _search(row: Row, shape: Transformer, machine: Machine, batch: int) -> Variant:
    """Return what is known of a mapping that the model has to search: stated columns, and kinds of parallelism named.

    "TP+EP+DP" names all kinds that are used. Fully sharded data parallelism has no pipeline.
    """
    known: dict[str, Any] = {"sharding_group": ALL_REPLICAS} | {
        name: value for column, name in COLUMNS.items() if (value := row.count(column)) is not None
    }
    if row.text("recompute"):
        known["recompute"] = row.text("recompute")
    if kinds := re.search(r"\b[tpdec]p(?:\+[tpdec]p)+\b", row.features):
        unused = {"tp", "pp", "cp", "ep"} - set(kinds[0].split("+"))
        known |= {COLUMNS[kind]: 1 for kind in sorted(unused) if COLUMNS[kind] not in known}
    stage = sharding_stage(row)
    if stage == FULLY_SHARDED:
        known |= {"optimizer_sharding": stage, "pipeline_parallel": 1}
        if shape.experts and not re.search(r"\bep\b", row.features):
            known.setdefault("expert_parallel", 1)
        if batch >= machine.ranks:
            known |= {"tensor_parallel": 1, "context_parallel": 1}
    elif row.text("zero_stage/dist_optimizer"):
        known["optimizer_sharding"] = stage
    return known
