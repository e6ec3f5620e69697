"""Write docs/economics.md from the model: ``python -m sweep.accuracy.economics_page [FOLDER] [--check]``."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Sequence

from sweep.accuracy.chip_hour_sets import BASE, NEAR, SINGLE, Differences, differences
from sweep.accuracy.chip_hours import LINES, OWNERS, RUNNING, SYSTEMS, ChipHour, at_published_power, chip_hour, steps
from sweep.accuracy.idle_energy import MACHINES, idle_energy
from sweep.catalogue import Catalogue
from sweep.page_file import write_or_check
from sweep.text import Table, markdown

PAGE = "economics.md"
WRITTEN = "<!-- Written by `python -m sweep.accuracy.economics_page`; change the source, not this file. -->"
LINE = 120

INTRODUCTION = """\
What an hour of a chip costs its owner, from the catalogue's own prices and powers, against what SemiAnalysis publishes
for its InferenceX benchmark (`supernode show prices chip-hours`). The two owners are sets of published facts
(`supernode show defaults neocloud`, `hyperscaler`): nothing in them is fitted to the figures compared. The system's
price is that of the catalogue, whichever class of buyer it was published for. About 2,048 chips; network, storage and
installation from the bill of materials; every installed hour counts, used or not. Figures within 10 % are met; the
others are not, and no set of inputs that holds for all chips meets all."""

IMPLIED = """\
*Equipment* is what the catalogue says a chip costs with host, network, storage and installation. *Implied* is the
equipment at which the model gives the published cost: where running costs and financing are right, it is what the
publisher has paid. MI325X and MI355X have no published price, so theirs is only implied. The publisher's figures for
B300 and GB300 are those of B200 and GB200 times 1.2 to the cent."""

SETS_TEXT = """\
Every published alternative is put into all chips of an owner alike, and all {sets} combinations of them. Difference to
the published cost, and how many of the {rows} rows with a price are within 10 %. Where a system has one price, lowest
and highest are that one."""

FAR = """\
One figure at a time, alternatives of its own choosing bring most within 10 %. That shows what a difference may lie in,
and no more: nobody says that the publisher has paid these prices, and the choices contradict each other from chip to
chip. GB300 has no inputs of its own to compare with: its published cost is that of GB200 times 1.2."""

UNEXPLAINED = """\
What stays open, under inputs that hold for all chips: the equipment per chip that the published cost implies, over that
of the catalogue."""


IDLE = """\
Every installed hour counts above. A machine that is paid for 80 % of the year draws in the rest what it draws without
work: chips at `idle_power_fraction`, hosts and fans as at work (no source has them idle: pessimistic), fabrics at full
power. If the whole machine went down to the fraction of its chips, a year would take less: by the fabrics alone, and by
hosts and fans, too."""


def economics_page(catalogue: Catalogue) -> str:
    """Return the page: lines of the cost, implied equipment, and where the differences lie."""
    found = [chip_hour(catalogue, chip, owner) for chip in SYSTEMS for owner in OWNERS]
    parts = ["# What a chip-hour costs", "", WRITTEN, "", INTRODUCTION, "", *_costs(found), ""]
    parts += ["## Equipment and power per chip", "", IMPLIED, "", *_equipment(catalogue, found), ""]
    sets = differences(catalogue)
    parts += ["## One set of inputs for all chips", "", _within(sets), "", *_sets(sets), ""]
    parts += ["## What is not explained", "", UNEXPLAINED, "", *_unexplained(found, sets), ""]
    parts += ["## What a difference may lie in", "", FAR, "", *_differences(catalogue, found), ""]
    parts += ["## Idle time", "", IDLE, "", *_idle(catalogue)]
    return "\n".join(parts).rstrip() + "\n"


def _costs(found: list[ChipHour]) -> list[str]:
    columns = ["chip", "owner", *LINES, *RUNNING[:3], "cost, USD/h", "published", "difference"]
    rows = [
        [
            each.chip.upper(),
            each.owner,
            *(_number(each.lines[line], 3) for line in (*LINES, *RUNNING[:3])),
            _number(each.cost, 2),
            _number(each.published, 2),
            _percent(each.difference),
        ]
        for each in found
    ]
    return _table(columns, rows)


def _equipment(catalogue: Catalogue, found: list[ChipHour]) -> list[str]:
    columns = ["chip", "owner", "equipment, USD", "implied, USD", "difference", "all-in power, kW", "published"]
    columns += ["cost at that power", "difference"]
    rows = []
    for each in found:
        moved = at_published_power(catalogue, each.chip, each.owner)
        equipment = [_number(each.capital, 0), _number(each.implied, 0), _percent(each.capital / each.implied - 1)]
        powers = [_number(each.power, 2), _number(each.published_power, 2)]
        rows.append(
            [each.chip.upper(), each.owner, *equipment, *powers, _number(moved.cost, 2), _percent(moved.difference)]
        )
    return _table(columns, rows)


def _differences(catalogue: Catalogue, found: list[ChipHour]) -> list[str]:
    rows = []
    for each in found:
        if abs(each.difference) > NEAR:
            rows.append([each.chip.upper(), each.owner, "as above", _number(each.cost, 2), _percent(each.difference)])
            for words, changed in steps(catalogue, each.chip, each.owner):
                rows.append(["", "", words, _number(changed.cost, 2), _percent(changed.difference)])
    return _table(["chip", "owner", "with", "cost, USD/h", "difference"], rows)


def _within(sets: Differences) -> str:
    """Return which rows are met as the page has them, and by the best of all sets."""
    best, rows = sets.best(), len(sets.rows)
    near = sets.near(BASE)
    most = len(sets.near(best))
    every = "No combination brings all rows there" if most < rows else "It brings all rows there"
    words = [
        SETS_TEXT.format(sets=len(sets.found), rows=rows),
        f"As above {len(near)} of {rows} rows are within 10 %: {_names(near)}.",
        f"The best combination brings {most} ({best.words}). {every}.",
    ]
    return textwrap.fill(" ".join(" ".join(words).split()), LINE)


def _names(rows: Sequence[tuple[str, str]]) -> str:
    """Return rows by chip, with the owner where it is one of them."""
    owners: dict[str, list[str]] = {}
    for chip, owner in rows:
        owners.setdefault(chip, []).append(owner)
    named = (chip.upper() + (f" ({of[0]})" if len(of) < len(OWNERS) else "") for chip, of in owners.items())
    return ", ".join(named)


def _sets(sets: Differences) -> list[str]:
    chips = list(dict.fromkeys(chip for chip, _ in sets.rows))
    columns = ["with", "owner", *(chip.upper() for chip in chips), "within 10 %"]
    rows = []
    for choice in dict.fromkeys((*SINGLE, sets.best())):
        near = sets.near(choice)
        for owner in OWNERS:
            met = sum(each == owner for _, each in near)
            found = (_percent(sets.found[choice][chip, owner]) for chip in chips)
            rows.append([choice.words, owner, *found, f"{met} of {len(chips)}"])
    return _table(columns, rows)


def _unexplained(found: list[ChipHour], sets: Differences) -> list[str]:
    columns = ["chip", "owner", "difference", "equipment, USD", "implied, USD", "implied over equipment, USD"]
    columns += [f"combinations of {len(sets.found)} within 10 %"]
    rows = [
        [
            each.chip.upper(),
            each.owner,
            _percent(each.difference),
            _number(each.capital, 0),
            _number(each.implied, 0),
            f"{each.implied - each.capital:+,.0f}",
            str(sets.sets_near((each.chip, each.owner))),
        ]
        for each in found
        if abs(each.difference) > NEAR
    ]
    return _table(columns, rows)


def _idle(catalogue: Catalogue) -> list[str]:
    columns = ["system", "at work, W per chip", "idle, W per chip", "a year at 80 %, MWh per chip"]
    columns += ["over fabrics idle as chips are", "over all idle as chips are"]
    rows = [
        [
            each.system,
            _number(each.at_work, 0),
            _number(each.idle, 0),
            _number(each.energy / 3.6e9, 2),
            _percent(each.fabrics / each.proportional - 1),
            _percent(each.energy / each.proportional - 1),
        ]
        for each in (idle_energy(catalogue, system) for system in MACHINES)
    ]
    return _table(columns, rows)


def _number(value: float, decimals: int) -> str:
    return "unknown" if math.isnan(value) else f"{value:,.{decimals}f}"


def _percent(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{100 * value:+.1f} %"


def _table(columns: list[str], rows: list[list[str]]) -> list[str]:
    words = {"chip", "owner", "with", "system"}
    return markdown(Table("", [column if column in words else f"{column}>" for column in columns], [*rows]))


def main(arguments: list[str]) -> int:
    """Write the page into a folder, ``docs`` when none is given; with ``--check`` say whether it is out of date."""
    return write_or_check(arguments, PAGE, lambda: economics_page(Catalogue.load()), "sweep.accuracy.economics_page")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
