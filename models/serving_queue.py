"""Waiting for prefill: how long at a load, and the largest load that a limit on the time to the first token allows."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.inputs import Array

LARGEST_UTILISATION: Final = 0.95
"""No queue is run closer to saturation than this."""
REQUEST_TIME: Final = 16e-3
"""Of each request before and after its prefill [s]: tokenising, admission, reply. Fit to published serving runs: 4, 16
and 37 ms by framework; the middle one."""


def mean_wait(utilisation: Array, service_time: Array, bulk: Array) -> Array:
    """Return the mean wait before a prefill pass starts [s]; random arrivals, equal passes of up to ``bulk`` prompts.

    ``service_time * u / 2 * (1 + u / (bulk (1 - u)))``: for ``bulk = 1`` the M/D/1 wait ``s u / (2 (1 - u))`` exactly;
    for large passes the remainder of the pass that runs. Requests are split over instances at random.

    Parameters
    ----------
    utilisation
        Load over capacity, below 1.
    service_time
        Time of one pass [s].
    bulk
        Prompts of one pass over the whole instance.
    """
    return service_time * utilisation / 2 * (1 + utilisation / (bulk * (1 - utilisation)))


def largest_utilisation(allowed_wait: Array, service_time: Array, bulk: Array) -> Array:
    """Return the load at which `mean_wait` equals ``allowed_wait``, at most 0.95; negative when no wait is allowed.

    The positive root of ``(1/bulk - 1) u^2 + (1 + 2 w) u - 2 w = 0`` with ``w = allowed_wait / service_time``, written
    without cancellation. For ``bulk = 1``: ``2 w / (1 + 2 w)``.
    """
    w = allowed_wait / service_time
    inner = (1 + 2 * w) ** 2 + 8 * w * (1 / bulk - 1)
    root = 4 * w / (1 + 2 * w + np.sqrt(np.maximum(inner, 0.0)))
    return np.where(w >= 0, np.minimum(root, LARGEST_UTILISATION), -1.0)
