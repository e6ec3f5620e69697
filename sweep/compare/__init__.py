"""Two or more systems side by side as equals: ``supernode compare``."""

from __future__ import annotations

from sweep.compare.comparison import Case, Comparison, Pair, compare
from sweep.compare.design import Design

__all__ = ["Case", "Comparison", "Design", "Pair", "compare"]
