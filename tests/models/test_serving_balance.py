"""The split of a cluster into prefill and decode instances."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.serving_balance import split_instances


def exhaustive(devices, decode_size, prefill_size, decode_rate, prefill_rate):
    return max(
        min(decode * decode_rate, (devices - decode * decode_size) // prefill_size * prefill_rate)
        for decode in range(devices // decode_size + 1)
    )


@settings(max_examples=300)
@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 60), st.floats(0.01, 100), st.floats(0.01, 100))
def test_split_is_the_exhaustive_best(devices, decode_size, prefill_size, decode_rate, prefill_rate):
    arrays = [np.asarray(float(value)) for value in (decode_size, prefill_size, decode_rate, prefill_rate)]
    decode, prefill, rate = split_instances(devices, *arrays)
    assert rate == exhaustive(devices, decode_size, prefill_size, decode_rate, prefill_rate)
    assert decode * decode_size + prefill * prefill_size <= devices


def test_published_ratio_starves_neither_phase():
    # 6 chips of prefill for every 3 of decode when a request costs prefill twice the chip time.
    decode, prefill, rate = split_instances(9, *(np.asarray(value) for value in (1.0, 1.0, 2.0, 1.0)))
    assert (decode, prefill, rate) == (3, 6, 6)


def test_infeasible_phase_gives_no_requests():
    _, _, rate = split_instances(100, np.asarray(1.0), np.asarray(1.0), np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    assert rate.tolist() == [0, 0]
