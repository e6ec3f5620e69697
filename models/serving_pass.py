"""One forward pass of serving, decode or prefill alike: products, experts, communication and the floor below them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.inputs import Array
from models.serving_device import Device
from models.serving_network import all_reduce_time, exchange_time
from models.transformer import Transformer, attention_parameters, head_parameters, mlp_parameters

ROOFLINE_POWER: Final = 1.5
"""Exponent that blends memory and compute time of one product: between a sum (1) and a maximum (infinity). Fit to
published serving runs; kernel tables alone give 2-2.7."""
EXPERT_TILE: Final = 32
"""Rows of a grouped matrix product's tile where experts get few tokens: each active expert computes half a tile of
padding on average. Chosen among 16 to 128 on published serving runs (mean error 19.6 % at 128, 16.4 % at 32)."""
GROUPED_EFFICIENCY: Final = 0.40
"""Rate of grouped matrix products over that of one large product, beside tile padding: fit to published serving runs;
the balanced prefill of DeepSeek-R1 on H800, H100 and 910C (arXiv:2506.12708, table 2) needs the same."""
EXPERT_IMBALANCE: Final = 1.07
"""Load of the fullest device over the mean in decode with replicated experts: fit to published serving runs."""
LAYER_TIME: Final = 40e-6
"""Per layer outside the counted operators [s]: norms, rotary, quantisation, launches. Fit, Hopper, three frameworks."""
LATENT_LAYER_FACTOR: Final = 1.7
"""The same for latent attention, which has more and smaller operators. Fit to the same runs."""
MOE_TIME: Final = 40e-6
"""Per mixture-of-experts layer [s]: gate, permutation, small grouped products. MoE tables of aiconfigurator-core give
27-51 us fixed."""
STEP_TIME: Final = 0.37e-3
"""Per iteration [s]: scheduler and sampling. Fit to the same runs."""


@dataclass(frozen=True, slots=True)
class Instance:
    """How one instance (one copy of the model) is laid out; arrays broadcast.

    ``devices`` in all, ``tensor_parallel`` of them share the attention of a sequence; the routed experts lie on all.
    """

    devices: Array
    tensor_parallel: Array

    @property
    def ranks(self) -> Array:
        """Attention data-parallel ranks: groups that hold different sequences."""
        return self.devices / self.tensor_parallel


@dataclass(frozen=True, slots=True)
class PassTime:
    """Time of one forward pass by part [s]; arrays broadcast."""

    linear: Array
    attention: Array
    experts: Array
    communication: Array
    overhead: Array

    @property
    def busy(self) -> Array:
        """Compute and memory time [s]: what another micro-batch's communication can hide behind."""
        return self.linear + self.attention + self.experts

    @property
    def total(self) -> Array:
        """Sum of the parts [s]: nothing overlaps."""
        return self.busy + self.communication + self.overhead

    def at_loads(self, start: int, stop: int | None) -> PassTime:
        """Return the parts at some entries of the load dimension, third from the end."""
        shape = self.total.shape
        parts = (self.linear, self.attention, self.experts, self.communication, self.overhead)
        return PassTime(*(np.broadcast_to(part, shape)[..., start:stop, :, :] for part in parts))


def product_time(flops: Array, read_bytes: Array, flop_rate: Array, byte_rate: Array) -> Array:
    """Return the time of a matrix product [s]: compute and memory time joined by a p-norm.

    ``((flops / flop_rate)^p + (bytes / byte_rate)^p)^(1/p)``, never below the roofline's maximum of the two.
    """
    compute = (flops / flop_rate) ** ROOFLINE_POWER
    memory = (read_bytes / byte_rate) ** ROOFLINE_POWER
    return (compute + memory) ** (1 / ROOFLINE_POWER)


def experts_held(experts: int, devices: Array) -> Array:
    """Return the experts whose weights each device holds: all for one device, at least one on any number.

    Places beyond the number of experts hold replicas of busy ones (256 experts on 320 devices of CloudMatrix 384).
    """
    return np.ceil(experts / devices)


def active_experts(held: Array, devices: Array, choices: int, tokens: Array) -> Array:
    """Return the expected experts of one device that at least one of ``tokens`` picks (coupon collector).

    Parameters
    ----------
    held
        Experts on the device.
    devices
        Devices that share the experts: ``held * devices`` places in all.
    choices
        Routed experts per token.
    tokens
        Tokens of the whole group.
    """
    missed = np.maximum(1 - choices / (held * devices), 0.0)
    return held * (1 - missed**tokens)


def expert_layers(shape: Transformer, drafts: int) -> int:
    """Return the mixture-of-experts layers of one pass; a draft layer is of the kind of the last layer."""
    return shape.moe_layers + drafts if shape.moe_layers else 0


def repeated_parameters(shape: Transformer, drafts: int) -> int:
    """Return the parameters that every attention rank holds and every token passes through, all layers.

    Attention, dense feed-forward parts and shared experts; routed experts, embedding and head are left out.
    """
    mixed = expert_layers(shape, drafts)
    plain = shape.layers + drafts - mixed
    dense = plain * mlp_parameters(shape, shape.ffn_hidden) + mixed * mlp_parameters(shape, shape.shared_width)
    return (shape.layers + drafts) * attention_parameters(shape) + dense


def linear_time(device: Device, shape: Transformer, tokens: Array, sampled: Array, at: Instance, drafts: int) -> Array:
    """Return the time of projections, dense and shared feed-forward parts and head in one pass [s].

    Parameters
    ----------
    tokens
        Tokens per attention rank.
    sampled
        Tokens per attention rank that need logits.
    drafts
        Draft layers run besides the model's own; each has its head.
    """
    parameters = repeated_parameters(shape, drafts) / at.tensor_parallel
    body = product_time(2 * parameters * tokens, parameters * device.weight_bytes, device.gemm_rate, device.memory_rate)
    head = (1 + drafts) * head_parameters(shape)
    head_flops = 2 * head * sampled / at.tensor_parallel
    return body + product_time(head_flops, 2 * head / at.devices, device.attention_rate, device.memory_rate)


def experts_time(
    device: Device, shape: Transformer, tokens: Array, at: Instance, drafts: int, imbalance: float
) -> Array:
    """Return the time of the routed experts in one pass [s]; zero for a dense model.

    Weights of the activated experts are read once; each activated expert computes its tokens and half a tile of
    padding. The fullest device has ``imbalance`` times the mean load.
    """
    if not shape.experts:
        return np.zeros_like(at.devices)
    weights = mlp_parameters(shape, shape.expert_ffn_hidden)
    group_tokens = tokens * at.ranks
    held = experts_held(shape.experts, at.devices)
    active = active_experts(held, at.devices, shape.experts_per_token, group_tokens)
    excess = np.where(at.devices > 1, imbalance, 1.0)
    rows = excess * group_tokens * shape.experts_per_token / at.devices + active * EXPERT_TILE / 2
    read = active * weights * device.weight_bytes
    rate = GROUPED_EFFICIENCY * device.gemm_rate
    per_layer = product_time(2 * weights * rows, read, rate, device.memory_rate)
    return expert_layers(shape, drafts) * per_layer


def communication_time(device: Device, shape: Transformer, tokens: Array, at: Instance, drafts: int) -> Array:
    """Return the exposed communication of one pass [s]; zero on one device.

    Two all-reduces per layer inside a tensor-parallel group; dispatch (in the weights' format) and combine (16 bit)
    per expert layer when the instance has several attention ranks.
    """
    layers = shape.layers + drafts
    reduce = 2 * layers * all_reduce_time(device, 2 * tokens * shape.hidden, at.tensor_parallel)
    sent = tokens / at.tensor_parallel
    dispatch_bytes = max(device.weight_bytes, 1.0) * shape.hidden
    dispatch = exchange_time(device, np.asarray(dispatch_bytes), sent, shape.experts_per_token, at.devices)
    combine = exchange_time(device, np.asarray(2.0 * shape.hidden), sent, shape.experts_per_token, at.devices)
    exchange = np.where(at.ranks > 1, dispatch + combine, 0.0)
    return np.asarray(reduce + expert_layers(shape, drafts) * exchange)


def floor_time(shape: Transformer, drafts: int) -> float:
    """Return the time of one pass that no counted operator explains [s]: launches and small operators, scheduler."""
    per_layer = LAYER_TIME * (LATENT_LAYER_FACTOR if shape.latent_attention else 1.0)
    return (shape.layers + drafts) * per_layer + expert_layers(shape, drafts) * MOE_TIME + STEP_TIME


def overlapped_time(whole: PassTime, half: PassTime, at: Instance) -> Array:
    """Return the time of a pass that may run as two micro-batches, one exchanging while the other computes [s].

    ``min(serial, max(2 busy(half), 2 communication(half)) + overhead)``: halving reads the weights twice, so small
    passes stay whole. Only expert exchange overlaps; a tensor-parallel group waits for its all-reduce.

    Parameters
    ----------
    whole, half
        Time of the pass, and of a pass over half of its tokens, by part [s].
    """
    streams = 2 * np.maximum(half.busy, half.communication) + whole.overhead
    return np.where(at.ranks > 1, np.minimum(whole.total, streams), whole.total)
