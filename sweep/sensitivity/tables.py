"""The answer of a sensitivity analysis as tables and as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sweep.dataset.columns import Column
from sweep.sensitivity import words
from sweep.sensitivity.analysis import Decided, Sensitivity
from sweep.sensitivity.tornado import Swing, Tornado
from sweep.text import Table, number, with_unit

BAR = 24
HALF = 10
PAIRS = 10
FULL, LIGHT = "█", "░"


def decided_table(answer: Sensitivity, title: str, found: Decided, *, least: float = -math.inf) -> Table:
    """Return the inputs of one output with a bar each, the most important first, without those below ``least``."""
    if found.kind == "morris":
        return _effects_table(answer, title, found)
    ranges = _ranges(answer)
    totals = found.kind == "sobol"
    shown = [each for each in found.indices if words.share(each) >= least]
    shares = ("alone [%]>", "±>", "total [%]>", "±>") if totals else ("alone [%]>", "±>")
    table = Table(title, ("input", "kind", *shares, "share of the variance", "range"))
    for each in shown:
        cells = [_hundred(each.first), _hundred(each.first_interval)]
        if each.total is not None and each.total_interval is not None:
            cells += [_hundred(each.total), _hundred(each.total_interval)]
        bar = _bar(each.first, each.first if each.total is None else each.total)
        table.rows.append((each.input, *_kind(answer, each.input), *cells, bar, ranges[each.input]))
    table.note = f"{FULL} alone, {LIGHT} together with other inputs; ± is half of a 95 % interval" if totals else (
        f"{FULL} alone; ± is half of a 95 % interval"
    )  # fmt: skip
    return table


def _hundred(share: float) -> str:
    return words.percent(share).removesuffix(" %")


def _kind(answer: Sensitivity, name: str) -> tuple[str]:
    return (next(each.role for each in answer.inputs.every if each.name == name),)


def _ranges(answer: Sensitivity) -> dict[str, str]:
    return {each.name: words.range_text(each, answer.inputs) for each in answer.inputs.every}


def _bar(first: float, total: float) -> str:
    solid = min(max(round(BAR * first), 0), BAR)
    return FULL * solid + LIGHT * (min(max(round(BAR * total), 0), BAR) - solid)


def _effects_table(answer: Sensitivity, title: str, found: Decided) -> Table:
    ranges = _ranges(answer)
    columns = ("input", "kind", "mu*>", "±>", "mu>", "sigma>", "size", "range")
    table = Table(title, columns)
    for each in found.effects:
        numbers = (number(value, 3) for value in (each.size, each.interval, each.mean, each.spread))
        bar = FULL * round(BAR * each.size / found.effects[0].size) if found.effects[0].size else ""
        table.rows.append((each.input, *_kind(answer, each.input), *numbers, bar, ranges[each.input]))
    table.note = (
        "mu*: mean size of the change over an input's whole range, mu: with its sign, sigma: how it differs across the "
        "space; ± is half of a 95 % interval"
    )
    return table


def pairs_table(found: Decided, title: str) -> Table:
    """Return the pairs of inputs that cause most variance together."""
    table = Table(title, ("inputs", "together [%]>", "±>"))
    for each in found.pairs[:PAIRS]:
        table.rows.append((" and ".join(each.inputs), _hundred(each.share), _hundred(each.interval)))
    return table


def tornado_table(answer: Sensitivity, around: Tornado, metric: int) -> Table:
    """Return the swings of one metric around a design, the furthest first."""
    column, start = answer.metrics[metric], around.values[metric]
    table = Table(
        f"{column.name} around {base_text(answer, around)}: {with_unit(start, column.unit)}",
        ("input", "set to", f"{headed(column)}>", "change>", "change [%]>", f"{'less':>{HALF}}|more"),
    )
    still = []
    ranked = around.ranked(metric)
    furthest = max((abs(change) for change in _changes(around, metric)), default=0.0)
    for name, swings in ranked:
        if all(swing.values[metric] == start for swing in swings):
            still.append(name)
            continue
        table.rows += [(name, *_swing(answer, around, swing, metric, furthest)) for swing in swings]
    note = "One input at a time; mapping and operating point are solved anew."
    if answer.inputs.spots:
        note += " Another system keeps the values it has too, and as many supernodes of its own size."
    table.note = f"{note} No change: {', '.join(still)}." if still else note
    return table


def headed(column: Column) -> str:
    """Return the name of a column with its unit."""
    return f"{column.name} [{column.unit}]" if column.unit else column.name


def base_text(answer: Sensitivity, around: Tornado) -> str:
    """Return which design a tornado stands on, and why."""
    base, goal = around.base, answer.inputs.study.objective
    name = "a design between those of the study" if base.design is None else f"design {base.design}"
    few = f" of {base.tried:,} tried among {base.choices:,} choices of levers," if base.tried < base.choices else ""
    why = f"best {goal.name}{few} where scenarios are nominal; " if base.best and goal is not None else ""
    hidden = words.workload_extras(answer.inputs)
    return f"{name} ({why}{words.settings_text(base.settings, around.times, hidden)})"


def _changes(around: Tornado, metric: int) -> Iterator[float]:
    start = around.values[metric]
    for swing in around.swings:
        value = swing.values[metric]
        if value is not None and start is not None:
            yield value - start


def _swing(answer: Sensitivity, around: Tornado, swing: Swing, metric: int, furthest: float) -> Sequence[str]:
    start, value = around.values[metric], swing.values[metric]
    hidden = words.workload_extras(answer.inputs)
    to = words.settings_text(swing.settings, around.times, hidden)
    if value is None or start is None:
        return (to, with_unit(value, ""), "", "", swing.reason or "not known")
    change = value - start
    share = f"{100 * change / abs(start):+,.1f}" if start else ""
    length = round(HALF * abs(change) / furthest) if furthest else 0
    bar = f"{FULL * length:>{HALF}}|" if change < 0 else f"{'':>{HALF}}|{FULL * length}"
    return (to, number(value, 5), f"{'+' if change > 0 else ''}{number(change, 4)}", share, bar)


def answer_data(answer: Sensitivity) -> dict[str, Any]:
    """Return the whole answer as plain data."""
    feasible = answer.feasibility
    return {
        "study": answer.inputs.study.name,
        "method": answer.options.method,
        "samples": answer.samples,
        "evaluations": answer.evaluations,
        "seed": answer.options.seed,
        "infeasible": answer.infeasible,
        "reasons": dict(answer.reasons),
        "inputs": [
            {"name": each.name, "role": each.role, "range": words.range_text(each, answer.inputs)}
            for each in answer.inputs.every
        ],
        "metrics": [
            {"name": column.name, "unit": column.unit, "unknown": unknown, "answer": words.verdict(column, found),
             "warning": words.warning(answer, found) or None, **asdict(found)}
            for column, found, unknown in zip(answer.metrics, answer.decided, answer.unknown, strict=True)
        ],
        "feasibility": None if feasible is None else asdict(feasible),
        "tornado": None if answer.around is None else _tornado_data(answer, answer.around),
        "seconds": answer.seconds,
    }  # fmt: skip


def _tornado_data(answer: Sensitivity, around: Tornado) -> dict[str, Any]:
    names = [column.name for column in answer.metrics]
    return {
        "design": around.base.design,
        "best": around.base.best,
        "tried": around.base.tried,
        "choices": around.base.choices,
        "settings": dict(around.base.settings),
        "multipliers": sorted(around.times),
        "values": dict(zip(names, around.values, strict=True)),
        "swings": [
            {"input": swing.input, "settings": dict(swing.settings), "reason": swing.reason or None,
             "values": dict(zip(names, swing.values, strict=True))}
            for swing in around.swings
        ],
    }  # fmt: skip
