"""The published ratio table, row by row: whether each printed ratio follows from the inputs printed beside it."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.claims.judge import formula_of
from sweep.claims.read import Row, read_ratios
from sweep.claims.values import Values


@dataclass(frozen=True, slots=True)
class RatioFound:
    """One row: the ratio of the printed inputs, whether the printed ratio follows from it, and the catalogue's.

    ``follows`` is None where no ratio is printed, ``ours`` where the row has no figure of the catalogue.
    """

    row: Row
    recomputed: float
    follows: bool | None
    ours: float | None


def ratios(values: Values) -> tuple[RatioFound, ...]:
    """Return every row recomputed, in the order of the table."""
    return tuple(_found(row, values) for row in read_ratios())


def _found(row: Row, values: Values) -> RatioFound:
    recomputed = row.first / row.second
    ours = None
    if row.ours is not None:
        formula = formula_of(row.ours, values, f"row {row.row}")
        ours = float(formula.evaluate({name: values.value(name).si for name in formula.names}).item())
    return RatioFound(row, recomputed, follows(row, recomputed), ours)


def follows(row: Row, recomputed: float) -> bool | None:
    """Return whether the printed ratio is that of its inputs, rounded to the digits printed; None without one.

    Inputs printed as "more than" bound the ratio from below: the printed one must not lie below it.
    """
    if row.printed is None:
        return None
    half = 0.5 * 10.0**-row.decimals
    if row.bound:
        return row.printed >= recomputed - half
    return abs(row.printed - recomputed) <= half * (1 + 1e-9)
