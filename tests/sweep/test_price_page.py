"""The page of prices counts every price of the catalogue once, by year and currency."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from study_files import catalogue

from sweep.catalogue import KINDS
from sweep.cli.price_page import price_page, prices_of
from sweep.paths import configs_dir
from sweep.yaml_source import read_yaml


def years_in(data: Any) -> Iterator[int]:
    """Yield the year of every price that is a number, wherever it stands in a file."""
    for key, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, dict) and key != "exchange":
            if "currency_year" in value and isinstance(value.get("value"), int | float):
                yield value["currency_year"]
            yield from years_in(value)


def test_every_year_that_a_file_states_is_counted() -> None:
    files = [file for kind in KINDS for file in (configs_dir() / kind).glob("*.yaml")]
    stated = Counter(year for file in files for year in years_in(read_yaml(file).data))
    assert Counter(each.year for each in prices_of(catalogue())) == stated


def test_the_rows_of_the_page_add_up() -> None:
    found = prices_of(catalogue())
    lines = [line for line in price_page().splitlines() if re.match(r"\| 20\d\d", line)]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in lines]
    assert sum(int(row[1]) for row in rows) == sum(each.taken for each in found)
    assert all(int(row[1]) == sum(map(int, row[2:5])) for row in rows)
    assert sum(int(row[1]) + int(row[5]) for row in rows) == len(found)
