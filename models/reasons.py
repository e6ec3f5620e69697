"""Why a design is infeasible: the codes that the performance and reliability stages return, and what they say.

``reason`` is an index into ``REASONS``; 0 says nothing. The order is part of the result format: append, never insert.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Reason(IntEnum):
    """Index into ``REASONS``."""

    NONE = 0
    PRECISION = 1
    MEMORY_STATE = 2
    MEMORY_ACTIVATIONS = 3
    CHIPS = 4
    BATCH = 5
    LAYERS = 6
    TENSOR = 7
    SEQUENCE = 8
    EXPERTS = 9
    SERVING_MEMORY = 10
    SERVING_FIRST_TOKEN = 11
    SERVING_OUTPUT_TOKEN = 12
    SERVING_INSTANCES = 13
    FAILURES = 14
    SITES = 15
    INPUTS = 16


REASONS: Final[tuple[str, ...]] = (
    "",
    "precision: the chip has no matrix peak for this number format",
    "memory: weights, gradients and optimizer state do not fit the memory of the chips in any mapping",
    "memory: activations do not fit the memory of the chips in any mapping",
    "chips: the mapping needs more groups of tensor x context ranks than the domains hold",
    "batch: the mapping has more data-parallel ranks than the batch has micro-batches",
    "layers: the mapping has more pipeline stages or chunks than the model has layers",
    "heads: the mapping has more tensor-parallel ranks than the model has attention heads",
    "sequence: the mapping has more context-parallel ranks than the sequence has tokens",
    "experts: the mapping has more expert-parallel ranks than there are experts or ranks of one stage",
    "memory: weights and one request do not fit the memory of an instance in any mapping",
    "service level: the time to the first token is above its limit in every mapping",
    "service level: the time per output token is above its limit at every batch",
    "chips: too few chips for one prefill and one decode instance",
    "failures: the job fails as fast as it restarts and makes no progress",
    "sites: the run is spread over more sites than there are supernodes",
    "inputs: what follows from an input lies outside its bounds, such as a chip or a host below zero",
)
