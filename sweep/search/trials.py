"""The trials of a search as one Parquet table: what was proposed, what it reached, which designs it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sweep.search.batch import Evaluator
from sweep.search.exact import Found
from sweep.search.limits import NO_DESIGN, Limit
from sweep.study import Objective

OWN = (
    ("trial", pa.int64(), "Number of the trial, in the order in which the sampler proposed them"),
    ("design", pa.int64(), "Design at the first scenario; the key into the dataset"),
    ("feasible", pa.bool_(), "Whether the design stands in every scenario"),
    ("infeasible_share", pa.float64(), "Share of the scenarios in which the design is infeasible"),
)

MISSED = {"description": "Excess over the limit in the worst scenario, as a fraction of the limit; 0 or less: it holds"}


def trials_table(
    found: Sequence[Found], evaluator: Evaluator, goals: Sequence[Objective], limits: Sequence[Limit] = ()
) -> pa.Buffer:
    """Return the trials as Parquet bytes.

    Columns: trial, design, feasible, infeasible_share, each goal over all scenarios (null where infeasible), each
    lever, and by how much each condition of the study is missed. Units and descriptions are in the metadata of the
    fields.
    """
    names = [NO_DESIGN, *(limit.name for limit in limits)]
    levers = [evaluator.levers.values(each.point) for each in found]
    designs = evaluator.first_ids([each.point for each in found])
    lever_names = list(dict.fromkeys(name for row in levers for name in row))
    rows = [
        _row(each, design, goals) | values | dict(zip(names, each.score.amounts, strict=True))
        for each, values, design in zip(found, levers, designs, strict=True)
    ]
    fields = [pa.field(name, kind, nullable=False, metadata={"description": text}) for name, kind, text in OWN]
    fields += [_goal_field(evaluator, goal) for goal in goals]
    fields += [_lever_field(evaluator.schema.field(name)) for name in lever_names]
    fields += [pa.field(name, pa.float64(), metadata=MISSED) for name in names]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), sink, compression="zstd")
    return sink.getvalue()


def _row(each: Found, design: int, goals: Sequence[Objective]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "trial": each.trial,
        "design": design,
        "feasible": each.feasible,
        "infeasible_share": each.score.violation,
    }
    values = zip(goals, each.score.values, strict=True)
    return row | {goal.name: value if each.feasible else None for goal, value in values}


def _goal_field(evaluator: Evaluator, goal: Objective) -> pa.Field:
    if goal.name in evaluator.schema.names:
        return evaluator.schema.field(goal.name).with_type(pa.float64())
    text = "Largest regret over all scenarios, as a fraction of the best that any design reaches in the scenario"
    return pa.field(goal.name, pa.float64(), metadata={"description": text})


def _lever_field(field: pa.Field) -> pa.Field:
    """Return the field of a lever, with plain text in place of a dictionary."""
    return field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
