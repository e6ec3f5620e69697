"""What a study's dataset looks like: its columns, and which of its rows stay."""

from __future__ import annotations

from dataclasses import replace

from models.quantities import quantities
from sweep.dataset.columns import (
    TIMES,
    Column,
    design_column,
    expression_column,
    feasible_column,
    quantity_column,
    sample_column,
    statistic_column,
    times_column,
)
from sweep.dataset.reduce import Goal, Keep
from sweep.space import SampleAxis
from sweep.study import Study
from sweep.uncertain import DRAW
from sweep.uncertain.statistics import FEASIBLE, statistics

DRAWN = "Number of the draw of the uncertain inputs; the same number is the same world for every design and system"


def study_columns(study: Study) -> tuple[Column, ...]:
    """Return every column of a study's dataset: the id, what is swept, the status, what is asked for."""
    columns = [design_column(), *(_number_column(name) for name in _samples(study))]
    for name in study.input_names:
        quantity, role = quantities()[name], study.roles[name]
        multiplied = name in study.times
        columns.append(quantity_column(quantity, axis=not multiplied, role=role))
        if multiplied:
            columns.append(times_column(quantity, role))
    held = {column.name for column in columns}
    added = {column.name: column for column in drawn_columns(study)}
    wanted = [*study.output_names, *_drawn_inputs(study), *(goal.column for goal in goals(study))]
    outputs = (name for name in dict.fromkeys(wanted) if name not in held and name not in added)
    return (*columns, *(output_column(study, name) for name in outputs), *added.values())


def drawn_columns(study: Study) -> tuple[Column, ...]:
    """Return the columns that keep statistics of draws: of every number among the results that is no count."""
    kept = statistics(study.uncertain)
    if study.uncertain is None or not kept:
        return ()
    draws = study.uncertain.draws
    results = [output_column(study, name) for name in study.columns if name in study.metrics or _is_result(name)]
    return (
        feasible_column(FEASIBLE, draws),
        *(
            statistic_column(column, each.suffix, each.share, each.words, draws)
            for column in results
            if column.kind == "float"
            for each in kept
        ),
    )


def _is_result(name: str) -> bool:
    row = quantities().get(name)
    return row is not None and not row.is_input


def _drawn_inputs(study: Study) -> tuple[str, ...]:
    """Return the uncertain quantities where each draw has a row, which then says what was drawn."""
    raw = study.uncertain is not None and study.uncertain.rows == "draws"
    return tuple(dict.fromkeys(each.name for each in study.uncertain.inputs)) if study.uncertain and raw else ()


def _number_column(name: str) -> Column:
    """Return the column that numbers draws, or the points of a sample."""
    return replace(sample_column(name), description=DRAWN) if name == DRAW else sample_column(name)


def output_column(study: Study, name: str) -> Column:
    """Return the column of a quantity of the model, or of a metric or input that the study defines."""
    if name not in quantities():
        expression = study.metrics[name] if name in study.metrics else study.derive[name]
        return expression_column(name, expression)
    return quantity_column(quantities()[name])


def goals(study: Study) -> tuple[Goal, ...]:
    """Return the columns by which rows are kept: the axes of the front, or the objective."""
    if study.keep.kind == "pareto":
        return tuple(Goal(goal.name, goal.direction == "maximize") for goal in study.keep.goals)
    if study.keep.kind in {"best", "top"} and study.objective is not None:
        return (Goal(study.objective.name, study.objective.direction == "maximize"),)
    return ()


def study_keep(study: Study) -> Keep:
    """Return which rows stay."""
    return Keep(
        kind=study.keep.kind,
        goals=goals(study),
        scenarios=scenario_columns(study),
        count=int(study.keep.number) if study.keep.kind == "top" else 1,
        fraction=study.keep.number if study.keep.kind == "sample" else 1.0,
        seed=study.seed,
    )


def scenario_columns(study: Study) -> tuple[str, ...]:
    """Return the columns whose combinations are the scenarios.

    A multiplied quantity counts by its multiplier, so that designs with other figures of their own meet in one
    scenario; by its value as well when some block of the study sets it absolutely.
    """
    columns: list[str] = []
    for name in study.scenarios:
        if name in study.times:
            columns.append(name + TIMES)
        if name not in study.times or _absolute_somewhere(study, name):
            columns.append(name)
    return tuple(columns)


def _absolute_somewhere(study: Study, name: str) -> bool:
    return any(
        name in block.constants or any(name in axis.names and name not in axis.times for axis in block.axes)
        for block in study.space.blocks
    )


def _samples(study: Study) -> tuple[str, ...]:
    axes = (axis for block in study.space.blocks for axis in block.axes)
    return tuple(dict.fromkeys(axis.index for axis in axes if isinstance(axis, SampleAxis)))
