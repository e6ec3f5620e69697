"""Inputs that follow from others, against the bounds of the quantity table: no chip costs less than nothing.

What a study or the catalogue states is checked when it is read. What a formula of the catalogue gives, what a
multiplier or a draw makes of a figure, and what a study derives is known only when a cell is put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.quantities import Quantity, quantities
from sweep.units import factor

if TYPE_CHECKING:
    from sweep.assembly import Origin

Mask = NDArray[np.bool_]
FOLLOWING: Final = frozenset({"formula", "times", "uncertain", "derive"})
"""Kinds of origin whose values nobody has checked when they were read."""
ROUNDING: Final = 1e-9
"""By how much a value [table unit] may miss a bound that is allowed itself: 0.8 times 1.25 is 1."""


def outside(row: Quantity, values: Any) -> Mask:
    """Return where numbers [table unit] lie outside the bounds of a quantity; unknown ones (NaN) do not."""
    numbers = np.asarray(values, dtype=np.float64)
    broken = np.zeros(numbers.shape, dtype=np.bool_)
    if row.minimum is not None:
        broken |= numbers <= row.minimum if row.minimum_excluded else numbers < row.minimum - ROUNDING
    if row.maximum is not None:
        broken |= numbers >= row.maximum if row.maximum_excluded else numbers > row.maximum + ROUNDING
    return broken


def in_table_unit(row: Quantity, values: Any) -> NDArray[np.float64]:
    """Return values of the model (SI) in the unit of their quantity."""
    return np.asarray(values, dtype=np.float64) * factor(row.si_unit, row.unit)


def breaches(values: Mapping[str, Any], origins: Mapping[str, Origin]) -> dict[str, Mask]:
    """Return where inputs that follow from others lie outside their bounds, by quantity; those that do nowhere are out.

    ``values`` are in SI, as the model takes them; a mask has the shape of its values.
    """
    found = {}
    for name, origin in origins.items():
        row = quantities().get(name)
        if origin.kind in FOLLOWING and row is not None and row.dtype != "text" and name in values:
            mask = outside(row, in_table_unit(row, values[name]))
            if mask.any():
                found[name] = mask
    return found


def anywhere(found: Mapping[str, Mask]) -> Mask:
    """Return where any of some inputs lies outside its bounds, on the mesh of all of them."""
    total = np.zeros((), dtype=np.bool_)
    for mask in found.values():
        total = np.logical_or(total, mask)
    return total
