"""From a file of the catalogue to an entry: schema, units, bounds, currency; every fault with file and line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from models.coefficients import priors
from models.quantities import Quantity, quantities
from models.transformer import Transformer
from sweep.catalogue import fast_yaml
from sweep.catalogue.entry import Alternative, Displaced, Entry, Fact, Value
from sweep.catalogue.schema import (
    SHAPE_FIELDS,
    AlternativeText,
    CalibrationText,
    EntryText,
    FactText,
    PricesText,
    RegionText,
    WorkloadText,
    check,
)
from sweep.catalogue.training import Training
from sweep.countries import country_fault
from sweep.errors import Problem, StudyError, nearest
from sweep.money import Rates, exchanged, foreign, is_money
from sweep.units import UnitError, convert
from sweep.yaml_source import Path_, Source, dotted

LITERAL = re.compile(r"\d[\d_.]*(?:[eE][-+]?\d+)?(?:\s*[A-Za-z]+(?:/[A-Za-z]+)*)?")
NAME = re.compile(r"[A-Za-z_]\w*")
LINKS = ("chip", "scale_up", "scale_out", "home_region")
LABELS = ("vendor", "status", "country", "tier", "shape_source")
DATE = re.compile(r"\d{4}(?:-\d\d){0,2}")


@dataclass(slots=True)
class _File:
    """A file being read: where its keys stand, what a currency is worth, and the faults found so far."""

    source: Source
    rates: Rates
    problems: list[Problem] = field(default_factory=list)

    def rate(self, unit: str) -> float | None:
        """Return what the currency of a unit is worth [USD]; None for dollars, and for what is no known currency."""
        rate = self.rates(currency) if (currency := foreign(unit)) else math.nan
        return None if math.isnan(rate) else rate

    def fault(self, path: Path_, message: str) -> None:
        self.problems.append(Problem(message, self.source.where(path), dotted(path)))


def read_entry(kind: str, path: Path, rates: Rates | None = None) -> Entry:
    """Read one file of the catalogue.

    Parameters
    ----------
    kind
        Folder it stands in, one of ``KINDS``.
    path
        The file; its stem is the entry's name.
    rates
        Gives the exchange rate of a currency [USD per unit]; None for a price list, which states its own.

    Raises
    ------
    StudyError
        With every fault in the file.
    """
    source = fast_yaml.read(path)
    text, problems = check(kind, source)
    if text is None:
        raise StudyError(problems)
    file = _File(source, rates or _own_rates(text))
    entry = _entry(kind, path.stem, text, file)
    if file.problems:
        raise StudyError(file.problems)
    return entry


def _own_rates(text: EntryText) -> Rates:
    exchange = text.exchange if isinstance(text, PricesText) else {}

    def rate(currency: str) -> float:
        fact = exchange.get(currency)
        return float(fact.value) if fact is not None and isinstance(fact.value, (int, float)) else math.nan

    return rate


def _entry(kind: str, name: str, text: EntryText, file: _File) -> Entry:
    return Entry(
        kind=kind,
        name=name,
        title=text.title,
        file=file.source.file,
        facts=_facts(text.facts, ("facts",), file),
        published=_published(text.published, ("published",), file),
        links=_words(text, LINKS),
        labels=_labels(text, file),
        sections=_sections(text, file),
        shape=_shape(text, file),
        training=_training(text, file),
        verified=text.verified if isinstance(text, WorkloadText) else True,
        notes=text.notes,
    )


def _labels(text: EntryText, file: _File) -> Mapping[str, str]:
    labels = _words(text, LABELS)
    if "country" in labels and (wrong := country_fault(labels["country"])):
        file.fault(("country",), wrong)
    return labels


def _words(text: EntryText, keys: tuple[str, ...]) -> Mapping[str, str]:
    found = {key: getattr(text, key, "") for key in keys}
    return {key: value for key, value in found.items() if value}


def _sections(text: EntryText, file: _File) -> Mapping[str, Mapping[str, Fact]]:
    if isinstance(text, CalibrationText):
        parts = {chip: _facts(facts, ("chips", chip), file) for chip, facts in text.chips.items()}
    elif isinstance(text, RegionText) and text.domestic:
        parts = {"domestic": _facts(text.domestic, ("domestic",), file)}
    elif isinstance(text, PricesText) and text.exchange:
        parts = {"exchange": _published(text.exchange, ("exchange",), file)}
    else:
        parts = {}
    return parts


def _shape(text: EntryText, file: _File) -> Transformer | None:
    if not isinstance(text, WorkloadText):
        return None
    if text.shape is None:
        if not text.notes:
            file.fault(("shape",), "is null; say why in notes")
        return None
    if not text.shape_source:
        file.fault(("shape",), "has no shape_source; name the configuration file or paper it comes from")
    wrong = False
    for key, value in text.shape.items():
        if key not in SHAPE_FIELDS or value < 0:
            unknown = "is no part of a model shape" + nearest(key, SHAPE_FIELDS)
            file.fault(("shape", key), unknown if key not in SHAPE_FIELDS else f"is {value}; it cannot be negative")
            wrong = True
    if wrong:
        return None
    try:
        return Transformer(**cast("dict[str, Any]", text.shape))
    except TypeError as error:
        file.fault(("shape",), f"does not describe a model: {str(error).removeprefix('Transformer.__init__() ')}")
        return None


def _training(text: EntryText, file: _File) -> Training | None:
    if not isinstance(text, CalibrationText) or text.training is None:
        return None
    fit = text.training
    if not DATE.fullmatch(fit.date):
        file.fault(("training", "date"), f"is {fit.date!r}; write it as 2025, 2025-04 or 2025-04-16")
    places = {name: file.source.where(("training", "coefficients", name)) for name in fit.coefficients}
    for name, value in fit.coefficients.items():
        prior = priors().get(name)
        if prior is None:
            fault = "is no coefficient of the training model" + nearest(name, priors())
        elif not prior.minimum <= value <= prior.maximum:
            unit = f" {prior.unit}" if prior.unit else ""
            fault = f"is {value:g}{unit}; it must be at least {prior.minimum:g} and at most {prior.maximum:g}"
        else:
            continue
        file.fault(("training", "coefficients", name), fault)
    return Training(fit.date, fit.digest, fit.rows, dict(fit.residuals), dict(fit.coefficients), places)


def _facts(texts: Mapping[str, FactText], path: Path_, file: _File) -> Mapping[str, Fact]:
    table = quantities()
    facts: dict[str, Fact] = {}
    for name, text in texts.items():
        here = (*path, name)
        quantity = table.get(name)
        if quantity is None or quantity.role in ("metric", "solved"):
            inputs = [row.name for row in table.values() if row.role not in ("metric", "solved")]
            file.fault(
                here, "is no input of the model; put it under 'published', or correct it" + nearest(name, inputs)
            )
        elif _complete(text, here, file):
            facts[name] = _fact(text, here, file, quantity)
    return facts


def _published(texts: Mapping[str, FactText], path: Path_, file: _File) -> Mapping[str, Fact]:
    complete = {name: text for name, text in texts.items() if _complete(text, (*path, name), file)}
    return {name: _fact(text, (*path, name), file, None) for name, text in complete.items()}


def _complete(text: FactText, path: Path_, file: _File) -> bool:
    before = len(file.problems)
    if text.formula is not None:
        _check_formula(text, path, file)
    elif text.value is None:
        if not text.note:
            file.fault(path, "is null (unknown) without a note; say why it is not known")
    else:
        if not text.source:
            file.fault(path, "has no source; name the document, table or address it comes from")
        if not DATE.fullmatch(text.date):
            file.fault(path, "has no date of its source; write it as 2025, 2025-04 or 2025-04-16")
    priced = is_money(text.unit) or file.rate(text.unit) is not None
    if priced and text.value is not None and text.currency_year is None:
        file.fault(path, "is money without a currency_year; say of which year the price is")
    return len(file.problems) == before


def _check_formula(text: FactText, path: Path_, file: _File) -> None:
    if text.value is not None:
        file.fault(path, "has a value and a formula; keep one of them")
    for name in NAME.findall(LITERAL.sub(" ", text.formula or "")):
        if name not in quantities():
            file.fault((*path, "formula"), f"uses {name}, which is no quantity" + nearest(name, quantities()))


def _fact(text: FactText, path: Path_, file: _File, quantity: Quantity | None) -> Fact:
    alternatives = tuple(
        _alternative(item, (*path, "alternatives", index), file, quantity)
        for index, item in enumerate(text.alternatives)
    )
    _check_distinct(text, alternatives, path, file)
    return Fact(
        value=text.value,
        unit=text.unit,
        source=text.source,
        date=text.date,
        confidence=text.confidence,
        note=text.note,
        where=file.source.where(path),
        currency_year=text.currency_year,
        alternatives=alternatives,
        formula=text.formula,
        si=_si(text.value, text.unit, path, file, quantity),
        exchange_rate=file.rate(text.unit) if text.value is not None else None,
    )


def _alternative(text: AlternativeText, path: Path_, file: _File, quantity: Quantity | None) -> Alternative:
    return Alternative(
        value=text.value,
        unit=text.unit,
        source=text.source,
        date=text.date,
        confidence=text.confidence,
        note=text.note,
        si=_si(text.value, text.unit, path, file, quantity),
        restates=text.restates,
        displaced=_displaced(text.displaced, (*path, "with"), file),
    )


def _displaced(given: Mapping[str, float | str], path: Path_, file: _File) -> tuple[Displaced, ...]:
    """Return the facts that an alternative sets beside its own; a bare number is in the unit of the table."""
    found = []
    for name, value in given.items():
        quantity = quantities().get(name)
        if quantity is None or not quantity.is_input or quantity.dtype != "float" or quantity.structural:
            names = [row.name for row in quantities().values() if row.is_input and row.dtype == "float"]
            file.fault((*path, name), "is no number that the model takes" + nearest(name, names))
            continue
        try:
            human = convert(value, quantity.unit)
        except UnitError as error:
            file.fault((*path, name), f"has the wrong unit: {error}; write it in {quantity.unit or 'no unit'}")
            continue
        si = _number(human, quantity.unit, (*path, name), file, quantity)
        if isinstance(si, (int, float)):
            found.append(Displaced(name, human, quantity.unit, float(si)))
    return tuple(found)


def _check_distinct(text: FactText, alternatives: Sequence[Alternative], path: Path_, file: _File) -> None:
    """Note alternatives that set other facts and have a value that the fact has without: a draw tells them by value."""
    values = [text.value, *(each.value for each in alternatives)]
    for index, each in enumerate(alternatives):
        if each.displaced and values.count(each.value) > 1:
            where = (*path, "alternatives", index)
            file.fault(where, f"sets other facts with it and needs a value of its own; {each.value} is there twice")


def _si(value: Any, unit: str, path: Path_, file: _File, quantity: Quantity | None) -> Value:
    """Return a value in the model's unit, or None where there is none; faults go to the file."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        file.fault(path, f"is {value!r}; write one number or text")
        return None
    if quantity is None:
        return None
    if quantity.dtype == "text":
        return str(value)
    if isinstance(value, str):
        file.fault(path, f"is the text {value!r}; write a number, and the unit in 'unit'")
        return None
    return _number(value, unit, path, file, quantity)


def _number(value: float, unit: str, path: Path_, file: _File, quantity: Quantity) -> Value:
    try:
        human = exchanged(value, unit, quantity.unit, file.rates)[0]
    except UnitError as error:
        wanted = f"write it in {quantity.unit}" if quantity.unit else "leave the unit away"
        file.fault(path, f"has the wrong unit: {error}; {wanted}")
        return None
    if math.isnan(human) or not quantity.allows(human):
        wanted = quantity.allowed or "a number"
        file.fault(path, f"is {human:g}{' ' if quantity.unit else ''}{quantity.unit}; it must be {wanted}")
        return None
    if quantity.dtype == "int" and human != int(human):
        file.fault(path, f"is {human:g}; it must be a whole number")
        return None
    si = exchanged(value, unit, quantity.si_unit, file.rates)[0]
    return int(si) if quantity.dtype == "int" else si
