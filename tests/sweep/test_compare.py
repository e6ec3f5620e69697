"""Systems compared as equals: laws of the break-evens on the evaluated model, and figures that other ways confirm."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluate import evaluate
from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.compare import compare
from sweep.compare.basis import Basis, choose
from sweep.compare.break_even import solve
from sweep.compare.comparison import _machines
from sweep.compare.counts import counts_for
from sweep.compare.inputs import break_evens, span_of
from sweep.compare.machine import Machine
from sweep.compare.request import Request
from sweep.compare.side import Move, Side
from sweep.errors import StudyError
from sweep.study import Constant
from sweep.units import factor

SMALL = {"train": "llama-3-8b", "tokens": 2e11, "global_batch": 512, "sequence": 8192, "precision": "bf16"}
PAIR = ("cloudmatrix384", "dgx-h100")
PRICES = [row for row in quantities().values() if row.is_input and "USD" in row.unit and row.dtype == "float"]


@pytest.fixture(scope="module")
def machines():
    """Two machines with a small model to train; what they evaluate is shared by all tests."""
    opened = Request(PAIR, SMALL, {"domains": 1}, ["own"]).open()
    ((found, _),) = _machines(opened)
    return tuple(found)


def sides(machines, basis, *, region="us-texas", facts=(), counts=None):
    """The two sides of a comparison, some facts replaced; what was evaluated before is not evaluated again."""
    found = []
    for place, machine in enumerate(machines):
        study = replace(machine.study, facts=tuple(facts))
        again = Machine(study, machine.catalogue, machine.choices, machine._performances, machine._stacks)
        own = counts[place] if counts else counts_for(again, region, basis, place)
        found.append(Side(again, region, own, basis))
    return tuple(found)


DEADLINE = Basis("deadline", "40 d", metric="time_to_train", limit=40 * 86400.0)
COUNTS = ((1, 2, 3), (24, 32, 40, 48, 64))
POWER = Basis("power", "2 MW", goal="time_to_train", metric="facility_power", limit=2e6)
BUDGET = Basis("budget", "30 MUSD", goal="time_to_train", metric="capital_cost", limit=30e6)
world = st.fixed_dictionaries(
    {
        "chip_price": st.tuples(st.floats(5e3, 6e4), st.floats(5e3, 6e4)),
        "power_price": st.floats(0.01, 0.5),
        "staff_cost": st.floats(10, 2000),
        "staff_multiplier": st.tuples(st.floats(0.5, 5), st.floats(0.5, 5)),
        "utilisation": st.floats(0.3, 1),
        "wacc": st.floats(0.0, 0.2),
    }
)


def facts_of(values):
    """Constants of a study: a pair is one value for each system."""
    found = []
    for name, value in values.items():
        owners = zip(PAIR, value, strict=True) if isinstance(value, tuple) else [("", value)]
        found += [Constant(name, each, owner, "here") for owner, each in owners]
    return found


def cost_at(side, move, place, value):
    return float(side.along(move.name, np.array([value]))[0]) if move.touches(place) else side.cost


@settings(max_examples=15)
@given(world, st.sampled_from([DEADLINE, POWER]))
def test_at_a_break_even_both_cost_the_same_and_the_sides_are_as_said(machines, values, basis):
    pair = sides(machines, basis, facts=facts_of(values), counts=COUNTS)
    for found in break_evens(pair, 0.1):
        low, high = span_of(found.name)
        edges = [low, *(each.low for each in found.solved.crossings), high]
        for each in found.solved.crossings:
            first, second = (cost_at(side, found.move, place, each.low) for place, side in enumerate(pair))
            assert abs(first - second) <= 1e-9 * first
            assert each.kind == "equal"
        for before, after in pairwise(edges):
            middle = (before + after) / 2 if math.isfinite(after) else max(2 * before, before + 1)
            first, second = (cost_at(side, found.move, place, middle) for place, side in enumerate(pair))
            if abs(first - second) <= 1e-9 * first:
                continue
            cheaper = int(first > second)
            around = [each for each in found.solved.crossings if each.high <= middle]
            said = around[-1].above if around else None
            ahead = [each for each in found.solved.crossings if each.low >= middle]
            said = ahead[0].below if said is None and ahead else said
            assert cheaper == (found.solved.cheaper if said is None else said), found


@settings(max_examples=10)
@given(world)
def test_exchanging_the_systems_exchanges_the_names_only(machines, values):
    pair = sides(machines, DEADLINE, facts=facts_of(values), counts=COUNTS)
    swapped = {"both": "both", "first": "second", "second": "first"}
    for found in break_evens(pair, 0.1):
        move = Move(found.name, swapped[found.move.owner])
        other = solve(pair[::-1], move, span_of(found.name), found.now[0 if found.move.owner != "second" else 1], 0.1)
        assert len(other.crossings) == len(found.solved.crossings)
        for one, two in zip(found.solved.crossings, other.crossings, strict=True):
            assert one.low == pytest.approx(two.low, rel=1e-9, abs=1e-12)
            assert (one.below, one.above) == (1 - two.below, 1 - two.above)
        assert found.solved.cheaper == (None if other.cheaper is None else 1 - other.cheaper)


@settings(max_examples=10)
@given(st.floats(0.01, 100))
def test_scaling_all_prices_scales_both_costs_and_every_price_of_a_break_even(machines, by):
    pair = sides(machines, DEADLINE, counts=COUNTS)
    scaled = []
    for side in pair:
        inputs = side.machine.inputs(side.region).values
        known = [row for row in PRICES if row.name in inputs and not math.isnan(float(inputs[row.name]))]
        scaled += [
            Constant(row.name, float(inputs[row.name]) * factor(row.si_unit, row.unit) * by, side.system, "here")
            for row in known
        ]
    other = sides(machines, DEADLINE, facts=scaled, counts=COUNTS)
    for one, two in zip(pair, other, strict=True):
        assert two.cost == pytest.approx(by * one.cost, rel=1e-9)
    for one, two in zip(break_evens(pair, 0.1), break_evens(other, 0.1), strict=True):
        scale = by if "USD" in one.unit else 1.0
        lows = [[each.low for each in found.solved.crossings] for found in (one, two)]
        assert lows[1] == pytest.approx([scale * low for low in lows[0]], rel=1e-8, abs=1e-12)


def test_a_system_costs_the_same_as_itself_everywhere(machines):
    same = (machines[0], machines[0])
    pair = sides(same, DEADLINE, counts=(COUNTS[0], COUNTS[0]))
    for found in break_evens(pair, 0.1):
        if found.move.owner == "both":
            assert found.solved.equal
            assert found.never == "both cost the same everywhere"
        elif found.now[0] == span_of(found.name)[0]:  # as dear as itself at the end, and dearer anywhere else
            assert not found.solved.crossings
            assert " costs 1.00 times as much even " in found.never
        else:  # its own value is where it is as dear as itself
            assert [each.low for each in found.solved.crossings] == [pytest.approx(found.now[0], rel=1e-9, abs=1e-12)]


def test_a_budget_that_buys_more_makes_steps_and_every_crossing_is_seen(machines):
    """The price of a chip decides how many domains the budget buys, and so the cost has steps over the price."""
    kinds = set()
    prices = np.linspace(0, 50_000, 5001)
    for other in np.linspace(30_000, 60_000, 21):
        facts = [Constant("chip_price", float(other), PAIR[1], "here")]
        pair = sides(machines, BUDGET, facts=facts, counts=((1, 2, 3, 4, 5), (32,)))
        solved = solve(pair, Move("chip_price", "first"), (0.0, math.inf), 16_000.0, 0.0)
        logs = np.log(pair[0].along("chip_price", prices) / pair[1].cost)
        changes = [edge for edge in range(prices.size - 1) if logs[edge] * logs[edge + 1] < 0]
        assert len(solved.crossings) == len(changes)
        for each, edge in zip(solved.crossings, changes, strict=True):
            assert prices[edge] <= each.low == each.high <= prices[edge + 1]
            assert each.below == int(logs[edge] > 0)
            assert (each.gap > 1e-3) == (each.kind == "jump")
            kinds.add((each.kind, len(changes)))
    assert {("equal", 1), ("equal", 3), ("jump", 3)} <= kinds


def test_the_limit_of_a_budget_is_kept_at_every_price(machines):
    pair = sides(machines, BUDGET, counts=(tuple(range(1, 6)), (16, 32, 64, 128)))
    for price in (0.0, 1e4, 4e4, 1e6):
        found = pair[0].evaluate({"chip_price": np.array([[price]])})
        place = int(choose(BUDGET, found).place[0])
        assert place < 0 or np.broadcast_to(found["capital_cost"], (1, 5))[0, place] <= BUDGET.limit


def test_the_least_count_that_meets_a_deadline_is_among_those_tried(machines):
    for place in (0, 1):
        basis = replace(DEADLINE, limit=9 * 86400.0)
        counts = counts_for(machines[place], "us-texas", basis, place)
        times = machines[place].evaluate("us-texas", tuple(range(1, max(counts) + 1)))["time_to_train"][0]
        meeting = np.flatnonzero(times <= basis.limit) + 1
        assert min(counts) <= meeting.min() <= max(counts)


def test_an_evaluated_block_is_every_design_on_its_own(machines):
    block = machines[0].evaluate("china-west", (1, 2, 3), {"power_price": np.array([[0.05], [0.5]])})
    for column, count in enumerate((1, 2, 3)):
        for row, price in enumerate((0.05, 0.5)):
            alone = Machine(machines[0].study, machines[0].catalogue, machines[0].choices)
            found = alone.evaluate("china-west", (count,), {"power_price": price})
            for name in ("cost_per_token", "capital_cost", "time_to_train", "facility_power"):
                values = np.broadcast_to(block[name], (2, 3))
                assert values[row, column] == float(np.asarray(found[name]).reshape(-1)[0])


def test_a_design_has_the_numbers_that_a_run_gives_it(machines):
    """The stages run apart here, over many designs at once; a run of a study goes through them in one piece."""
    block = machines[1].evaluate("us-texas", (8, 24, 40))
    for place, count in enumerate((8, 24, 40)):
        row = evaluate({**machines[1].inputs("us-texas").values, "domains": count})
        assert set(row) <= set(block)
        for name in set(row) & {each.name for each in quantities().values() if each.dtype == "float"}:
            value = np.broadcast_to(block[name], (1, 3))[0, place]
            assert value == float(np.asarray(row[name]).reshape(-1)[0]) or np.isnan(value), name


def test_what_performance_reads_makes_it_run_again(machines):
    slow = machines[0].evaluate("own", (1,), {"peak_bf16": 100.0})
    fast = machines[0].evaluate("own", (1,))
    again = Machine(machines[0].study, machines[0].catalogue, machines[0].choices).evaluate(
        "own", (1,), {"peak_bf16": 100.0}
    )
    assert slow["step_time"].item() == again["step_time"].item() > 2 * fast["step_time"].item()


@pytest.fixture(scope="module")
def comparison():
    return compare(PAIR, SMALL, {"deadline": "40 d"}, regions=["own"], alternatives=True)


def test_parts_add_up_and_the_ratio_is_that_of_the_costs(comparison):
    (case,) = comparison.cases
    for design in case.designs:
        assert sum(design.capital.values()) == pytest.approx(design.number("capital_cost"), rel=1e-9)
        assert sum(design.annual.values()) == pytest.approx(design.number("annual_cost"), rel=1e-9)
        assert design.capital["shell"] == pytest.approx(design.number("shell_cost"), rel=1e-9)
        assert design.capital["network"] == pytest.approx(design.number("network_cost"), rel=1e-9)
        assert design.number("time_to_train") <= 40
    costs = [design.number("cost_to_train") for design in case.designs]
    assert case.pairs[0].verdict.ratio == pytest.approx(costs[0] / costs[1], rel=1e-12)


def test_the_weight_of_a_price_is_its_share_of_the_cost(comparison, machines):
    """A cost that is affine in a price answers to it by the share that falls away without it."""
    (pair,) = comparison.cases[0].pairs
    design = comparison.cases[0].designs[0]
    found = machines[0].evaluate(
        "own", (int(design.number("domains") or design.number("chips") / 384),), {"chip_price": 0.0}
    )
    whole = design.number("cost_per_token")
    share = 1 - float(found["cost_per_token"].item()) * factor("USD/token", "USD/Mtoken") / whole
    (weight,) = [each.elasticity for each in pair.deciding if (each.name, each.of) == ("chip_price", PAIR[0])]
    assert weight == pytest.approx(share, rel=1e-4)  # of a difference of 0.1 %
    (other,) = [each.elasticity for each in pair.deciding if (each.name, each.of) == ("chip_price", PAIR[1])]
    assert -1 < other < 0  # a dearer second system makes the first look cheaper


def test_an_input_turns_the_verdict_where_it_says(comparison):
    """The value of the peak that turns it, found with the domains held, makes the ratio one when it is set."""
    (case,) = comparison.cases
    counts = [int(design.number("chips") / size) for design, size in zip(case.designs, (384, 8), strict=True)]
    turns = [each for each in case.pairs[0].deciding if each.turns_at is not None and each.of in PAIR]
    assert {"peak_bf16", "chip_price"} <= {each.name for each in turns}
    for each in [turn for turn in turns if turn.name in {"peak_bf16", "system_price"}]:
        there = compare(
            PAIR, SMALL, {"domains": counts}, regions=["own"], overrides=[f"{each.of}.{each.name}={each.turns_at!r}"]
        )
        assert there.cases[0].pairs[0].verdict.ratio == pytest.approx(1, abs=2e-3)


def test_every_conflict_is_what_setting_the_fact_gives(comparison):
    """Prices derived from a fact follow it: another price of the system is another price of the chip."""
    (pair,) = comparison.cases[0].pairs
    for name, of in (("system_price", PAIR[0]), ("peak_bf16", PAIR[0]), ("staff_multiplier", PAIR[0])):
        other = next(each for each in pair.alternatives.alone if (each.name, each.of) == (name, of))
        changed = {**other.displaced, name: other.value}
        given = [f"{of}.{key}={value!r} {quantities()[key].unit}".strip() for key, value in changed.items()]
        again = compare(PAIR, SMALL, {"deadline": "40 d"}, regions=["own"], overrides=given)
        assert again.cases[0].pairs[0].verdict.ratio == pytest.approx(other.ratio, rel=1e-9)


def test_the_published_conflicts_of_the_910c_are_all_tried(comparison):
    (pair,) = comparison.cases[0].pairs
    tried = {(each.name, round(each.value, 4)) for each in pair.alternatives.alone if each.of == PAIR[0]}
    assert {("peak_bf16", 780.0), ("system_power", 600.0), ("system_power", 500.0), ("staff_multiplier", 5.0)} <= tried
    assert {("scale_up_bandwidth", 350.0)} <= tried
    rate = Catalogue.load().exchange_rate("CNY")
    prices = {value for name, value in tried if name == "system_price"}
    assert prices == {round(50e6 * rate, 4), round(80e6 * rate, 4)}  # 60 million yuan are the catalogue's own 8.2 MUSD
    power = {value for name, value in tried if name == "power_price"}
    assert round(0.4 * rate, 4) not in power
    low, high = pair.alternatives.corners
    inside = [each.ratio for each in pair.alternatives.alone if math.isfinite(each.ratio)]
    assert low.missing or low.ratio <= min(inside)
    assert high.missing or high.ratio >= max(inside)


def test_one_cannot_tell_where_the_interval_holds_one():
    """The systems differ by less than the model's error: no winner, and the interval of the ratio says why."""
    same = compare(("gb200-nvl72", "gb200-nvl72"), SMALL, {"domains": 1}, regions=["own"])
    verdict = same.cases[0].pairs[0].verdict
    assert verdict.ratio == 1
    assert verdict.winner is None
    assert verdict.low == pytest.approx(1 / (1 + verdict.error))
    assert verdict.high == pytest.approx(1 + verdict.error)


def test_each_chip_has_its_best_precision_unless_one_is_named():
    plain = {key: value for key, value in SMALL.items() if key != "precision"}
    found = compare(("cloudmatrix384", "gb200-nvl72"), plain, {"domains": 1}, regions=["own"]).cases[0]
    assert found.precisions == ("bf16", "fp8")
    named = compare(("cloudmatrix384", "gb200-nvl72"), SMALL, {"domains": 1}, regions=["own"]).cases[0]
    assert named.precisions == ("bf16", "bf16")


def test_serving_splits_the_cost_and_knows_no_deadline():
    compared = compare(("cloudmatrix384", "gb200-nvl72"), {"serve": "deepseek-r1"}, {"power": "2 MW"}, regions=["own"])
    found, catalogue = compared.cases[0], compared.catalogue
    assert found.precisions == ("int8", "fp8")
    errors = [catalogue.facts(name)["token_time_error"].value for name in found.systems]
    assert found.pairs[0].verdict.error == pytest.approx(math.hypot(*errors))
    for design in found.designs:
        assert design.number("cost_per_output_token") > 0
        assert design.number("facility_power") <= 2
        assert design.number("time_per_output_token") <= 50 * (1 + 1e-9)
    with pytest.raises(StudyError, match="serving has no end"):
        compare(PAIR, {"serve": "deepseek-r1"}, {"deadline": "90 d"})


def test_what_is_not_known_is_named():
    (case,) = compare(("tpu-v5e-pod", "dgx-h100"), SMALL, {"domains": 1}, regions=["own"]).cases
    assert case.designs[0] is None
    assert "chip_price" in case.absent[0]
    assert case.pairs[0].verdict.winner == "dgx-h100"


def test_a_comparison_without_a_price_can_be_given_one():
    (case,) = compare(
        ("tpu-v5e-pod", "dgx-h100"),
        SMALL,
        {"domains": [1, 8]},
        regions=["own"],
        overrides=["tpu-v5e-pod.chip_price=4000 USD"],
    ).cases
    assert case.designs[0].number("cost_to_train") > 0


def test_a_duty_is_never_negative_so_the_dearer_system_has_no_break_even_in_its_own(machines):
    pair = sides(machines, DEADLINE, counts=COUNTS)
    dearer = int(pair[0].cost < pair[1].cost)
    assert span_of("import_tariff") == (0, math.inf)
    assert span_of("equipment_subsidy") == (0, 1)
    (found,) = [
        each
        for each in break_evens(pair, 0.1)
        if each.name == "import_tariff" and each.move.owner == ("first", "second")[dearer]
    ]
    assert not found.solved.crossings
    ratio = pair[dearer].cost / pair[1 - dearer].cost
    assert found.never == f"{pair[dearer].system} costs {ratio:.2f} times as much even without any duty"
