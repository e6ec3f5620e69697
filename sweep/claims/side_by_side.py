"""The two systems of the articles side by side as equals: what ``supernode compare`` finds, for the articles' page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sweep.claims.questions import QUESTIONS, Question, Questions
from sweep.compare import Case, Comparison
from sweep.compare.inputs import BreakEven
from sweep.compare.text import conflicts_sentence, error_sentence, heading, verdict_sentence
from sweep.text import Table, markdown, number

INTRODUCTION: Final = """\
Sums of peaks say little about what a run or an answer costs. Below, both systems do the same work, each at home: in
western China and in Texas. The interval behind a ratio is what the model's error and the published conflicts leave of
it. Break-evens are solved, not read off a grid: both costs agree there to 1e-9."""

ASKED: Final = ("power_price", "chip_price", "staff_multiplier", "utilisation", "import_tariff")


def side_by_side(questions: Questions) -> list[str]:
    """Return the lines of the section; computing all comparisons takes half a minute."""
    parts = ["## Side by side", "", INTRODUCTION, ""]
    for name, question in QUESTIONS.items():
        comparison = questions.comparison(name)
        for case in comparison.cases:
            parts += [*_case(question, comparison, case), ""]
    return parts[:-1]


def _case(question: Question, comparison: Comparison, case: Case) -> Iterator[str]:
    """Yield a case: its heading, its command, the verdict, the break-evens."""
    title = heading(case.workload, case.phase, case.basis.name, case.basis.text, case.place)
    formats = ", ".join(f"{name} in {word}" for name, word in zip(case.systems, case.precisions, strict=True))
    pair = case.pairs[0]
    same = f"; both in {case.precisions[0]}" if len(set(case.precisions)) == 1 else ""
    yield f"### {title[0].upper()}{title[1:]}{same}"
    yield ""
    yield f"`{question.command} --alternatives`"
    yield ""
    words = [verdict_sentence(pair.verdict, case.phase)]
    if pair.alternatives is not None:
        words.append(conflicts_sentence(pair.verdict, pair.alternatives))
    words.append(f"Number formats: {formats}.")
    words.append(error_sentence(comparison.errors[case.phase], case.phase, alternatives=True))
    yield " ".join(words)
    yield ""
    table = Table("", ("input", "of", "now>", "costs are equal at", "else"))
    for each in pair.break_evens:
        if each.name in ASKED:
            table.rows.append((_named(each), each.of, _now(each), _crossings(each), each.never))
    yield from markdown(table)


def _named(each: BreakEven) -> str:
    """Return the name of an input with its unit."""
    name = each.name.replace("_", " ")
    return f"{name} [{each.unit}]" if each.unit not in {"", "1"} else name


def _now(each: BreakEven) -> str:
    first, second = each.now
    own = {"first": (first,), "second": (second,)}.get(each.move.owner, (first, second))
    return " and ".join(dict.fromkeys(number(value, 4) for value in own))


def _crossings(each: BreakEven) -> str:
    """Return where the costs cross, and what a step or a stretch is."""
    found = []
    for crossing in each.solved.crossings:
        if crossing.kind == "between":
            found.append(f"between {number(crossing.low, 4)} and {number(crossing.high, 4)}")
        else:
            found.append(number(crossing.low, 4) + (" (a step)" if crossing.kind == "jump" else ""))
    return ", ".join(found) or "never"
