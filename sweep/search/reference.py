"""The largest regret of a design: how much worse it is, in its worst scenario, than the best design for that scenario.

Regret in one scenario is (value - best) / abs(best) for a goal that is minimised, with the sign turned for one that is
maximised. ``best`` is the optimum over all designs where the space is small enough to look at all of them, else the
best of a fixed sample of designs: it depends on the study alone, never on the trials, so that what was told stays true
and a search can be repeated and resumed. Against a sample the regret of a good design can be below zero.

A scenario that only one system knows (its own staffing, say) leaves the designs of the others as they are: the best
design is looked for among that system's designs in the same scenario, and among all others in any scenario of theirs
that agrees in what is common to all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sweep.dataset.columns import TIMES
from sweep.engine.columns import scenario_columns
from sweep.search.answered import Answered
from sweep.search.points import LeverSpace, Point
from sweep.space import Axis, Block
from sweep.study import Objective

if TYPE_CHECKING:
    from sweep.search.passing import Filter

REFERENCE_ROWS = 5_000_000
"""Most rows that are evaluated to know the best design of each scenario."""
SLICE = 4_096
REGRET = "_regret"

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def regret_name(goal: str) -> str:
    """Return the name of the column that holds the regret of a goal."""
    return goal + REGRET


class Answers(Protocol):
    """What evaluates points: a ``sweep.search.batch.Evaluator``."""

    @property
    def levers(self) -> LeverSpace:
        """The levers of the study."""

    def scenarios(self, block: Block) -> int:
        """Return in how many scenarios every point of a block is evaluated."""

    def only(self, names: Sequence[str]) -> Answers:
        """Return what makes these columns only."""

    def answers(self, points: Iterable[Point]) -> Iterator[Answered]:
        """Yield the rows of points."""


@dataclass(frozen=True)
class Reference:
    """The best value of each goal in each scenario, found when it is first asked for."""

    evaluator: Answers
    filter: Filter
    goals: tuple[Objective, ...]
    seed: int

    @property
    def designs(self) -> int:
        """How many designs are looked at; all of them, or a sample."""
        levers = self.evaluator.levers
        most = max(self.evaluator.scenarios(block) for block in levers.space.blocks)
        return min(levers.size, max(REFERENCE_ROWS // most, 1))

    @property
    def exact(self) -> bool:
        """Whether every design of the study is looked at."""
        return self.designs == self.evaluator.levers.size

    def prepare(self) -> None:
        """Find the best values now."""
        _ = self._best

    def with_regrets(self, table: pa.Table, block: int, scenarios: Indices, goals: Iterable[Objective]) -> pa.Table:
        """Return rows of one block with a column for the regret of each goal; null where the row has no value."""
        for goal in goals:
            regret = self.regrets(goal, block, scenarios, table[goal.name].to_numpy().astype(np.float64))
            table = table.append_column(regret_name(goal.name), pa.array(regret, from_pandas=True))
        return table

    def regrets(self, goal: Objective, block: int, scenarios: Indices, values: Floats) -> Floats:
        """Return the regret of each value of a goal in the scenario beside it; 0 where no design stands in it."""
        best = self._best[goal.name][block][scenarios]
        sign = 1.0 if goal.direction == "minimize" else -1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.isfinite(best), sign * (values - best) / np.abs(best), 0.0 * values)

    def _points(self) -> Iterable[list[Point]]:
        levers = self.evaluator.levers
        if self.exact:
            for start in range(0, levers.size, SLICE):
                yield levers.points(start, min(start + SLICE, levers.size))
            return
        random = np.random.default_rng([self.seed, levers.size])
        for start in range(0, self.designs, SLICE):
            yield [self.filter.draw(random) for _ in range(min(SLICE, self.designs - start))]

    @cached_property
    def _best(self) -> dict[str, list[Floats]]:
        """The best value of each goal, by block and scenario; infinitely bad where no design stands."""
        levers, plain = self.evaluator.levers, self.evaluator.only([goal.name for goal in self.goals])
        sizes = [self.evaluator.scenarios(block) for block in levers.space.blocks]
        own = {goal.name: [np.full(size, np.inf) for size in sizes] for goal in self.goals}
        for points in self._points():
            for answered in plain.answers(points):
                for goal in self.goals:
                    values = _signed(answered, goal)
                    np.minimum.at(own[goal.name][answered.points[0].block], answered.scenarios, values)
        common = _common(levers)
        return {goal.name: _over_blocks(own[goal.name], common, goal) for goal in self.goals}


def _signed(answered: Answered, goal: Objective) -> Floats:
    """Return the values of a goal, of which less is better; infinite where a row has none."""
    table = answered.table
    good = pc.equal(table["status"], "ok").to_numpy().astype(bool)
    values = table[goal.name].to_numpy().astype(np.float64)
    signed = values if goal.direction == "minimize" else -values
    return np.where(good & np.isfinite(values), signed, np.inf)


def _over_blocks(own: Sequence[Floats], common: Sequence[Indices], goal: Objective) -> list[Floats]:
    """Return the best of each block's own scenario and of every scenario of other blocks that agrees with it."""
    shared = np.full((len(own), max(int(keys.max()) for keys in common) + 1), np.inf)
    for number, (values, keys) in enumerate(zip(own, common, strict=True)):
        np.minimum.at(shared[number], keys, values)
    found = []
    for number, (values, keys) in enumerate(zip(own, common, strict=True)):
        others = np.delete(shared, number, axis=0)
        best = np.minimum(values, others.min(axis=0)[keys]) if len(others) else values
        found.append(best if goal.direction == "minimize" else -best)
    return found


def _common(levers: LeverSpace) -> list[Indices]:
    """Return, by block, a number for each scenario: equal numbers mean equal values of all that no system owns."""
    study = levers.study
    owned = frozenset[str]().union(*study.own.values())
    names = [name for name in scenario_columns(study) if name.removesuffix(TIMES) not in owned]
    seen: dict[tuple[object, ...], int] = {}
    found = []
    for block in levers.space.blocks:
        axes = [axis for axis in block.axes if not levers.is_lever(axis)]
        columns = [_column(name, block, axes) for name in names]
        rows = zip(*columns, strict=True) if columns else [()] * levers.scenarios(block)
        found.append(np.array([seen.setdefault(tuple(row), len(seen)) for row in rows], dtype=np.int64))
    return found


def _column(name: str, block: Block, axes: Sequence[Axis]) -> list[object]:
    """Return what a scenario column holds in every scenario of a block, in C order of its scenario axes."""
    quantity = name.removesuffix(TIMES)
    shape = [axis.size for axis in axes]
    fallback = 1.0 if name.endswith(TIMES) else block.constants.get(quantity, "")
    for at, axis in enumerate(axes):
        if quantity in axis.names and (quantity in axis.times) == name.endswith(TIMES):
            values = axis.values(quantity, 0, axis.size).reshape(
                [-1 if at == place else 1 for place in range(len(axes))]
            )
            return cast("list[object]", np.broadcast_to(values, shape).reshape(-1).tolist())
    return [fallback] * int(np.prod(shape, dtype=np.int64))
