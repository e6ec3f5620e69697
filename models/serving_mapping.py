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
LARGEST_INSTANCE: Final = 512
ODD_FACTORS: Final = (1, 3, 5, 9)
"""Instance sizes are these times powers of two: 72 and 320 occur in the field."""


@dataclass(frozen=True, slots=True)
class MappingTable:
    """Candidate layouts as a rectangle: instance sizes down, tensor-parallel widths across; ``legal`` marks the usable.

    ``devices`` has shape (sizes, 1), ``tensor_parallel`` (1, widths), ``legal`` (sizes, widths).
    """

    devices: Array
    tensor_parallel: Array
    legal: NDArray[np.bool_]

    @property
    def instance(self) -> Instance:
        """All layouts at once, broadcast."""
        return Instance(self.devices, self.tensor_parallel)


def instance_sizes(limit: int, domain: int) -> tuple[int, ...]:
    """Return candidate instance sizes up to ``limit`` devices, ascending; whole domains are among them."""
    powers = [2**exponent for exponent in range(LARGEST_INSTANCE.bit_length())]
    sizes = {factor * power for factor in ODD_FACTORS for power in powers} | {domain * power for power in powers}
    return tuple(sorted(size for size in sizes if size <= min(limit, LARGEST_INSTANCE)))


@lru_cache(maxsize=256)
def mapping_table(shape: Transformer, devices: int, domain: int) -> MappingTable:
    """Return the layouts of one instance on a cluster of ``devices`` in domains of ``domain``.

    A dense model is divided by tensor parallelism alone, inside one domain. A mixture of experts spreads its experts
    over the whole instance, at most two devices per expert, and its attention over tensor-parallel groups. There are
    no pipeline stages.
    """
    widths = [2**exponent for exponent in range(LARGEST_TENSOR_PARALLEL.bit_length())]
    tensor = np.array([w for w in widths if w <= domain and shape.heads % w == 0], dtype=np.float64)
    if shape.experts:
        sizes = np.array(instance_sizes(min(devices, 2 * shape.experts), domain), dtype=np.float64)
    else:
        sizes = tensor[tensor <= devices]
    down, across = sizes[:, np.newaxis], tensor[np.newaxis, :]
    legal = (down % across == 0) if shape.experts else (down == across)
    return MappingTable(down, across, legal)
