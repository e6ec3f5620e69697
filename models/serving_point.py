"""The operating point of each layout: the largest batch within memory and service levels, and what it yields.

Arrays end in three dimensions: load (batch of a decode rank, prompts of a prefill rank), instance size, tensor-parallel
width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.decode import iteration_ladder
from models.inputs import Array
from models.prefill import pass_time
from models.serving_case import Case
from models.serving_mapping import MappingTable
from models.serving_memory import room, sequence_memory, weight_memory
from models.serving_queue import REQUEST_TIME, largest_utilisation, mean_wait

PREFILL_TOKENS: Final = 16384.0
"""Tokens of one full prefill pass per attention rank, as published runs use (arXiv:2506.12708, table 2)."""
LARGEST_BATCH: Final = 4096.0
"""Sequences in flight per attention rank: no published run has more."""
BATCHES: Final[Array] = (2.0 ** (np.arange(25) / 2))[:, np.newaxis, np.newaxis]
"""Batches per attention rank at which an iteration is timed: 1 to 4,096, two per octave; linear in between. The time
bends so little that this overstates it by at most 0.5 %."""


@dataclass(frozen=True, slots=True)
class DecodePoint:
    """What one instance of each layout decodes; the load dimension is gone.

    ``batch`` per attention rank; ``prefill_share`` of the time (zero with prefill elsewhere); ``rate`` in requests per
    second of an instance (zero where not feasible); ``fits`` whether weights and one sequence fit; ``fastest`` the time
    per output token at one sequence per rank [s].
    """

    batch: Array
    token_time: Array
    first_token_time: Array
    prefill_share: Array
    rate: Array
    weights: Array
    fits: NDArray[np.bool_]
    fastest: Array


@dataclass(frozen=True, slots=True)
class PrefillPoint:
    """What one instance of each layout prefills; the load dimension is gone.

    ``capacity`` is the requests per second without idling, ``rate`` those within the time-to-first-token limit.
    """

    service_time: Array
    bulk: Array
    capacity: Array
    rate: Array
    fits: NDArray[np.bool_]


def cache_space(case: Case, table: MappingTable) -> Array:
    """Return how many sequences of mean context fit beside the weights on each attention rank; below 1 none does."""
    at = table.instance
    free = room(case.device, weight_memory(case.device, case.shape, at, case.drafts))
    return free / sequence_memory(case.shape, at, case.context, case.cache_element)


def batches_for(space: Array) -> Array:
    """Return the rungs of ``BATCHES`` that a block can need: past the largest batch that fits anywhere, and one more.

    The spare rung keeps every interpolation between the same two rungs, and so the same bits, whatever the block.
    """
    most = np.max(np.clip(np.nan_to_num(space), 1.0, LARGEST_BATCH))
    return BATCHES[: int(np.ceil(2 * np.log2(most))) + 2]


def at_load(values: Array, index: NDArray[np.intp]) -> Array:
    """Return the entries of the load dimension (third from the end) at ``index``, which has that dimension too."""
    lead = np.broadcast_shapes(values.shape[:-3], index.shape[:-3])
    cells = np.broadcast_shapes(values.shape[-2:], index.shape[-2:])
    values = np.broadcast_to(values, (*lead, values.shape[-3], *cells))
    index = np.broadcast_to(index, (*lead, 1, *cells))
    return np.take_along_axis(values, index, axis=-3)


def largest_batch(excess: Array, upper: Array, batches: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the rung below the largest admissible batch, and how far towards the next rung it lies (0 to 1).

    Parameters
    ----------
    excess
        By how much a limit is broken at each of ``batches``; grows with the batch; taken as linear in between.
    upper
        Largest batch that memory holds.
    """
    last = len(batches) - 1
    rung = np.clip(np.count_nonzero(excess <= 0, axis=-3, keepdims=True) - 1, 0, last - 1)
    below, above = at_load(excess, rung), at_load(excess, rung + 1)
    part = np.where(above > 0, -below / (above - below), 1.0)
    batch = np.minimum(between(batches, rung, part), np.minimum(upper, LARGEST_BATCH))
    steps = np.log2(np.maximum(batch, 1.0)) * 2
    rung = np.clip(np.floor(steps), 0, last - 1).astype(np.intp)
    start = at_load(batches, rung)
    return rung, np.clip((batch - start) / (at_load(batches, rung + 1) - start), 0.0, 1.0)


def between(values: Array, rung: NDArray[np.intp], part: Array) -> Array:
    """Return ``values`` interpolated between a rung and the next; the load dimension has length 1."""
    start = at_load(values, rung)
    return start + part * (at_load(values, rung + 1) - start)


def decode_point(
    case: Case, table: MappingTable, space: Array, iteration: Array, prompt_time: Array | None
) -> DecodePoint:
    """Return the operating point of every layout in decode.

    Parameters
    ----------
    space
        Sequences that fit, from `cache_space`.
    iteration
        Time of an iteration at each of ``batches_for(space)`` [s].
    prompt_time
        Time of a prefill pass with one prompt per attention rank on the same instance [s], when prefill and decode
        share the devices: every sequence then waits for the prefill of the others, ``batch / answer`` passes per token.
        None when prefill has its own instances.
    """
    at, batches = table.instance, BATCHES[: iteration.shape[-3]]
    token = iteration / case.yielded
    first = load = np.zeros((1, 1, 1))
    excess = token - case.output_token_limit
    if prompt_time is not None:
        token = token + batches * prompt_time / case.answer
        load = batches * prompt_time / (case.answer * token)
        first = REQUEST_TIME + prompt_time + token + mean_wait(load, prompt_time, np.ones_like(load))
        excess = np.maximum(token - case.output_token_limit, first - case.first_token_limit)
    fits = np.asarray(table.legal & (space >= 1))
    rung, part = largest_batch(excess, space, batches)
    batch, token_time = between(batches, rung, part), between(token, rung, part)
    feasible = fits & (excess[..., :1, :, :] <= 0)
    rate = np.where(feasible, at.ranks * batch / (token_time * case.answer), 0.0)
    return DecodePoint(
        batch=batch[..., 0, :, :],
        token_time=token_time[..., 0, :, :],
        first_token_time=between(first + 0 * token, rung, part)[..., 0, :, :],
        prefill_share=between(load + 0 * token, rung, part)[..., 0, :, :],
        rate=rate[..., 0, :, :],
        weights=weight_memory(case.device, case.shape, at, case.drafts)[..., 0, :, :],
        fits=fits[..., 0, :, :],
        fastest=token[..., 0, :, :],
    )


def prefill_point(case: Case, table: MappingTable) -> PrefillPoint:
    """Return the operating point of every layout in prefill: one prompt per rank and pass, or as many as fill it."""
    at, device, shape = table.instance, case.device, case.shape
    full = np.maximum(np.floor(PREFILL_TOKENS / case.new), 1.0)
    prompts = np.concatenate([np.ones_like(full), full], axis=-3)
    space = room(device, weight_memory(device, shape, at, 0))
    needed = prompts * sequence_memory(shape, at, np.asarray(float(case.prompt)), case.cache_element)
    fits = np.asarray(table.legal & (space >= needed))
    service = case.slowness * pass_time(device, shape, at, prompts, case.new, case.cached)
    bulk = prompts * at.ranks
    load = largest_utilisation(case.first_token_limit - REQUEST_TIME - service, service, bulk)
    rate = np.where(fits & (load > 0), bulk / service * load, 0.0)
    best = np.argmax(rate, axis=-3, keepdims=True)
    return PrefillPoint(
        service_time=at_load(service, best)[..., 0, :, :],
        bulk=at_load(bulk, best)[..., 0, :, :],
        capacity=at_load(bulk / service, best)[..., 0, :, :],
        rate=at_load(rate, best)[..., 0, :, :],
        fits=np.asarray(fits.any(axis=-3)),
    )


def shared_prompt_time(case: Case, table: MappingTable) -> Array:
    """Return the time of a pass with one prompt per attention rank on the decode instances [s]."""
    single = np.ones_like(case.new)
    return case.slowness * pass_time(case.device, case.shape, table.instance, single, case.new, case.cached)


def ladder(case: Case, table: MappingTable, batches: Array) -> Array:
    """Return the time of a decode iteration at each of ``batches`` in every layout [s]."""
    return case.slowness * iteration_ladder(
        case.device, case.shape, table.instance, batches, case.context, case.cache_element, case.drafts
    )
