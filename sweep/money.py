"""Prices at the edge: every one names its currency, and what is not in dollars becomes so here and nowhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from sweep.text import number
from sweep.units import NUMBER_AND_UNIT, UnitError, convert, parse_unit

DOLLAR = "USD"
CURRENCY = re.compile(r"^\s*([kMG]?)([A-Z]{3})(?![A-Za-z])")
"""A currency stands at the beginning of a unit, perhaps with a prefix: ``MCNY``, ``EUR/kWh``."""

AMOUNT = re.compile(r"(?<![\w.])(\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?)\s*([kMG]?[A-Z]{3})(?![A-Za-z])")
"""A number with a currency in a formula: ``500 MCNY``, ``0.4 CNY/kWh``."""

Rates = Callable[[str], float]
"""What one unit of a currency is worth [USD]; NaN when the price list does not say."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One price in another currency: ``value`` in ``unit`` as written, ``rate`` [USD per unit of ``currency``].

    ``dollars`` is the same in ``priced_in``, the unit of the quantity ``name``; ``where`` is ``file:line`` or an
    option.
    """

    name: str
    value: float
    unit: str
    currency: str
    rate: float
    dollars: float
    priced_in: str
    where: str

    def __str__(self) -> str:
        written = f"{number(self.value)} {self.unit}"
        dollars = f"{number(self.dollars, 4)} {self.priced_in}"
        return f"{self.where}: {self.name} of {written} is {dollars}, at {number(self.rate)} USD per {self.currency}"


def no_rates(_: str) -> float:
    """Return that no currency is known."""
    return math.nan


def is_money(unit: str) -> bool:
    """Return whether a unit is a price in dollars, alone or per something: ``USD/kWh``, ``MUSD``."""
    return DOLLAR in unit


def foreign(unit: str) -> str:
    """Return the currency of a unit that is not in dollars, such as ``CNY``; empty when there is none."""
    match = CURRENCY.match(unit)
    if match is None or match[2] == DOLLAR:
        return ""
    try:
        parse_unit(match[1] + match[2])
    except UnitError:
        return match[2]
    return ""  # TOP is 10^12 operations


def in_dollars(unit: str) -> str:
    """Return a unit with dollars in place of its currency: ``MCNY`` becomes ``MUSD``."""
    return CURRENCY.sub(rf"\g<1>{DOLLAR}", unit) if foreign(unit) else unit


def exchanged(value: float, unit: str, to: str, rates: Rates) -> tuple[float, float]:
    """Return a price as a number in the unit ``to`` (in dollars), and the rate of its currency (1 for dollars).

    Raises ``UnitError`` when the unit is of another kind, or the price list does not know the currency.
    """
    currency = foreign(unit)
    rate = rates(currency) if currency else 1.0
    dollars = convert(value, to, in_dollars(unit))
    if math.isnan(rate):
        raise UnitError(f"the price list has no exchange rate for {currency}")
    return dollars * rate, rate


def as_written(value: float | str) -> tuple[float, str]:
    """Return the number and the unit of a price; a bare number has the empty unit. Raises ``UnitError``."""
    if not isinstance(value, str):
        return float(value), ""
    match = NUMBER_AND_UNIT.match(value)
    if match is None:
        raise UnitError(f"{value!r} is not a number with a unit, such as '5 USD'")
    return float(match[1].replace("_", "")), match[2]


def amounts_in_dollars(text: str, name: str, where: str, rates: Rates) -> tuple[str, list[Exchange]]:
    """Return a formula with its amounts of other currencies in dollars, and what each was counted for.

    A currency that the price list does not know stays as it is.
    """
    found: list[Exchange] = []

    def dollars(match: re.Match[str]) -> str:
        currency = foreign(match[2])
        rate = rates(currency) if currency else math.nan
        if math.isnan(rate):
            return match[0]
        value, unit = float(match[1].replace("_", "")), in_dollars(match[2])
        found.append(Exchange(name, value, match[2], currency, rate, value * rate, unit, where))
        return f"{value * rate:.12g} {unit}"

    return AMOUNT.sub(dollars, text), found
