"""The true optimum of a space: every structural cell solved, or shown to hold nothing better.

Cells are first bounded (``sweep.search.bounds``), then solved from the most promising on. A cell whose bound is worse
than what is known is skipped; where time runs out, the least bound of the cells left says how far the best known design
can be from the optimum.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sweep.search.batch import Evaluator
from sweep.search.bounds import least
from sweep.search.cells import Array, CellBlock, Indices, cell_blocks
from sweep.search.consistency import check_best, check_bounds
from sweep.search.exact import Found, front
from sweep.search.goals import Over, score
from sweep.study import Objective

UNBOUNDED_ROWS = 20_000
UNBOUNDED_CELLS = 128
"""A space of no more rows and cells is solved without bounds: they would take longer than they save."""
SECONDS = 600.0
WITHIN = 0.05
KEPT = 1_000_000
"""Most near-optimal designs that are remembered one by one."""
TIE = 1e-12
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Proof:
    """What an enumeration shows.

    ``best`` is the optimum, or the whole front; of all designs when ``complete``, otherwise of those solved. ``near``
    are the feasible designs within ``within`` of the optimum of one goal, best first, and ``near_values`` their goal.
    ``cells`` counts structural cells, ``solved`` and ``skipped`` say what became of them. ``bound`` is a limit that no
    design passes (one goal; None when nothing is known), ``designs`` the combinations of levers. ``ceiling`` is its
    like for several goals, (points, goals), to be minimised: every design is beaten or equalled by one of these points,
    which are those of the best known designs and the bounds of the cells left.
    """

    best: tuple[Found, ...]
    complete: bool
    designs: int
    cells: int
    solved: int
    skipped: int
    bound: float | None
    within: float
    near: tuple[tuple[int, int, int], ...] = field(repr=False)
    near_values: Array = field(repr=False)
    seconds: float = 0.0
    ceiling: Array | None = field(default=None, repr=False)

    def bounds(self, goals: Sequence[Objective]) -> tuple[float, ...]:
        """Return for each goal a limit that no design passes, in its own direction; none when they are not known."""
        if self.ceiling is None:
            return () if self.bound is None else (self.bound,)
        pairs = zip(self.ceiling.min(axis=0).tolist(), goals, strict=True)
        return tuple(value if goal.direction == "minimize" else -value for value, goal in pairs)

    def share(self, blocks: Sequence[CellBlock], regret: float) -> float:
        """Return the probability that one random draw is within ``regret`` of the optimum; NaN when not known.

        A draw takes a block, then a place on each of its axes, all equally likely.
        """
        if not self.complete or not self.near or regret > self.within:
            return float("nan")
        limit = self.near_values[0] + regret * abs(self.near_values[0])
        good = [each for each, value in zip(self.near, self.near_values, strict=True) if value <= limit]
        sizes = [block.cells * block.designs for block in blocks]
        return sum(1 / sizes[number] for number, _, _ in good) / len(sizes)


@dataclass
class _Pool:
    """The best of what was solved: places (block, cell, design) with their goals, to be minimised.

    ``exact`` when the goals are those that a trial is told to the last bit; means over scenarios are summed otherwise.
    """

    goals: int
    within: float
    exact: bool
    places: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    values: Array = field(init=False)

    def __post_init__(self) -> None:
        self.values = np.zeros((0, self.goals))

    def add(self, number: int, cells: Indices, solved: Array) -> None:
        """Take in the goals (goals, cells, designs) of some cells."""
        flat = solved.reshape(len(solved), -1)
        good = np.flatnonzero(np.isfinite(flat).all(axis=0))
        if self.goals == 1 and good.size:
            best = min(self.best, float(flat[0, good].min()))
            good = good[flat[0, good] <= _worse(best, self.within)]
        elif good.size:
            good = good[_nondominated(flat[:, good].T, exact=self.exact)]
        cell, design = np.divmod(good, solved.shape[2])
        places = np.stack([np.full(good.size, number), cells[cell], design], axis=1)
        values = flat[:, good].T.reshape(good.size, self.goals)
        self.places = np.concatenate([self.places, places])
        self.values = np.concatenate([self.values, values])
        self._trim()

    def _trim(self) -> None:
        if not len(self.values):
            return
        if self.goals == 1:
            kept = np.flatnonzero(self.values[:, 0] <= _worse(self.best, self.within))
            kept = kept[np.argsort(self.values[kept, 0], kind="stable")][:KEPT]
        else:
            kept = np.flatnonzero(_nondominated(self.values, exact=self.exact))
        self.places, self.values = self.places[kept], self.values[kept]

    @property
    def best(self) -> float:
        """The best of one goal, infinite when nothing is feasible."""
        return float(self.values[:, 0].min()) if len(self.values) else np.inf

    def beats(self, bound: Array) -> bool:
        """Whether no design of a cell with this bound on each goal is wanted."""
        if (bound == np.inf).any():
            return True
        if self.goals == 1:
            return bool(bound[0] > _worse(self.best, self.within))
        return bool(((self.values <= bound).all(axis=1) & (self.values < bound).any(axis=1)).any())


def _worse(value: float, within: float) -> float:
    return value + (within + TIE) * abs(value) if np.isfinite(value) else value


def _nondominated(values: Array, *, exact: bool) -> NDArray[np.bool_]:
    """Return which rows no other row beats; unless ``exact``, which rows none beats beyond rounding in every goal."""
    import moocore  # noqa: PLC0415

    best = np.asarray(moocore.is_nondominated(np.ascontiguousarray(values), keep_weakly=True), dtype=np.bool_)
    if exact:
        return best
    kept = np.ones(len(values), dtype=np.bool_)
    safely = values - TIE * np.abs(values)
    for each in np.unique(values[best], axis=0):
        kept &= ~(each <= safely).all(axis=1)
    return kept


def enumerated(
    evaluator: Evaluator,
    goals: Sequence[Objective],
    over: Over,
    *,
    seconds: float = SECONDS,
    within: float = WITHIN,
    known: Sequence[Found] = (),
    bounded: bool | None = None,
    progress: Progress | None = None,
) -> Proof:
    """Return the optimum (or the front) of all combinations of levers, or how far it can be from what is known.

    Parameters
    ----------
    seconds
        Time after which the rest is left to its bound.
    within
        Part of the optimum up to which designs of one goal are collected; cells that could hold one are solved.
    known
        Designs that a search has found: cells that cannot be better are skipped from the start.
    bounded
        Whether cells are bounded first; those of large spaces are unless said otherwise.
    progress
        Called with the designs done and their number.

    Raises ``FalseProofError`` when a known design contradicts it.
    """
    work = _Enumeration(evaluator.only([goal.name for goal in goals]), tuple(goals), over, within, seconds, progress)
    work.learn([each for each in known if each.feasible])
    proof = work.run(bounded=bounded)
    if proof.complete:
        check_best(proof.best, work.standard, goals)
    return proof


class _Enumeration:
    """One enumeration under way."""

    def __init__(
        self,
        evaluator: Evaluator,
        goals: tuple[Objective, ...],
        over: Over,
        within: float,
        seconds: float,
        progress: Progress | None,
    ) -> None:
        self.evaluator, self.goals, self.over, self.progress = evaluator, goals, over, progress
        self.started = time.perf_counter()
        self.end = self.started + seconds
        self.blocks = cell_blocks(evaluator)
        exact = over == "worst" or all(block.scenarios == 1 for block in self.blocks)
        self.pool = _Pool(len(goals), within, exact)
        self.known = _Pool(len(goals), within, exact)
        self.solved = self.skipped = self.done = 0
        self.standard: Sequence[Found] = ()

    def learn(self, known: Sequence[Found]) -> None:
        """Take the goals of known designs as a standard; they are found again when their cells are solved."""
        self.standard = known
        if known:
            signs = np.array([1.0 if goal.direction == "minimize" else -1.0 for goal in self.goals])
            values = (signs * np.array([each.score.values for each in known])).T
            self.known.add(-1, np.zeros(1, dtype=np.int64), values[:, np.newaxis, :])

    def run(self, *, bounded: bool | None) -> Proof:
        """Bound, sort, solve."""
        rows = sum(block.cells * block.designs * block.scenarios for block in self.blocks)
        large = rows > UNBOUNDED_ROWS or sum(block.cells for block in self.blocks) > UNBOUNDED_CELLS
        bounded = large if bounded is None else bounded
        numbers = np.concatenate([np.full(block.cells, block.number) for block in self.blocks])
        cells = np.concatenate([np.arange(block.cells) for block in self.blocks])
        bounds = np.full((len(self.goals), cells.size), -np.inf)
        if bounded:
            bounds = np.concatenate([self._bounds(block) for block in self.blocks], axis=1)
            check_bounds(self.blocks, bounds, self.standard, self.goals)
        order = self._order(bounds)
        left = self._solve(numbers[order], cells[order], bounds[:, order])
        best = self._rescored()
        bound = self._bound(best, bounds[0, order[left:]])
        near = tuple((int(a), int(b), int(c)) for a, b, c in self.pool.places)
        total = sum(block.cells * block.designs for block in self.blocks)
        return Proof(
            best=best,
            complete=left == cells.size,
            designs=total,
            cells=cells.size,
            solved=self.solved,
            skipped=self.skipped,
            bound=bound,
            within=self.pool.within,
            near=near if len(self.goals) == 1 else (),
            near_values=self.pool.values[:, 0] if len(self.pool.values) else np.zeros(0),
            seconds=time.perf_counter() - self.started,
            ceiling=self._ceiling(bounds[:, order[left:]]),
        )

    def _order(self, bounds: Array) -> Indices:
        """Return the cells from the most promising on.

        For several goals these are the ones whose bound lies farthest beyond the known front: by the additive epsilon
        indicator (Zitzler et al. 2003), the shift of the bound, in spans of the front, after which the front covers it.
        """
        front = self.known.values
        if len(self.goals) == 1 or not len(front):
            return np.argsort(bounds[0], kind="stable")
        span = np.ptp(front, axis=0)
        span = np.where(span > 0, span, np.maximum(np.abs(front[0]), 1e-300))
        shift = np.full(bounds.shape[1], np.inf)
        for each in front:
            np.minimum(shift, ((each - bounds.T) / span).max(axis=1), out=shift)
        return np.argsort(-shift, kind="stable")

    def _bounds(self, block: CellBlock) -> Array:
        """Return the bound of every cell of a block; one that there is no time for is minus infinity."""
        alike, inverse = np.unique(block.alike(np.arange(block.cells)), return_inverse=True)
        found = np.full((len(self.goals), alike.size), -np.inf)
        for start in range(0, alike.size, block.step):
            if time.perf_counter() > self.end:
                break
            piece = slice(start, start + block.step)
            found[:, piece] = least(block, alike[piece], self.goals, self.over)
        return found[:, inverse]

    def _solve(self, numbers: NDArray[np.int64], cells: Indices, bounds: Array) -> int:
        """Solve cells in order, in batches of one block; return how many were dealt with in time."""
        at = 0
        while at < cells.size:
            if self._beaten(bounds[:, at]):
                self._advance(numbers[at], 1, skipped=True)
                at += 1
                continue
            if time.perf_counter() > self.end:
                break
            block = self.blocks[numbers[at]]
            stop = min(at + block.step, cells.size)
            same = np.flatnonzero(numbers[at:stop] != numbers[at])
            stop = at + int(same[0]) if same.size else stop
            wanted = np.array([place for place in range(at, stop) if not self._beaten(bounds[:, place])])
            self.pool.add(block.number, cells[wanted], block.solve(cells[wanted], self.goals, self.over))
            self._advance(block.number, wanted.size, skipped=False)
            self._advance(block.number, stop - at - wanted.size, skipped=True)
            at = stop
        return at

    def _beaten(self, bound: Array) -> bool:
        return self.pool.beats(bound) or self.known.beats(bound)

    def _advance(self, number: int, cells: int, *, skipped: bool) -> None:
        if skipped:
            self.skipped += cells
        else:
            self.solved += cells
        self.done += cells * self.blocks[number].designs
        if self.progress is not None and cells:
            self.progress(self.done, self.evaluator.levers.size)

    def _rescored(self) -> tuple[Found, ...]:
        """Return the best again as a trial would score them, to the last bit."""
        places, values = self.pool.places, self.pool.values
        if len(self.goals) == 1 and len(values):
            places = places[values[:, 0] <= _worse(self.pool.best, TIE)][:256]
        points = [self.blocks[number].point(cell, design) for number, cell, design in places.tolist()]
        rows = self.evaluator.rows(points)
        scored = {point: Found(None, point, score(table, self.goals, self.over)) for point, table in rows}
        return front([scored[point] for point in sorted(scored, key=lambda p: (p.block, p.places))], self.goals)

    def _bound(self, best: tuple[Found, ...], left: Array) -> float | None:
        """Return the limit of one goal in its own direction: the optimum when all is dealt with."""
        if len(self.goals) != 1:
            return None
        sign = 1.0 if self.goals[0].direction == "minimize" else -1.0
        ends = [sign * best[0].score.values[0]] if best else []
        ends += [float(left.min())] if left.size else []
        return sign * min(ends) if ends and np.isfinite(min(ends)) else None

    def _ceiling(self, left: Array) -> Array | None:
        """Return points, one of which every design is beaten or equalled by; None for one goal or without bounds."""
        open_cells = [bound for bound in left.T if not self._beaten(bound)]
        if len(self.goals) == 1 or not np.isfinite(open_cells).all():
            return None
        points = np.concatenate([self.known.values, self.pool.values, np.reshape(open_cells, (-1, len(self.goals)))])
        return points[_nondominated(points, exact=True)] if len(points) else None
