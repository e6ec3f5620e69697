"""How far off the step time may be, and what follows from it: the model's mean error on published runs as a range."""

from __future__ import annotations

from typing import Any, Final

from models.inputs import Known, number_or_nan

UNCERTAIN: Final = ("step_time", "time_to_train", "cost_to_train")
"""Metrics of training that are proportional to the step time: a run costs its years times the annual cost."""


def interval_stage(known: Known) -> dict[str, Any]:
    """Range each time and cost of training by the error of the step time on published runs of the chip class.

    With the mean absolute error e (``step_time_error``), ``x_low = x / (1 + e)`` and ``x_high = x (1 + e)``: the same
    factor both ways. Unknown (NaN) where no error is known; nothing where nothing is trained.
    """
    spread = 1.0 + number_or_nan(known, "step_time_error")
    found = [name for name in UNCERTAIN if name in known]
    low = {f"{name}_low": known[name] / spread for name in found}
    return low | {f"{name}_high": known[name] * spread for name in found}
