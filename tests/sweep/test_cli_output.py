"""Numbers, tables and JSON as a user sees them."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.cli import output
from sweep.cli.output import answer_json, answer_table, footnoted
from sweep.text import Table, aligned, duration, number, size, with_unit


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (271.8, "271.8"),
        (1228.8, "1,228.8"),
        (384, "384"),
        (0.0, "0"),
        (0.06, "0.06"),
        (1234567.891, "1,234,568"),
        (15.6e12, "1.56e+13"),
        (2.5e-7, "2.5e-07"),
        (-0.5, "-0.5"),
        (1e-4, "0.0001"),
        (100.0, "100"),
        (None, "-"),
        (math.nan, "-"),
        (math.inf, "inf"),
        (True, "yes"),
        ("bf16", "bf16"),
        ("", "-"),
    ],
)
def test_numbers_read_as_people_write_them(value, shown):
    assert number(value) == shown


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_shown_number_is_the_number_to_six_digits(value):
    shown = float(number(value).replace(",", ""))
    assert shown == pytest.approx(value, rel=6e-6)  # half a unit of the sixth digit


@given(st.integers(min_value=-(10**9) + 1, max_value=10**9 - 1))
def test_whole_numbers_lose_no_digit(value):
    assert int(number(value).replace(",", "")) == value


def test_an_unknown_value_has_no_unit():
    assert with_unit(math.nan, "USD") == "-"
    assert with_unit(3.35, "TB/s") == "3.35 TB/s"
    assert with_unit(0.9, "") == "0.9"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (2.5e9, "2.5 GB"), (3e18, "3e+03 PB")]
)
def test_bytes_are_decimal(count, shown):
    assert size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.25, "0.2 s"), (59.4, "59 s"), (61, "1 min 1 s"), (3599.9, "1 h 0 min"), (5400, "1 h 30 min"),
     (90 * 86400, "90 d 0 h"), (math.inf, "-")],
)  # fmt: skip
def test_time_spans_show_the_two_largest_units(seconds, shown):
    assert duration(seconds) == shown


def test_columns_line_up_and_numbers_are_right_aligned():
    lines = aligned(Table("", ("name", "power [W]>", "note"), [("h100", "700", "x"), ("ascend-910c", "1,420", "")]))
    assert lines == [
        "name         power [W]  note",
        "h100               700  x",
        "ascend-910c      1,420  -",
    ]


def test_on_a_terminal_names_stay_whole_and_units_are_no_markup(capsys, monkeypatch):
    monkeypatch.setattr(output, "terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    row = ("atlas-950-supercluster", "a title of many words that must be wrapped", "145")
    answer_table(Table("", ("name", "title", "system_power [kW]>"), [row]))
    shown = capsys.readouterr().out
    assert "atlas-950-supercluster " in shown
    assert "[kW]" in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 60


def test_json_has_null_where_a_number_is_unknown(capsys):
    answer_json({"a": math.nan, "b": [math.inf, np.float64(1.5)], "c": np.array([1, 2]), "d": True, 3: {"x"}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": [1, 2], "d": True, "3": ["x"]}


def test_long_sources_become_footnotes_each_once():
    long = "https://example.org/a-page-with-a-long-address"
    table = Table("", ("name", "source", "n>"), [("a", long, "1"), ("b", "paper", "2"), ("c", long, "3")])
    rows, notes = footnoted(table)
    assert rows == [("a", "[1]", "1"), ("b", "paper", "2"), ("c", "[1]", "3")]
    assert notes == [f"[1] {long}"]
    assert footnoted(Table("", ("name",), [(long,)])) == ([(long,)], [])
