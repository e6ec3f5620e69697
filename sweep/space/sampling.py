"""Sampled axes: Sobol, Latin hypercube and random designs of which any slice can be computed alone.

Several quantities share one axis; its points are numbered, and the number is the column ``sample``. Any slice has
the same bits as the same rows of the whole, on any worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sweep.space.axes import Axis, Indices, Value, Values
from sweep.space.marginals import Marginal, Uniforms
from sweep.space.permutation import MAX_SIZE, ROUNDS, permute

Method = Literal["sobol", "latin_hypercube", "random"]

SOBOL_BLOCK = 2**24
CACHED_ROWS = 2**20
TILE = 2**16


@dataclass(frozen=True)
class SampleAxis(Axis):
    """Points drawn together for several quantities; build it with ``sample_axis``.

    ``names`` are the index column first, then the quantities. The index is a column of the result, not a quantity.
    """

    names: tuple[str, ...]
    marginals: tuple[Marginal, ...]
    points: int
    method: Method
    seed: int
    times: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Number of points."""
        return self.points

    @property
    def index(self) -> str:
        """Name of the column that numbers the points."""
        return self.names[0]

    @property
    def key(self) -> frozenset[str]:
        """The names that find a point: the index alone."""
        return frozenset((self.index,))

    def values(self, name: str, start: int, stop: int) -> Values:
        """Return the index, or one quantity in its human unit, at the points ``start`` to ``stop - 1``."""
        if name == self.index:
            return np.arange(start, stop, dtype=np.int64)
        place = self.names.index(name) - 1
        return self.marginals[place].quantile(self._uniforms(place, start, stop))

    def at(self, name: str, indices: Indices) -> Values:
        """Return values at any points: whole tiles are drawn, and the points taken from them."""
        if name == self.index:
            return indices
        if (
            indices.ndim == 1
            and indices.size
            and np.array_equal(indices, np.arange(indices[0], indices[0] + indices.size))
        ):
            return self.values(name, int(indices[0]), int(indices[0]) + indices.size)
        tiles, inverse = np.unique(indices // TILE, return_inverse=True)
        pieces = [self.values(name, tile * TILE, min((tile + 1) * TILE, self.size)) for tile in tiles.tolist()]
        result: Values = np.concatenate(pieces)[inverse.reshape(indices.shape) * TILE + indices % TILE]
        return result

    def find(self, design: Mapping[str, Value]) -> int | None:
        """Return the index a design names, unless a sampled value it also gives is another one."""
        index = design[self.index]
        if isinstance(index, str) or index != int(index) or not 0 <= index < self.size:
            return None
        given = [name for name in self.names if name in design]
        return int(index) if all(self.value(name, int(index)) == design[name] for name in given) else None

    def _uniforms(self, place: int, start: int, stop: int) -> Uniforms:
        if self.method == "sobol":
            draw = _sobol if stop - start <= CACHED_ROWS else _sobol.__wrapped__
            return draw(self.seed, self.index, len(self.marginals), start, stop)[:, place]
        name = f"{self.index}/{self.names[place + 1]}"
        uniforms = random_stream(self.seed, name, start, stop)
        if self.method == "random":
            return uniforms
        keys = _words(self.seed, "latin hypercube", name, count=ROUNDS)
        strata = permute(np.arange(start, stop, dtype=np.int64), self.size, keys)
        return (strata + uniforms) / self.size


def sample_axis(
    marginals: Mapping[str, Marginal],
    points: int,
    method: Method,
    seed: int,
    *,
    index: str = "sample",
    times: Iterable[str] = (),
) -> SampleAxis:
    """Return ``points`` joint draws of several quantities.

    Parameters
    ----------
    marginals
        What each quantity is drawn from. With ``random`` and ``latin_hypercube`` a quantity's draws do not depend on
        which others are sampled; with ``sobol`` they depend on their number and order.
    points
        Number of points; a Sobol sample is best with a power of two.
    method
        ``sobol``: scrambled (t, s)-sequences, each 2**24 points an independent scramble. ``latin_hypercube``: each of
        ``points`` equal slices of every quantity holds one point. ``random``: independent draws.
    seed
        Any whole number from 0.
    index
        Name of the column that numbers the points.
    times
        Quantities whose values are multipliers.

    Raises ``ValueError``.
    """
    if method not in get_args(Method):
        raise ValueError(f"{method} is no sampling method; allowed: {', '.join(get_args(Method))}")
    if not marginals:
        raise ValueError("needs at least one quantity to sample")
    if not 1 <= points <= MAX_SIZE:
        raise ValueError(f"needs between 1 and {MAX_SIZE:.2g} points, not {points}")
    if seed < 0:
        raise ValueError(f"the seed is a whole number from 0, not {seed}")
    if index in marginals:
        raise ValueError(f"{index} numbers the points and cannot be sampled itself")
    return SampleAxis((index, *marginals), tuple(marginals.values()), points, method, seed, frozenset(times))


def _words(seed: int, *labels: str, count: int) -> NDArray[np.uint64]:
    """Return 64-bit keys that depend on the seed and on what they are for, the same on every platform."""
    digest = hashlib.sha256("\n".join(labels).encode()).digest()
    return np.random.SeedSequence([seed, *digest]).generate_state(count, np.uint64).astype(np.uint64)


def random_stream(seed: int, name: str, start: int, stop: int) -> Uniforms:
    """Return uniform numbers of one stream; Philox counts in fours, so the start inside a four is skipped."""
    bits = np.random.Philox(key=_words(seed, "random", name, count=2))
    bits.advance(start // 4)
    skipped = start % 4
    return np.random.Generator(bits).random(skipped + stop - start)[skipped:]


@lru_cache(maxsize=8)
def _sobol(seed: int, name: str, dimensions: int, start: int, stop: int) -> Uniforms:
    """Return rows of scrambled Sobol points; a new scramble begins every ``SOBOL_BLOCK`` rows."""
    pieces = []
    while start < stop:
        block, skipped = divmod(start, SOBOL_BLOCK)
        end = min(stop, (block + 1) * SOBOL_BLOCK)
        key = _words(seed, "sobol", name, str(block), count=4)
        pieces.append(_sobol_block(key, dimensions, skipped, end - start))
        start = end
    points = np.concatenate(pieces) if pieces else np.empty((0, dimensions))
    points.setflags(write=False)
    return points


def _sobol_block(key: NDArray[np.uint64], dimensions: int, skipped: int, count: int) -> Uniforms:
    """Return ``count`` points of one scrambled sequence after the first ``skipped``.

    Two habits of scipy 1.17 are avoided: ``fast_forward(0)`` overflows, and a first draw that is no power of two warns;
    drawing one point first does neither. Skipping costs about 1 ns per point and dimension, hence the block size.
    """
    from scipy.stats import qmc  # noqa: PLC0415  (0.6 s to import: only studies that sample by Sobol pay)

    engine = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(key))
    if skipped:
        engine.fast_forward(skipped)
        return engine.random(count)
    first = engine.random(1)
    return np.concatenate([first, engine.random(count - 1)]) if count > 1 else first
