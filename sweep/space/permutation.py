"""A keyed permutation of 0 .. size-1 of which any element can be computed alone, in no memory.

A balanced Feistel network permutes the smallest even number of bits that holds the size; points that fall outside are
sent through again until they fall inside (cycle walking), which keeps the map one to one.

References: J. Black and P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002, section 5 (cycle walking);
G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (the mixing function).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 8
MAX_SIZE = 2**62
_Words = NDArray[np.uint64]


def permute(indices: NDArray[np.int64], size: int, keys: _Words) -> NDArray[np.int64]:
    """Return where a permutation of 0 .. size-1 sends each index; ``keys`` holds ``ROUNDS`` 64-bit words.

    Size is at most 2**62. About 25 ns per index and pass; fewer than four passes on average.
    """
    half = np.uint64(max(2, ((size - 1).bit_length() + 1) // 2))
    image = _feistel(np.asarray(indices, dtype=np.int64).astype(np.uint64), half, keys)
    outside = np.flatnonzero(image >= size)
    while outside.size:
        moved = _feistel(image[outside], half, keys)
        image[outside] = moved
        outside = outside[moved >= size]
    return image.astype(np.int64)


def _feistel(words: _Words, half: np.uint64, keys: _Words) -> _Words:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = words >> half, words & mask
    for key in keys:
        left, right = right, left ^ (_mix(right + key) & mask)
    mixed: _Words = (left << half) | right
    return mixed


def _mix(x: _Words) -> _Words:
    """Return the 64-bit finaliser of SplitMix64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: _Words = x ^ (x >> np.uint64(31))
    return mixed
