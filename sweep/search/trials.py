"""The trials of a search as one Parquet table: what was proposed, what it reached, which designs it means."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from models.quantities import quantities
from sweep.search.batch import Evaluator
from sweep.search.exact import Found
from sweep.study import Objective


def trials_table(found: Sequence[Found], evaluator: Evaluator, goals: Sequence[Objective]) -> pa.Buffer:
    """Return the trials as Parquet bytes.

    Columns: trial, design (id at the first scenario; the key into the dataset), feasible, infeasible share, one column
    per goal [unit in the field's metadata], and the levers in words.
    """
    fields = [
        pa.field("trial", pa.int64(), nullable=False),
        pa.field("design", pa.int64(), nullable=False),
        pa.field("feasible", pa.bool_(), nullable=False),
        pa.field("infeasible_share", pa.float64(), nullable=False),
        *(pa.field(goal.name, pa.float64(), metadata={"unit": _unit(goal.name)}) for goal in goals),
        pa.field("levers", pa.string()),
    ]
    rows = [
        {
            "trial": each.trial,
            "design": evaluator.first_id(each.point),
            "feasible": each.feasible,
            "infeasible_share": each.score.violation,
            "levers": ", ".join(f"{name}={value}" for name, value in evaluator.levers.values(each.point).items()),
        }
        | {goal.name: value if each.feasible else None for goal, value in zip(goals, each.score.values, strict=True)}
        for each in found
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), sink, compression="zstd")
    return sink.getvalue()


def _unit(name: str) -> str:
    return quantities()[name].unit if name in quantities() else ""
