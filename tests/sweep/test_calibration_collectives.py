"""The fit of the collective constants: recovers constants it is shown, and ships what it finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sweep.accuracy.collectives import Batch, batches, predict
from sweep.calibration.collectives import RANGES, Constants, errors, fit, large, shipped, without
from sweep.catalogue.catalogue import Catalogue


@pytest.fixture(scope="module")
def rows():
    return batches(Catalogue.load())


def as_measured(batch: Batch, constants: Constants) -> Batch:
    times = predict(batch, constants.fitted())
    return replace(batch, cases=[replace(c, measured=t) for c, t in zip(batch.cases, times.tolist(), strict=True)])


def test_shipped_constants_are_inside_their_physical_ranges(rows):
    constants = shipped(rows)
    assert set(constants.values) == set(RANGES)
    for name, (low, high) in RANGES.items():
        assert low < constants.values[name] < high
    assert len(constants.starts) == 3  # A100, Hopper, Blackwell


def test_the_fit_recovers_what_made_the_times(rows):
    first = shipped(rows)
    truth = replace(first, values={**first.values, "small_rate": 0.3, "dispatch_exchange": 0.6})
    made = [as_measured(batch, truth) for batch in rows[:40]]
    found = fit(made, first)
    assert np.abs(errors(made, found)).mean() < 0.01
    assert found.values["small_rate"] == pytest.approx(0.3, rel=0.05)


def test_shipped_constants_are_the_fit(rows):
    first = shipped(rows)
    here, best = np.abs(errors(rows, first)), np.abs(errors(rows, fit(rows, first)))
    assert here[large(rows)].mean() == pytest.approx(best[large(rows)].mean(), abs=0.003)


def test_leaving_a_source_out_splits_the_rows(rows):
    kept, own = without(rows, "aic-nccl"), without(rows, "aic-nccl", inverse=True)
    count = sum(len(batch.cases) for batch in rows)
    assert sum(len(batch.cases) for batch in (*kept, *own)) == count
    assert {case.source for batch in own for case in batch.cases} == {"aic-nccl"}
