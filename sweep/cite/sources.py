"""From the source column of a run to citations: addresses recognised, each source once, with a key that stays.

A source text may name several addresses: each is a citation of its own. A key is made of the address alone (arXiv
number, DOI, or host and a hash of the address), so it is the same in every run and for every version of a paper.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from sweep.cite.words import Words, around
from sweep.dataset.layout import SOURCES

if TYPE_CHECKING:
    from sweep.dataset import Run

Kind = Literal["arxiv", "doi", "url", "text"]

ARXIV = re.compile(r"(?:arxiv\.org/(?:abs|pdf|html)/|arXiv:\s?)(\d{4}\.\d{4,5})(?:v\d+)?(?:\.pdf)?", re.IGNORECASE)
DOI = re.compile(r"(?:doi\.org/|doi:\s?)(10\.\d{4,9}/[^\s\"<>,;]+)", re.IGNORECASE)
URL = re.compile(r"https?://[^\s\"<>;]+")
CLOSING = ".,;:!?'\""

NO_ADDRESS = "address not recorded"
OWN = (
    "derived",
    "no ",
    "the study",
    "fitted ",
    "prior:",
    "transfer rule",
    "assumption",
    "the baseline",
    "supernode ",
    "vendor and maker of ",
    "fat trees are ",
    "as in ",
    "as hgx ",
    "as on ",
    "hgx and dgx baseboards ",
    "h100 sxm entry",
    "chip power of the entry ",
    "node of the real product",
    "one superchip per node",
    "half of the ",
    "twice the ",
    "the switch of ",
    "the price ",
)
"""Beginnings of texts that say where a number was made here; they are no sources to cite."""
COMPUTED = re.compile(r"^(?:a )?\d[\d.,]*\S* (?:x|nodes|million|tbit/s)\b")
"""Beginnings of derived texts that are the arithmetic itself."""
WEAK = frozenset({"assumption", "not_found"})
HASH = 8
LETTERS = 15
"""Letters that make words before an address a name; fewer say no more than who."""


@dataclass(frozen=True, slots=True)
class Citation:
    """One source. ``texts`` are the words of the catalogue about it, ``facts`` the ``entry.fact`` that rest on it.

    ``unverified``: no address is recorded, or the catalogue marks the source so. ``date`` is the earliest of its facts.
    ``name`` is what the catalogue calls the source, empty where it does not; ``places`` are tables and pages in it.
    """

    key: str
    kind: Kind
    identifier: str
    url: str
    date: str
    confidences: tuple[str, ...]
    unverified: bool
    texts: tuple[str, ...]
    facts: tuple[str, ...]
    name: str = ""
    places: tuple[str, ...] = ()

    @property
    def year(self) -> str:
        """Year of the source: of an arXiv number its own, else that of the date."""
        return f"20{self.identifier[:2]}" if self.kind == "arxiv" else self.date[:4]


@dataclass(frozen=True, slots=True)
class Collected:
    """The citations of a run by key, and the facts without a source outside: made here, or assumed."""

    citations: tuple[Citation, ...]
    own: tuple[str, ...]


def of_run(run: Run) -> Collected:
    """Return the citations of a run, from its ``sources.csv``."""
    return collect(csv.DictReader(io.StringIO(run.store.get(SOURCES).decode("utf-8"))))


def collect(rows: Iterable[Mapping[str, str]]) -> Collected:
    """Return every source once, sorted by key, from rows with fact, source, date, confidence and entry."""
    found: dict[tuple[Kind, str], list[Mapping[str, str]]] = {}
    own: list[str] = []
    for row in rows:
        named = [*identified(row["source"])]
        if not named and _is_own(row):
            own.append(_fact(row))
            continue
        for each in named or [("text", " ".join(row["source"].split()))]:
            found.setdefault(each, []).append(row)
    citations = (_citation(kind, identifier, using) for (kind, identifier), using in found.items())
    return Collected(tuple(sorted(citations, key=lambda each: each.key)), tuple(sorted(set(own))))


def identified(text: str) -> Iterator[tuple[Kind, str]]:
    """Yield every address in a source text: arXiv number, DOI, or other URL, in this order, each once."""
    seen: dict[tuple[Kind, str], None] = {}
    for match in ARXIV.finditer(text):
        seen.setdefault(("arxiv", match[1]))
    for match in DOI.finditer(text):
        seen.setdefault(("doi", _trimmed(match[1]).lower()))
    for match in URL.finditer(text):
        address = _trimmed(match[0])
        if not ARXIV.search(address) and not DOI.search(address):
            seen.setdefault(("url", address.rstrip("/")))
    yield from seen


def _trimmed(address: str) -> str:
    """Return an address without the punctuation of the sentence around it."""
    address = address.rstrip(CLOSING)
    while address.endswith(")") and address.count("(") < address.count(")"):
        address = address[:-1].rstrip(CLOSING)
    return address


def _is_own(row: Mapping[str, str]) -> bool:
    text = row["source"].strip().lower()
    computed = row["confidence"] == "derived" and COMPUTED.match(text)
    return not text or text.startswith(OWN) or bool(computed) or row["confidence"] in WEAK or row.get("kind") == "study"


def words_about(text: str) -> Words:
    """Return what a source text says of its one address; nothing where it names none or several."""
    if sum(1 for _ in identified(text)) != 1:
        return Words()
    match = ARXIV.search(text) or DOI.search(text) or URL.search(text)
    assert match is not None
    end = match.start() + len(_trimmed(match[0]))
    found = around(text, match.start(), end)
    return Words("" if len(found.name) < LETTERS or found.name.lower().startswith(OWN) else found.name, found.place)


def _fact(row: Mapping[str, str]) -> str:
    return f"{row['entry']}.{row['fact']}"


def _citation(kind: Kind, identifier: str, rows: list[Mapping[str, str]]) -> Citation:
    confidences = tuple(sorted({row["confidence"] for row in rows if row["confidence"]}))
    texts = sorted({" ".join(row["source"].split()) for row in rows})
    dates = sorted(row["date"] for row in rows if row["date"])
    words = [words_about(text) for text in texts]
    return Citation(
        key=key_of(kind, identifier),
        kind=kind,
        identifier=identifier,
        url={"arxiv": f"https://arxiv.org/abs/{identifier}", "doi": f"https://doi.org/{identifier}"}.get(
            kind, identifier if kind == "url" else ""
        ),
        date=dates[0] if dates else "",
        confidences=confidences,
        unverified=kind == "text" or confidences == ("unverified",),
        texts=tuple(text for text in texts if text.rstrip("/") != identifier),
        facts=tuple(sorted({_fact(row) for row in rows})),
        name=next((each.name for each in words if each.name), ""),
        places=tuple(dict.fromkeys(each.place for each in words if each.place)),
    )


def key_of(kind: Kind, identifier: str) -> str:
    """Return the key of a source: of the address alone, so that it never changes."""
    if kind in ("arxiv", "doi"):
        return f"{kind}:{re.sub(r'[^A-Za-z0-9.]+', '-', identifier)}"
    digest = hashlib.sha256(identifier.encode()).hexdigest()[:HASH]
    host = (urlsplit(identifier).hostname or "").removeprefix("www.") if kind == "url" else "text"
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', host)}:{digest}"
