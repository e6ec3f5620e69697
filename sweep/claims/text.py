"""Claims and ratios as people and programs read them: tables, lines, and data ready for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sweep.claims.choices import VERDICTS
from sweep.claims.judge import Figure, Judged, Needed, PartFound
from sweep.claims.ratios import RatioFound
from sweep.claims.read import Claimed, Part
from sweep.claims.values import Value
from sweep.text import Table, number, with_unit

DIGITS = 4
BY = {"numbers": "by numbers", "sources": "by its sources", "nobody": "nobody can say"}


def overview(judged: Sequence[Judged]) -> Table:
    """Return one row per claim: verdict, what it rests on, and the decisive figures."""
    table = Table("", ("id", "verdict", "by", "claim", "figures"))
    for each in judged:
        table.rows.append((each.claim.id, each.verdict, each.by, each.claim.claim, decisive(each)))
    table.note = counts(judged) + ". One of them in full: supernode claims ID"
    return table


def counts(judged: Iterable[Judged]) -> str:
    """Return how many claims have which verdict, in one line."""
    found = Counter(each.verdict for each in judged)
    shown = ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])
    return f"{sum(found.values())} claims: {shown}"


def decisive(judged: Judged) -> str:
    """Return the figures that decide a claim: those of its tested parts that fail or depend, or all."""
    tested = [found for found in judged.parts if found.state != "shown"]
    open_ = [found for found in tested if found.state != "holds"]
    return "; ".join(brief(found) for found in open_ or tested or judged.parts)


def brief(found: PartFound) -> str:
    """Return a part in one phrase: what it is, its lowest and highest figure, and what is claimed."""
    part, values = found.part, [figure.value for figure in found.figures]
    if isinstance(values[0], bool):
        return f"{part.says}: {'yes' if values[0] else 'no'}"
    low, high = (number(bound, DIGITS) for bound in (min(values), max(values)))
    shown = low if low == high else f"{low} to {high}"
    claimed = f" (claimed {claimed_text(part.claimed, part)})" if part.claimed else ""
    return f"{part.says}: {shown}{_unit(part.unit)}{claimed}"


def claimed_text(claimed: Claimed, part: Part) -> str:
    """Return what a number is claimed to be, such as ``at least 300 PFLOP/s``."""
    for word, bound in (("", claimed.value), ("at least ", claimed.at_least), ("at most ", claimed.at_most)):
        if bound is not None:
            return f"{word}{number(bound, DIGITS)}{_unit(part.unit)}"
    return ""


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def needed_text(needed: Needed) -> str:
    """Return what would have to be true, such as ``bf16 peak of one 910C: 781.2 TFLOP/s instead of 707.8 TFLOP/s``."""
    now = with_unit(_rounded(needed.now), needed.unit)
    if needed.value is None:
        return f"{needed.say}: no value does it (now {now})"
    value = with_unit(_rounded(needed.value), needed.unit)
    return f"{needed.say}: {value}" + ("" if value == now else f" instead of {now}")


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def holds_if(judged: Judged) -> str:
    """Return in one phrase what would have to be true for the claim to hold."""
    found = [needed_text(part.needed) for part in judged.parts if part.needed is not None]
    return "; ".join(found) or judged.claim.holds_if or ("it holds" if judged.verdict == "confirmed" else "")


def detail(judged: Judged) -> tuple[list[str], list[Table]]:
    """Return the lines and the tables of one claim in full."""
    claim = judged.claim
    lines = [f"{claim.id}: {claim.claim}", f"verdict: {judged.verdict} ({BY[judged.by]})"]
    lines += [f"sources say: {claim.compiled}. {claim.finding}"]
    named = (("why it differs", claim.difference), ("would hold if", holds_if(judged)), ("not judged", claim.reason))
    lines += [f"{word}: {text}" for word, text in named if text]
    tables = [figures_table(judged)] if judged.parts else []
    tables.append(Table("sources", ("where", "source"), [*source_rows(judged)]))
    return lines, tables


def figures_table(judged: Judged) -> Table:
    """Return every figure of a claim: part, basis, number, what is claimed, whether it holds, formula."""
    table = Table("figures, computed now", ("part", "basis", "value>", "claimed", "holds", "formula"))
    for found in judged.parts:
        for figure in found.figures:
            table.rows.append(_figure_row(found.part, figure))
    return table


def _figure_row(part: Part, figure: Figure) -> tuple[str, ...]:
    value = figure.value
    shown = ("yes" if value else "no") if isinstance(value, bool) else number(value, DIGITS) + _unit(part.unit)
    claimed = "yes" if isinstance(value, bool) else claimed_text(part.claimed, part) if part.claimed else ""
    holds = "" if figure.holds is None else "yes" if figure.holds else "no"
    return part.says, figure.basis, shown, claimed, holds, part.formula


def source_rows(judged: Judged) -> Iterator[tuple[str, str]]:
    """Yield the sources of the claim, and of every value its figures use, each once."""
    for source in dict.fromkeys(judged.claim.sources):
        yield "claim", source
    seen: dict[tuple[str, str, str], None] = {}
    for value in used_values(judged):
        seen.setdefault((value.name, value.printed, value.source))
    for name, printed, source in seen:
        yield f"{name} = {printed}", source


def used_values(judged: Judged) -> Iterator[Value]:
    """Yield every value that some figure of a claim uses."""
    for found in judged.parts:
        for figure in found.figures:
            yield from figure.used


def data(judged: Judged) -> dict[str, Any]:
    """Return a claim with its verdict and figures, ready for JSON."""
    claim = judged.claim
    return {
        "id": claim.id,
        "claim": claim.claim,
        "kind": claim.kind,
        "verdict": judged.verdict,
        "by": judged.by,
        "compiled_verdict": claim.compiled,
        "differs": judged.differs,
        "difference": claim.difference,
        "finding": claim.finding,
        "holds_if": holds_if(judged),
        "reason": claim.reason,
        "sources": list(claim.sources),
        "parts": [_part_data(found) for found in judged.parts],
    }


def _part_data(found: PartFound) -> dict[str, Any]:
    part, needed = found.part, found.needed
    claimed = None if part.claimed is None else part.claimed.model_dump(exclude_none=True)
    return {
        "says": part.says,
        "formula": part.formula,
        "unit": part.unit,
        "claimed": claimed,
        "state": found.state,
        "figures": [_figure_data(figure) for figure in found.figures],
        "needed": needed and {"change": needed.say, "value": needed.value, "now": needed.now, "unit": needed.unit},
    }


def _figure_data(figure: Figure) -> dict[str, Any]:
    used = [
        {"name": value.name, "value": value.printed, "source": value.source, "where": value.where}
        for value in figure.used
    ]
    return {"basis": figure.basis, "value": figure.value, "holds": figure.holds, "used": used}


def ratio_table(found: Sequence[RatioFound]) -> Table:
    """Return the published ratio table with the recomputed ratios, and in its note the rows that do not follow."""
    columns = ("row", "CloudMatrix 384>", "GB200 NVL72>", "unit", "printed>", "recomputed>", "follows", "catalogue>")
    table = Table("published ratios", columns)
    for each in found:
        row = each.row
        printed = "" if row.printed is None else f"{row.printed:.{row.decimals}f}"
        more = "more than " if row.bound else ""
        follows = "" if each.follows is None else "yes" if each.follows else "NO"
        ours = "" if each.ours is None else number(each.ours, DIGITS)
        inputs = (more + number(row.first, DIGITS), number(row.second, DIGITS), row.unit)
        table.rows.append((row.row, *inputs, printed, more + number(each.recomputed, DIGITS), follows, ours))
    table.note = not_following(found)
    return table


def not_following(found: Sequence[RatioFound]) -> str:
    """Return the sentence that names the printed ratios that do not follow from their own inputs."""
    wrong = [each.row for each in found if each.follows is False]
    printed = sum(each.follows is not None for each in found)
    if not wrong:
        return f"all {printed} printed ratios follow from their own inputs"
    named = "; ".join(f"{row.row} ({row.note})" for row in wrong)
    return f"{len(wrong)} of {printed} printed ratios do not follow from their own inputs: {named}"


def ratio_data(found: Sequence[RatioFound]) -> list[dict[str, Any]]:
    """Return the ratio table ready for JSON."""
    return [
        each.row.model_dump() | {"recomputed": each.recomputed, "follows": each.follows, "catalogue": each.ours}
        for each in found
    ]
