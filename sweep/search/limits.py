"""What a design must keep, as Optuna's constraints: by how much each condition is missed, not only that it is.

Optuna takes a trial as feasible when every constraint is 0 or less. Each condition under ``require`` is one, named by
its own text with its unit (``facility_power <= 20 MW``); its amount is the excess over the limit as a fraction of the
limit, in the worst scenario. One more says in which share of the scenarios the model finds no design at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.dataset.columns import Column, arrow_schema, expression_column
from sweep.expressions import Expression
from sweep.expressions.nodes import Binary, Call, Comparison, Node, Number, Where
from sweep.study import Study

SOLVED = "search: solved"
NO_DESIGN = "share of scenarios without a design"
UNKNOWN = 1.0
"""Amount of a condition that cannot be computed: as if it were missed by its whole limit."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Limit:
    """One condition of a study: ``name`` is its text, ``column`` holds what ``excess`` gives in each scenario.

    ``graded`` tells whether that is an amount; otherwise it is 1 where the condition fails and 0 where it holds.
    """

    name: str
    column: str
    excess: Expression
    graded: bool

    def amount(self, values: Floats, solved: NDArray[np.bool_]) -> float:
        """Return by how much the condition is missed over all scenarios: 0 or less when it holds in all of them."""
        if not solved.any():
            return UNKNOWN
        values = values[solved]
        if not self.graded:
            return float(np.mean(values))
        return float(np.where(np.isnan(values), UNKNOWN, values).max())


def limits_of(study: Study) -> tuple[Limit, ...]:
    """Return the conditions under ``require``; those joined by ``and`` count one by one."""
    parts = [part for condition in study.require for part in condition.conjuncts()]
    unique = {part.text: part for part in parts}
    return tuple(_limit(part, f"search: {number}") for number, part in enumerate(unique.values()))


def _limit(condition: Expression, column: str) -> Limit:
    excess = _excess(condition.node)
    node = excess or Where(condition.node, _number(0), _number(1))
    return Limit(condition.text, column, Expression(condition.text, node, "number", ""), excess is not None)


def _excess(node: Node) -> Node | None:
    """Return how far a comparison of numbers is missed, over its limit: the side without quantities, or the right."""
    if not isinstance(node, Comparison) or node.sign not in {"<", "<=", ">", ">="}:
        return None
    more, less = (node.left, node.right) if node.sign in {"<", "<="} else (node.right, node.left)
    limit = node.left if not any(node.left.names()) else node.right
    size = Call("abs", (limit,))
    over = Binary("-", more, less)
    return Where(Comparison(">", size, _number(0)), Binary("/", over, size), over)


def _number(value: float) -> Number:
    return Number(value, f"{value:g}")


def measured(study: Study, limits: Sequence[Limit]) -> Study:
    """Return the study with the excess of every limit, and where there is a design at all, as further metrics."""
    solved = Expression("solved", _number(1), "number", "")
    return replace(study, metrics={**study.metrics, SOLVED: solved, **{each.column: each.excess for each in limits}})


def measured_columns(study: Study, columns: Sequence[Column], limits: Sequence[Limit]) -> tuple[Column, ...]:
    """Return the columns with those of ``measured`` added."""
    added = [expression_column(name, study.metrics[name]) for name in (SOLVED, *(each.column for each in limits))]
    return (*columns, *added)


def with_measures(schema: pa.Schema, columns: Sequence[Column]) -> pa.Schema:
    """Return a schema with the fields of further columns, in double precision."""
    added = arrow_schema([column for column in columns if column.name not in schema.names], "float64", {})
    return pa.schema([*schema, *added], schema.metadata)


def amounts(
    columns: Mapping[str, NDArray[Any]], limits: Sequence[Limit], usable: NDArray[np.bool_]
) -> tuple[float, ...]:
    """Return what to tell Optuna of one point: the share without a design, then the amount of each limit.

    ``usable`` says in which rows the design stands. Amounts agree with it: none is above 0 when all rows are usable,
    and one is when any is not.
    """
    if not usable.size:
        return (1.0, *(UNKNOWN for _ in limits))
    solved = ~np.isnan(columns[SOLVED])
    told = [each.amount(columns[each.column], solved) for each in limits]
    if usable.all():
        return (0.0, *(min(amount, 0.0) for amount in told))
    missing = float(np.mean(~solved))
    if missing == 0 and max(told, default=0.0) <= 0:
        missing = float(np.mean(~usable))  # a goal is not known, or < fails at equality
    return (missing, *told)
