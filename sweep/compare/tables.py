"""The tables of a comparison."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence

from models.quantities import quantities
from sweep.answer.text import WIDTH, words
from sweep.compare.alternatives import Alternative, Alternatives
from sweep.compare.break_even import Crossing
from sweep.compare.comparison import Case, Pair
from sweep.compare.deciding import Deciding
from sweep.compare.design import Design
from sweep.compare.inputs import BreakEven
from sweep.text import Table, number, with_unit

DIGITS = 4
MOST = 12
"""Most rows of the tables of inputs; all of them are in the JSON."""
NOWHERE = (
    "The turn is the value nearest to today's at which both cost the same; nowhere: at none that the input may have\n"
    "(for inputs that change the performance: within a factor of eight, the domains held)."
)
EMPTY = " "
"""A cell that stays empty; an empty text would be shown as unknown."""

GROUPS: dict[str, tuple[str, ...]] = {
    "size": ("domains", "chips", "chips_used"),
    "performance": (
        "peak", "tokens_per_second", "tokens_per_second_per_chip", "requests_per_second", "model_flops_utilisation",
        "step_time", "time_to_first_token", "time_per_output_token", "decode_batch", "time_to_train",
    ),
    "power": (
        "it_power_peak", "it_power", "network_power", "facility_power", "annual_energy", "energy_to_train",
        "energy_per_token", "carbon_to_train", "annual_carbon",
    ),
    "failures": ("failures_per_day", "mean_time_between_failures", "goodput"),
}  # fmt: skip
UNIT_COSTS = (
    "cost_per_token", "cost_per_input_token", "cost_per_output_token", "cost_to_train", "energy_cost_to_train",
    "cost_per_chip_hour", "cost_per_petaflops_year",
)  # fmt: skip
WORDS = ("region", "precision", "export_status")


def design_table(case: Case) -> Table:
    """Return the designs side by side, with the ratio of the first to each other."""
    designs = case.designs
    ratios = [f"1st/{_ordinal(number_)}>" for number_ in range(2, len(designs) + 1)]
    systems = [f"{system}>" for system in case.systems]
    table = Table("", ("", *systems, *ratios))
    for name in WORDS:
        texts = [_word(design, name) for design in designs]
        table.rows.append((words(name), *texts, *(EMPTY for _ in ratios)))
    for group, names in GROUPS.items():
        _add(table, group, [(_label(name), [_number(design, name) for design in designs]) for name in names])
    _add(table, "capital", [*_parts(designs, "capital"), _total(designs, "capital_cost")])
    _add(table, "costs of a year", [*_parts(designs, "annual"), _total(designs, "annual_cost")])
    _add(table, "unit costs", [(_label(name), [_number(design, name) for design in designs]) for name in UNIT_COSTS])
    mapped = [design for design in designs if design and design.values.get("mapping")]
    table.note = "\n".join(f"mapping of {design.system}: {design.values['mapping']}" for design in mapped)
    return table


def _ordinal(place: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(place, f"{place}th")


def _word(design: Design | None, name: str) -> str:
    if design is None:
        return "no design" if name == WORDS[0] else ""
    value = {"region": design.region, "precision": design.precision}.get(name, design.values.get(name))
    return str(value).replace("_", " ") if value else ""


def _number(design: Design | None, name: str) -> float | None:
    if design is None:
        return None
    return design.peak if name == "peak" else design.number(name)


def _label(name: str) -> str:
    if name == "peak":
        return "peak [PFLOP/s]"
    unit = quantities()[name].unit
    return f"{words(name)} [{unit}]" if unit else words(name)


def _parts(designs: Sequence[Design | None], which: str) -> Iterator[tuple[str, list[float | None]]]:
    """Yield the parts of the capital or of the year's cost, each with its unit."""
    unit = quantities()[f"{which}_cost"].unit
    tables = [getattr(design, which) if design else {} for design in designs]
    for part in dict.fromkeys(part for table in tables for part in table):
        yield f"{part} [{unit}]", [table.get(part, 0.0 if table else None) for table in tables]


def _total(designs: Sequence[Design | None], name: str) -> tuple[str, list[float | None]]:
    return f"in all [{quantities()[name].unit}]", [_number(design, name) for design in designs]


def _add(table: Table, group: str, rows: Sequence[tuple[str, Sequence[float | None]]]) -> None:
    """Put a group of rows under its name; rows that no design has are left out."""
    known = [(label, values) for label, values in rows if any(value is not None for value in values)]
    if not known:
        return
    table.rows.append((group, *(EMPTY for _ in table.columns[1:])))
    for label, values in known:
        first = values[0]
        ratios = [f"{first / value:.2f}" if first is not None and value else EMPTY for value in values[1:]]
        table.rows.append((f"  {label}", *(number(value, DIGITS) for value in values), *ratios))


def break_even_table(pair: Pair) -> Table | None:
    """Return where both cost the same, one row for each crossing; None without any."""
    systems = pair.verdict.first, pair.verdict.other
    table = Table(
        "Break-even: both cost the same there, and above it the other is cheaper",
        ("input", "of", "now>", "break-even>", "change>", "cheaper below", "cannot tell"),
    )
    for found in pair.break_evens:
        for place, each in enumerate(found.solved.crossings):
            table.rows.append(_crossing_row(found, each, systems, first=place == 0))
    return table if table.rows else None


def _crossing_row(found: BreakEven, each: Crossing, systems: tuple[str, str], *, first: bool) -> tuple[str, ...]:
    now = _now(found)
    steps = {"equal": "", "between": "", "jump": f" (a step of {100 * each.gap:.2g} %)"}
    at = (
        f"{number(each.low, DIGITS)}"
        if each.low == each.high
        else f"{number(each.low, DIGITS)} to {number(each.high, DIGITS)}"
    )
    return (
        _headed(found.name, found.unit) if first else "  and",
        found.of,
        now,
        f"{at}{steps[each.kind]}",
        _change(found, each),
        systems[each.below],
        ", ".join(_stretch(*stretch) for stretch in found.solved.undecided) if first else EMPTY,
    )


def _headed(name: str, unit: str) -> str:
    return f"{words(name)} [{unit}]" if unit else words(name)


def _stretch(low: float, high: float) -> str:
    return f"{number(low, DIGITS)} to {'any' if math.isinf(high) else number(high, DIGITS)}"


def _now(found: BreakEven) -> str:
    """Return today's value of whose input it is; both where they differ."""
    values = {"first": found.now[:1], "second": found.now[1:]}.get(found.move.owner, found.now)
    return " / ".join(dict.fromkeys(number(value, DIGITS) for value in values))


def _change(found: BreakEven, each: Crossing) -> str:
    """Return by what today's value is multiplied; nothing where both have values of their own, or it is zero."""
    values = {"first": found.now[:1], "second": found.now[1:]}.get(found.move.owner, found.now)
    if len(set(values)) != 1 or not values[0] or each.low != each.high:
        return EMPTY
    return f"x {number(each.low / values[0], 3)}"


def never_lines(pair: Pair) -> list[str]:
    """Return a line for each input without a break-even, with the reason."""
    lines = []
    for found in pair.break_evens:
        unsure = found.solved.undecided and not found.solved.equal
        tail = f"; cannot tell at {_stretches(found)}" if unsure else ""
        if not found.solved.crossings:
            lines.append(f"  {words(found.name)} of {found.of}: {found.never}{tail}")
    return ["Never:", *lines] if lines else []


def _stretches(found: BreakEven) -> str:
    return ", ".join(f"{_stretch(*each)} {found.unit}".rstrip() for each in found.solved.undecided)


def deciding_table(pair: Pair) -> Table | None:
    """Return the inputs that decide, the strongest first."""
    shown = pair.deciding[:MOST]
    title = f"What decides: change of the ratio {pair.verdict.first} / {pair.verdict.other} for a change of the input"
    table = Table(title, ("input", "of", "weight>", "now>", "turns the verdict at>", "change>"))
    for each in shown:
        table.rows.append(_deciding_row(each))
    left = len(pair.deciding) - len(shown)
    more = f"\n{left} more with a weight of at least 0.01: --json." if left else ""
    table.note = f"{NOWHERE}{more}"
    return table if shown else None


def _deciding_row(each: Deciding) -> tuple[str, ...]:
    turn = "nowhere" if each.turns_at is None else number(each.turns_at, DIGITS)
    change = EMPTY if each.change is None else f"x {number(1 + each.change, 3)}"
    label = _headed(each.name, each.unit)
    return label, each.of, f"{each.elasticity:+.2f}", number(each.now, DIGITS), turn, change


def alternatives_table(pair: Pair, conflicts: Alternatives) -> Table | None:
    """Return the published conflicts, those that move the ratio most first."""
    ranked = sorted(conflicts.alone, key=lambda each: -abs(each.shift) if math.isfinite(each.shift) else -math.inf)
    title = f"Published conflicts, one at a time: ratio {pair.verdict.first} / {pair.verdict.other}"
    table = Table(title, ("fact", "of", "taken>", "other>", "ratio>", "moves it by>", "confidence"))
    for each in ranked[:MOST]:
        table.rows.append(_alternative_row(each))
    left = len(ranked) - MOST
    lines = [f"{left} more that move it less: --json."] if left > 0 else []
    lines += [_displaced(each) for each in ranked[:MOST] if each.displaced]
    table.note = "\n".join(lines)
    return table if ranked else None


def _displaced(each: Alternative) -> str:
    """Return which facts an alternative takes the place of."""
    others = ", ".join(
        f"{words(name)} {with_unit(value, quantities()[name].unit)}" for name, value in each.displaced.items()
    )
    said = f"{words(each.name)} {with_unit(each.value, each.unit)} is taken with {others}."
    return textwrap.fill(said, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _alternative_row(each: Alternative) -> tuple[str, ...]:
    without = f"no {' nor '.join(each.missing)}"
    moves = without if each.missing else f"{100 * math.expm1(each.shift):+.1f} %"
    ratio = "" if not math.isfinite(each.ratio) else f"{each.ratio:.2f}"
    values = (number(each.now, DIGITS), number(each.value, DIGITS))
    return _headed(each.name, each.unit), each.of, *values, ratio, moves, each.confidence.replace("_", " ")
