"""Rank correlations through a Gaussian copula: uniform numbers that rise together, each still uniform alone.

A Spearman rank correlation r of two continuous inputs is that of normal scores with the correlation
``2 sin(pi r / 6)`` (Kruskal 1958, "Ordinal measures of association", section 5). The matrix of these must be positive
definite; then it is ``L L^T``, and ``L z`` turns independent normal scores z into correlated ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.uncertain.distributions import normal_quantile, normal_share

Array = NDArray[np.float64]
Pairs = Mapping[tuple[int, int], float]
Lower = tuple[tuple[float, ...], ...]

SMALLEST_EIGENVALUE = 1e-9
STEP = 0.01
"""Advice is rounded to this towards the valid side: nobody knows a correlation better."""


def normal_correlation(rank: float) -> float:
    """Return the correlation of normal scores that have a rank correlation."""
    return 2.0 * math.sin(math.pi * rank / 6.0)


def matrix(size: int, pairs: Pairs) -> Array:
    """Return the correlations of the normal scores, shape (size, size)."""
    found = np.eye(size)
    for (first, second), rank in pairs.items():
        found[first, second] = found[second, first] = normal_correlation(rank)
    return found


def is_valid(size: int, pairs: Pairs) -> bool:
    """Return whether the matrix of the pairs is positive definite."""
    return bool(np.linalg.eigvalsh(matrix(size, pairs)).min() > SMALLEST_EIGENVALUE)


def lower(size: int, pairs: Pairs) -> Lower:
    """Return the lower triangle L of ``L L^T``. Raises ``LinAlgError`` when the matrix is not positive definite."""
    return tuple(tuple(row) for row in np.linalg.cholesky(matrix(size, pairs)).tolist())


def nearest_valid(size: int, pairs: Pairs) -> tuple[tuple[int, int], float] | None:
    """Return the pair that needs the least change, alone, for a positive definite matrix, and its nearest rank.

    The rank is a multiple of ``STEP``. None when no single pair would do.
    """
    found = [(abs(rank - pairs[pair]), pair, rank) for pair in pairs for rank in _valid_ranks(size, pairs, pair)]
    return min(found)[1:] if found else None


def _valid_ranks(size: int, pairs: Pairs, pair: tuple[int, int]) -> list[float]:
    """Return the valid ranks of one pair, the others as they are; they are an interval, so its ends are enough."""
    count = round(1 / STEP)
    ranks = [place / count for place in range(-count + 1, count)]
    valid = [rank for rank in ranks if is_valid(size, {**pairs, pair: rank})]
    return [valid[0], valid[-1]] if valid else []


def largest_share(size: int, pairs: Pairs) -> float:
    """Return the largest multiple of ``STEP`` that all rank correlations may be scaled by."""
    shares = (place * STEP for place in range(round(1 / STEP), 0, -1))
    scaled = ((share, {pair: share * rank for pair, rank in pairs.items()}) for share in shares)
    return next((share for share, tried in scaled if is_valid(size, tried)), 0.0)


def correlated(uniforms: Sequence[Array], factor: Lower) -> list[Array]:
    """Return uniform numbers with the correlations of ``factor``, shape (n,) each.

    Numbers that are correlated with none come back as they are. Sums run in a fixed order, number by number, so any
    slice has the bits of the whole.
    """
    if not any(_is_mixed(row, place) for place, row in enumerate(factor)):
        return list(uniforms)
    used = {place for at, row in enumerate(factor) if _is_mixed(row, at) for place in range(at + 1) if row[place]}
    scores = {place: normal_quantile(uniforms[place]) for place in sorted(used)}
    return [
        normal_share(_mixed(row[: at + 1], scores)) if _is_mixed(row, at) else uniforms[at]
        for at, row in enumerate(factor)
    ]


def _is_mixed(row: Sequence[float], at: int) -> bool:
    return any(row[place] != 0.0 for place in range(at))


def _mixed(row: Sequence[float], scores: Mapping[int, Array]) -> Array:
    total = np.zeros(())
    for place, weight in enumerate(row):
        if weight != 0.0:
            total = total + weight * scores[place]
    return total
