"""Reductions against brute force, and the law that makes one merge at the end enough."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.dataset.reduce import Goal, Keep, reduce, sampled

COST, TIME, RATE = Goal("cost"), Goal("time"), Goal("rate", maximize=True)
KEEPS = [
    Keep("best", (COST,), ("price", "place")),
    Keep("best", (RATE,), ("place",)),
    Keep("top", (COST,), ("price",), count=3),
    Keep("pareto", (COST, TIME), ("price",)),
    Keep("pareto", (COST, RATE), ()),
]


def rows(seed, count=300):
    """A table with many ties, unknown and infeasible rows."""
    random = np.random.default_rng(seed)
    cost = random.integers(0, 12, count).astype(float)
    cost[random.random(count) < 0.1] = np.nan
    return pa.table(
        {
            "design": np.cumsum(random.integers(1, 4, count)).astype(np.int64),
            "price": random.choice([0.02, 0.1], count),
            "place": pa.array(random.choice(["east", "west"], count)).dictionary_encode(),
            "status": pa.array(np.where(random.random(count) < 0.8, "ok", "infeasible")).dictionary_encode(),
            "cost": pa.array(cost, from_pandas=True),
            "time": random.integers(0, 12, count),
            "rate": random.integers(0, 12, count).astype(np.float32),
        }
    )


def brute_force(table, keep):
    """The ids that stay, by comparing rows one by one."""
    alive = [
        row for row in table.to_pylist() if row["status"] == "ok" and all(row[g.column] is not None for g in keep.goals)
    ]

    def values(row):
        return tuple(-row[g.column] if g.maximize else row[g.column] for g in keep.goals)

    def beats(other, row):
        same_scenario = all(other[name] == row[name] for name in keep.scenarios)
        no_worse = all(a <= b for a, b in zip(values(other), values(row), strict=True))
        return same_scenario and no_worse and (values(other) != values(row) or other["design"] < row["design"])

    if keep.kind == "pareto":
        return [row["design"] for row in alive if not any(beats(other, row) for other in alive)]
    count = keep.count if keep.kind == "top" else 1
    return [row["design"] for row in alive if sum(beats(other, row) for other in alive) < count]


@pytest.mark.parametrize("keep", KEEPS, ids=lambda keep: f"{keep.kind}-{len(keep.scenarios)}")
@pytest.mark.parametrize("seed", range(3))
def test_equals_brute_force(keep, seed):
    table = rows(seed)
    assert reduce(table, keep)["design"].to_pylist() == brute_force(table, keep)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 300), max_size=4), keep=st.sampled_from(KEEPS))
def test_reducing_reduced_chunks_equals_reducing_everything(seed, cuts, keep):
    table = rows(seed)
    edges = [0, *sorted(cuts), table.num_rows]
    pieces = [reduce(table.slice(a, b - a), keep) for a, b in itertools.pairwise(edges)]
    together = reduce(pa.concat_tables(pieces).combine_chunks(), keep)
    assert together["design"].to_pylist() == reduce(table, keep)["design"].to_pylist()


def test_without_a_feasible_row_nothing_is_best():
    table = rows(0).slice(0, 5)
    words = pa.array(["infeasible"] * 5).dictionary_encode()
    table = table.set_column(table.schema.get_field_index("status"), "status", words)
    assert reduce(table, KEEPS[0]).num_rows == 0


def test_sample_depends_on_id_and_seed_only():
    ids = np.arange(200_000, dtype=np.int64)
    kept = sampled(ids, 0.1, seed=0)
    assert np.array_equal(kept[1000:], sampled(ids[1000:], 0.1, seed=0))
    # the number kept is binomial(200000, 0.1): five standard deviations are 671
    assert abs(int(kept.sum()) - 20_000) < 671
    both = kept & sampled(ids, 0.1, seed=1)
    assert abs(int(both.sum()) - 2_000) < 5 * np.sqrt(2_000)
    assert not (kept & ~sampled(ids, 0.2, seed=0)).any()


def test_sample_of_everything_keeps_infeasible_rows():
    table = rows(1)
    assert reduce(table, Keep("sample", fraction=1.0)).equals(table)
