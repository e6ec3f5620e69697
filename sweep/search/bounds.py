"""What a structural cell can reach at best, without solving it: bounds that let an enumeration skip cells safely.

Only the time of a step needs a mapping to be solved. Everything else of a design follows from its inputs: materials,
capital, provisioned power. A bound takes these as they are and puts the least time that any mapping can need in place
of the solved one.

**Training time.** A step passes ``batch x sequence`` tokens through products of ``F`` FLOP each (layers, forward and
backward; the head, attention, vector work, messages, bubbles, gradients and the optimizer are left out, and so is
recomputation). In ``models.slot`` every product takes at least its FLOPs over ``matrix_rate`` (the overlap with memory
and the penalty of its shape are factors of at least 1; grouped expert products run at most ``grouped_rate`` times
faster), the fullest replica has at least its share of the batch, and the slowest stage at least its share of the
layers. Everything that ``models.step`` adds is at least zero. So ``step_time >= f x batch x sequence x F / (ranks x
rate)`` with the ranks of all chips bought and f the ``step_time_factor`` by which a study multiplies all times; a job
makes no progress faster than without failures (``goodput <= 1``).

**Energy.** Mean power is linear in the number of chips used, so it is least either with all of them or with none.

**Costs** rise with time and energy, so both bounds together bound them. Where a year pays (duties that give more than
the price back), a longer run may cost less: the cost of a run and of a token has no bound then. In serving no time is
bounded: costs have no bound there, and only limits on what is known beforehand skip cells.

``SLACK`` takes the rounding of 32-bit columns and of the sums in another order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.arithmetic import number_or
from models.economics import economics_stage
from models.evaluate import shape_of, size_stage
from models.export_control import rules_stage
from models.fabric import fabric_stage
from models.inputs import Known, integer, number, number_or_nan, text
from models.power import power_stage
from models.quantities import quantities
from models.speeds import machine_of, ranks_per_chip
from models.transformer import layer_matrix_weights
from sweep.dataset.columns import Column
from sweep.engine.cells import Cell, cells
from sweep.expressions import Expression
from sweep.expressions.nodes import Comparison, Name, Number
from sweep.inputs import inputs_with_origins
from sweep.search.cells import CellBlock, fold
from sweep.search.goals import Over
from sweep.search.reference import regret_name
from sweep.study import Objective

Array = NDArray[np.float64]
SLACK: Final = 1e-6

EXACT: Final = frozenset(
    (
        "it_power_peak",
        "facility_power",
        "network_power",
        "equipment_cost",
        "network_cost",
        "shell_cost",
        "capital_cost",
        "annual_capital_cost",
        "annual_staff_cost",
        "annual_colocation_cost",
        "annual_maintenance_cost",
    )
)
"""Metrics that do not depend on the time of a step nor on the chips used, beside those of size, rules and fabric."""

SOLVED: Final = frozenset(name for name, row in quantities().items() if row.role == "solved")
"""Parts of the mapping and the batch of decoding: inputs of the same name fix them in training, not in serving."""

LEAST: Final = frozenset(
    (
        "step_time",
        "time_to_train",
        "cost_per_token",
        "cost_to_train",
        "annual_cost",
        "net_present_cost",
        "annual_energy_cost",
        "annual_energy",
        "annual_carbon",
        "cost_per_chip_hour",
        "cost_per_petaflops_year",
        "energy_to_train",
        "carbon_to_train",
        "energy_cost_to_train",
    )
)
"""Metrics of training that the optimistic time and energy bound from below."""

MOST: Final = frozenset(("tokens_per_second", "tokens_per_second_per_chip", "goodput"))
"""Metrics of training that they bound from above."""


def training_rate(known: Known) -> Array:
    """Return a rate that no mapping exceeds [token/s], on the mesh of the design; NaN where the chip lacks the format.

    Needs ``chips``. See the top of this module for why it is safe.
    """
    machine, shape = machine_of(known, str(known.get("precision") or "bf16")), shape_of(known)
    passes = 2.0 if known.get("trained_weights") == "adapters" else 3.0
    flops = passes * 2.0 * layer_matrix_weights(shape)
    ranks = number(known, "chips") * ranks_per_chip(known)
    faster = max(machine.coefficients.grouped_rate, 1.0)
    slower = number_or(known, "step_time_factor", 1.0)
    return np.asarray(ranks * machine.matrix_rate[..., 0] * faster / flops / slower)


def optimistic(inputs: Known) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs with the least, and with the largest, value that each metric can take [SI].

    Metrics without a bound are absent from both. A value that stands in both, as one object, is known beforehand. What
    the model may solve anew is not, even where a study writes it: in serving, chips used and parallel ranks.
    """
    with np.errstate(all="ignore"):
        known = dict(inputs)
        for stage in (size_stage, rules_stage, fabric_stage):
            known |= stage(known)
        sure = {name: value for name, value in known.items() if name not in SOLVED}
        if text(known, "phase") != "train":
            known |= {"chips_used": known["chips"]}
            spent = power_stage(known)
            spent |= economics_stage(known | spent)
            exact = sure | {name: spent[name] for name in EXACT if name in spent}
            return exact, exact
        rate = training_rate(known)
        each = rate / known["chips"]
        reached = {"tokens_per_second": rate, "tokens_per_second_per_chip": each, "goodput": np.ones(())}
        reached |= {"time_to_train": number_or_nan(known, "training_tokens")}
        reached["time_to_train"] = reached["time_to_train"] / rate
        tokens = integer(known, "global_batch") * integer(known, "sequence_length")
        reached["step_time"] = tokens / rate
        ends = [_spent(known | reached | {"chips_used": used}) for used in (known["chips"], 0 * known["chips"])]
        exact = sure | {name: ends[0][name] for name in EXACT}
        low = {name: np.minimum(ends[0][name], ends[1][name]) for name in LEAST if name in ends[0]}
        low |= {name: reached[name] for name in ("step_time", "time_to_train")}
        low |= _unless_paid(low)
    return exact | low, exact | {name: reached[name] for name in MOST}


def _unless_paid(low: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bounds on what a cost of a year and a time make together, NaN where that cost may be below zero."""
    pairs = {
        "cost_to_train": "annual_cost",
        "cost_per_token": "annual_cost",
        "energy_cost_to_train": "annual_energy_cost",
    }
    return {name: np.where(low[year] < 0, np.nan, low[name]) for name, year in pairs.items()}


def _spent(known: Known) -> dict[str, Any]:
    spent = power_stage(known)
    return spent | economics_stage({**known, **spent})


def impossible(require: Sequence[Expression], low: Mapping[str, Any], high: Mapping[str, Any]) -> Any:
    """Return where some requirement cannot hold, whatever the mapping.

    A requirement on what is known beforehand is evaluated as it is; one that compares a bounded metric with a number
    fails where the end that suits it best fails. Others say nothing.
    """
    broken: Any = np.zeros((), dtype=np.bool_)
    sure = {name for name in low if name in high and low[name] is high[name]}
    for condition in (part for each in require for part in each.conjuncts()):
        if set(condition.names) <= sure:
            broken = broken | ~condition.evaluate(low)
        else:
            end = _suits(condition, low, high)
            if end is not None:
                broken = broken | (~condition.evaluate(end) & ~np.isnan(np.asarray(end[condition.names[0]])))
    return broken


def _suits(condition: Expression, low: Mapping[str, Any], high: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the end of the interval at which a comparison of one metric with a number holds most easily."""
    node = condition.node
    if not isinstance(node, Comparison) or len(condition.names) != 1:
        return None
    sign = node.sign
    if isinstance(node.left, Number) and isinstance(node.right, Name):
        sign = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
    elif not (isinstance(node.left, Name) and isinstance(node.right, Number)):
        return None
    end = {"<": low, "<=": low, ">": high, ">=": high}.get(sign)
    return end if end is not None and condition.names[0] in end else None


def least(cell_block: CellBlock, outer: NDArray[np.int64], goals: Sequence[Objective], over: Over) -> Array:
    """Return a bound on each goal (to be minimised) in each of some cells: (goals, cells).

    No design of a cell is better than its bound in any goal; it is infinite where none can be feasible, and minus
    infinite where nothing is known.
    """
    own, chunk = cell_block.evaluator, cell_block.chunk(outer)
    of = {regret_name(goal.name): goal for goal in own.regrets}
    bases = [of.get(goal.name, goal) for goal in goals]
    columns = [next(column for column in own.columns if column.name == goal.name) for goal in bases]
    values = np.full((len(goals), chunk.rows), -np.inf)
    kept, possible = np.zeros(chunk.rows, dtype=np.bool_), np.zeros(chunk.rows, dtype=np.bool_)
    for cell in cells(chunk):
        inputs = inputs_with_origins(own.study, own.catalogue, cell.structural, cell.mesh, cell.times)
        passing = np.ones((), dtype=np.bool_)
        for condition in own.study.where:
            passing = passing & condition.evaluate(inputs.values)
        kept[cell.rows] = np.broadcast_to(passing, cell.shape).reshape(-1)
        low, high = optimistic(inputs.values)
        broken = impossible(own.study.require, low, high) | inputs.values.get("impossible", False)
        possible[cell.rows] = np.broadcast_to(~broken, cell.shape).reshape(-1)
        for row, (goal, column) in enumerate(zip(bases, columns, strict=True)):
            values[row, cell.rows] = _bound(goal, column, cell, low, high)
    for row, goal in enumerate(goals):
        if goal.name in of:
            values[row] = _regrets(cell_block, of[goal.name], values[row])
    folded = fold(values, kept, possible, over, cell_block.scenarios)
    return np.asarray(folded.reshape(len(goals), outer.size, -1).min(axis=2), dtype=np.float64)


def _regrets(cell_block: CellBlock, goal: Objective, signed: Array) -> Array:
    """Return the bound on the regret of a goal from the bound on the goal itself (to be minimised), by row."""
    reference = cell_block.evaluator.reference
    assert reference is not None
    natural = signed if goal.direction == "minimize" else -signed
    found = reference.regrets(goal, cell_block.number, np.arange(signed.size) % cell_block.scenarios, natural)
    return np.where(np.isnan(found), -np.inf, found)


def _bound(
    goal: Objective, column: Column, cell: Cell, low: Mapping[str, Any], high: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return the bound on a goal in every row of a cell, in the unit of its column, with its slack."""
    end = low if goal.direction == "minimize" else high
    if goal.name not in end or cell.value(goal.name) is not None:
        return np.full(math.prod(cell.shape), -np.inf)
    value = column.from_si(np.asarray(end[goal.name], dtype=np.float64))
    signed = value if goal.direction == "minimize" else -value
    signed = np.where(np.isnan(signed), -np.inf, signed - SLACK * np.abs(signed))
    return np.broadcast_to(signed, cell.shape).reshape(-1)
