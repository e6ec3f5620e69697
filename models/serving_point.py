"""The operating point of each layout: the largest batch within memory and service levels, and what it yields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.decode import iteration_time
from models.inputs import Array
from models.prefill import pass_time
from models.serving_case import Case
from models.serving_mapping import MappingTable
from models.serving_memory import room, sequence_memory, weight_memory
from models.serving_pass import Instance
from models.serving_queue import largest_utilisation, mean_wait

PREFILL_TOKENS: Final = 16384.0
"""Tokens of one full prefill pass per attention rank, as published runs use (arXiv:2506.12708, table 2)."""
SEARCH_STEPS: Final = 10


@dataclass(frozen=True, slots=True)
class DecodePoint:
    """What one instance of each layout decodes; shape (..., sizes, widths).

    ``batch`` per attention rank, ``rate`` in requests per second of an instance (zero where not feasible), ``fits``
    whether weights and one sequence fit, ``fastest`` the time per output token at one sequence per rank [s].
    """

    batch: Array
    token_time: Array
    first_token_time: Array
    rate: Array
    weights: Array
    fits: NDArray[np.bool_]
    fastest: Array


@dataclass(frozen=True, slots=True)
class PrefillPoint:
    """What one instance of each layout prefills; shape (..., sizes, widths).

    ``capacity`` is the requests per second without idling, ``rate`` those within the time-to-first-token limit.
    """

    service_time: Array
    bulk: Array
    capacity: Array
    rate: Array
    fits: NDArray[np.bool_]


def largest_batch(excess: Callable[[Array], Array], upper: Array) -> Array:
    """Return the largest batch from 1 to ``upper`` at which ``excess`` is not positive; NaN when it is positive at 1.

    ``excess`` grows with the batch. A fixed number of false-position steps (Illinois variant) with the lower end always
    admissible: the answer never breaks a limit, and lies within about 1e-9 of the largest that keeps it.
    """
    low, high = np.ones_like(upper), np.maximum(upper, 1.0)
    at_low, at_high = excess(low), excess(high)
    admissible, free = at_low <= 0, at_high <= 0
    moved_low = np.zeros_like(admissible)
    moved_high = np.zeros_like(admissible)
    for _ in range(SEARCH_STEPS):
        trial = np.clip(high - at_high * (high - low) / (at_high - at_low), low, high)
        value = excess(trial)
        below = value <= 0
        # An end that stays twice has its value halved, or one end would creep.
        at_high = np.where(below, np.where(moved_low, at_high / 2, at_high), value)
        at_low = np.where(below, value, np.where(moved_high, at_low / 2, at_low))
        low, high = np.where(below, trial, low), np.where(below, high, trial)
        moved_low, moved_high = below, ~below
    return np.asarray(np.where(free, np.maximum(upper, 1.0), np.where(admissible, low, np.nan)))


def decode_point(case: Case, table: MappingTable, prompt_time: Array | None) -> DecodePoint:
    """Return the operating point of every layout in decode.

    Parameters
    ----------
    prompt_time
        Time of a prefill pass with one prompt per attention rank on the same instance [s], when prefill and decode
        share the devices: every sequence then waits for the prefill of the others, ``batch / answer`` passes per token.
        None when prefill has its own instances.
    """
    at, device, shape = table.instance, case.device, case.shape
    weights = weight_memory(device, shape, at, case.drafts)
    space = room(device, weights) / sequence_memory(shape, at, case.context, case.cache_element)
    fits = np.asarray(table.legal & (space >= 1))

    def token_time(batch: Array) -> Array:
        own = iteration_time(device, shape, at, batch, case.context, case.cache_element, case.drafts) / case.yielded
        return own if prompt_time is None else own + batch * prompt_time / case.answer

    def first_token_time(batch: Array, token: Array) -> Array:
        if prompt_time is None:
            return np.zeros_like(token)
        load = batch * prompt_time / (case.answer * token)
        return prompt_time + token + mean_wait(load, prompt_time, np.ones_like(batch))

    def excess(batch: Array) -> Array:
        token = token_time(batch)
        late = first_token_time(batch, token) - case.first_token_limit
        return np.maximum(token - case.output_token_limit, late)

    upper = np.asarray(np.where(fits, space, 1.0) + 0 * token_time(np.ones_like(space)))
    batch = largest_batch(excess, upper)
    token = token_time(batch)
    rate = np.where(fits & (batch >= 1), at.ranks * batch / (token * case.answer), 0.0)
    return DecodePoint(
        batch=batch,
        token_time=token,
        first_token_time=first_token_time(batch, token),
        rate=rate,
        weights=weights,
        fits=np.broadcast_to(fits, rate.shape),
        fastest=token_time(np.ones_like(upper)),
    )


def prefill_point(case: Case, table: MappingTable) -> PrefillPoint:
    """Return the operating point of every layout in prefill: one prompt per rank and pass, or as many as fill it."""
    single = _prefill_at(case, table.instance, table.legal, np.ones_like(case.new))
    full = _prefill_at(case, table.instance, table.legal, np.maximum(np.floor(PREFILL_TOKENS / case.new), 1.0))
    better = full.rate > single.rate
    return PrefillPoint(
        service_time=np.where(better, full.service_time, single.service_time),
        bulk=np.where(better, full.bulk, single.bulk),
        capacity=np.where(better, full.capacity, single.capacity),
        rate=np.where(better, full.rate, single.rate),
        fits=single.fits,
    )


def _prefill_at(case: Case, at: Instance, legal: NDArray[np.bool_], prompts: Array) -> PrefillPoint:
    """Return the operating point of prefill at a number of prompts per rank and pass."""
    device, shape = case.device, case.shape
    space = room(device, weight_memory(device, shape, at, 0))
    needed = prompts * sequence_memory(shape, at, np.asarray(float(case.prompt)), case.cache_element)
    fits = np.asarray(legal & (space >= needed))
    service = pass_time(device, shape, at, prompts, case.new, case.cached)
    bulk = prompts * at.ranks
    load = largest_utilisation(case.first_token_limit - service, service, bulk)
    capacity = bulk / service
    rate = np.where(fits & (load > 0), capacity * load, 0.0)
    bulk = bulk + 0 * rate
    return PrefillPoint(service, bulk, capacity, rate, np.broadcast_to(fits, rate.shape))
