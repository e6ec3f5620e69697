"""What a study keeps: objective, rows, columns, partition and the equal-basis comparisons."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from models.quantities import Quantity, quantities
from sweep.errors import nearest
from sweep.money import as_written, foreign, is_money
from sweep.study import grammar
from sweep.study.faults import Faults
from sweep.study.study import Direction, Equal, Keep, Objective, Role
from sweep.study.values import Scalar, Vocabulary, price
from sweep.units import UnitError, convert, factor
from sweep.yaml_source import Path_

IDENTITY = ("design", "status", "reason")

COMMON = ("chips", "chips_used", "facility_power", "goodput", "capital_cost", "annual_cost", "cost_per_token")
BY_PHASE = {
    "train": (
        "mapping",
        "step_time",
        "tokens_per_second",
        "model_flops_utilisation",
        "memory_per_chip",
        "time_to_train",
        "energy_to_train",
        "cost_to_train",
    ),
    "serve": (
        "mapping",
        "decode_batch",
        "time_to_first_token",
        "time_per_output_token",
        "tokens_per_second",
        "tokens_per_second_per_chip",
        "energy_per_token",
        "cost_per_output_token",
    ),
}

BASIS: Mapping[Literal["deadline", "budget", "power", "chips"], tuple[str, str]] = {
    "deadline": ("time_to_train", "90 d"),
    "budget": ("capital_cost", "2000 MUSD"),
    "power": ("facility_power", "25 MW"),
    "chips": ("chips", "4096"),
}

FASTEST = {"train": Objective("time_to_train", "minimize"), "serve": Objective("tokens_per_second", "maximize")}
GOALS: Mapping[str, Mapping[str, Objective]] = {
    "deadline": {"train": Objective("cost_to_train", "minimize")},
    "budget": FASTEST,
    "power": FASTEST,
    "chips": FASTEST,
}
"""What is best under each equal basis: the cheapest run by a deadline, the fastest one otherwise."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names an output part of a study may use; ``axes`` are lever or scenario."""

    axes: Mapping[str, Role]
    metrics: Collection[str]
    derived: Collection[str]
    statistics: Collection[str] = ()

    @property
    def numeric(self) -> list[str]:
        """Metrics with numbers: the model's and the study's."""
        own = [row.name for row in quantities().values() if row.role in {"metric", "solved"} and row.dtype != "text"]
        return [*self.metrics, *own, *self.statistics]

    @property
    def columns(self) -> list[str]:
        """Everything that may stand in a row."""
        return [*self.metrics, *self.derived, *quantities(), *self.statistics]


def read_objective(entry: grammar.Objective | None, names: Names, faults: Faults) -> Objective | None:
    """Return the objective, or note why it is none."""
    if entry is None:
        return None
    given: list[tuple[Direction, str]] = []
    if entry.minimize is not None:
        given.append(("minimize", entry.minimize))
    if entry.maximize is not None:
        given.append(("maximize", entry.maximize))
    if len(given) != 1:
        faults.add(("objective",), "needs one of minimize and maximize with the name of a metric")
        return None
    direction, name = given[0]
    return _goal(name, direction, ("objective", direction), names, faults)


def _goal(name: str, direction: Direction, path: Path_, names: Names, faults: Faults) -> Objective | None:
    if name not in names.numeric:
        faults.add(path, _no_metric(name, names))
        return None
    return Objective(name, direction)


def _no_metric(name: str, names: Names) -> str:
    row = quantities().get(name)
    if name not in names.axes and (row is None or row.role in {"metric", "solved"}):
        return f"{name!r} is no metric with numbers{nearest(name, names.numeric)}"
    what = names.axes.get(name) or ("lever" if row is not None and row.role == "lever" else "input")
    return f"{name} is {'an' if what == 'input' else 'a'} {what}, not a result; name a metric, such as cost_per_token"


def read_keep(text: str, objective: Objective | None, names: Names, faults: Faults) -> Keep:
    """Return which rows are kept: ``all``, ``best``, ``pareto [a, maximize b]``, ``top N`` or ``sample F``."""
    path: Path_ = ("keep",)
    word, _, rest = text.strip().partition(" ")
    if word in {"best", "top"} and objective is None:
        faults.add(path, f"'{word}' needs an objective, such as objective: {{minimize: cost_per_token}}")
    if word in {"all", "best"} and not rest:
        return Keep("all" if word == "all" else "best")
    if word == "pareto" and re.fullmatch(r"\[.*\]", rest):
        return _pareto(rest[1:-1], path, names, faults)
    if word == "top" and re.fullmatch(r"[1-9]\d*", rest):
        return Keep("top", float(rest))
    if word == "sample" and re.fullmatch(r"0?\.\d+|1(\.0*)?", rest) and float(rest) > 0:
        return Keep("sample", float(rest))
    faults.add(
        path,
        f"{text!r} is not known; write all, best, pareto [cost_per_token, time_to_train], top 1000, sample 0.01, draws",
    )
    return Keep("all")


def _pareto(text: str, path: Path_, names: Names, faults: Faults) -> Keep:
    goals = []
    for part in text.split(","):
        words = part.split()
        direction: Direction = "maximize" if words[:1] == ["maximize"] else "minimize"
        goals.append(_goal(" ".join(words[words[:1] == [direction] :]), direction, path, names, faults))
    if len(goals) < 2:
        faults.add(path, "pareto needs two metrics or more, such as pareto [cost_per_token, time_to_train]")
    return Keep("pareto", goals=tuple(goal for goal in goals if goal is not None))


def read_columns(
    given: list[str],
    phases: Collection[str],
    goals: Collection[Objective],
    basis: Collection[Equal],
    names: Names,
    faults: Faults,
) -> tuple[str, ...]:
    """Return the columns of a row besides those that identify it, each once; ``goals`` and ``basis`` need theirs."""
    for index, name in enumerate(given):
        if name not in names.columns and name not in IDENTITY:
            faults.add(("columns", index), f"{name!r} is no column{nearest(name, names.columns)}")
    wanted = given or [*COMMON, *(name for phase in BY_PHASE if phase in phases for name in BY_PHASE[phase])]
    compared = [name for each in basis for name in (each.metric, *(goal.name for goal in each.goals.values()))]
    needed = [*wanted, *names.metrics, *(goal.name for goal in goals), *compared]
    kept = [name for name in needed if name not in {*IDENTITY, *names.axes}]
    return tuple(dict.fromkeys(kept))


def read_partition(given: list[str], names: Names, faults: Faults) -> tuple[str, ...]:
    """Return the quantities that divide the dataset into folders."""
    data = faults.source.data
    swept = {key for section in ("levers", "scenarios") for key in data.get(section) or {}}
    for index, name in enumerate(given):
        if name not in names.axes and "partition" in data and name not in swept:
            hint = nearest(name, names.axes)
            faults.add(("partition", index), f"{name!r} is no lever or scenario of this study{hint}")
        elif name in names.axes and quantities()[name].dtype == "float":
            faults.add(("partition", index), f"{name} has too many values to divide files by; use a word or a count")
    return tuple(dict.fromkeys(name for name in given if name in names.axes))


def read_basis(
    entry: grammar.Basis, phases: Collection[str], faults: Faults, vocabulary: Vocabulary
) -> tuple[Equal, ...]:
    """Return the equal-basis comparisons with their limits in SI."""
    found = []
    for name, (metric, example) in BASIS.items():
        value = getattr(entry, name)
        if value is None:
            continue
        quantity = quantities()[metric]
        if name == "deadline" and "train" not in phases:
            faults.add(("basis", name), "needs a workload that trains; serving has no end")
        if quantity.unit and not isinstance(value, str):
            faults.add(("basis", name), f"{value:g} has no unit; write it as {example}")
            continue
        try:
            limit = _limit(quantity, value, ("basis", name), faults, vocabulary)
        except UnitError as error:
            faults.add(("basis", name), f"{value!r} is no {name}: {error}; write it as {example}")
            continue
        if limit is None:
            continue
        if limit <= 0:
            faults.add(("basis", name), f"{value} is not above zero")
        goals = {phase: goal for phase, goal in GOALS[name].items() if phase in phases}
        found.append(Equal(name, metric, limit, str(value), goals))
    return tuple(found)


def _limit(quantity: Quantity, value: Scalar, path: Path_, faults: Faults, vocabulary: Vocabulary) -> float | None:
    """Return a limit [SI]; one in another currency as the study's prices are. Raises ``UnitError``."""
    if is_money(quantity.unit) and foreign(as_written(value)[1]):
        dollars = price(str(path[-1]), quantity.unit, (value, ""), path, faults, vocabulary)
        return None if dollars is None else dollars * factor(quantity.unit, quantity.si_unit)
    return convert(value, quantity.si_unit)
