"""Published collectives against the model: how rows are read, which are left out, and how far the model is off."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from math import comb

import numpy as np
import pytest

from sweep.accuracy.collective_rows import SYSTEMS, distinct, measured
from sweep.accuracy.collectives import CollectiveError, collective_errors, left_out
from sweep.catalogue.catalogue import Catalogue
from sweep.paths import configs_dir

DOMAINS = dict.fromkeys(SYSTEMS.values(), 8) | {"gb200-nvl72": 72, "gb300-nvl72": 72, "cloudmatrix384": 768}


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    with (configs_dir() / "measurements" / "collectives.csv").open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def errors() -> Sequence[CollectiveError]:
    return collective_errors(Catalogue.load())


@pytest.fixture(scope="module")
def cases():
    return {case.name: case for case in measured(DOMAINS)}


def misses(errors, *, large=True, source=""):
    return np.asarray([abs(e.error) for e in errors if (e.bytes >= 1e6) == large and e.source.startswith(source)])


def test_every_row_is_compared_or_left_out_with_a_reason(rows, errors):
    out = [name for names in left_out().values() for name in names]
    assert sorted([*out, *(error.name for error in errors)]) == sorted(rows)


def test_known_faults_are_left_out():
    reasons = {name: why for why, names in left_out().items() for name in names}
    assert "faster than the line" in reasons["vidur-0145"]
    assert "faster than the line" in reasons["vidur-0146"]
    assert "line rate" in reasons["cloudmatrix-0026"]


def test_copied_rows_are_those_of_one_chip_under_the_name_of_another(rows):
    copied = next(names for why, names in left_out().items() if "copied" in why)
    first = {
        tuple(row[k] for k in ("collective", "n_chips", "message_size", "latency_us", "implementation")): row["system"]
        for row in reversed(rows.values())
    }
    for name in copied:
        row = rows[name]
        same = tuple(row[k] for k in ("collective", "n_chips", "message_size", "latency_us", "implementation"))
        assert first[same] != row["system"]


def test_times_and_bandwidths_of_a_row_agree(rows, cases):
    # nccl-tests: bus bandwidth is (n-1)/n of the bytes, twice that for all-reduce, over the time
    checked = 0
    for name, case in cases.items():
        row = rows[name]
        if name.startswith("aic-nccl") and case.bytes >= 1e6:
            steps = 2 if case.collective == "all_reduce" else 1
            rate = steps * (case.ranks - 1) / case.ranks * case.bytes / case.measured
            assert rate == pytest.approx(float(row["busbw_GBps"]) * 1e9, rel=0.02), name
            checked += 1
    assert checked > 500


def test_a_token_is_sent_to_distinct_places():
    # 8 of 256 experts on 8 ranks of 32: a rank is missed with probability C(224, 8) / C(256, 8)
    assert distinct(8) == pytest.approx(8 * (1 - comb(224, 8) / comb(256, 8)), rel=1e-12)
    assert distinct(1) == 1
    assert distinct(256) == pytest.approx(8, rel=1e-12)


def test_a_printed_bandwidth_of_a_dispatch_counts_every_node_once(rows, cases):
    # DeepEP V1 on two nodes: 4,096 tokens, FP8, 43 GB/s
    case = next(cases[n] for n, r in rows.items() if n.startswith("deepep-v1") and r["n_chips"] == "16")
    assert case.measured == pytest.approx(4096 * (7168 + 224) * distinct(2) / 43e9, rel=1e-12)
    assert case.bytes * case.crossing == pytest.approx(4096 * (7168 + 224) * distinct(2), rel=1e-12)


def test_large_messages_are_within_the_target(errors):
    large = misses(errors)
    assert large.size > 1400
    assert large.mean() <= 0.12
    assert np.median(large) <= 0.08


@pytest.mark.parametrize(
    ("source", "limit"),
    [("aic-nccl", 0.10), ("aic-custom-ar", 0.09), ("aic-deepep-ll", 0.11), ("coreweave", 0.06), ("deepep-v1", 0.12)],
)
def test_no_large_source_is_far_off(errors, source, limit):
    assert misses(errors, source=source).mean() <= limit


def test_small_messages(errors):
    assert misses(errors, large=False).mean() <= 0.15
