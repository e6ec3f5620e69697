"""One design to look around from: by its number in the study, or the best where every scenario is nominal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.answer.scenarios import nominal_place
from sweep.engine.columns import output_column
from sweep.errors import StudyError
from sweep.sensitivity.inputs import SYSTEM, Batch, block_sources
from sweep.sensitivity.points import Model
from sweep.sensitivity.sources import Levels, Settings, Source
from sweep.space import Axis, Block, SampleAxis, Value
from sweep.study import Study

MOST_CHOICES = 200_000
"""Most combinations of levers among which the best is looked for."""


@dataclass(frozen=True, slots=True)
class Base:
    """A design: its block, its values by quantity, and its id where it is one of the study's."""

    block: int
    settings: Settings
    design: int | None
    best: bool = False


def base_of(study: Study, design: int) -> Base:
    """Return a design of the study. Raises ``StudyError`` when there is none of this number."""
    block, local = study.space.locate(design)
    number = study.space.blocks.index(block)
    indexes = {axis.index for axis in block.axes if isinstance(axis, SampleAxis)}
    values = {name: value for name, value in block.design(local).items() if name not in {*indexes, *block.constants}}
    return Base(number, values, design)


def best_base(model: Model) -> Base | None:
    """Return the design with the best objective where every scenario is nominal; None when the study has none.

    Nominal is what it is in the answer of a run (``sweep.answer.scenarios``): what holds without the sweep, or the
    point nearest to it; of ranges that are sampled jointly the medians. Raises ``StudyError`` when there are too many
    combinations of levers to try, or none is feasible.
    """
    study = model.study
    if study.objective is None:
        return None
    sign = 1.0 if study.objective.direction == "minimize" else -1.0
    goal = replace(model, metrics=(output_column(study, study.objective.name),))
    best: tuple[float, Base] | None = None
    for number, block in enumerate(study.space.blocks):
        batch = _choices(model, number, block)
        cost = sign * goal.of_batch(batch).values[0]
        if np.isnan(cost).all():
            continue
        place = int(np.nanargmin(cost))
        if best is None or cost[place] < best[0]:
            settings = {name: column[place].item() for name, column in batch.columns.items()}
            best = (float(cost[place]), Base(number, settings, _design_id(block, settings), best=True))
    if best is None:
        raise StudyError.at("no design is feasible where every scenario is nominal; name one by its id", "--at best")
    return best[1]


def _design_id(block: Block, settings: Settings) -> int | None:
    if any(isinstance(axis, SampleAxis) for axis in block.axes):
        return None
    local = block.find(settings)
    return None if local is None else block.offset + local


def _choices(model: Model, number: int, block: Block) -> Batch:
    """Return every combination of the levers of a block, with its scenarios nominal."""
    study, columns = model.study, dict[str, NDArray[Any]]()
    times: set[str] = set()
    levels: list[list[Settings]] = []
    for axis in block.axes:
        lever = not isinstance(axis, SampleAxis) and all(study.roles.get(name) == "lever" for name in axis.names)
        found: list[Source] = [*block_sources(replace(block, axes=(axis,), partition=()))]
        times |= {name for source in found for name in source.times}
        if lever and axis.size <= MOST_CHOICES:
            levels.append([Levels(axis).at(place) for place in range(axis.size)])
        elif lever:
            raise _too_many(axis.size)
        elif isinstance(axis, SampleAxis):
            levels.append([{name: value for source in found for name, value in source.nominal.items()}])
        else:
            levels.append([nominal_settings(model, block, axis)])
    size = math.prod(len(each) for each in levels)
    if size > MOST_CHOICES:
        raise _too_many(size)
    designs: list[dict[str, Value]] = [
        {name: value for settings in chosen for name, value in settings.items()} for chosen in product(*levels)
    ]
    columns = {name: np.array([design[name] for design in designs]) for name in designs[0]}
    return Batch(number, np.arange(size), columns, frozenset(times))


def nominal_settings(model: Model, block: Block, axis: Axis) -> Settings:
    """Return the nominal point of a scenario axis that is not sampled."""
    return Levels(axis).at(nominal_place(axis, block, model.study, model.catalogue))


def _too_many(size: int) -> StudyError:
    message = f"{size:,} combinations of levers are too many to look for the best (at most {MOST_CHOICES:,})"
    return StudyError.at(f"{message}; name a design by its id", "--at best")


def system_of(block: Block, settings: Mapping[str, Value]) -> str:
    """Return the system of a design."""
    return str(settings.get(SYSTEM, block.constants.get(SYSTEM, "")))
