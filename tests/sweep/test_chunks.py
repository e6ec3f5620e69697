import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.space import Block, Chunks, Space, list_axis, zip_axis


@st.composite
def spaces(draw):
    found = []
    for number in range(draw(st.integers(1, 3))):
        sizes = draw(st.lists(st.integers(1, 7), max_size=4))
        axes = tuple(list_axis(f"x{place}", range(size)) for place, size in enumerate(sizes))
        cut = tuple(f"x{place}" for place in range(draw(st.integers(0, len(sizes)))))
        found.append(Block(axes, {"block": number}, partition=cut))
    return Space.of(found)


chunk_rows = st.integers(1, 300)


@given(spaces(), chunk_rows)
def test_chunks_partition_the_ids_exactly_and_in_order(space, rows):
    chunks = Chunks(space, rows)
    end = 0
    for number in range(len(chunks)):
        chunk = chunks[number]
        assert chunk.number == number
        assert chunk.first == end
        assert 1 <= chunk.rows <= rows
        end += chunk.rows
    assert end == space.size


@given(spaces(), chunk_rows, st.data())
def test_ids_inside_a_chunk_are_in_c_order_of_its_sub_grid(space, rows, data):
    chunks = Chunks(space, rows)
    chunk = chunks[data.draw(st.integers(0, len(chunks) - 1))]
    grid = np.ndindex(*chunk.shape)
    values = [chunk.block.axes[place].values(f"x{place}", *span) for place, span in enumerate(chunk.ranges)]
    for place, point in enumerate(grid):
        design = space.design(chunk.first + place)
        assert [column[at] for column, at in zip(values, point, strict=True)] == [
            design[f"x{axis}"] for axis in range(len(values))
        ]


@given(spaces(), chunk_rows, st.data())
def test_a_chunk_holds_one_partition_value_and_every_design_is_in_the_chunk_that_says_so(space, rows, data):
    design_id = data.draw(st.integers(0, space.size - 1))
    chunk = Chunks(space, rows).holding(design_id)
    assert chunk.first <= design_id < chunk.first + chunk.rows
    last = space.design(chunk.first + chunk.rows - 1)
    assert chunk.partition() == {name: last[name] for name in chunk.block.partition}
    assert chunk.partition().items() <= space.design(design_id).items()


@given(spaces(), chunk_rows)
def test_chunks_are_as_large_as_whole_slices_allow(space, rows):
    # Joining two neighbours of one prefix must exceed the target, or the cut would be finer than needed.
    chunks = Chunks(space, rows)
    for number in range(len(chunks) - 1):
        one, two = chunks[number], chunks[number + 1]
        free = one.axis >= one.block.partition_axes
        if free and one.block is two.block and one.prefix == two.prefix:
            inner = one.rows // (one.stop - one.start)
            assert one.rows + inner > rows


def test_a_zip_group_with_a_partition_name_is_not_crossed():
    pair = zip_axis({"system": ["a", "a", "b"], "link": [1, 2, 3]})
    chunks = Chunks(Space.of([Block((pair, list_axis("x", range(4))), partition=("system",))]))
    assert [chunk.partition()["system"] for chunk in chunks] == ["a", "a", "b"]


def test_a_partition_constant_is_the_chunks_value():
    chunks = Chunks(Space.of([Block((list_axis("x", range(4)),), {"system": "a"}, partition=("system",))]))
    assert [(chunk.partition(), chunk.rows) for chunk in chunks] == [({"system": "a"}, 4)]


def test_a_block_without_axes_is_one_chunk_of_one_design():
    (chunk,) = Chunks(Space.of([Block((), {"system": "a"})]))
    assert (chunk.first, chunk.rows, chunk.shape, chunk.values()) == (0, 1, (), {})


@pytest.mark.parametrize("number", [-1, 3])
def test_chunks_outside_do_not_exist(number):
    with pytest.raises(IndexError, match="chunks run from 0 to 2"):
        Chunks(Space.of([Block((list_axis("x", range(3)),))]), 1)[number]


def test_chunks_of_a_trillion_designs_take_no_memory():
    space = Space.of([Block(tuple(list_axis(f"x{place}", range(10)) for place in range(12)))])
    tracemalloc.start()
    chunks = Chunks(space)
    chunk = chunks[len(chunks) - 1]
    holding = chunks.holding(10**12 - 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(chunks) * chunk.rows == 10**12
    assert chunk == holding
    assert chunk.first + chunk.rows == 10**12
    assert math.prod(chunk.shape) == 200_000  # the largest product of whole slices up to 262,144
    assert peak < 200_000
