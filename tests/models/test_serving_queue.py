"""Waiting for prefill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.serving_queue import LARGEST_UTILISATION, largest_utilisation, mean_wait


def test_single_service_is_the_textbook_wait():
    # M/D/1 at utilisation 0.5: half a service time (Pollaczek-Khinchine).
    assert mean_wait(np.asarray(0.5), np.asarray(2.0), np.asarray(1.0)) == 1.0


def test_no_load_waits_nothing_and_saturation_for_ever():
    assert mean_wait(np.asarray(0.0), np.asarray(2.0), np.asarray(4.0)) == 0
    assert mean_wait(np.asarray(1 - 1e-12), np.asarray(2.0), np.asarray(4.0)) > 1e9


def test_large_passes_wait_for_the_rest_of_the_running_one():
    assert mean_wait(np.asarray(0.8), np.asarray(1.0), np.asarray(1e9)) == pytest.approx(0.4)


@given(st.floats(0.01, 0.94), st.floats(1e-3, 10), st.integers(1, 2000))
def test_largest_utilisation_inverts_the_wait(load, service, bulk):
    wait = mean_wait(np.asarray(load), np.asarray(service), np.asarray(float(bulk)))
    assert largest_utilisation(wait, np.asarray(service), np.asarray(float(bulk))) == pytest.approx(load, rel=1e-6)


def test_largest_utilisation_stays_below_saturation_and_marks_the_impossible():
    limits = largest_utilisation(np.array([1e6, -0.1]), np.asarray(1.0), np.asarray(1.0))
    assert limits.tolist() == [LARGEST_UTILISATION, -1.0]
