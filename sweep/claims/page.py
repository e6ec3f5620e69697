"""Write docs/articles.md, what the articles got right: ``python -m sweep.claims.page [FOLDER] [--check]``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from sweep.catalogue import Catalogue
from sweep.cite.sources import identified
from sweep.claims import text
from sweep.claims.choices import RULE
from sweep.claims.judge import Figure, Judged, judge
from sweep.claims.questions import SYSTEMS, Questions
from sweep.claims.ratios import RatioFound, ratios
from sweep.claims.read import Article, read_articles
from sweep.claims.side_by_side import side_by_side
from sweep.claims.values import Values
from sweep.page_file import write_or_check
from sweep.text import Table, markdown, number

PAGE = "articles.md"
WRITTEN = "<!-- Written by `python -m sweep.claims.page`; change the source, not this file. -->"

HOW = """\
Every figure is computed when this page is written: formulas in [configs/claims/](../configs/claims/) over facts of the
catalogue and results of the model: of one design in [configs/claims/runs/](../configs/claims/runs/), which
`supernode explain FILE --design 0` takes apart, or of the designs that `supernode compare` takes below.
`supernode claims ID` prints a claim with its formulas, values and their sources. "Claimed" is the article's number, or
how its words are read. A result of the model carries the mean error of its step times: {errors}; no verdict rests
on a smaller difference. If errors are normal, about four in ten are larger than the mean."""
COLUMNS = ("id", "claim", "verdict", "figures", "what would have to be true", "sources")


class Sources:
    """Numbers the sources of the page in the order in which they are first named."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def cell(self, sources: Iterable[str]) -> str:
        """Return the numbers of some sources, linked where they have an address."""
        return ", ".join(self._number(source) for source in dict.fromkeys(sources))

    def _number(self, source: str) -> str:
        number = self.numbers.setdefault(source, len(self.numbers) + 1)
        address = next((word for kind, word in identified(source) if kind == "url"), None)
        arxiv = next((word for kind, word in identified(source) if kind == "arxiv"), None)
        link = f"https://arxiv.org/abs/{arxiv}" if arxiv else address
        return f"[{number}]({link})" if link else f"{number}"

    def listing(self) -> list[str]:
        """Return the list of all sources."""
        return [f"{number}. {source}" for source, number in self.numbers.items()]


def articles_page(
    articles: Sequence[Article],
    judged: Sequence[Judged],
    rows: Sequence[RatioFound],
    how: str,
    compared: Sequence[str] = (),
) -> str:
    """Return the page: the answer, the claims of each article, the ratio table.

    ``judged`` are the claims in the order of the articles, ``how`` says how to read the page, and ``compared`` lines
    stand before the sources.
    """
    known, sources = {each.claim.id: each for each in judged}, Sources()
    parts = ["# What the articles got right", "", WRITTEN, "", answer(articles, known), "", *points(known), ""]
    parts += ["## How to read it", "", how, "", RULE, ""]
    for article in articles:
        parts += [f"## {article.title} ({article.date})", "", article.note, ""]
        parts += [*markdown(_claims(article, known, sources)), ""]
    parts += ["## Where the numbers say otherwise than the sources were read", "", *markdown(_differences(judged)), ""]
    table = text.ratio_table(rows)
    parts += ["## The published ratios, row by row", "", _sentence(table.note), "", *markdown(table), ""]
    parts += [*compared, *([""] if compared else []), "## Sources", "", *sources.listing()]
    return "\n".join(parts).rstrip() + "\n"


def answer(articles: Sequence[Article], known: dict[str, Judged]) -> str:
    """Return the answer of the page, its numbers from the claims."""
    each = [f"{article.short}, {text.counts([known[claim.id] for claim in article.claims])}" for article in articles]
    compute = known["S0-10"]
    tool, _, analyst = (_more(figure) for figure in compute.parts[0].figures)
    slide = _more(compute.parts[1].figures[0])
    return (
        "What the articles say of the size, memory, power and price of CloudMatrix 384 holds, at least on some "
        "published basis; what they say of its makers, its chip and its density does not. "
        f"By claim: {'; '.join(each)}. The best-known figure, 67 percent more compute than GB200 NVL72, is {tool} "
        f"percent by Huawei's own modelling tool, and {analyst} to {slide} percent at the 780 TFLOP/s of a 910C that "
        "SemiAnalysis gives or the 300 PFLOP/s of the system on Huawei's slide."
    )


def _more(figure: Figure) -> str:
    """Return by how much a ratio is above one [%]."""
    return f"{100 * (float(figure.value) - 1):.0f}"


def points(known: dict[str, Judged]) -> list[str]:
    """Return the findings that matter most, each with its figures."""
    beats, power, price, cost = known["S0-05"], known["S0-18"], known["S0-24"], known["S0-22"]
    fleet, staff, older = known["S3-26"], known["S0-21"], known["S3-10"]
    found = {
        "Compute": f"{_range(beats, 0)} times the bf16 peak of GB200 NVL72, by whose figure one takes; a model of 70 "
        f"billion parameters trains {_value(beats, 5)} times as fast on one system as on the other (model).",
        "What it takes": f"{_range(power, 0)} times the power, {_range(power, 1)} times per peak FLOP; "
        f"{_range(price, 1)} times the price per peak FLOP; {_value(cost, 0)} times the cost of training "
        f"Llama-3.1-405B within 90 days, both in bf16 ({_value(cost, 3)} times in each chip's best format), and with "
        f"free power still {_value(cost, 1)} times (model).",
        "The 910B": f"384 of them make {_range(older, 0)} PFLOP/s, not 300; it would take {_needed(older, 1)} of them.",
        "Forty data centres": "No source names them. Forty supernodes in one place train the compute of GPT-4 in "
        f"{_value(fleet, 1)} days, at forty sites in {_range(fleet, 2)} days by the links between them, one in "
        f"{_value(fleet, 0)} (model; `supernode run fleet-40-sites`).",
        "Staff": "Three to five times the manpower has no source. Staff is "
        f"{_value(staff, 0)} % of the yearly cost as assumed here, {_value(staff, 2)} % at five times as much.",
    }
    return [f"* **{what}.** {words}" for what, words in found.items()]


def _needed(judged: Judged, part: int) -> str:
    needed = judged.parts[part].needed
    return "-" if needed is None else number(needed.value, 4)


def _value(judged: Judged, part: int) -> str:
    return number(float(judged.parts[part].figures[0].value), 3)


def _bounds(judged: Judged, part: int) -> tuple[float, float]:
    values = [float(figure.value) for figure in judged.parts[part].figures]
    return min(values), max(values)


def _range(judged: Judged, part: int) -> str:
    low, high = (number(value, 3) for value in _bounds(judged, part))
    return low if low == high else f"{low} to {high}"


def _claims(article: Article, known: dict[str, Judged], sources: Sources) -> Table:
    table = Table("", COLUMNS)
    for claim in article.claims:
        each = known[claim.id]
        figures = "; ".join(text.brief(found) for found in each.parts) or claim.finding
        why = f"not judged ({claim.reason}); " if claim.reason else ""
        holds = why + text.holds_if(each)
        named = [*claim.sources, *(value.source for value in text.used_values(each))]
        verdict = f"{each.verdict} ({text.BY[each.by]})" if each.by == "sources" else each.verdict
        table.rows.append((claim.id, claim.claim, verdict, figures, holds, sources.cell(named)))
    return table


def _differences(judged: Sequence[Judged]) -> Table:
    table = Table("", ("id", "claim", "sources", "numbers", "why"))
    for each in judged:
        if each.differs:
            table.rows.append(
                (each.claim.id, each.claim.claim, each.claim.compiled, each.verdict, each.claim.difference)
            )
    return table


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def page_now() -> str:
    """Return the page as catalogue and model have it now."""
    articles, catalogue = read_articles(), Catalogue.load()
    questions = Questions()
    compared = side_by_side(questions)
    values = Values(catalogue, questions)
    judged = [judge(claim, values) for article in articles for claim in article.claims]
    return articles_page(articles, judged, ratios(values), _how(catalogue), compared)


def _how(catalogue: Catalogue) -> str:
    """Return how to read the page, with the model's own errors for both systems."""
    errors = {system: catalogue.facts(system)["step_time_error"].value for system in SYSTEMS}
    return HOW.format(
        errors=" and ".join(f"{100 * float(error or 0):.0f} % on {system}" for system, error in errors.items())
    )


def main(arguments: list[str]) -> int:
    """Write the page into a folder, ``docs`` when none is given; with ``--check`` say whether it is out of date."""
    return write_or_check(arguments, PAGE, page_now, "sweep.claims.page")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
