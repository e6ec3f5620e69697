"""Citations as BibTeX: one ``@misc`` entry each, in plain fields that BibTeX and biber read alike.

Titles are not in the catalogue and none are made up: the title is what the catalogue says of the source, or its
address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sweep.cite.sources import NO_ADDRESS, Citation

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_", "$": r"\$",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
FACTS = 6
"""Facts that a note names at most."""
PLACES = 3
"""Places in a source that a note names at most."""


def bibtex(citations: Iterable[Citation]) -> str:
    """Return the entries of all citations, separated by empty lines."""
    return "\n".join(_entry(each) for each in citations)


def _entry(citation: Citation) -> str:
    fields = ",\n".join(f"  {name} = {{{value}}}" for name, value in _fields(citation))
    return f"@misc{{{citation.key},\n{fields}\n}}\n"


def _fields(citation: Citation) -> Iterator[tuple[str, str]]:
    yield "title", f"{{{escaped(_title(citation))}}}"
    if citation.kind == "arxiv":
        yield "eprint", citation.identifier
        yield "archiveprefix", "arXiv"
    if citation.kind == "doi":
        yield "doi", citation.identifier
    if citation.url:
        yield "url", citation.url.replace("{", "%7B").replace("}", "%7D").replace("\\", "%5C")
    if citation.year:
        yield "year", citation.year
    yield "note", escaped(_note(citation))


def _title(citation: Citation) -> str:
    """Return what the catalogue calls a source, else its address; a place in the source is no title of it."""
    names = {"arxiv": f"arXiv:{citation.identifier}", "doi": f"doi:{citation.identifier}"}
    return citation.name or names.get(citation.kind, citation.identifier)


def _note(citation: Citation) -> str:
    more = len(citation.facts) - FACTS
    facts = ", ".join(citation.facts[:FACTS]) + (f" and {more} more" if more > 0 else "")
    unverified = f"unverified: {NO_ADDRESS}; " if citation.unverified else ""
    places = "".join(f"{place}; " for place in citation.places[:PLACES])
    return f"{unverified}{places}{'; '.join((f'used for {facts}', *citation.confidences))}"


def escaped(text: str) -> str:
    """Return a text with the characters that TeX reads as commands written out."""
    return "".join(SPECIAL.get(character, character) for character in text)
