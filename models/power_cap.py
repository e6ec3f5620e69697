"""Power capping: a chip held below its design power runs its matrix units slower, and draws less while they run.

The clock of the compute units falls with the cap; memory and links keep theirs. Training and prefill alternate: a chip
draws its design power while its matrix units run, and little while it waits; their published draw is the mean of both.
A cap clips the first and stretches it, so the mean falls less than the cap and a step slows less than the clock.
Decode, which waits for memory, meets the cap only where it would draw more than it.
"""

from __future__ import annotations

import numpy as np

from models.arithmetic import number_or
from models.inputs import Array, Known, number, number_or_nan

UTILISATIONS = ("model_flops_utilisation", "hardware_flops_utilisation")
"""Metrics that relate the work done to the peak of the data sheet, which a cap does not change."""


def clock_fraction(known: Known) -> Array:
    """Return the rate of the matrix units over that without a cap: ``power_cap ^ power_cap_exponent``.

    ``power_cap`` c: largest draw of a chip over its design power; 1 is no cap and no effect. The exponent e is the
    elasticity of speed to power. With power in proportion to ``f V^2`` (Hennessy and Patterson, Computer Architecture,
    6th edition, section 1.5) and voltage to the clock, e is 1/3. Published times lie on both sides: 150 of 250 W cost
    V100s that train language models 6.8 % more time (arXiv:2205.09646), e = 0.13 of the whole step; one page says that
    600 of 700 W costs an H100 10-15 % of its bf16 speed, e = 0.68-1.05.
    """
    return np.asarray(number_or(known, "power_cap", 1.0) ** number_or(known, "power_cap_exponent", 1.0))


def capped_draw(known: Known, mean: Array) -> Array:
    """Return the mean draw of compute-bound work under the cap, over design power; ``mean`` f is that without one.

    With the idle draw i the matrix units run ``s = (f - i) / (1 - i)`` of the time. At cap c and clock k that part is
    ``s / k`` long and draws c, the rest ``min(i, c)``: ``(s c / k + (1 - s) min(i, c)) / (s / k + 1 - s)``: f at no
    cap, and between ``c f`` and c. The share s is that of the published draw, not of the step at hand.
    """
    cap, clock = number_or(known, "power_cap", 1.0), clock_fraction(known)
    if np.all(cap == 1):
        return mean
    idle = np.minimum(number_or_nan(known, "idle_power_fraction"), mean)
    share = (mean - idle) / np.where(idle < 1, 1 - idle, 1.0)
    busy = share / clock
    draw = (busy * cap + (1 - share) * np.minimum(idle, cap)) / (busy + 1 - share)
    return np.where(cap == 1, mean, draw)


def capped(known: Known) -> Known:
    """Return the inputs of the performance models with every ``peak_*`` at the clock of the cap."""
    if np.all(number_or(known, "power_cap", 1.0) == 1):
        return known
    clock = clock_fraction(known)
    peaks = [name for name, value in known.items() if name.startswith("peak_") and value is not None]
    return {**known, **{name: number(known, name) * clock for name in peaks}}


def uncapped_utilisation(known: Known, metrics: Known) -> dict[str, Array]:
    """Return the utilisations among the metrics, of the peak of the data sheet instead of that at the cap's clock."""
    clock = clock_fraction(known)
    return {name: metrics[name] * clock for name in UTILISATIONS if name in metrics}
