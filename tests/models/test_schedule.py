"""Pipeline schedules: interleaving against a simulation of it, the others against what their papers print."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.schedule import SCHEDULES, round_gaps, schedule_idle


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


FORWARD, BACKWARD, WEIGHTS = 1.0, 2.0, 1.0  # times of a pass; the gradients of the weights are half of the backward


@pytest.mark.parametrize("stages", [2, 4, 8, 16, 64])
def test_bubbles_are_those_of_deepseek_v3_table_2(stages):
    # arXiv:2412.19437, table 2: 1F1B (p-1)(F+B), zero bubble (p-1)(F+B-2W), DualPipe (p/2-1)(F&B+B-3W), F&B = F+B here
    plain = (stages - 1) * (FORWARD + BACKWARD)
    bubbles = {
        "interleaved": plain,
        "zero_bubble": (stages - 1) * (FORWARD + BACKWARD - 2 * WEIGHTS),
        "dualpipe": (stages / 2 - 1) * (FORWARD + BACKWARD + BACKWARD - 3 * WEIGHTS),
    }
    assert set(bubbles) == set(SCHEDULES)
    for schedule, bubble in bubbles.items():
        assert plain * schedule_idle(schedule, np.float64(stages)) == pytest.approx(bubble)


def test_no_schedule_idles_more_than_one_forward_one_backward():
    for schedule in SCHEDULES:
        idle = schedule_idle(schedule, np.asarray([1.0, 2.0, 3.0]))
        assert np.isfinite(idle).all()
        assert (idle >= 0.0).all()
        assert (idle <= 1.0).all()
