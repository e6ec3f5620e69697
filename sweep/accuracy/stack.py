"""Many runs with a mapping each as one table, so that all their step times are a few array operations.

A calibration evaluates two thousand runs some ten thousand times. What does not depend on the coefficients (counts,
groups, kernel rates) is worked out once per run and stacked along the mapping axis; ``step_times`` puts coefficients
to the whole table with the formulas of the model itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.amounts import Amounts, Sides, count
from models.coefficients import Coefficients
from models.columns import rows, stack
from models.inputs import Array, Known
from models.mapping import Mappings, mappings
from models.reasons import REASONS
from models.slot import Slot, slot
from models.speeds import Speeds, calibrated, curves_of, memory_of, speeds_of
from models.step import Step, step
from models.training import cell_of
from models.transformer import Transformer
from models.work import Curves, charge

PLENTY = 1e15
"""Memory [byte] under which every mapping is legal."""


MEMORY_SLACK = 1.25
"""A mapping that ran is taken to need at most this much of the memory by the model's count: states of the optimizer in
16 bits and leaner activations, which it does not know of a run, save that much."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Runs with one mapping each, stacked along the mapping axis.

    ``owner`` is the index of the case that a run is a variant of. ``fits``: whether its mapping fits the memory of the
    chip by the model's own count, give or take.
    """

    table: Mappings
    amounts: Amounts
    curves: Curves
    speeds: Speeds
    owner: NDArray[np.int64]
    fits: NDArray[np.bool_]

    def __len__(self) -> int:
        return self.owner.size


@dataclass(frozen=True, slots=True)
class _One:
    """One run, before stacking."""

    table: Mappings
    amounts: Amounts
    curves: Curves
    speeds: Speeds
    fits: bool


def _one(known: Known) -> _One:
    """Work out what does not depend on coefficients; raises ``ValueError`` with the reason when no mapping exists."""
    shape, precision = known["shape"], known["precision"]
    assert isinstance(shape, Transformer)
    cell = cell_of(known, shape, 0.0, precision)
    table = mappings(cell, PLENTY, PLENTY)
    if len(table) != 1:
        raise ValueError(REASONS[int(table.reason)] if not len(table) else "the mapping is not fixed")
    memory = float(memory_of(known))
    return _One(
        table=table,
        amounts=count(cell, table, precision),
        curves=curves_of(known, precision, latent=shape.latent_attention),
        speeds=speeds_of(known, precision),
        fits=bool(table.budget.total[0] <= MEMORY_SLACK * memory),
    )


def _padded(sides: tuple[Sides, ...], length: int) -> tuple[Sides, ...]:
    """Add products that cost nothing until there are ``length``."""
    one = np.ones(1)
    return sides + (Sides(one, one, one, one, 0.0 * one, 0.0 * one),) * (length - len(sides))


def _column_of(parts: Sequence[Any]) -> Any:
    """Stack curves (dataclasses of floats) into one of arrays."""
    first = parts[0]
    return replace(
        first, **{field.name: np.asarray([getattr(part, field.name) for part in parts]) for field in fields(first)}
    )


def _stacked_curves(curves: Sequence[Curves]) -> Curves:
    return Curves(
        product=_column_of([one.product for one in curves]),
        head=_column_of([one.head for one in curves]),
        attention=_column_of([one.attention for one in curves]),
    )


def _with_library(table: Mappings) -> Mappings:
    """Make columns of what the library of an exchange of experts costs: it differs from run to run."""
    expert = table.groups.expert
    expert = replace(expert, library=_column_of([expert.library]))
    return replace(table, groups=replace(table.groups, expert=expert))


def stack_runs(variants: Sequence[tuple[int, Mapping[str, Any]]]) -> tuple[Stack, dict[int, str]]:
    """Stack runs given as (index of the case, model inputs); also say which cannot be evaluated, by position."""
    ones: list[_One] = []
    owner: list[int] = []
    faults: dict[int, str] = {}
    for position, (case, known) in enumerate(variants):
        try:
            ones.append(_one(known))
            owner.append(case)
        except ValueError as fault:
            faults[position] = str(fault)
    if not ones:
        raise ValueError("none of the runs has a mapping: " + next(iter(faults.values()), "there are no runs"))
    most = max(len(one.amounts.dense) for one in ones), max(len(one.amounts.routed) for one in ones)
    amounts = [
        replace(one.amounts, dense=_padded(one.amounts.dense, most[0]), routed=_padded(one.amounts.routed, most[1]))
        for one in ones
    ]
    return (
        Stack(
            table=stack([_with_library(one.table) for one in ones]),
            amounts=stack(amounts),
            curves=_stacked_curves([one.curves for one in ones]),
            speeds=stack([one.speeds for one in ones]),
            owner=np.asarray(owner),
            fits=np.asarray([one.fits for one in ones]),
        ),
        faults,
    )


def select(runs: Stack, chosen: NDArray[Any]) -> Stack:
    """Return the runs that a mask or indices pick."""
    return rows(runs, chosen)


def evaluate(runs: Stack, by: Coefficients, rate_factor: Array | float = 1.0) -> tuple[Slot, Step]:
    """Evaluate all runs with coefficients; ``rate_factor`` scales the matrix rate of each run (fitted efficiencies)."""
    machine = calibrated(runs.speeds, by)
    machine = replace(
        machine,
        matrix_rate=np.minimum(machine.matrix_rate * rate_factor, machine.matrix_peak),
        head_rate=machine.head_rate * rate_factor,
    )
    work = charge(runs.amounts, runs.curves, by)
    times = slot(runs.table, work, machine)
    return times, step(runs.table, work, times, machine)


__all__ = ["Stack", "evaluate", "select", "stack_runs"]
