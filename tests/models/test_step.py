"""The pipeline schedule against a simulation of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.step import round_gaps


def rounds_of(micro_batches: int, stages: int) -> list[range]:
    """Rounds of at least ``stages`` micro-batches, as even as can be; a single one where there are fewer."""
    count = max(micro_batches // stages, 1)
    bounds = [micro_batches * k // count for k in range(count + 1)]
    return [range(low, high) for low, high in pairwise(bounds)]


def slots(micro_batches: int, stages: int, chunks: int) -> float:
    """Length of the forward half of an interleaved schedule in slots, chunk by chunk on every stage."""
    done: dict[tuple[int, int], int] = {}  # end of (micro-batch, virtual stage) in chunk times
    free = [0] * stages
    for batches in rounds_of(micro_batches, stages):
        for chunk in range(chunks):
            for batch in batches:
                for stage in range(stages):
                    place = chunk * stages + stage
                    start = max(free[stage], done.get((batch, place - 1), 0))
                    done[batch, place] = free[stage] = start + 1
    return max(free) / chunks


@given(micro_batches=st.integers(1, 60), stages=st.integers(1, 12), chunks=st.integers(1, 6))
def test_length_of_the_schedule_is_that_of_its_simulation(micro_batches, stages, chunks):
    gaps = round_gaps(np.float64(micro_batches), np.float64(stages), np.float64(chunks))
    length = micro_batches + (stages - 1) / chunks + float(gaps)
    assert abs(length - slots(micro_batches, stages, chunks)) < 1e-9


def test_one_micro_batch_passes_the_stages_one_by_one():
    for chunks in (1, 2, 8):
        assert 1 + (16 - 1) / chunks + round_gaps(np.float64(1), np.float64(16), np.float64(chunks)) == 16
