"""The page of prices: of which years and currencies those of the catalogue are, and what that means for a sum."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from sweep.catalogue import KINDS, Catalogue, Fact
from sweep.catalogue.catalogue import PRICES
from sweep.money import DOLLAR, foreign
from sweep.text import Table, markdown, number

YEARS = (
    "Every price of the catalogue states its currency and its year (`currency_year`), and is refused without; an"
    " alternative carries the date of its source. **All money of the model is USD, nominal, of the year of each price:"
    " nothing is deflated.** A price of {first} and one of {last} are added as they stand, so a yearly cost or that of"
    " a token is in dollars of no single year. No price index is in the catalogue, so this is not measured. A"
    " study that needs prices of one year sets them under `facts`, or multiplies them (`times`)."
)
RATES = (
    "Other currencies become dollars in one place, at the rate of the price list"
    " ([configs/prices/parts.yaml](../configs/prices/parts.yaml)): {rates}. It is one rate for all years; {spread}."
    " Studies, `--set` and `--budget` take the same currencies at the same rate (`0.4 CNY/kWh`, `60 MCNY`). The program"
    " then says so on stderr and writes the rate to `sources.csv` of the run. A price without a currency is refused."
)
WIDTH = 120


@dataclass(frozen=True, slots=True)
class Priced:
    """One price of the catalogue: its year and currency, whether the model takes it, and what it is of."""

    year: int
    currency: str
    taken: bool
    name: str


def prices_of(catalogue: Catalogue) -> list[Priced]:
    """Return every price of the catalogue that has a year, exchange rates aside."""
    return [each for kind in KINDS for name in catalogue.names(kind) for each in _of_entry(catalogue, kind, name)]


def _of_entry(catalogue: Catalogue, kind: str, name: str) -> Iterator[Priced]:
    entry = catalogue.entry(kind, name)
    sections = [facts for label, facts in entry.sections.items() if label != "exchange"]
    for taken, table in [(True, entry.facts), *((True, facts) for facts in sections), (False, entry.published)]:
        for key, fact in table.items():
            if fact.currency_year is not None and isinstance(fact.value, int | float):
                yield Priced(fact.currency_year, _currency(fact), taken, key)


def _currency(fact: Fact) -> str:
    return foreign(fact.unit) or DOLLAR


def price_page() -> str:
    """Return the page of prices, its figures counted in the catalogue."""
    catalogue = Catalogue.load()
    found = prices_of(catalogue)
    years = sorted({each.year for each in found})
    currencies = [DOLLAR, *sorted({each.currency for each in found} - {DOLLAR})]
    table = Table(
        "", ("year", "taken by the model>", *(f"in {each}>" for each in currencies), "published beside>", "of")
    )
    for year in years:
        here = [each for each in found if each.year == year]
        taken = [each for each in here if each.taken]
        counts = [sum(each.currency == currency for each in taken) for currency in currencies]
        of = ", ".join(f"`{name}`" for name in dict.fromkeys(each.name for each in taken))
        row = (str(year), str(len(taken)), *map(str, counts), str(len(here) - len(taken)), of or "-")
        table.rows.append(row)
    rates = catalogue.entry("prices", PRICES).sections["exchange"]
    named = " and ".join(
        f"{number(float(str(fact.value)))} {fact.unit} ({fact.note.partition(' (')[0]})" for fact in rates.values()
    )
    texts = (
        YEARS.format(first=years[0], last=years[-1]),
        RATES.format(rates=named, spread=_spread(rates["CNY"])),
        f"{len(found)} prices, {sum(each.taken for each in found)} of them taken by the model:",
    )
    parts = [textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False) for text in texts]
    return "\n\n".join([*parts, "\n".join(markdown(table))]) + "\n"


def _spread(rate: Fact) -> str:
    """Return how far the published rates of a currency lie apart."""
    values = [float(str(rate.value)), *(float(str(other.value)) for other in rate.alternatives)]
    low, high = min(values), max(values)
    away = 100 * (high / low - 1)
    return f"for {rate.unit} the published ones go from {low:g} to {high:g}, {away:.1f} % apart"
