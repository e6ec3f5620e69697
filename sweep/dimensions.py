"""Dimensions of expressions: what may be added, compared and raised to powers, and the SI unit of the result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from sweep.units import factor, parse_unit

SI_UNITS = {
    "[currency]": "USD",
    "[token]": "token",
    "[operation]": "FLOP",
    "[information]": "byte",
    "[energy]": "J",
    "[mass]": "kg",
    "[length]": "m",
    "[time]": "s",
}
ORDER = tuple(SI_UNITS.values())


@dataclass(frozen=True, slots=True)
class Dimension:
    """Powers of the SI base units of this project, in the order of ``ORDER``, without zeros; empty is a pure number."""

    powers: tuple[tuple[str, Fraction], ...] = ()

    @property
    def pure(self) -> bool:
        """Whether this is a pure number."""
        return not self.powers

    @property
    def si_unit(self) -> str:
        """Unit text that ``sweep.units`` reads back: ``W``, ``USD/J``, ``token/(J*s)``; empty for a pure number."""
        powers = dict(self.powers)
        energy = powers.get("J", Fraction(0))
        if energy and powers.get("s") == -energy:
            powers = {"W": energy} | {unit: power for unit, power in powers.items() if unit not in {"J", "s"}}
        above = "*".join(_power(unit, power) for unit, power in powers.items() if power > 0)
        below = [_power(unit, -power) for unit, power in powers.items() if power < 0]
        if not below:
            return above
        return f"{above or '1'}/{below[0] if len(below) == 1 else '(' + '*'.join(below) + ')'}"

    def __mul__(self, other: Dimension) -> Dimension:
        return _collect([*self.powers, *other.powers])

    def __truediv__(self, other: Dimension) -> Dimension:
        return self * other ** Fraction(-1)

    def __pow__(self, exponent: Fraction) -> Dimension:
        return _collect((unit, power * exponent) for unit, power in self.powers)


PURE = Dimension()


def _collect(powers: Iterable[tuple[str, Fraction]]) -> Dimension:
    total: defaultdict[str, Fraction] = defaultdict(Fraction)
    for unit, power in powers:
        total[unit] += power
    return Dimension(tuple((unit, total[unit]) for unit in ORDER if total[unit]))


def _power(unit: str, power: Fraction) -> str:
    if power == 1:
        return unit
    return f"{unit}**{power}" if power.denominator == 1 else f"{unit}**{float(power)}"


@cache
def dimension_of(unit: str) -> Dimension:
    """Return the dimension of a unit text. Raises ``sweep.units.UnitError``."""
    powers = parse_unit(unit).dimensionality.items()
    return _collect((SI_UNITS[name], Fraction(str(power))) for name, power in powers)


@cache
def si_factor(unit: str) -> float:
    """Return by what to multiply a number in ``unit`` to get SI. Raises ``sweep.units.UnitError``."""
    return factor(unit, dimension_of(unit).si_unit)
