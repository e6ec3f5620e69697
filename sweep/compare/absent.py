"""Why no design stands for a system."""

from __future__ import annotations

import math

import numpy as np

from models.quantities import quantities
from models.reasons import REASONS
from sweep.compare.basis import COST
from sweep.compare.side import Side

TRIED = 64
"""Domains at which a system is looked at that keeps no limit at any count."""
NOT_NEEDED = {"chip_markup"}
"""Unknown facts that stand in place of others."""


def why_none(side: Side) -> str:
    """Return why a system has no design: facts that are not known, what the model finds impossible, or the limit."""
    counts = side.counts or (TRIED,)
    found = side.machine.evaluate(side.region, counts)
    works = np.asarray(found["status"]) == 0
    if not works.any():
        return REASONS[int(np.asarray(found["reason"]).reshape(-1)[-1])]
    if not np.isfinite(np.asarray(found[COST], dtype=np.float64)[..., works.reshape(-1)]).any():
        unknown = missing_facts(side, counts[-1])
        if not unknown:
            return "its cost is not known"
        hint = f"give it with --set {side.system}.{unknown[0]}=..."
        return f"its cost is not known: the catalogue does not give {', '.join(unknown)}; {hint}"
    return "no number of domains keeps the limit"


def missing_facts(side: Side, count: int) -> list[str]:
    """Return the facts without which the cost of a design is not known."""
    values = side.machine.inputs(side.region).values
    rows = [row for row in quantities().values() if row.dtype == "float" and row.is_input and row.default is None]
    absent = [row.name for row in rows if row.name not in NOT_NEEDED and not _known(values.get(row.name))]
    given = dict.fromkeys(absent, 1.0)

    def cost(changes: dict[str, float]) -> float:
        found = side.machine.evaluate(side.region, (count,), changes)
        return float(np.asarray(found[COST], dtype=np.float64).reshape(-1)[0])

    if not math.isfinite(cost(given)):
        return []
    return [name for name in absent if not math.isfinite(cost({key: 1.0 for key in given if key != name}))]


def _known(value: object) -> bool:
    return value is not None and not bool(np.isnan(np.asarray(value, dtype=np.float64)).any())
