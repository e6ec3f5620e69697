"""The claims of the two articles, recomputed from the catalogue and the model whenever somebody asks.

``configs/claims`` holds the claims with their sources, the formula of each that is a number, the values the formulas
use, and the single designs that the model evaluates for them. Results are nowhere stored.
"""

from __future__ import annotations

from sweep.claims.judge import Figure, Judged, Needed, PartFound, judge
from sweep.claims.read import Claim, read_claims
from sweep.claims.values import Values

__all__ = ["Claim", "Figure", "Judged", "Needed", "PartFound", "Values", "judge", "read_claims"]
