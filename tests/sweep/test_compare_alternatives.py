"""Published conflicts of a comparison: what they do together, and when they turn its verdict."""

import math
from dataclasses import replace

import pytest

from sweep.compare import alternatives as module
from sweep.compare.alternatives import alternatives_of
from sweep.compare.basis import Basis
from sweep.compare.comparison import _machines
from sweep.compare.request import Request
from sweep.compare.side import Side
from sweep.compare.text import conflicts_sentence, verdict_sentence
from sweep.compare.verdict import judged

SMALL = {"train": "llama-3-8b", "tokens": 2e11, "global_batch": 512, "sequence": 8192, "precision": "bf16"}
PAIR = ("cloudmatrix384", "gb200-nvl72")
BASIS = Basis("domains", "1", domains=(1, 1))
NEITHER = (math.nan, math.nan)


@pytest.fixture(scope="module")
def pair():
    """Two systems with a small model to train, one domain each: the second is the cheaper."""
    opened = Request(PAIR, SMALL, {"domains": 1}, ["own"]).open()
    ((machines, _),) = _machines(opened)
    sides = tuple(Side(machine, "own", (1,), BASIS) for machine in machines)
    assert sides[0].cost > sides[1].cost
    return sides


def world(monkeypatch, pair, effects, missing):
    """Let conflicts multiply the ratio by ``effects``; ``missing`` says of a set of names which costs are known."""

    def both(pair, variants):
        found = []
        for taken in variants:
            names = {each.move.name for each in taken}
            ratio = pair[0].cost / pair[1].cost * math.prod(effects.get(name, 1.0) for name in names)
            found.append(missing(names) or (ratio, 1.0))
        return found

    monkeypatch.setattr(module, "_both", both)
    conflicts = alternatives_of(pair)
    return conflicts, conflicts_sentence(judged(pair, 0.1, conflicts), conflicts)


SLOW = {"checkpoint_write_time": 1.9, "restart_time": 1.5, "wacc": 1.2}


def test_a_corner_without_any_design_turns_nothing_and_says_what_is_left_out_of_it(monkeypatch, pair):
    """Slow checkpoints and slow restarts together are too much for both: that does not make the dearer one cheaper."""

    def both_too_slow(names):
        return NEITHER if {"checkpoint_write_time", "restart_time"} <= names else None

    found, said = world(monkeypatch, pair, SLOW, both_too_slow)
    (corner,) = [each for each in found.corners if each.left_out]
    assert corner is found.corners[1]
    assert [each.name for each in corner.left_out] == ["restart_time"]  # the weaker of the two
    assert corner.ratio == pytest.approx(pair[0].cost / pair[1].cost * 1.9 * 1.2)
    assert found.survives
    assert not found.turned
    assert "without restart time" in said
    assert "neither has a design within the limit)" in said
    assert "survives both" in said


def test_every_conflict_that_spoils_a_corner_is_left_out(monkeypatch, pair):
    def strong_alone(names):
        return NEITHER if len(names & set(SLOW)) > 1 else None

    found, _ = world(monkeypatch, pair, SLOW, strong_alone)
    assert [each.name for each in found.corners[1].left_out] == ["restart_time", "wacc"]
    assert found.corners[1].ratio == pytest.approx(pair[0].cost / pair[1].cost * 1.9)


def test_conflicts_that_take_the_designs_of_both_alone_turn_nothing(monkeypatch, pair):
    found, _ = world(monkeypatch, pair, {}, lambda names: NEITHER if names == {"restart_time"} else None)
    assert not found.turned
    assert found.survives


@pytest.mark.parametrize(("cost", "turns"), [((math.nan, 1.0), False), ((1.0, math.nan), True)])
def test_only_the_cheaper_without_a_design_turns_the_verdict(monkeypatch, pair, cost, turns):
    """Alone and in the corner: it falls out as soon as two conflicts come together."""

    def falls_out(names):
        return cost if names >= {"checkpoint_write_time", "restart_time"} or names == {"utilisation"} else None

    found, _ = world(monkeypatch, pair, SLOW, falls_out)
    assert found.turned == turns
    assert found.survives != turns


def test_a_reversal_in_one_corner_is_no_survival(monkeypatch, pair):
    cheap = {"peak_bf16": 0.5 * pair[1].cost / pair[0].cost}
    found, said = world(monkeypatch, pair, cheap, lambda _: None)
    assert found.turned
    assert not found.survives
    assert "does not survive" in said


def test_the_interval_is_open_where_one_value_leaves_a_system_without_a_design(monkeypatch, pair):
    """A rate at which the first never gets done is no small shift: its ratio has no upper end."""
    found, said = world(
        monkeypatch, pair, {"wacc": 1.2}, lambda names: (math.nan, 1.0) if names == {"restart_time"} else None
    )
    verdict = judged(pair, 0.1, found)
    assert verdict.high == math.inf
    assert 0 < verdict.low < verdict.ratio
    assert verdict.winner == PAIR[1]  # it is no less the cheaper
    assert "times and more, open above" in verdict_sentence(verdict)
    assert "with restart time 1,200 s, cloudmatrix384 has no design" in said


def test_where_the_cheaper_one_may_have_none_one_cannot_tell(monkeypatch, pair):
    found, _ = world(monkeypatch, pair, {}, lambda names: (1.0, math.nan) if names == {"restart_time"} else None)
    verdict = judged(pair, 0.1, found)
    assert (verdict.low, verdict.winner) == (0.0, None)
    assert "open below" in verdict_sentence(verdict)
    turned = judged(pair[::-1], 0.1, replace(found, spread=found.spread[::-1]))
    assert turned.high == math.inf
    assert "open below" in verdict_sentence(turned)


def test_only_what_moves_the_ratio_is_counted(monkeypatch, pair):
    found, said = world(monkeypatch, pair, {"wacc": 1.2, "restart_time": 1.0005}, lambda _: None)
    assert {each.name for each in found.moving} == {"wacc"}
    assert len(found.alone) > len(found.moving) == 2
    assert "2 other values of facts that move the ratio by more than 0.1 %" in said
