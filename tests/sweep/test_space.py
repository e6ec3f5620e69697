import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import StudyError
from sweep.space import (
    Block,
    Choice,
    Range,
    Space,
    arrange,
    linear_axis,
    list_axis,
    log_axis,
    sample_axis,
    zip_axis,
)


def axis_for(name, kind, size):
    makers = {
        "list": lambda: list_axis(name, [7 * place % 101 for place in range(size)]),
        "text": lambda: list_axis(name, [f"w{place}" for place in range(size)]),
        "linear": lambda: linear_axis(name, 0.1, 7.3, size),
        "log": lambda: log_axis(name, 0.1, 7.3, size),
        "zip": lambda: zip_axis({name: list(range(size)), f"{name}_b": [place // 2 for place in range(size)]}),
        "sample": lambda: sample_axis(
            {f"{name}_q": Range(1.0, 2.0), f"{name}_c": Choice(("u", "v"))}, size, "random", 3, index=name
        ),
    }
    return makers[kind]()


kinds = st.sampled_from(["list", "text", "linear", "log", "zip", "sample"])


@st.composite
def blocks(draw):
    shape = draw(st.lists(st.tuples(kinds, st.integers(1, 6)), max_size=4))
    axes = tuple(axis_for(f"x{place}", kind, size) for place, (kind, size) in enumerate(shape))
    return Block(axes, {"block": draw(st.integers(0, 10**9))})


@st.composite
def spaces(draw):
    found = draw(st.lists(blocks(), min_size=1, max_size=3, unique_by=lambda block: block.constants["block"]))
    return Space.of(found)


@given(spaces(), st.data())
def test_id_to_design_to_id_is_the_identity(space, data):
    design_id = data.draw(st.integers(0, space.size - 1))
    assert space.id_of(space.design(design_id)) == design_id


@given(spaces())
def test_ids_are_numbered_block_by_block(space):
    assert space.size == sum(block.size for block in space.blocks)
    assert [block.offset for block in space.blocks] == [
        sum(block.size for block in space.blocks[:place]) for place in range(len(space.blocks))
    ]


def test_the_last_axis_runs_fastest():
    space = Space.of([Block((list_axis("a", ["x", "y"]), list_axis("b", [1, 2, 3])))])
    designs = [space.design(design_id) for design_id in range(6)]
    assert [(design["a"], design["b"]) for design in designs] == [(a, b) for a in "xy" for b in (1, 2, 3)]


def test_axes_are_ordered_partition_structural_numeric_and_keep_their_order_inside():
    axes = [list_axis(name, [1, 2]) for name in ("power_price", "domains", "wacc", "system", "precision")]
    ordered = arrange(axes, partition=["system"], structural={"domains", "precision", "system"})
    assert [axis.names[0] for axis in ordered] == ["system", "domains", "precision", "power_price", "wacc"]


def test_a_zip_group_goes_where_its_first_kind_goes():
    pair = zip_axis({"wacc": [0.1, 0.2], "domains": [1, 2]})
    ordered = arrange([list_axis("power_price", [1, 2]), pair], partition=[], structural={"domains"})
    assert ordered[0] is pair


def test_equal_designs_of_two_blocks_have_the_lowest_id():
    block = Block((list_axis("a", [1, 2]),), {"system": "s"})
    space = Space.of([block, block])
    assert space.id_of(space.design(3)) == 1


def test_constants_may_be_left_out_but_not_contradicted():
    space = Space.of([Block((list_axis("a", [1, 2]),), {"system": "s"})])
    assert space.id_of({"a": 2}) == 1
    with pytest.raises(StudyError, match="no design of this study has system = t"):
        space.id_of({"a": 2, "system": "t"})


def test_a_sampled_design_is_found_by_its_index_and_checked():
    space = Space.of([Block((axis_for("sample", "sample", 5),))])
    assert space.id_of({"sample": 4}) == 4
    with pytest.raises(StudyError, match="no design of this study has"):
        space.id_of({"sample": 4, "sample_q": 99.0})
    with pytest.raises(StudyError, match="no design of this study has"):
        space.id_of({"sample": 5})


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ({"a": 1, "domain": 2}, "domain is no axis of this study; did you mean domains?"),
        ({"a": 1}, "the design needs a value for domains"),
        ({"a": 1, "domains": 3}, "no design of this study has domains = 3"),
    ],
)
def test_a_missing_design_is_explained(design, said):
    space = Space.of([Block((list_axis("a", [1, 2]), list_axis("domains", [1, 2])))])
    with pytest.raises(StudyError) as caught:
        space.id_of(design)
    assert said in str(caught.value)


@pytest.mark.parametrize("design_id", [-1, 4])
def test_ids_outside_are_refused(design_id):
    with pytest.raises(StudyError, match="ids run from 0 to 3"):
        Space.of([Block((list_axis("a", [1, 2, 3, 4]),))]).design(design_id)


def test_a_name_twice_in_one_block_is_refused():
    with pytest.raises(StudyError, match="wacc is set twice"):
        Block((list_axis("wacc", [1, 2]),), {"wacc": 3})


def test_partition_must_exist_and_not_be_sampled():
    with pytest.raises(StudyError, match=r"did you mean system\?"):
        Block((list_axis("system", ["a"]),), partition=("systm",))
    with pytest.raises(StudyError, match="system is sampled"):
        Block((sample_axis({"system": Choice(("a", "b"))}, 4, "random", 0),), partition=("system",))


def test_more_designs_than_64_bits_are_refused_and_none_as_well():
    with pytest.raises(StudyError, match="ids end at"):
        Space.of([Block(tuple(linear_axis(f"x{place}", 0, 1, 10**9) for place in range(3)))])
    with pytest.raises(StudyError, match="spans no design"):
        Space.of([])


def test_a_trillion_designs_take_no_memory():
    tracemalloc.start()
    space = Space.of([Block(tuple(list_axis(f"x{place}", range(10)) for place in range(12)))])
    design = space.design(987_654_321_012)
    found = space.id_of(design)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert space.size == 10**12
    assert list(design.values()) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2]
    assert found == 987_654_321_012
    assert peak < 200_000


@given(spaces())
def test_a_space_survives_pickling(space):
    assert pickle.loads(pickle.dumps(space)) == space
