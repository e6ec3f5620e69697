"""How many instances prefill and how many decode, so that neither phase starves the other."""

from __future__ import annotations

import numpy as np

from models.inputs import Array


def _rate(decode: Array, prefill: Array, decode_rate: Array, prefill_rate: Array) -> Array:
    """Return the requests per second of a split; nothing without both phases."""
    return np.where((decode >= 1) & (prefill >= 1), np.minimum(decode * decode_rate, prefill * prefill_rate), 0.0)


def split_instances(
    devices: int, decode_size: Array, prefill_size: Array, decode_rate: Array, prefill_rate: Array
) -> tuple[Array, Array, Array]:
    """Return the decode instances, prefill instances and requests per second of the best split [1/s].

    The best real split gives both phases the same rate. With whole instances the best lies within one instance of it,
    counted in the larger kind: decode is tried at three counts with prefill filling the rest, and the reverse. Devices
    that no whole instance can use stay idle. Zero rate when both phases do not fit.

    Parameters
    ----------
    devices
        Devices in the cluster.
    decode_size, prefill_size
        Devices of one instance.
    decode_rate, prefill_rate
        Requests per second that one instance can take [1/s]; zero where the instance is not feasible.
    """
    demand = np.where(prefill_rate > 0, decode_rate / np.where(prefill_rate > 0, prefill_rate, 1.0), 0.0)
    ideal = devices / (decode_size + prefill_size * demand)
    zero = np.zeros_like(ideal)
    best = (zero, zero, zero)
    for offset in (-1, 0, 1):
        decode = np.maximum(np.floor(ideal) + offset, 1.0)
        best = _better(
            best, decode, np.floor((devices - decode * decode_size) / prefill_size), decode_rate, prefill_rate
        )
        prefill = np.maximum(np.floor(ideal * demand) + offset, 1.0)
        best = _better(
            best, np.floor((devices - prefill * prefill_size) / decode_size), prefill, decode_rate, prefill_rate
        )
    return best


def _better(
    best: tuple[Array, Array, Array], decode: Array, prefill: Array, decode_rate: Array, prefill_rate: Array
) -> tuple[Array, Array, Array]:
    """Return the better of a split and the best so far."""
    rate = _rate(decode, prefill, decode_rate, prefill_rate)
    gain = rate > best[2]
    return (
        np.asarray(np.where(gain, decode, best[0])),
        np.asarray(np.where(gain, prefill, best[1])),
        np.asarray(np.where(gain, rate, best[2])),
    )
