"""Serving: the best layout, batch and split between prefill and decode within the service levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array, Known, ModelInputError, text
from models.kv_cache import prefill_attention_flops
from models.prefill import pass_time
from models.reasons import Reason
from models.serving_balance import split_instances
from models.serving_case import Case, case_of
from models.serving_device import PRECISION_BYTES
from models.serving_mapping import MappingTable, mapping_table
from models.serving_memory import WORKSPACE, sequence_memory
from models.serving_pass import Instance
from models.serving_point import DecodePoint, PrefillPoint, decode_point, prefill_point
from models.serving_queue import mean_wait
from models.transformer import Transformer, forward_matrix_flops, score_flops_at

NEAR: Final = 0.95
"""Combinations of layouts within 5 % of the best throughput count as near-optimal."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best combination of layouts of each design; arrays without mapping dimensions.

    ``shared`` says that the same instances prefill and decode; ``prefill_instances`` is then zero.
    """

    requests: Array
    decode_instances: Array
    prefill_instances: Array
    shared: NDArray[np.bool_]
    decode_layout: Instance
    prefill_layout: Instance
    batch: Array
    token_time: Array
    first_token_time: Array
    weights: Array
    legal: NDArray[np.int64]
    near: NDArray[np.int64]


def pick(values: Array, index: NDArray[np.intp]) -> Array:
    """Return the entry of each design along the last axis; ``values`` broadcast against ``index[..., None]``."""
    shape = (*np.broadcast_shapes(values.shape[:-1], index.shape), values.shape[-1])
    index = np.broadcast_to(index, shape[:-1])
    return np.take_along_axis(np.broadcast_to(values, shape), index[..., np.newaxis], axis=-1)[..., 0]


def best_width(values: Array, rate: Array) -> Array:
    """Return the values of the tensor-parallel width with the highest rate, for each instance size."""
    return pick(np.broadcast_to(values, rate.shape), np.argmax(rate, axis=-1))


def flat(values: Array) -> Array:
    """Join the two mapping dimensions into one."""
    return values.reshape(*values.shape[:-2], -1)


def choose(case: Case, decode_table: MappingTable, prefill_table: MappingTable) -> tuple[Chosen, dict[str, Any]]:
    """Return the combination of layouts with the most requests per second, and why none works where none does."""
    device = case.device
    prompt_time = pass_time(
        device, case.shape, decode_table.instance, np.ones_like(case.new), case.new, case.cached
    )
    apart = decode_point(case, decode_table, None)
    shared = decode_point(case, decode_table, prompt_time)
    prefill = prefill_point(case, prefill_table)
    decode_size, prefill_size = decode_table.devices[:, 0], prefill_table.devices[:, 0]
    apart_rate, shared_rate = apart.rate.max(axis=-1), shared.rate.max(axis=-1)
    prefill_rate = prefill.rate.max(axis=-1)
    decodes, prefills, rates = split_instances(
        case.devices,
        decode_size[np.newaxis, :],
        prefill_size[:, np.newaxis],
        apart_rate[..., np.newaxis, :],
        prefill_rate[..., :, np.newaxis],
    )
    copies = np.floor(case.devices / decode_size) + 0 * shared_rate
    lead = np.broadcast_shapes(rates.shape[:-2], shared_rate.shape[:-1])
    every = np.concatenate(
        [
            np.broadcast_to(flat(rates), (*lead, rates.shape[-2] * rates.shape[-1])),
            np.broadcast_to(copies * shared_rate, (*lead, len(decode_size))),
        ],
        axis=-1,
    )
    best = np.argmax(every, axis=-1)
    requests = pick(every, best)
    pairs = rates.shape[-2] * rates.shape[-1]
    is_shared = best >= pairs
    decode_index = np.where(is_shared, best - pairs, best % len(decode_size))
    prefill_index = np.where(is_shared, 0, best // len(decode_size))
    pair_index = np.minimum(best, pairs - 1)

    def of_decode(name: str) -> Array:
        one = best_width(getattr(apart, name), apart.rate)
        other = best_width(getattr(shared, name), shared.rate)
        return np.where(is_shared, pick(other, decode_index), pick(one, decode_index))

    def of_prefill(values: Array) -> Array:
        return pick(best_width(values, prefill.rate), prefill_index)

    return None  # type: ignore
