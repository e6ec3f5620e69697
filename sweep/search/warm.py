"""A search that begins with the designs of a finished run: they are its first trials, and are not evaluated again.

The rows must mean the same: the run's catalogue and model are this program's, and its study sets the same quantities in
the same way, with the same conditions on results. It may sweep other values; what both have is taken over.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sweep.catalogue import Catalogue
from sweep.dataset.columns import DESIGN, TIMES
from sweep.dataset.layout import STUDY
from sweep.dataset.runs import Run, open_run
from sweep.engine.columns import study_columns
from sweep.engine.source import source_digest
from sweep.errors import StudyError, SweepError
from sweep.expressions import Expression
from sweep.search.basis import conditions
from sweep.search.batch import Evaluator, strides
from sweep.search.exact import Found
from sweep.search.goals import Over, Score, score
from sweep.search.limits import Limit
from sweep.search.passing import Filter
from sweep.search.points import Point
from sweep.space import Axis
from sweep.study import Constant, Objective, Study, load_study

Indices = NDArray[np.int64]

OPTION = "--from"
MOST = 256
"""Designs of a finished run that a search begins with: the best of it."""


@dataclass(frozen=True)
class Warm:
    """A finished run that fits a study."""

    run: Run
    study: Study

    @classmethod
    def open(cls, path: str | Path, study: Study, catalogue: Catalogue) -> Warm:
        """Open a run by its folder. Raises ``StudyError`` when its rows do not mean what this study's would."""
        run = open_run(path)
        why = _difference(run, study, catalogue)
        if why:
            raise StudyError.at(f"{run.location} cannot be gone on from: {why}", OPTION)
        return cls(run, study)

    @property
    def digest(self) -> str:
        """Fingerprint of the rows."""
        return self.run.manifest.digests["dataset"]

    def designs(
        self, evaluator: Evaluator, passing: Filter, goals: Sequence[Objective], over: Over, limits: Sequence[Limit]
    ) -> tuple[dict[Point, pa.Table], list[tuple[Point, Score]]]:
        """Return the best designs of the run that stand in every scenario of the study, with their rows, best first.

        Raises ``SweepError`` when there is none.
        """
        table = self.run.arrow(evaluator.schema.names).cast(evaluator.schema)
        good = [
            (Found(None, point, _score(rows, evaluator, point, goals, over)), rows)
            for point, rows in _by_point(table, evaluator, passing)
        ]
        kept = [(found, rows) for found, rows in good if found.feasible]
        if not kept:
            message = "holds no design with a row in every scenario of this study; sweep with keep: all"
            raise SweepError(f"{self.run.location} {message}")
        told = (0.0,) * (len(limits) + 1)
        order = _best_first([found for found, _ in kept], goals)[:MOST]
        best = [kept[place] for place in order]
        scores = [(found.point, Score(found.score.values, 0.0, told)) for found, _ in best]
        return {found.point: rows for found, rows in best}, scores


def _difference(run: Run, study: Study, catalogue: Catalogue) -> str:
    """Return why the rows of a run are not those of a study; nothing when they are."""
    if run.manifest.state != "complete":
        return "it is not complete; finish it first"
    for name, now in (("catalogue", catalogue.digest()), ("model", source_digest())):
        if run.manifest.digests[name] != now:
            return f"it was made with another {name}; run it again"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, STUDY)
        copy.write_bytes(run.store.get(STUDY))
        other = load_study(copy, catalogue)
    required = other.require if run.manifest.keep.kind != "trials" else (*other.require, *conditions(other.basis))
    for name, mine, theirs in (
        ("sets other quantities", set(study.input_names), set(other.input_names)),
        ("gives systems other quantities of their own", dict(study.own), dict(other.own)),
        ("replaces other facts", {_fact(fact) for fact in study.facts}, {_fact(fact) for fact in other.facts}),
        ("derives inputs in another way", _texts(study.derive), _texts(other.derive)),
        ("has another where", [each.text for each in study.where], [each.text for each in other.where]),
        ("requires something else", [each.text for each in study.require], [each.text for each in required]),
    ):
        if mine != theirs:
            return f"its study {name}"
    held = {column.name: column for column in run.manifest.columns}
    for column in study_columns(study):
        if column.name not in held:
            return f"it has no column {column.name}; add it to the columns of its study"
        if held[column.name] != column and not column.multiplies:
            return f"its column {column.name} means something else"
    return "" if run.manifest.floats == study.float_type else f"its numbers are {run.manifest.floats}"


def _fact(fact: Constant) -> tuple[object, ...]:
    return fact.name, fact.value, fact.system


def _texts(expressions: Mapping[str, Expression]) -> dict[str, str]:
    return {name: expression.text for name, expression in expressions.items()}


def _by_point(table: pa.Table, evaluator: Evaluator, passing: Filter) -> Iterator[tuple[Point, pa.Table]]:
    """Yield the points of a study of which a table has a row in every scenario, with these rows under their own ids."""
    for number, block in enumerate(evaluator.levers.space.blocks):
        ids, levers = _ids(table, evaluator, number)
        here = np.flatnonzero(ids >= 0)
        order = here[np.lexsort((ids[here], levers[here]))]
        starts = np.flatnonzero(np.diff(levers[order], prepend=-1)).tolist()
        for first, last in pairwise([*starts, order.size]):
            chosen = order[first:last]
            places = block.indices(int(ids[chosen[0]]) - block.offset)
            axes = zip(block.axes, places, strict=True)
            point = Point(number, tuple(place for axis, place in axes if evaluator.levers.is_lever(axis)))
            if chosen.size == (1 if evaluator.scenario is not None else passing.scenarios(point)):
                rows = table.take(pa.array(chosen))
                yield point, rows.set_column(0, rows.schema.field(DESIGN), pa.array(ids[chosen], pa.int64()))


def _ids(table: pa.Table, evaluator: Evaluator, number: int) -> tuple[Indices, Indices]:
    """Return the id that each row has in this study, -1 where it has none, and the part of it that levers make."""
    block = evaluator.levers.space.blocks[number]
    ids, levers = np.full(table.num_rows, block.offset), np.zeros(table.num_rows, dtype=np.int64)
    lost = np.zeros(table.num_rows, dtype=np.bool_)
    for name, value in block.constants.items():
        lost |= _column(table, name) != value
    for axis, stride in strides(block):
        places = _places(table, axis)
        lost |= places < 0
        if evaluator.levers.is_lever(axis):
            levers += places * stride
        elif evaluator.scenario is not None:
            lost |= places != evaluator.scenario.place(block, axis)
        ids += places * stride
    ids[lost] = -1
    return ids, levers


def _places(table: pa.Table, axis: Axis) -> Indices:
    """Return the place on an axis that has the values of each row; -1 where none has."""
    rows, places = np.zeros(table.num_rows, dtype=np.int64), np.zeros(axis.size, dtype=np.int64)
    lost = np.zeros(table.num_rows, dtype=np.bool_)
    for name in axis.names:
        known, codes = np.unique(axis.values(name, 0, axis.size), return_inverse=True)
        values = _column(table, name + TIMES if name in axis.times else name)
        at = np.minimum(np.searchsorted(known, values), known.size - 1)
        lost |= known[at] != values
        rows, places = rows * known.size + at, places * known.size + codes
    order = np.argsort(places)
    at = np.minimum(np.searchsorted(places[order], rows), axis.size - 1)
    found = order[at]
    return np.where(lost | (places[found] != rows), -1, found)


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name]
    if pa.types.is_dictionary(column.type):
        return np.asarray(column.cast(pa.string()).fill_null("").to_numpy(), dtype=np.str_)
    return np.asarray(column.to_numpy())


def _score(rows: pa.Table, evaluator: Evaluator, point: Point, goals: Sequence[Objective], over: Over) -> Score:
    if evaluator.reference is not None:
        block = evaluator.levers.space.blocks[point.block]
        offsets = rows[DESIGN].to_numpy() - (evaluator.first_id(point) - evaluator.offsets(block)[0])
        scenarios = np.searchsorted(evaluator.offsets(block), offsets)
        rows = evaluator.reference.with_regrets(rows, point.block, scenarios, evaluator.reference.goals)
    return score(rows, goals, over)


def _best_first(found: Sequence[Found], goals: Sequence[Objective]) -> list[int]:
    """Return the places of the best designs: by value for one goal, front after front for several."""
    signs = np.array([1.0 if goal.direction == "minimize" else -1.0 for goal in goals])
    values = signs * np.array([each.score.values for each in found])
    if len(goals) == 1:
        return [int(place) for place in np.argsort(values[:, 0], kind="stable")]
    import moocore  # noqa: PLC0415

    return [int(place) for place in np.argsort(moocore.pareto_rank(values), kind="stable")]
