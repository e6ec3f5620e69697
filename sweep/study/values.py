"""Values of a study against the quantity table and the catalogue: names, units, bounds."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.chip_cost import ASSEMBLY, YIELD_MODELS
from models.export_control import EARLIEST, RULE_2022
from models.quantities import Quantity, quantities
from models.schedule import SCHEDULES
from models.training import DISPATCHES, GATHERS, REDUCTIONS
from sweep.catalogue import Catalogue
from sweep.countries import country_fault
from sweep.errors import nearest
from sweep.money import Exchange, Rates, as_written, exchanged, foreign, is_money, no_rates
from sweep.study.faults import Faults
from sweep.units import UnitError, convert
from sweep.yaml_source import Path_

Scalar = int | float | str
Value = int | float | str

PRECISIONS = tuple(
    name.removeprefix("peak_") for name in quantities() if name.startswith("peak_") and name != "peak_vector"
)
FIXED = {
    "precision": PRECISIONS,
    "phase": ("train", "serve"),
    "recompute": ("none", "selective", "full"),
    "placement": ("data", "pipeline"),
    "attention_kernel": ("fused", "unfused"),
    "trained_weights": ("all", "adapters"),
    "pipeline_schedule": SCHEDULES,
    "mixture_dispatch": DISPATCHES,
    "sharded_gathers": GATHERS,
    "gradient_reduction": REDUCTIONS,
    "yield_model": tuple(YIELD_MODELS),
    "assembly_order": ASSEMBLY,
}


CATALOGUED = ("system", "workload", "region")
OWN = "; one of your own needs --catalogue DIR, or catalogue: [DIR] in the study"


def vocabulary_of(catalogue: Catalogue) -> Vocabulary:
    """Return the words of the catalogue and of the model."""
    words: dict[str, Sequence[str]] = dict(FIXED)
    words["system"] = catalogue.names("systems")
    words["workload"] = catalogue.names("workloads")
    words["region"] = ["own", *catalogue.names("regions")]
    return Vocabulary(words, catalogue.exchange_rate)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that text quantities may take, by quantity, and what currencies are worth [USD]."""

    words: Mapping[str, Sequence[str]]
    rates: Rates = no_rates

    def is_quantity(self, name: str) -> bool:
        """Whether a name is a quantity that a study may set."""
        quantity = quantities().get(name)
        return quantity is not None and quantity.is_input

    def fault(self, name: str, value: str) -> str:
        """Return what is wrong with a word, or nothing."""
        if name in self.words and value not in self.words[name]:
            hint = nearest(value, self.words[name])
            own = name in CATALOGUED and not hint.startswith("; did you mean")
            return f"there is no {name} {value!r}{hint}{OWN if own else ''}"
        if name == "buyer_country":
            return country_fault(value)
        if name == "rule_date" and not _is_date(value):
            return f"{value!r} is no date; write it as YYYY-MM-DD"
        if name == "rule_date" and value < EARLIEST:
            return f"{value} lies before the first rules the model knows, of {RULE_2022}; write {EARLIEST} or later"
        return ""


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def input_quantity(name: str, path: Path_, faults: Faults) -> Quantity | None:
    """Return the quantity a study may set under this name, or note why not."""
    quantity = quantities().get(name)
    if quantity is None:
        options = [row.name for row in quantities().values() if row.is_input]
        faults.add(path, f"is no quantity of the model{nearest(name, options)}")
        return None
    if not quantity.is_input:
        faults.add(path, "is a result of the model, not an input; use it in require, metrics, objective or columns")
        return None
    return quantity


def checked(
    quantity: Quantity, value: Scalar, unit: str, path: Path_, faults: Faults, vocabulary: Vocabulary
) -> Value | None:
    """Return a value in the unit of its quantity, or note what is wrong with it."""
    if quantity.dtype == "text":
        return _word(quantity, value, unit, path, faults, vocabulary)
    number = _converted(quantity, value, unit, path, faults, vocabulary)
    if number is None:
        return None
    fault = _fault(quantity, value, number)
    if fault:
        faults.add(path, fault)
        return None
    return int(number) if quantity.dtype == "int" else number


def _word(
    quantity: Quantity, value: Scalar, unit: str, path: Path_, faults: Faults, vocabulary: Vocabulary
) -> str | None:
    if not isinstance(value, str):
        faults.add(path, f"{quantity.name} is a word, and {value} is a number")
        return None
    fault = vocabulary.fault(quantity.name, value)
    if unit:
        fault = f"{quantity.name} is a word and has no unit"
    if fault:
        faults.add(path, fault)
        return None
    return value


def _converted(
    quantity: Quantity, value: Scalar, unit: str, path: Path_, faults: Faults, vocabulary: Vocabulary
) -> float | None:
    if is_money(quantity.unit):
        return price(quantity.name, quantity.unit, (value, unit), path, faults, vocabulary)
    try:
        return convert(value, quantity.unit, unit or None)
    except UnitError as error:
        shown = repr(value) if isinstance(value, str) else f"{value:g}"
        wanted = f"in {quantity.unit}" if quantity.unit else "a number without a unit"
        example = f"{example_number(quantity):g} {quantity.unit}".strip()
        reason = str(error) if repr(value) not in str(error) else "it is not a number"
        faults.add(path, f"{shown} does not fit {quantity.name} ({wanted}): {reason}; write it as {example}")
        return None


def price(
    name: str, unit: str, given: tuple[Scalar, str], path: Path_, faults: Faults, vocabulary: Vocabulary
) -> float | None:
    """Return a price in ``unit`` (dollars), or note that it names no currency, or one that is not known.

    ``given`` is the value as written, and the unit stated beside it. What is in another currency is noted as well.
    """
    value, stated = given
    try:
        number, own = as_written(value)
        own = own or stated
        if not own and math.isfinite(number):
            faults.add(*_bare(path, number, unit))
            return None
        dollars, rate = exchanged(number, own or unit, unit, vocabulary.rates)
    except UnitError as error:
        reason = str(error) if repr(value) not in str(error) else "it is not a number"
        faults.add(path, f"{value!r} does not fit {name} (in {unit}): {reason}; write it as 5 {unit}")
        return None
    if currency := foreign(own):
        faults.exchanges.append(Exchange(name, number, own, currency, rate, dollars, unit, faults.where(path)))
    return dollars


WITH_UNIT = frozenset({"values", "linspace", "log", "triangular", "uniform", "choice"})
"""Keys whose lists may have a unit beside them."""


def _bare(path: Path_, number: float, unit: str) -> tuple[Path_, str]:
    """Return where a price names no currency, and what to write; the same for all prices of one list."""
    if isinstance(path[-1], int) and path[-2] not in WITH_UNIT:
        return path[:-1], f"has prices without a currency; write it as {{values: [...], unit: {unit}}}"
    if isinstance(path[-1], int) or path[-1] in {"from", "to"}:
        return path[:-1], f"has prices without a currency; add 'unit: {unit}' beside them"
    return path, f"{number:.12g} is a price without a currency; write it as {number:.12g} {unit}"


def example_number(quantity: Quantity) -> float:
    """Return a number a message can show as an example."""
    return float(quantity.default) if isinstance(quantity.default, (int, float)) and quantity.default else 5.0


def _fault(quantity: Quantity, value: Scalar, number: float) -> str:
    """Return what is wrong with a number in the unit of its quantity, or nothing."""
    low, high = quantity.minimum, quantity.maximum
    unit = f" {quantity.unit}" if quantity.unit else ""
    if not math.isfinite(number):
        return f"{value} is not a finite number"
    if number in {low, high} and not quantity.allows(number):
        wrong = "little" if number == low else "much"
        return f"{number:g}{unit} is too {wrong}; {quantity.name} must be {quantity.allowed}"
    if low is not None and number < low:
        return f"{number:g}{unit} is below the least {quantity.name} allowed, {low:g}{unit}"
    if high is not None and number > high:
        bare = f"; a number without a unit is in{unit}" if unit and not isinstance(value, str) else ""
        return f"{number:g}{unit} is above the largest {quantity.name} allowed, {high:g}{unit}{bare}"
    if quantity.dtype == "int" and number != int(number):
        return f"{quantity.name} is a count, and {value} is not a whole number"
    return ""
