"""Communication of one serving pass: all-reduce of tensor parallelism, dispatch and combine of expert parallelism."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.inputs import Array
from models.serving_device import Device

ALL_REDUCE_START: Final = 8e-6
"""Start-up of one all-reduce inside a domain [s]: fit to published serving runs on H100 and H200."""
EXCHANGE_START: Final = 15e-6
"""Start-up of one dispatch or combine [s]: DeepEP low-latency kernels 11-22 us, TensorRT-LLM on NVL72 12-17 us
(dispatch and combine tables of aiconfigurator-core 0.12.0)."""
SCALE_UP_EFFICIENCY: Final = 0.60
"""Of the scale-up line rate, exchanges of about 10 MB: 0.42-0.68 in the same tables and on CloudMatrix 384
(arXiv:2506.12708, table 6)."""
SCALE_OUT_EFFICIENCY: Final = 0.85
"""Of the NIC line rate, same exchanges: DeepEP over 400G RDMA 39-46 GB/s of 50 (arXiv:2506.12708, table 6)."""


def all_reduce_time(device: Device, payload: Array, group: Array) -> Array:
    """Return the time of one all-reduce inside a scale-up domain [s]; zero for one device.

    Ring volume ``2 (g - 1) / g`` of the payload plus one start-up. Groups across domains are not legal mappings.

    Parameters
    ----------
    payload
        Bytes to reduce on each device [byte].
    group
        Devices in the group.
    """
    volume = 2 * (group - 1) / group * payload
    return np.where(group > 1, ALL_REDUCE_START + volume / (SCALE_UP_EFFICIENCY * device.scale_up), 0.0)


def copies_sent(choices: int, places: Array) -> Array:
    """Return the expected number of other places that one token is sent to.

    ``choices`` independent uniform choices among ``places`` hit ``1 - (1 - 1/places)^choices`` of the other
    ``places - 1``; a token goes once to each. One place: zero.
    """
    return (places - 1) * (1 - (1 - 1 / places) ** choices)


def exchange_time(device: Device, token_bytes: Array, tokens: Array, choices: int, group: Array) -> Array:
    """Return the time of one dispatch (or combine) among the devices of an expert-parallel group [s]; zero for one.

    Copies inside the domain leave by the scale-up link; one copy per other domain leaves by the NIC and is forwarded
    there. The slower link binds.

    Parameters
    ----------
    token_bytes
        Bytes of one token's hidden state [byte].
    tokens
        Tokens that each device sends.
    choices
        Routed experts per token.
    group
        Devices in the group.
    """
    domains = np.maximum(group / device.domain, 1.0)
    inside = copies_sent(choices, group) * (group / domains - 1) / np.maximum(group - 1, 1.0)
    outside = copies_sent(choices, domains)
    local = inside / (SCALE_UP_EFFICIENCY * device.scale_up)
    # A group inside one domain needs no NIC, known or not.
    remote = np.where(domains > 1, outside / (SCALE_OUT_EFFICIENCY * device.scale_out), 0.0)
    return np.where(group > 1, EXCHANGE_START + tokens * token_bytes * np.maximum(local, remote), 0.0)
