"""What a source text says around its one address: before it the name of the source, after it the place in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

LEADS = re.compile(
    r"[\s,;:(]*\b(?:(?:quoted|reported) by|republished at|full text at|as used by|by way of|read in|copy of|via|in|from"
    r"|at|see)$",
    re.IGNORECASE,
)
"""Words that lead to an address and are no part of the name before it."""
SCHEME = re.compile(r"https?://\S*$")
ARITHMETIC = re.compile(r"^\d|\d\S* (?:x|\*|/|less) \d")
"""How a number that was computed here reads; no source has such a name."""
MARKS = " \t,;:"


@dataclass(frozen=True, slots=True)
class Words:
    """The ``name`` of a source and the ``place`` in it, each empty where the text does not say."""

    name: str = ""
    place: str = ""


def around(text: str, start: int, end: int) -> Words:
    """Return the words around the address that stands at ``start`` to ``end`` of a text."""
    before, after = text[:start].rstrip(), text[end:]
    before = SCHEME.sub("", before).rstrip(MARKS)
    while (shorter := LEADS.sub("", before)) != before:
        before = shorter
    name = balanced(before).strip(MARKS)
    return Words("" if ARITHMETIC.search(name) else name, balanced(after).strip(MARKS))


def balanced(text: str) -> str:
    """Return a text without brackets that lack their other half, and without a pair around all of it."""
    opened: list[int] = []
    lost = set()
    pairs = {}
    for place, character in enumerate(text):
        if character == "(":
            opened.append(place)
        elif character == ")":
            if opened:
                pairs[opened.pop()] = place
            else:
                lost.add(place)
    lost |= set(opened)
    first, last = len(text) - len(text.lstrip(MARKS)), len(text.rstrip(MARKS)) - 1
    if pairs.get(first) == last:
        lost |= {first, last}
    return "".join(character for place, character in enumerate(text) if place not in lost)
