"""The words of the claims: verdicts and how they come about. Light, for the command line."""

from __future__ import annotations

from typing import Literal, get_args

Verdict = Literal["confirmed", "partly confirmed", "ambiguous", "unsupported", "contradicted", "not testable"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

Basis = Literal["numbers", "sources", "nobody"]
"""What a verdict rests on: recomputed numbers, a reading of the sources, or nothing that could."""

RULE = """\
A part of a claim that is a number holds where every published basis gives it, fails where none does, and depends on the
basis otherwise. A claim whose parts all hold is confirmed, one whose parts all fail contradicted, one with a part that
fails beside others partly confirmed; the rest is ambiguous. A claim without such a part keeps what its sources say, and
one that no source could settle is not testable."""
