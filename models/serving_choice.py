"""The choice among layouts: how prefill and decode instances combine to the most requests per second."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array
from models.serving_balance import split_instances
from models.serving_case import Case
from models.serving_mapping import MappingTable
from models.serving_point import DecodePoint, PrefillPoint

Sizes = dict[str, Array]
"""Each field of a point by instance size, which is the last dimension."""

NEAR: Final = 0.95
"""Combinations of layouts within 5 % of the best throughput count as near-optimal."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The best combination of layouts of each design; arrays without mapping dimensions.

    ``shared`` says that the same instances prefill and decode; ``prefill_instances`` is then zero. ``decode`` and
    ``prefill`` hold the chosen entries of `DecodePoint` and `PrefillPoint`, with ``devices`` and ``tensor_parallel``.
    """

    requests: Array
    shared: NDArray[np.bool_]
    decode_instances: Array
    prefill_instances: Array
    decode: dict[str, Array]
    prefill: dict[str, Array]
    legal: NDArray[np.int64]
    near: NDArray[np.int64]


def pick(values: Array, index: NDArray[np.intp]) -> Array:
    """Return the entry of each design along the last axis of ``values``; all dimensions before it broadcast."""
    lead = np.broadcast_shapes(values.shape[:-1], index.shape)
    values = np.broadcast_to(values, (*lead, values.shape[-1]))
    index = np.broadcast_to(index, lead)[..., np.newaxis]
    return np.take_along_axis(values, index, axis=-1)[..., 0]


def by_size(
    point: DecodePoint | PrefillPoint, table: MappingTable, judged: DecodePoint | PrefillPoint | None = None
) -> dict[str, Array]:
    """Return each field of a point at the tensor-parallel width with the highest rate; last dimension instance size.

    ``judged`` is the point whose rates decide, the same one when not given.
    """
    best = np.argmax((judged or point).rate, axis=-1)
    values = {field.name: getattr(point, field.name) for field in fields(point)}
    values |= {"devices": table.devices, "tensor_parallel": table.tensor_parallel}
    cells = table.legal.shape
    spread = {
        name: np.broadcast_to(value, np.broadcast_shapes(np.shape(value), cells)) for name, value in values.items()
    }
    return {name: pick(value, best) for name, value in spread.items()}


def join(first: dict[str, Array], second: dict[str, Array]) -> dict[str, Array]:
    """Return the entries of both along the last axis."""
    joined = {}
    for name, one in first.items():
        other = second[name]
        lead = np.broadcast_shapes(one.shape[:-1], other.shape[:-1])
        parts = [np.broadcast_to(part, (*lead, part.shape[-1])) for part in (one, other)]
        joined[name] = np.concatenate(parts, axis=-1)
    return joined


def choose(
    case: Case, apart: Sizes, shared: Sizes, prefill: Sizes, judged: tuple[Sizes, Sizes, Sizes] | None = None
) -> Choice:
    """Return the combination with the most requests per second.

    Parameters
    ----------
    apart, shared
        Decode points by instance size, with prefill on its own instances and on the same ones.
    prefill
        Prefill points by instance size.
    judged
        The same three at the values that decide the layouts; instances are split by the rates they then turn out to
        have. These themselves when not given.
    """
    sizes, prefill_sizes = apart["rate"].shape[-1], prefill["rate"].shape[-1]
    pairs = sizes * prefill_sizes
    every = _combinations(case, apart, shared, prefill)
    deciding = every["rate"] if judged is None else _combinations(case, *judged)["rate"]
    best = np.argmax(deciding, axis=-1)
    is_shared = best >= pairs
    decode_at = np.where(is_shared, sizes + best - pairs, best % sizes)
    prefill_at = np.where(is_shared, 0, best // sizes)
    requests = np.where(pick(deciding, best) > 0, pick(every["rate"], best), 0.0)
    both = join(apart, shared)
    return Choice(
        requests=requests,
        shared=is_shared,
        decode_instances=pick(every["decode"], best),
        prefill_instances=pick(every["prefill"], best),
        decode={name: pick(values, decode_at) for name, values in both.items()},
        prefill={name: pick(values, prefill_at) for name, values in prefill.items()},
        legal=np.count_nonzero(every["rate"] > 0, axis=-1),
        near=np.count_nonzero((every["rate"] > 0) & (every["rate"] >= NEAR * requests[..., np.newaxis]), axis=-1),
    )


def _combinations(case: Case, apart: Sizes, shared: Sizes, prefill: Sizes) -> Sizes:
    """Return instances that decode and prefill, and the rate, of every pair of sizes, then of every shared size."""
    pairs = apart["rate"].shape[-1] * prefill["rate"].shape[-1]
    split = split_instances(
        case.devices,
        apart["devices"][..., np.newaxis, :],
        prefill["devices"][..., :, np.newaxis],
        apart["rate"][..., np.newaxis, :],
        prefill["rate"][..., :, np.newaxis],
    )
    copies = np.floor(case.devices / shared["devices"])
    flat = [part.reshape(*part.shape[:-2], pairs) for part in split]
    alone = {"decode": copies, "prefill": np.zeros_like(copies), "rate": copies * shared["rate"]}
    return join(dict(zip(alone, flat, strict=True)), alone)
