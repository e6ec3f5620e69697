"""One design to look around from: by its number in the study, or the best where every scenario is nominal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product

import numpy as np

from sweep.answer.scenarios import nominal_place
from sweep.engine.columns import output_column
from sweep.errors import StudyError
from sweep.search.points import LeverSpace, Point
from sweep.search.refine import double, single
from sweep.sensitivity.inputs import SYSTEM, Batch, block_sources
from sweep.sensitivity.points import Model
from sweep.sensitivity.sources import Levels, Settings, sources_of
from sweep.space import Axis, Block, SampleAxis, Space, Value
from sweep.study import Objective, Study

Progress = Callable[[int, int, str], None]
"""Called with how many are done, of how many, and what they are."""

MOST_CHOICES = 4_096
"""Most combinations of levers that are all evaluated to find the best."""
DRAWN, MOST_DRAWS = 512, 4
"""Combinations drawn at once where there are more, and how often, until some are feasible."""
AT_ONCE = 256
"""Combinations in one call."""


@dataclass(frozen=True, slots=True)
class Base:
    """A design: its block, its values by quantity, and its id where it is one of the study's.

    ``tried`` of ``choices`` combinations of levers were evaluated to find the ``best``.
    """

    block: int
    settings: Settings
    design: int | None
    best: bool = False
    tried: int = 0
    choices: int = 0


def base_of(study: Study, design: int) -> Base:
    """Return a design of the study. Raises ``StudyError`` when there is none of this number."""
    block, local = study.space.locate(design)
    number = study.space.blocks.index(block)
    indexes = {axis.index for axis in block.axes if isinstance(axis, SampleAxis)}
    values = {name: value for name, value in block.design(local).items() if name not in {*indexes, *block.constants}}
    return Base(number, values, design)


def best_base(model: Model, seed: int = 0, progress: Progress | None = None) -> Base | None:
    """Return the design with the best objective where every scenario is nominal; None when the study has none.

    Nominal is what it is in the answer of a run (``sweep.answer.scenarios``): what holds without the sweep, or the
    point nearest to it; of ranges that are sampled jointly the medians. Of many combinations of levers some are drawn,
    and the best of them is refined until none that differs in one or two levers is better. Raises ``StudyError`` when
    none is feasible.
    """
    study = model.study
    if study.objective is None:
        return None
    tried = _Tried(model, study.objective, progress)
    if tried.size <= MOST_CHOICES:
        tried.evaluate([*tried.every()])
    else:
        tried.draw(seed)
        tried.refine()
    if tried.best is None:
        among = f" among {len(tried.costs):,} of {tried.size:,} tried" if len(tried.costs) < tried.size else ""
        message = f"no design is feasible where every scenario is nominal{among}; name one by its id"
        raise StudyError.at(message, "--at best")
    block = study.space.blocks[tried.best.block]
    settings = {name: column[0].item() for name, column in tried.batch([tried.best]).columns.items()}
    return Base(
        tried.best.block, settings, _design_id(block, settings), best=True, tried=len(tried.costs), choices=tried.size
    )


def _design_id(block: Block, settings: Settings) -> int | None:
    if any(isinstance(axis, SampleAxis) for axis in block.axes):
        return None
    local = block.find(settings)
    return None if local is None else block.offset + local


class _Tried:
    """Combinations of levers with their scenarios nominal, and the objective of those that were evaluated.

    A combination is a block and a place on each of its lever axes. Costs are NaN where a design is infeasible.
    """

    def __init__(self, model: Model, objective: Objective, progress: Progress | None) -> None:
        study = model.study
        self.costs: dict[Point, float] = {}
        self._model = model
        self._goal = replace(model, metrics=(output_column(study, objective.name),))
        self._sign = 1.0 if objective.direction == "minimize" else -1.0
        self._progress = progress
        self._blocks = study.space.blocks
        chosen = [
            Block(tuple(axis for axis in block.axes if _is_lever(study, axis)), block.constants)
            for block in self._blocks
        ]
        self._levers = replace(study, space=Space.of(chosen))
        self._axes = [block.axes for block in self._levers.space.blocks]

    @property
    def size(self) -> int:
        """Number of combinations."""
        return sum(math.prod(axis.size for axis in axes) for axes in self._axes)

    def every(self) -> Iterator[Point]:
        """Yield all combinations in the order of the space."""
        for number, axes in enumerate(self._axes):
            yield from (Point(number, places) for places in product(*(range(axis.size) for axis in axes)))

    def draw(self, seed: int) -> None:
        """Evaluate random combinations of each block, until some are feasible."""
        random = np.random.default_rng(seed)
        for _ in range(MOST_DRAWS):
            numbers = random.integers(len(self._axes), size=DRAWN).tolist()
            drawn = [
                Point(number, tuple(int(random.integers(axis.size)) for axis in self._axes[number]))
                for number in numbers
            ]
            self.evaluate(drawn)
            if self.best is not None:
                return

    def refine(self) -> None:
        """Evaluate the neighbours of the best, in one lever and then in two, until none is better."""
        levers = LeverSpace(self._levers)
        while self.best is not None:
            near = [point for point in single(levers, self.best) if point not in self.costs]
            near = near or [point for point in double(levers, self.best) if point not in self.costs]
            if not near:
                return
            self.evaluate(near)

    def evaluate(self, points: Sequence[Point]) -> None:
        """Evaluate combinations that are new."""
        fresh = [point for point in dict.fromkeys(points) if point not in self.costs]
        total = len(self.costs) + len(fresh)
        for _, group in groupby(sorted(fresh, key=_block), key=_block):
            here = list(group)
            for start in range(0, len(here), AT_ONCE):
                some = here[start : start + AT_ONCE]
                costs = self._sign * self._goal.of_batch(self.batch(some)).values[0]
                self.costs |= dict(zip(some, costs.tolist(), strict=True))
                if self._progress is not None:
                    self._progress(len(self.costs), total, "designs tried for the best")

    @property
    def best(self) -> Point | None:
        """The best combination so far, the first of equals; None when none is feasible."""
        feasible = [point for point, cost in self.costs.items() if not math.isnan(cost)]
        return min(feasible, key=lambda point: self.costs[point], default=None)

    def batch(self, points: Sequence[Point]) -> Batch:
        """Return combinations of one block as the model takes them."""
        number = points[0].block
        block, axes = self._blocks[number], self._axes[number]
        nominal = {name: value for axis in block.axes for name, value in self._nominal(block, axis).items()}
        columns = {name: np.full(len(points), value) for name, value in nominal.items()}
        places = np.array([point.places for point in points], dtype=np.int64)
        for at, axis in enumerate(axes):
            columns |= {name: axis.at(name, places[:, at]) for name in axis.names}
        times = frozenset(name for source in block_sources(block) for name in source.times)
        return Batch(number, np.arange(len(points)), columns, times)

    def _nominal(self, block: Block, axis: Axis) -> Settings:
        if isinstance(axis, SampleAxis):
            return {name: value for source in sources_of(axis) for name, value in source.nominal.items()}
        return nominal_settings(self._model, block, axis)


def nominal_settings(model: Model, block: Block, axis: Axis) -> Settings:
    """Return the nominal point of a scenario axis that is not sampled."""
    return Levels(axis).at(nominal_place(axis, block, model.study, model.catalogue))


def _block(point: Point) -> int:
    return point.block


def _is_lever(study: Study, axis: Axis) -> bool:
    return not isinstance(axis, SampleAxis) and all(study.roles.get(name) == "lever" for name in axis.names)


def system_of(block: Block, settings: Mapping[str, Value]) -> str:
    """Return the system of a design."""
    return str(settings.get(SYSTEM, block.constants.get(SYSTEM, "")))
