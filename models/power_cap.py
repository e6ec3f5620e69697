"""Power capping: a chip held below its design power runs its matrix units slower, and draws less while they run.

The clock of the compute units falls with the cap; memory and links keep theirs. So compute-bound work (training,
prefill) slows down and draws in proportion, while decode, which waits for memory, meets the cap only where it would
draw more than it.
"""

from __future__ import annotations

import numpy as np

from models.arithmetic import number_or
from models.inputs import Array, Known, number

UTILISATIONS = ("model_flops_utilisation", "hardware_flops_utilisation")
"""Metrics that relate the work done to the peak of the data sheet, which a cap does not change."""


def clock_fraction(known: Known) -> Array:
    """Return the rate of the matrix units over that without a cap: ``power_cap ^ power_cap_exponent``.

    ``power_cap`` c: largest draw of a chip over its design power; 1 is no cap and no effect. The exponent e is the
    elasticity of speed to power. With clocks proportional to voltage and power to ``f V^2``, e is 1/3; near the design
    power published step times are steeper: 600 of 700 W costs an H100 10-15 % of its bf16 speed, e = 0.68-1.05.
    """
    return np.asarray(number_or(known, "power_cap", 1.0) ** number_or(known, "power_cap_exponent", 1.0))


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
