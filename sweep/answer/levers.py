"""Between which values a study lets each system choose its levers."""

from __future__ import annotations

from collections.abc import Mapping

from models.quantities import quantities
from sweep.answer.scenarios import systems_in
from sweep.dataset.columns import TIMES
from sweep.study import Study

Ranges = Mapping[str, tuple[float, float]]
MAX_LISTED = 100_000


def lever_ranges(study: Study) -> Mapping[str, Ranges]:
    """Return, by system, the lowest and the highest value of every numeric lever that has several [column's unit]."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for block in study.space.blocks:
        for axis in block.axes:
            for name in axis.names:
                if study.roles.get(name) != "lever" or not 1 < axis.size <= MAX_LISTED:
                    continue
                values = axis.values(name, 0, axis.size)
                if values.dtype.kind not in "if":
                    continue
                column = name + TIMES if name in axis.times else name
                for system in systems_in(block):
                    low, high = found.setdefault(system, {}).get(column, (float("inf"), float("-inf")))
                    found[system][column] = (min(low, float(values.min())), max(high, float(values.max())))
    return found


def edge(column: str, value: object, ranges: Ranges) -> str:
    """Return a remark when a chosen lever is at an end of its sweep, beyond which better may lie; else nothing.

    An end that the quantity itself cannot pass, such as an oversubscription of 1, is none.
    """
    if column not in ranges or not isinstance(value, int | float):
        return ""
    low, high = ranges[column]
    if low == high:
        return ""
    quantity = quantities()[column.removesuffix(TIMES)]
    bounds = () if column.endswith(TIMES) else (quantity.minimum, quantity.maximum)
    if value in bounds:
        return ""
    return " (lowest swept)" if value == low else " (highest swept)" if value == high else ""
