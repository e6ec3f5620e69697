"""Memory of one serving device: weights, and how many sequences fit beside them."""

from __future__ import annotations

from typing import Final

from models.inputs import Array
from models.kv_cache import cache_bytes
from models.serving_device import Device
from models.serving_pass import Instance, expert_layers, experts_held, repeated_parameters
from models.transformer import Transformer, embedding_parameters, head_parameters, mlp_parameters

USABLE_MEMORY: Final = 0.92
"""Of device memory, given to weights and cache: default of the serving frameworks 0.90-0.93."""
WORKSPACE: Final = 2e9
"""Activations, communication buffers and captured graphs [byte]: with it the memory-limited batches of published runs
are matched."""


def weight_memory(device: Device, shape: Transformer, at: Instance, drafts: int) -> Array:
    """Return the weights on each device [byte].

    Attention, dense and shared parts are divided by tensor parallelism and repeated on every attention rank; routed
    experts are spread over the instance; vocabulary matrices (16 bit) too.

    Parameters
    ----------
    drafts
        Draft layers kept besides the model's own.
    """
    expert = mlp_parameters(shape, shape.expert_ffn_hidden)
    routed = expert_layers(shape, drafts) * expert * experts_held(shape.experts, at.devices)
    tables = head_parameters(shape) + (0 if shape.tied_embeddings else embedding_parameters(shape))
    layers = repeated_parameters(shape, drafts) / at.tensor_parallel + routed
    return device.weight_bytes * layers + 2.0 * tables / at.devices


def room(device: Device, weights: Array) -> Array:
    """Return the memory left for the cache beside ``weights`` on each device [byte]; negative when they do not fit."""
    return USABLE_MEMORY * device.memory - WORKSPACE - weights


def sequence_memory(shape: Transformer, at: Instance, context: Array, cache_element: Array) -> Array:
    """Return the cache of one sequence on each device of its rank [byte]; paged, so at its present length."""
    return cache_bytes(shape, context, cache_element, at.tensor_parallel)
