"""A comparison in words: verdicts, conflicts, and how to read the tables."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

from sweep.answer.errors import MEAN, ModelError, errors_sentence
from sweep.answer.text import WIDTH
from sweep.compare.alternatives import Alternative, Alternatives, Corner
from sweep.compare.design import Design
from sweep.compare.verdict import Verdict
from sweep.text import number, with_unit

PHASES = {"train": "training", "serve": "serving"}
TOKENS = {"train": "per trained token", "serve": "per generated token"}
JOB = {
    "train": ("training_tokens", "global_batch", "sequence_length"),
    "serve": ("input_tokens", "output_tokens", "time_per_output_token_limit", "time_to_first_token_limit"),
}
"""What a workload is, besides its model."""

TERA = 1e12
RULES = {"denied": "is denied to", "licence": "needs a licence for", "case_by_case": "is reviewed case by case for"}


def wrapped(text: str) -> str:
    """Return a paragraph broken into lines."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def heading(workload: str, phase: str, basis: str, limit: str, place: str) -> str:
    """Return what one case is."""
    counts = f"{limit} domains" if ", " in limit else f"{limit} {'domain' if limit == '1' else 'domains'} each"
    equal = counts if basis == "domains" else f"equal {basis} ({limit})"
    where = "each system at home" if place == "own" else f"all in {place}"
    return f"{PHASES[phase]} {workload}; {equal}; {where}"


def job_sentence(
    workload: str, phase: str, job: Mapping[str, float], precision: Mapping[str, str], *, best: bool
) -> str:
    """Return what is trained or served, and in which number format on each system."""
    formats = dict.fromkeys(precision.values())
    shown = (
        next(iter(formats)) if len(formats) == 1 else ", ".join(f"{name} {word}" for name, word in precision.items())
    )
    note = " (the best of each chip; --precision sets one for all)" if best else ""
    return f"{PHASES[phase].capitalize()} {workload}: {_job(phase, job)}; precision {shown}{note}."


def _job(phase: str, job: Mapping[str, float]) -> str:
    if phase == "train":
        tokens, batch, sequence = (job[name] for name in JOB["train"])
        return f"{number(tokens / TERA, 4)} T tokens, batches of {batch:,.0f} sequences of {sequence:,.0f} tokens"
    given, made, per_token, first = (job[name] for name in JOB["serve"])
    return (
        f"{given:,.0f} tokens in and {made:,.0f} out per request, at most {number(per_token)} ms per output token and"
        f" {number(first)} s to the first"
    )


def verdict_sentence(verdict: Verdict, phase: str = "train") -> str:
    """Return who is cheaper, by how much, and whether that can be told."""
    first, other = verdict.first, verdict.other
    if math.isnan(verdict.ratio):
        if verdict.winner:
            return f"Only {verdict.winner} has a design."
        return f"Neither {first} nor {other} has a design."
    dearer, cheaper = (first, other) if verdict.ratio >= 1 else (other, first)
    times, low, high = verdict.ratio, verdict.low, verdict.high
    if verdict.ratio < 1:
        times, low, high = 1 / times, 1 / high, 1 / low if low else math.inf
    if times == 1:
        return f"{first} and {other} cost the same {TOKENS[phase]}."
    if math.isinf(verdict.error):
        return f"{_costs(dearer, cheaper, times, phase)}, but the model's error is known for no chip: cannot tell."
    interval = _interval(low, high)
    if verdict.winner is None:
        return f"Cannot tell: {_costs(dearer, cheaper, times, phase)}, and what is unsure leaves {interval}."
    return f"{cheaper} is cheaper: {_costs(dearer, cheaper, times, phase)} ({interval} with what is unsure)."


def _interval(low: float, high: float) -> str:
    """Return an interval of ratios; it is open where a published value leaves one system without a design."""
    if math.isfinite(high):
        return f"{low:.2f} to {high:.2f} times" if low else f"up to {high:.2f} times, open below"
    return f"{low:.2f} times and more, open above" if low else "any ratio"


def _costs(dearer: str, cheaper: str, times: float, phase: str) -> str:
    return f"{dearer} costs {times:.2f} times as much as {cheaper} {TOKENS[phase]}"


def speed_sentence(first: Design, other: Design, phase: str) -> str:
    """Return which of two designs is faster."""
    name = "time_to_train" if phase == "train" else "tokens_per_second"
    one, two = first.number(name), other.number(name)
    if not one or not two:
        return ""
    ratio = two / one if phase == "train" else one / two
    faster, slower = (first, other) if ratio >= 1 else (other, first)
    ratio = max(ratio, 1 / ratio)
    return f"{faster.system} is {ratio:.2f} times as fast as {slower.system}." if ratio > 1 else "Both are as fast."


def absent_sentences(systems: Sequence[str], absent: Sequence[str]) -> list[str]:
    """Return why systems have no design."""
    return [f"{system} has no design: {why}." for system, why in zip(systems, absent, strict=True) if why]


def export_sentences(designs: Mapping[str, Design], countries: Mapping[str, str]) -> list[str]:
    """Return which systems the export rules keep from their buyer."""
    found = []
    for name, design in designs.items():
        rule = RULES.get(str(design.values.get("export_status")))
        if rule:
            found.append(f"By the export rules, {name} {rule} a buyer in {countries[name]}.")
    return found


def conflicts_sentence(verdict: Verdict, conflicts: Alternatives) -> str:
    """Return whether the verdict survives the published conflicts."""
    first, other = verdict.first, verdict.other
    if not conflicts.moving:
        return "No fact that decides this comparison has another published value."
    cheaper = other if verdict.ratio > 1 else first
    alone = f"one of them alone makes {cheaper} the dearer" if conflicts.turned else "none of them alone turns it"
    corners = "; ".join(
        f"with all that favour {favoured}{_without(corner)}, {_corner(corner, first, other)}"
        for favoured, corner in zip((first, other), conflicts.corners, strict=True)
    )
    together = "survives" if conflicts.survives else "does not survive"
    return (
        f"Published conflicts, {len(conflicts.moving)} other values of facts that move the ratio by more than 0.1 %:"
        f" {alone}. {_open(conflicts)}Together: {corners}. That {cheaper} is cheaper {together} both."
    )


def _open(conflicts: Alternatives) -> str:
    """Return which values leave a system without a design, and so an end of the interval open."""
    said = [
        f"with {_valued(each)}, {' and '.join(each.missing)} {'has' if len(each.missing) == 1 else 'have'} no design"
        for each in conflicts.alone
        if each.missing
    ]
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]} within the limit. " if text else ""


def _without(corner: Corner) -> str:
    """Return which conflicts are left out of a corner, and why."""
    left = [_valued(each) for each in corner.left_out]
    return f" (without {' and '.join(left)}: beside the rest, neither has a design within the limit)" if left else ""


def _valued(each: Alternative) -> str:
    return f"{each.name.replace('_', ' ')} {with_unit(each.value, each.unit)}"


def _corner(corner: Corner, first: str, other: str) -> str:
    if corner.missing:
        return f"{corner.missing[0]} has no design within the limit"
    return f"{first} costs {corner.ratio:.2f} times as much as {other}"


def error_sentence(errors: Mapping[str, ModelError], phase: str, *, alternatives: bool) -> str:
    """Return what is taken to be unsure in one phase."""
    if any(math.isinf(error.value) for error in errors.values()):
        return "The model's error is known for no chip."
    spread = (
        " and the spread of the published conflicts, all in quadrature; one cannot tell where that leaves either"
        if alternatives
        else "; one cannot tell where that leaves either. Prices are taken as they are (--alternatives tries others)"
    )
    return f"Unsure is {errors_sentence(errors, phase)}{spread}. {MEAN}"


def reading_sentences(phase: str) -> str:
    """Return how to read the tables."""
    tail = (
        "Cost per token is the year's cost over the tokens of its paid time."
        if phase == "serve"
        else "Cost to train is annual cost x time to train / utilisation: idle time of the year is paid too."
    )
    return (
        f"{tail} Facility power is the peak that the site must supply. Break-evens are searched over all that an input"
        " may be; both costs are evaluated there again and agree to 1e-9. The weight of an input is the change of the"
        " ratio in percent for a change of the input by one percent, the design held."
    )
