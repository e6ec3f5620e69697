"""Chances as sentences and tables."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from sweep.answer.chances import Chance, Shares
from sweep.answer.text import DIGITS, WIDTH, adjective, share, unit_of
from sweep.text import Table, number, with_unit
from sweep.uncertain import Uncertain, UncertainInput

SHOWN = 8
"""Most inputs in the table of what decides."""
LONGEST = 70
"""Most letters of a distribution there; the study has the rest."""


def chance_sentence(chance: Chance, head: str) -> str:
    """Return who is better how often under both rules of decision, and by how much."""
    better = adjective(chance.comparison)
    first, second = chance.systems
    planned = _said(chance.planned, chance.systems, better)
    parts = [f"{head}: with the design chosen at nominal values, {planned} of {chance.draws:,} draws."]
    if chance.comparison.basis is not None:
        kept = [f"{system} in {share(part)}" for system, part in zip(chance.systems, chance.kept, strict=True)]
        parts.append(f"It keeps the limit: {', '.join(kept)}.")
    if math.isfinite(chance.mean):
        low, high = number(chance.low, DIGITS), number(chance.high, DIGITS)
        parts.append(
            f"{first} over {second} is {number(chance.mean, DIGITS)} on average, {low} to {high} in"
            f" {_percent(chance.interval[1] - chance.interval[0])} of the draws."
        )
    informed = _said(chance.informed, chance.systems, better)
    parts.append(f"With the best design of each draw within the limits (perfect information), {informed}.")
    return " ".join(parts)


def _said(shares: Shares, systems: tuple[str, str], better: str) -> str:
    parts = [(shares.first, systems[0]), (shares.second, systems[1])]
    said = [f"{name} is {better} in {share(part)}" for part, name in sorted(parts, reverse=True) if part]
    if shares.neither:
        said.append(f"neither in {share(shares.neither)}")
    return " and ".join((", ".join(said[:-1]), said[-1]) if len(said) > 1 else said)


def decisive_table(chance: Chance, head: str, uncertain: Uncertain) -> Table | None:
    """Return which uncertain inputs move the ratio of the two systems; None when none does."""
    if not chance.decisive:
        return None
    first, second = chance.systems
    texts = {each.label: each.text for each in uncertain.inputs}
    title = f"{head}: which uncertain inputs decide {first} over {second}"
    table = Table(title, ("input", "distribution", "rank correlation>"))
    for label, rank in chance.decisive[:SHOWN]:
        table.rows.append((label, textwrap.shorten(texts[label], LONGEST, placeholder=" ..."), f"{rank:+.2f}"))
    regrets = [
        f"{system} {_percent(regret)}"
        for system, regret in zip(chance.systems, chance.regret, strict=True)
        if math.isfinite(regret)
    ]
    noise = f"{2 / math.sqrt(chance.draws):.2f}"
    lines = [f"Rank correlation of the input with the ratio of the two systems; below {noise} it may be noise."]
    if regrets:
        lines.append(
            "Regret of the design chosen at nominal values, against the best of each draw, on average over the draws"
            f" in which it keeps the limits: {', '.join(regrets)}."
        )
    if math.isfinite(chance.foresight):
        lines.append(f"Knowing the draw before choosing between the two designs: {_percent(chance.foresight)} better.")
    table.note = "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="    ") for line in lines)
    return table


def chance_notes(uncertain: Uncertain, *, computed: bool) -> list[str]:
    """Return what holds for all chances: what is drawn, what is not in them, and how well they are known."""
    errors = [each for each in uncertain.inputs if each.name == "step_time_factor"]
    listed = "; ".join(f"{each.label}: {each.text}" for each in errors)
    error = (
        f"The error of the model on times is drawn too: {listed}." if errors else "The error of the model is not in it."
    )
    mapping = {
        "nominal": "The mapping of a design is the best at nominal values, in every draw",
        "each": "The mapping of a design is the best of each draw",
    }[uncertain.mapping]
    if not computed:
        return [f"{mapping}. {error} No chances are given: designs times draws are too many to compute them anew."]
    values = ", ".join(f"{each.label} {_nominal(each)}" for each in uncertain.inputs if each not in errors)
    near = 100 * 0.98 / math.sqrt(uncertain.draws)
    said = (
        f"Chances count {uncertain.draws:,} draws of the uncertain inputs, the same for every design and system, in the"
        f" nominal scenario; a share is within {near:.2g} percentage points of the probability (95 %). {mapping}."
    )
    return [f"{said} {error}{f' Nominal values: {values}.' if values else ''}"]


def _nominal(each: UncertainInput) -> str:
    if each.times:
        return f"x {number(each.nominal, DIGITS)}"
    return with_unit(each.nominal, unit_of(each.name))


def chance_data(chance: Chance) -> dict[str, Any]:
    """Return the same figures for machines."""
    systems = chance.systems
    return {
        "draws": chance.draws,
        "chosen_at_nominal_values": _shares_data(chance.planned, systems)
        | {"keeps_the_limit": dict(zip(systems, chance.kept, strict=True))},
        "perfect_information": _shares_data(chance.informed, systems),
        "ratio": {"mean": chance.mean, "low": chance.low, "high": chance.high, "quantiles": list(chance.interval)},
        "regret": dict(zip(systems, chance.regret, strict=True)),
        "foresight": chance.foresight,
        "rank_correlation_with_ratio": dict(chance.decisive),
    }


def _shares_data(shares: Shares, systems: tuple[str, str]) -> dict[str, Any]:
    return {"better": {systems[0]: shares.first, systems[1]: shares.second}, "neither": shares.neither}


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"
