"""The two systems of the articles side by side as equals: what ``supernode compare`` finds, for the articles' page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sweep.compare import Case, Comparison, compare
from sweep.compare.inputs import BreakEven
from sweep.compare.text import conflicts_sentence, error_sentence, heading, verdict_sentence
from sweep.text import Table, markdown, number


@dataclass(frozen=True, slots=True)
class Question:
    """A comparison: the words of its command behind the systems, the workload and the basis."""

    command: str
    workload: Mapping[str, Any]
    basis: Mapping[str, Any]


QUESTIONS: Final = (
    Question("--deadline '90 d'", {"train": "llama-3.1-405b"}, {"deadline": "90 d"}),
    Question(
        "--deadline '90 d' --precision bf16", {"train": "llama-3.1-405b", "precision": "bf16"}, {"deadline": "90 d"}
    ),
    Question("--power '20 MW'", {"train": "llama-3.1-405b"}, {"power": "20 MW"}),
    Question(
        "--serve deepseek-r1 --tpot '50 ms' --power '20 MW'",
        {"serve": "deepseek-r1", "time_per_output_token_limit": "50 ms"},
        {"power": "20 MW"},
    ),
)
"""Both systems at home: a deadline in the best format of each chip and in one, and what a site can do."""

INTRODUCTION: Final = """\
Sums of peaks say little about what a run or an answer costs. Below, both systems do the same work, each at home: in
western China and in Texas. The interval behind a ratio is what the model's error and the published conflicts leave of
it. Break-evens are solved, not read off a grid: both costs agree there to 1e-9."""

ASKED: Final = ("power_price", "chip_price", "staff_multiplier", "utilisation", "import_tariff")


def side_by_side(systems: Sequence[str]) -> list[str]:
    """Return the lines of the section; they take half a minute."""
    found = [
        compare(systems, question.workload, question.basis, regions=["own"], alternatives=True)
        for question in QUESTIONS
    ]
    parts = ["## Side by side", "", INTRODUCTION, ""]
    for question, comparison in zip(QUESTIONS, found, strict=True):
        for case in comparison.cases:
            parts += [*_case(question, comparison, case), ""]
    return parts[:-1]


def _case(question: Question, comparison: Comparison, case: Case) -> Iterator[str]:
    """Yield a case: its heading, its command, the verdict, the break-evens."""
    title = heading(case.workload, case.phase, case.basis.name, case.basis.text, case.place)
    formats = ", ".join(f"{name} in {word}" for name, word in zip(case.systems, case.precisions, strict=True))
    pair = case.pairs[0]
    yield f"### {title[0].upper()}{title[1:]}"
    yield ""
    yield f"`supernode compare {' '.join(case.systems)} {question.command} --region own --alternatives`"
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
