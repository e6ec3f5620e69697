"""The expressions of a study: derived inputs, conditions and further metrics, checked and in an order that computes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from models.quantities import quantities
from sweep.errors import StudyError
from sweep.expressions import TEXT, Expression, compile_expression
from sweep.money import Rates, amounts_in_dollars, no_rates
from sweep.study import grammar
from sweep.study.faults import Faults
from sweep.units import UnitError, factor
from sweep.yaml_source import Path_

WORDS = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Conditions:
    """Compiled expressions of a study."""

    derive: Mapping[str, Expression]
    where: tuple[Expression, ...]
    require: tuple[Expression, ...]
    metrics: Mapping[str, Expression]


def quantity_units() -> dict[str, str]:
    """Return the SI unit of every quantity, as expressions want them."""
    return {name: TEXT if row.dtype == "text" else row.si_unit for name, row in quantities().items()}


def read_conditions(
    file: grammar.StudyFile, axes: Collection[str], faults: Faults, rates: Rates = no_rates
) -> Conditions:
    """Return the compiled expressions; notes unknown names, wrong units, cycles and results used as inputs.

    Amounts in another currency stand in the expressions in dollars, at the given rates.
    """
    units = quantity_units()
    outputs = {name for name, row in quantities().items() if not row.is_input}
    derive = _chain(file.derive, "derive", units, faults, rates)
    for name in derive:
        if name in axes:
            faults.add(("derive", name), "is a lever or scenario as well; derive another name or drop the axis")
    _only_inputs({("derive", name): item for name, item in derive.items()}, outputs - set(derive), faults)
    units |= {name: item.si_unit for name, item in derive.items()}
    where = _listed(file.where, "where", units, faults, rates)
    _only_inputs(where, outputs - set(derive), faults)
    for name in file.metrics:
        if name in quantities() or name in derive:
            faults.add(("metrics", name), "is the name of a quantity already; choose another")
    metrics = _chain(file.metrics, "metrics", units, faults, rates)
    units |= {name: item.si_unit for name, item in metrics.items()}
    require = _listed(file.require, "require", units, faults, rates)
    return Conditions(derive, tuple(where.values()), tuple(require.values()), metrics)


def _compiled(text: str, units: Mapping[str, str], path: Path_, faults: Faults, rates: Rates) -> Expression | None:
    where = faults.where(path)
    dollars, exchanges = amounts_in_dollars(text, str(path[0]), where, rates)
    faults.exchanges += exchanges
    try:
        return compile_expression(dollars, units, where)
    except StudyError as error:
        for problem in error.problems:
            faults.add(path, problem.message)
        return None


def _listed(
    texts: list[str], key: str, units: Mapping[str, str], faults: Faults, rates: Rates
) -> dict[Path_, Expression]:
    found: dict[Path_, Expression] = {}
    for index, text in enumerate(texts):
        path: Path_ = (key, index) if isinstance(faults.source.data.get(key), list) else (key,)
        expression = _compiled(text, units, path, faults, rates)
        if expression is not None and not expression.is_condition:
            faults.add(path, f"{text!r} is no condition; compare it with something, such as chips <= 16384")
        elif expression is not None:
            found[path] = expression
    return found


def _only_inputs(expressions: Mapping[Path_, Expression], outputs: Collection[str], faults: Faults) -> None:
    for path, expression in expressions.items():
        for name in sorted(set(expression.names) & set(outputs)):
            verb = "write the condition under require" if path[0] == "where" else "use inputs only"
            faults.add(path, f"{name} is a result of the model and not known beforehand; {verb}{_hint(name)}")


def _hint(name: str) -> str:
    return ", or derive it first: derive: {chips: domains * scale_up_size}" if name == "chips" else ""


def _chain(
    texts: Mapping[str, str], key: str, units: Mapping[str, str], faults: Faults, rates: Rates
) -> dict[str, Expression]:
    """Return named expressions that may use each other, in an order in which each needs earlier ones only."""
    needs = {name: set(WORDS.findall(text)) & set(texts) - {name} for name, text in texts.items()}
    order: list[str] = []
    while not order and needs:
        try:
            order = list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            loop: list[str] = error.args[1]
            faults.add((key, loop[0]), f"the names need each other in a circle: {' -> '.join(loop)}; break it")
            needs = {name: words - set(loop) for name, words in needs.items() if name not in loop}
    known = dict(units)
    found: dict[str, Expression] = {}
    for name in order:
        expression = _compiled(texts[name], known, (key, name), faults, rates)
        if expression is not None and _fits(name, expression, (key, name), faults):
            found[name] = expression
            known[name] = expression.si_unit
    return found


def _fits(name: str, expression: Expression, path: Path_, faults: Faults) -> bool:
    if not name.isidentifier():
        faults.add(path, f"{name!r} is no name; use letters, digits and underscores")
        return False
    quantity = quantities().get(name)
    if quantity is None or path[0] != "derive":
        return True
    if quantity.structural or quantity.dtype == "text":
        why = "decides which mappings are legal" if quantity.structural else "is a word"
        faults.add(path, f"{name} {why} and cannot be derived; list its values")
        return False
    try:
        factor(expression.si_unit, quantity.si_unit)
    except UnitError:
        wanted = quantity.unit or "a pure number"
        faults.add(path, f"gives {expression.si_unit or 'a pure number'}, but {name} is in {wanted}")
        return False
    return True
