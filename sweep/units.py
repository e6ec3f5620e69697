"""Units at the edge: text such as ``"3.35 TB/s"`` to SI numbers and back. Inside the model everything is SI."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any

import pint

DEFINITIONS = """
femto- = 1e-15 = f-
pico- = 1e-12 = p-
nano- = 1e-9 = n-
micro- = 1e-6 = u- = µ- = μ-
milli- = 1e-3 = m-
centi- = 1e-2 = c-
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
peta- = 1e15 = P-
exa- = 1e18 = E-
kibi- = 1024 = Ki-
mebi- = 1048576 = Mi-
gibi- = 1073741824 = Gi-
second = [time] = s
minute = 60 * second = min
hour = 3600 * second = h
day = 86400 * second = d
year = 365 * day = yr
month = year / 12
meter = [length] = m
gram = [mass] = g
tonne = 1e6 * gram = t
joule = [energy] = J
watt = joule / second = W
watt_hour = 3600 * joule = Wh
byte = [information] = B
bit = byte / 8 = b
FLOP = [operation]
OP = FLOP
USD = [currency]
token = [token]
percent = 0.01
"""

NUMBER_AND_UNIT = re.compile(r"^\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


class UnitError(ValueError):
    """A text that is no quantity, or a unit of the wrong kind; the message is one sentence."""


@cache
def registry() -> pint.UnitRegistry[Any]:
    """Return the registry of the units this project knows, and no others."""
    # Decimal keeps factors exact: 3.35 TB/s is 3350 GB/s.
    units: pint.UnitRegistry[Any] = pint.UnitRegistry(None, non_int_type=Decimal)
    units.load_definitions(DEFINITIONS.strip().splitlines())
    return units


@cache
def parse_unit(text: str) -> pint.Unit:
    """Return the unit a text names; empty text is the pure number. Raises ``UnitError``."""
    cleaned = text.replace("%", "percent").replace("mm2", "mm**2").replace("^", "**").strip()
    try:
        return registry().parse_units(cleaned) if cleaned else registry().dimensionless
    except Exception as error:  # pint raises a dozen kinds, from tokenizer errors to AttributeError
        raise UnitError(f"{text!r} is no unit this project knows") from error


@cache
def factor(unit: str, to: str) -> float:
    """Return by what to multiply a number in ``unit`` to get it in ``to``. Raises ``UnitError`` on other dimensions."""
    source, target = parse_unit(unit), parse_unit(to)
    if source.dimensionality != target.dimensionality:
        raise UnitError(f"{unit or 'a pure number'} cannot be converted to {to or 'a pure number'}")
    return float((Decimal(1) * source).to(target).magnitude)


def parse_quantity(text: str) -> tuple[float, str]:
    """Split ``"3.35 TB/s"`` into number and unit text; a bare number has the empty unit. Raises ``UnitError``."""
    match = NUMBER_AND_UNIT.match(text)
    if match is None:
        raise UnitError(f"{text!r} is not a number with a unit, such as '3.35 TB/s'")
    parse_unit(match[2])
    return float(match[1].replace("_", "")), match[2]


def convert(value: float | str, unit: str, default: str | None = None) -> float:
    """Return a number or a text with a unit as a number in ``unit``.

    A bare number is taken to be in ``default`` (``unit`` when not given). Raises ``UnitError``.
    """
    if isinstance(value, str):
        magnitude, given = parse_quantity(value)
        return magnitude * factor(given, unit) if given or not unit else magnitude * factor(default or unit, unit)
    return float(value) * factor(default if default is not None else unit, unit)
