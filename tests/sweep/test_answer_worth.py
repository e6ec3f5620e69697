"""What a lever is worth, against values counted by hand."""

from types import SimpleNamespace

import duckdb

from sweep.answer.worth import lever_worth, plain_worth, worth_table
from sweep.study.study import Objective

ROWS = """
CREATE TABLE designs AS SELECT * FROM (VALUES
  ('m', 'a', 'ok', 1, 0.5, 0.1, 9.0), ('m', 'a', 'ok', 1, 1.0, 0.1, 7.0), ('m', 'a', 'ok', 2, 0.5, 0.1, 8.0),
  ('m', 'a', 'ok', 2, 1.0, 0.1, 6.0), ('m', 'a', 'infeasible', 4, 1.0, 0.1, 1.0), ('m', 'a', 'ok', 1, 1.0, 0.2, 0.5),
  ('m', 'b', 'ok', 1, 1.0, 0.1, 5.0), ('m', 'a', 'ok', 8, 1.0, 0.1, 'nan'::double)
) AS t(workload, system, status, domains, link_times, power_price, cost)
"""
RANGES = {"a": {"domains": (1, 8), "link_times": (0.5, 1.0)}, "b": {"domains": (1, 8)}}
SCENARIOS = SimpleNamespace(nominal=lambda _: {"power_price": 0.1})


def worth(direction):
    with duckdb.connect() as connection:
        connection.execute(ROWS)
        return lever_worth(connection, Objective("cost", direction), SCENARIOS, RANGES)


def test_the_best_at_each_value_among_feasible_rows_of_the_nominal_scenario():
    assert worth("minimize") == {
        ("m", "a", "domains"): [(1, 7.0), (2, 6.0)],
        ("m", "a", "link_times"): [(0.5, 8.0), (1.0, 6.0)],
        ("m", "b", "domains"): [(1, 5.0)],
    }


def test_more_is_better_when_the_study_says_so():
    assert worth("maximize")["m", "a", "link_times"] == [(0.5, 9.0), (1.0, 7.0)]


def test_the_table_leaves_out_levers_with_one_feasible_value():
    (table,) = worth_table(worth("minimize"), "title", {"domains": "domains", "link_times": "link x"})
    assert table.rows == [("m", "a", "domains", "1: 7, 2: 6"), ("m", "a", "link x", "0.5: 8, 1: 6")]
    assert worth_table({}, "title", {}) == []


def test_a_long_sweep_is_thinned_to_its_ends_and_values_between():
    points = [(float(value), 2.0 * value) for value in range(1, 101)]
    found = {("m", "a", "domains"): points}
    (table,) = worth_table(found, "title", {"domains": "domains"})
    shown = table.rows[0][3].split(", ")
    assert (len(shown), shown[0], shown[-1]) == (7, "1: 2", "100: 200")
    assert plain_worth(found)[0]["best"] == dict(points)
