"""One design from its inputs to its results: every number with unit, origin and the module that made it.

The same inputs go through the same stages as in a run, so that the numbers are those of the design's row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.evaluate import PHASES, STAGES, Stage, performance_stage
from models.inputs import ModelInputError
from models.quantities import Quantity, quantities
from models.reasons import REASONS
from sweep.assembly import Origin
from sweep.catalogue import CALIBRATION, Catalogue
from sweep.catalogue.training import taken
from sweep.errors import StudyError
from sweep.expressions import Expression
from sweep.inputs import Inputs, inputs_with_origins
from sweep.space import Value
from sweep.study import Study
from sweep.study.faults import Faults
from sweep.study.overrides import apply_overrides
from sweep.study.values import checked, input_quantity, vocabulary_of
from sweep.uncertain import DRAW
from sweep.units import factor
from sweep.yaml_source import Source

Shown = float | int | str | None
STATUS = ("ok", "infeasible")


@dataclass(frozen=True, slots=True)
class Input:
    """One input: ``value`` in ``unit``, and where it comes from.

    ``kind`` is default, fact, unknown, study, axis, formula, times, uncertain or derive; for a coefficient of the
    training model calibration or prior. ``text`` is the formula of a computed input, or the distribution of an
    uncertain one; ``source``, ``date`` and ``confidence`` are those of the catalogue fact behind it, ``where`` is
    ``file:line``.
    """

    name: str
    group: str
    role: str
    value: Shown
    unit: str
    kind: str
    where: str
    text: str = ""
    source: str = ""
    date: str = ""
    confidence: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """One result: ``value`` in ``unit`` (None where it is not known), and what it means."""

    name: str
    value: Shown
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of the chain: the module that computes it, what it does, and its results."""

    module: str
    summary: str
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the study and whether the design meets it."""

    key: str
    text: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole chain of one design; ``choices`` is what the study sets [table units, multipliers for ``times``]."""

    study: str
    design: int
    choices: Mapping[str, Value]
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    conditions: tuple[Condition, ...]

    @property
    def outputs(self) -> dict[str, Output]:
        """Every result by its name."""
        return {output.name: output for step in self.steps for output in step.outputs}


@dataclass(frozen=True, slots=True)
class Move:
    """One number before and after a change; ``change`` is relative, None where that means nothing."""

    name: str
    unit: str
    before: Shown
    after: Shown
    change: float | None


def explain(
    study: Study, catalogue: Catalogue, design: int, changes: Sequence[str] = (), draw: int | None = None
) -> Explanation:
    """Return the chain of one design.

    Parameters
    ----------
    study, catalogue
        As opened.
    design
        Its id, as in the column ``design``.
    changes
        ``quantity=value`` each: inputs that this design takes instead of its own, with a unit where it has one.
    draw
        Which draw of the uncertain inputs it meets; they are at their nominal values without.

    Raises
    ------
    StudyError
        When there is no such design or draw, a change is wrong, or the catalogue lacks what the model needs.
    """
    own = changed(changes, catalogue)
    choices = study.space.design(design) | own | _draw(study, draw)
    block, _ = study.space.locate(design)
    times = {name for axis in block.axes for name in axis.times} - set(own)
    inputs = _inputs(study, catalogue, choices, times)
    try:
        with np.errstate(all="ignore"):  # NaN and infinity are values here: unknown, or never
            known, steps = _chain(inputs.values)
    except ModelInputError as error:
        raise inputs.error(error) from error
    with np.errstate(all="ignore"):
        added, conditions = _of_the_study(study, known)
    listed = [_input(name, inputs, catalogue, choices) for name in _in_table_order(inputs)]
    if inputs.values["phase"] == "train":
        listed += _coefficients(catalogue)
    return Explanation(study.name, design, choices, tuple(listed), (*steps, *added), conditions)


def _draw(study: Study, draw: int | None) -> dict[str, Value]:
    """Return the draw that a design meets. Raises ``StudyError`` when the study has no such draw."""
    if draw is None:
        return {}
    if study.uncertain is None:
        raise StudyError.at("--draw needs a study with uncertain inputs", study.file)
    if not 0 <= draw < study.uncertain.draws:
        raise StudyError.at(f"draw {draw} does not exist: draws run from 0 to {study.uncertain.draws - 1}", study.file)
    return {DRAW: draw}


def changed(changes: Sequence[str], catalogue: Catalogue) -> dict[str, Value]:
    """Return the values that options give to quantities [table units]. Raises ``StudyError`` that names the option."""
    source, options = apply_overrides(Source("--set", {}, {}), changes)
    faults = Faults(source, options)
    vocabulary = vocabulary_of(catalogue)
    values: dict[str, Value] = {}
    for name, given in source.data.items():
        quantity = input_quantity(name, (name,), faults)
        value = None if quantity is None else checked(quantity, given, "", (name,), faults, vocabulary)
        if value is not None:
            values[name] = value
    faults.stop_if_any()
    return values


def _inputs(study: Study, catalogue: Catalogue, choices: Mapping[str, Value], times: Collection[str]) -> Inputs:
    structural = {name: value for name, value in choices.items() if _is_structural(name)}
    mesh = {name: np.asarray(value) for name, value in choices.items() if name not in structural}
    return inputs_with_origins(study, catalogue, structural, mesh, times)


def _is_structural(name: str) -> bool:
    quantity = quantities().get(name)
    return quantity is not None and quantity.structural


def moved(before: Explanation, after: Explanation) -> tuple[tuple[Move, ...], tuple[Move, ...]]:
    """Return the inputs and the results that differ between two explanations, in the order of the chain."""
    inputs, changed_inputs = ({(each.group, each.name): each for each in chain.inputs} for chain in (before, after))
    return _moves(inputs, changed_inputs), _moves(before.outputs, after.outputs)


def _moves(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> tuple[Move, ...]:
    moves = []
    for key in dict.fromkeys((*before, *after)):
        old, new = (each[key].value if key in each else None for each in (before, after))
        if old != new:
            found = before.get(key) or after[key]
            moves.append(Move(found.name, found.unit, old, new, _relative(old, new)))
    return tuple(moves)


def _relative(old: Shown, new: Shown) -> float | None:
    numbers = isinstance(old, float | int) and isinstance(new, float | int)
    return new / old - 1 if numbers and old else None  # type: ignore[operator]  # both are numbers here


def _chain(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[Step]]:
    """Run the stages one by one, as ``models.evaluate.evaluate`` does, and keep what each of them adds."""
    known, steps = dict(inputs), []
    for stage in STAGES:
        values = stage(known)
        known.update(values)
        made_by = PHASES[known["phase"]] if stage is performance_stage else stage
        outputs = tuple(_output(name, value) for name, value in values.items())
        steps.append(Step(made_by.__module__, _summary(made_by), outputs))
    return known, steps


def _summary(stage: Stage | Callable[..., Any]) -> str:
    return (stage.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _of_the_study(study: Study, known: dict[str, Any]) -> tuple[tuple[Step, ...], tuple[Condition, ...]]:
    """Return the metrics that the study adds, and whether the design meets its conditions."""
    found = []
    for name, metric in study.metrics.items():
        known[name] = metric.evaluate(known)
        found.append(Output(name, scalar(known[name]), metric.si_unit, metric.text))
    steps = (Step(study.file, "Metrics that the study defines.", tuple(found)),) if found else ()
    both = [*(("where", each) for each in study.where), *(("require", each) for each in study.require)]
    return steps, tuple(Condition(key, each.text, _holds(each, known)) for key, each in both)


def _holds(condition: Expression, known: Mapping[str, Any]) -> bool:
    return bool(np.all(condition.evaluate(known)))


def _in_table_order(inputs: Inputs) -> list[str]:
    named = {*inputs.values, *inputs.origins} - {"coefficients", "decided_at", "impossible"}
    ordered = [name for name in quantities() if name in named]
    ordered.insert(ordered.index("workload") + 1, "shape")
    return ordered + sorted(named - set(ordered))


def _input(name: str, inputs: Inputs, catalogue: Catalogue, choices: Mapping[str, Value]) -> Input:
    quantity = quantities().get(name)
    if quantity is None:
        return _shape(name, inputs, catalogue)
    origin = inputs.origins.get(name, Origin(name, "default"))
    fact = origin.facts[0].fact if origin.facts else None
    return Input(
        name=name,
        group=quantity.group,
        role=quantity.role,
        value=choices[name] if origin.kind == "axis" else human(quantity, inputs.values.get(name)),
        unit=quantity.unit,
        kind=origin.kind,
        where=origin.where,
        text=origin.text,
        source=fact.source if fact else "",
        date=fact.date if fact else "",
        confidence=fact.confidence if fact else "",
    )


def _shape(name: str, inputs: Inputs, catalogue: Catalogue) -> Input:
    """Return what is no row of the quantity table: the shape of the model, and names that the study derives."""
    if name == "shape":
        entry = catalogue.entry("workloads", str(inputs.values["workload"]))
        return Input(name, quantities()["workload"].group, "fact", entry.title, "", "fact", entry.file)
    origin = inputs.origins[name]
    return Input(name, "study", "derived", scalar(inputs.values[name]), "", origin.kind, origin.where, origin.text)


def _coefficients(catalogue: Catalogue) -> list[Input]:
    """Return the calibration, and what the training model takes from it for each of its coefficients."""
    entry = catalogue.entry("calibration", CALIBRATION)
    group = f"coefficients of the training model, calibration {entry.name}"
    return [Input("calibration", group, "fact", entry.title, "", "calibration", entry.file)] + [
        Input(
            name=each.name,
            group=group,
            role="fact",
            value=each.value,
            unit=each.prior.unit,
            kind="calibration" if each.fitted else "prior",
            where=each.where,
            source=each.source,
            date=each.date,
            confidence=each.confidence,
        )
        for each in taken(entry.training)
    ]


def _output(name: str, value: Any) -> Output:
    if name == "status":
        return Output(name, STATUS[int(np.asarray(value).item())], "", quantities()[name].description)
    if name == "reason":
        return Output(name, REASONS[int(np.asarray(value).item())] or None, "", quantities()[name].description)
    quantity = quantities().get(name)
    if quantity is None:
        return Output(name, scalar(value), "SI", "Intermediate result")
    return Output(name, human(quantity, value), quantity.unit, quantity.description)


def human(quantity: Quantity, value: Any) -> Shown:
    """Return a value of the model (SI) in the unit of the quantity table; unknown is None."""
    found = scalar(value)
    if found is None or isinstance(found, str):
        return found
    if quantity.unit == quantity.si_unit:
        return int(found) if quantity.dtype == "int" and float(found).is_integer() else found
    return found * factor(quantity.si_unit, quantity.unit)


def scalar(value: Any) -> Shown:
    """Return the one value of an array of one; NaN, None and empty text are None."""
    if value is None:
        return None
    found = np.asarray(value).reshape(-1)[0].item()
    if isinstance(found, float) and np.isnan(found):
        return None
    return found if found != "" else None
