"""Inputs, their ranges and what decides a metric, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from models.quantities import quantities
from sweep.answer.scenarios import systems_in
from sweep.dataset.columns import Column
from sweep.sensitivity.analysis import Decided, Sensitivity
from sweep.sensitivity.indices import Effect, Index
from sweep.sensitivity.inputs import SYSTEM, UNCERTAIN, Input, Inputs
from sweep.sensitivity.sources import Levels, Settings, Source, Spread
from sweep.sensitivity.worlds import Doubt
from sweep.space import Range
from sweep.text import number, with_unit

SMALL = 0.02
"""Share of the variance below which an input is named in passing only."""
WIDE = 0.1
"""Half width of an interval above which more samples are advised."""
MOST = 0.5
"""Share of the variance from which one input is said to decide."""
SHOWN = 4
DIGITS = 5


def percent(share: float) -> str:
    """Return a share of the variance: whole per cent, one decimal below ten."""
    shown = 100 * share
    text = f"{shown:.0f}" if abs(shown) >= 9.95 else f"{shown:.1f}".removesuffix(".0")
    return f"{'0' if float(text) == 0 else text} %"


def with_interval(share: float, interval: float) -> str:
    """Return a share with its interval: ``61 ± 4 %``."""
    return f"{percent(share).removesuffix(' %')} ± {percent(interval)}"


def range_text(each: Input, inputs: Inputs) -> str:
    """Return what an input takes, with its unit; by system where systems differ."""
    if inputs.spots and each.name == SYSTEM:
        return _listed([spot.label for spot in inputs.spots])
    if each.role == UNCERTAIN:
        return source_text(next(iter(each.sources.values())))  # its label says for whom
    blocks = inputs.study.space.blocks
    by_text: dict[str, list[str]] = {}
    for block, source in each.sources.items():
        by_text.setdefault(source_text(source), []).extend(systems_in(blocks[block]))
    if len(by_text) == 1 and len(each.sources) == len(blocks):
        return next(iter(by_text))
    return "; ".join(f"{', '.join(dict.fromkeys(systems))}: {text}" for text, systems in by_text.items())


def source_text(source: Source) -> str:
    """Return the values of an input in one block."""
    name = source.names[0]
    if isinstance(source, Doubt):
        return source.known.text
    if isinstance(source, Spread):
        low, high = source.ends
        log = isinstance(source.marginal, Range) and source.marginal.scale == "log"
        return _with_unit(f"{number(low)} to {number(high)}", name, source) + (" (log)" if log else "")
    assert isinstance(source, Levels)
    if "workload" in source.names or len(source.names) == 1:
        name = "workload" if "workload" in source.names else name
        values = source.axis.values(name, 0, source.axis.size).tolist()
        if len(values) > SHOWN and source.numbers is not None:
            return _with_unit(f"{len(values)} values, {number(min(values))} to {number(max(values))}", name, source)
        return _with_unit(_listed([number(value) for value in values]), name, source)
    return f"{source.axis.size} rows of {', '.join(source.names)}"


def _with_unit(text: str, name: str, source: Source) -> str:
    if name in source.times:
        return f"{text} x own"
    unit = _unit(name)
    return f"{text} {unit}" if unit else text


def _unit(name: str) -> str:
    """Return the unit of a quantity, or of the quantity behind the label of an uncertain input."""
    quantity = quantities().get(name) or quantities().get(name.rpartition(".")[2])
    return "" if quantity is None else quantity.unit


def _listed(words: Sequence[str]) -> str:
    if len(words) <= SHOWN:
        return ", ".join(words)
    return f"{', '.join(words[: SHOWN - 1])} and {len(words) - SHOWN + 1} more"


def settings_text(settings: Settings, times: frozenset[str], hidden: frozenset[str] = frozenset()) -> str:
    """Return values by quantity: ``domains = 8, chip_price x 0.7``; ``workload`` stands for what comes with it."""
    shown = []
    for name, value in settings.items():
        if name in hidden:
            continue
        if name in times:
            shown.append(f"{name} x {number(value, DIGITS)}")
        else:
            unit = _unit(name)
            shown.append(f"{name} = {number(value, DIGITS)}" + (f" {unit}" if unit else ""))
    return ", ".join(shown)


def workload_extras(inputs: Inputs) -> frozenset[str]:
    """Return the quantities that come with the workload, which its name says well enough."""
    axes = (axis for block in inputs.study.space.blocks for axis in block.axes if "workload" in axis.names)
    return frozenset(name for axis in axes for name in axis.names) - {"workload"}


def verdict(column: Column, found: Decided) -> str:
    """Return in a sentence which input decides a metric."""
    if found.kind == "constant":
        value = with_unit(found.mean, column.unit)
        return f"{column.name} is {value} in every design; nothing that is swept changes it."
    if found.kind == "morris":
        return _morris_verdict(column, found.effects)
    return _share_verdict(column.name, found)


def share(index: Index) -> float:
    """Return the share by which an input is ranked: the total one where it is known."""
    return index.first if index.total is None else index.total


def interval(index: Index) -> float:
    """Return the half width of the interval of that share."""
    return index.first_interval if index.total_interval is None else index.total_interval


def _share_verdict(name: str, found: Decided) -> str:
    top, *others = found.indices
    rivals = [each for each in others if share(top) - share(each) <= math.hypot(interval(top), interval(each))]
    rivals = [each for each in rivals if share(each) >= SMALL]
    if share(top) < SMALL:
        return f"No input alone decides {name}: each explains less than {percent(SMALL)} of its variance."
    does = "explains" if top.total is None else "takes part in"
    lead = "decides" if share(top) >= MOST else "matters most for"
    text = f"{top.input} {lead} {name}: it {does} {with_interval(share(top), interval(top))} of its variance"
    if top.total is not None:
        text += f", {percent(max(top.first, 0.0))} alone"
    if rivals:
        takes = "explain" if top.total is None else "take part in"
        text = f"{_joined([top.input, *(each.input for each in rivals)])} matter most for {name}: they {takes} "
        text += f"{_joined([percent(share(each)) for each in (top, *rivals)])} of its variance, too close to rank"
    rest = [each for each in others if each not in rivals]
    named = [each for each in rest if share(each) >= SMALL][:SHOWN]
    if named:
        text += f". Then come {_shares(named)}" if len(named) > 1 else f". Then comes {_shares(named)}"
    few = len(rest) - len(named)
    bound = max((share(each) for each in rest[len(named) :]), default=0.0)
    if few > 0:
        limit = percent(SMALL if bound < SMALL else math.ceil(100 * bound) / 100)
        text += f"; {few} other{'s' if few > 1 else ''} below {limit}{' each' if few > 1 else ''}"
    return f"{text}."


def _shares(indices: Sequence[Index]) -> str:
    return _joined([f"{each.input} ({percent(share(each))})" for each in indices])


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _morris_verdict(column: Column, effects: Sequence[Effect]) -> str:
    top = effects[0]
    size = with_unit(float(f"{top.size:.3g}"), column.unit)
    error = number(top.interval if top.interval > 1e-9 * top.size else 0.0, 2)
    ways = "always in the same direction" if abs(top.mean) >= 0.99 * top.size else "in both directions"
    text = f"{top.input} moves {column.name} most: by {size} (± {error}) over its range on average, {ways}"
    if top.spread > top.size:
        text += "; how much depends strongly on the other inputs"
    return f"{text}."


def interaction(found: Decided) -> str:
    """Return how much of the variance no input causes alone; empty when that is little or not known."""
    if found.kind != "sobol":
        return ""
    together = 1.0 - sum(each.first for each in found.indices)
    error = math.hypot(*(each.first_interval for each in found.indices))
    if together <= max(error, SMALL):
        return ""
    return f"{with_interval(together, error)} of the variance comes from inputs acting together."


def warning(answer: Sensitivity, found: Decided) -> str:
    """Return the advice to take more samples where an interval is wide; otherwise empty."""
    if found.kind == "morris":
        wide = [each.input for each in found.effects if each.interval > 0.25 * found.effects[0].size]
        worst = max((each.interval for each in found.effects), default=0.0) / (found.effects[0].size or 1.0)
        what = f"± {percent(worst)} of the largest effect"
    else:
        wide = [each.input for each in found.indices if max(each.first_interval, each.total_interval or 0.0) > WIDE]
        worst = max((max(each.first_interval, each.total_interval or 0.0) for each in found.indices), default=0.0)
        what = f"± {percent(worst)}"
    if not wide:
        return ""
    return f"Intervals are wide, up to {what} ({', '.join(wide[:SHOWN])}): double --samples (now {answer.samples:,})."


def feasibility(answer: Sensitivity) -> str:
    """Return how many designs are infeasible, why, and what that means for the indices; empty when none is."""
    if not answer.reasons:
        return ""
    every = answer.evaluations
    shares = [f"{reason} ({percent(count / every)})" for reason, count in answer.reasons.most_common(SHOWN)]
    text = f"{percent(answer.infeasible)} of the {every:,} designs are infeasible, by reason: {'; '.join(shares)}."
    text += " Shares are over the feasible ones, for each input alone (total indices need a value for every design);"
    text += " they overlap where what is feasible ties inputs together."
    required = {condition.text for condition in answer.inputs.study.require}
    if set(answer.reasons) <= required:
        text += " To count designs that break the study's own conditions as well: --set require=null."
    return text
