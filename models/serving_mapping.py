"""Which layouts of one instance are legal: how many devices, and how many of them share the attention of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array
from models.serving_pass import Instance
from models.transformer import Transformer

LARGEST_TENSOR_PARALLEL: Final = 64
LARGEST_EXPERT_TENSOR_PARALLEL: Final = 8
"""Widest tensor parallelism of attention beside spread experts; wider groups would hold less than one expert's work."""


@dataclass(frozen=True, slots=True)
class MappingTable:
    """Candidate layouts as a rectangle: instance sizes down, tensor-parallel widths across; ``legal`` marks the usable.

    ``devices`` has shape (sizes, 1), ``tensor_parallel`` (1 or sizes, widths), ``legal`` (sizes, widths).
    """

    devices: Array
    tensor_parallel: Array
    legal: NDArray[np.bool_]

    @property
    def instance(self) -> Instance:
        """All layouts at once, with a load dimension of length 1 before sizes and widths."""
        return Instance(self.devices[np.newaxis], self.tensor_parallel[np.newaxis])


def powers_of_two(limit: int) -> list[int]:
    """Return 1, 2, 4, ... up to ``limit``."""
    return [2**exponent for exponent in range(limit.bit_length())]


def instance_sizes(limit: int, domain: int) -> list[int]:
    """Return candidate instance sizes up to ``limit`` devices, ascending.

    One, three and five times powers of two, and a domain halved or doubled as often as it goes: 36, 72, 144.
    """
    powers = powers_of_two(limit)
    halves = {domain // power for power in powers if domain % power == 0}
    sizes = {factor * power for factor in (1, 3, 5, domain) for power in powers} | halves
    return sorted(size for size in sizes if size <= limit)


@lru_cache(maxsize=256)
def mapping_table(shape: Transformer, devices: int, domain: int, largest: int) -> MappingTable:
    """Return the layouts of one instance of at most ``largest`` devices on ``devices`` in domains of ``domain``.

    A dense model is divided by tensor parallelism alone, inside one domain. A mixture of experts spreads its experts
    over the whole instance, at most two devices per expert, and its attention over tensor-parallel groups. There are
    no pipeline stages.
    """
    if shape.experts:
        widest = min(LARGEST_EXPERT_TENSOR_PARALLEL, domain)
        down = np.array(instance_sizes(min(devices, largest, 2 * shape.experts), domain), dtype=np.float64)
        across = np.array([w for w in powers_of_two(widest) if shape.heads % w == 0], dtype=np.float64)
        legal = down[:, np.newaxis] % across == 0
        return MappingTable(down[:, np.newaxis], across[np.newaxis, :], legal)
    widest = min(LARGEST_TENSOR_PARALLEL, domain, devices, largest)
    down = np.array([[w] for w in powers_of_two(widest) if shape.heads % w == 0], dtype=np.float64)
    return MappingTable(down, down, np.ones_like(down, dtype=np.bool_))
