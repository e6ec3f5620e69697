"""A comparison in words."""

from __future__ import annotations

import math

from sweep.compare.verdict import Verdict


def verdict_sentence(verdict: Verdict) -> str:
    """Return who is cheaper and whether that can be told."""
    first, other = verdict.first, verdict.other
    if math.isnan(verdict.ratio):
        return f"Only {verdict.winner} has a design within the limit." if verdict.winner else f"Neither {first} nor {other} has a design within the limit."
    return f"{verdict.ratio}"
