"""How likely each system is the better one, over the draws of the uncertain inputs.

Two rules of decision stand side by side. A planner chooses a design before the world decides: the best one at nominal
values, then judged in every draw. With perfect information the best design of each draw is chosen, and a common limit
is kept where any design keeps it. Draws are common: the same number is the same world for both systems.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantities import quantities
from sweep.answer.equal_basis import Comparison
from sweep.answer.scenarios import Scenarios
from sweep.catalogue import Catalogue
from sweep.dataset.columns import TIMES
from sweep.engine.cells import Cell, cells
from sweep.engine.columns import output_column
from sweep.engine.draws import Drawn, evaluate_draws
from sweep.engine.rows import cell_rows
from sweep.engine.verdict import all_true
from sweep.inputs import inputs_with_origins
from sweep.space import Axis, Block, Chunks, SampleAxis, Space, zip_axis
from sweep.study import Study
from sweep.uncertain import DRAW, Uncertain
from sweep.uncertain.inputs import all_draws
from sweep.uncertain.statistics import base_of, statistics, summarised

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_EVALUATIONS = 30_000_000
"""Designs times draws that an answer computes anew, some twenty seconds; with more there is no answer by draws."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One system in every draw: the goal of its chosen design, and the best goal of any design [column's unit].

    ``kept`` says where the chosen design is feasible and keeps the common limit. Goals are NaN where there is none.
    """

    chosen: Array
    kept: Mask
    best: Array


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the draws in which the first and the second system are better, or alone have a design, and the rest."""

    first: float
    second: float
    neither: float


@dataclass(frozen=True, slots=True)
class Chance:
    """Two systems under one comparison over all draws.

    ``planned`` counts by the goals of the chosen designs, ``informed`` by the best goals of each draw; ``kept`` are the
    shares of draws in which each chosen design is feasible and keeps the limit. ``mean``, ``low`` and ``high`` are of
    the ratio of chosen goals, first over second, ``interval`` the two quantiles. ``regret`` is by how much each chosen
    design is worse than the best of its system where it keeps the limit, on average [fraction]. ``foresight`` is what
    knowing the draw before choosing between the two chosen designs saves on average [fraction of the better mean].
    ``decisive`` are the uncertain inputs with their rank correlation with the ratio, the strongest first.
    """

    comparison: Comparison
    systems: tuple[str, str]
    draws: int
    planned: Shares
    informed: Shares
    kept: tuple[float, float]
    mean: float
    low: float
    high: float
    interval: tuple[float, float]
    regret: tuple[float, float]
    foresight: float
    decisive: tuple[tuple[str, float], ...]


def chances(
    study: Study,
    catalogue: Catalogue,
    scenarios: Scenarios,
    comparisons: Sequence[Comparison],
    systems: Sequence[str],
) -> dict[tuple[Comparison, str], Chance]:
    """Return the chances of the first system against every other, in the nominal scenario, by comparison and other.

    Nothing where nothing is uncertain, or where the designs times draws are more than ``MOST_EVALUATIONS``.
    """
    uncertain = study.uncertain
    if uncertain is None or len(systems) < 2 or not comparisons:
        return {}
    jobs = [(system, workload) for workload in {each.workload for each in comparisons} for system in systems]
    places = {(system, job): _blocks(study, scenarios, system, job) for system, job in jobs}
    if sum(block.size for blocks in places.values() for block in blocks) * uncertain.draws > MOST_EVALUATIONS:
        return {}
    judged: dict[tuple[Comparison, str], Judged] = {}
    for (system, workload), blocks in places.items():
        here = [each for each in comparisons if each.workload == workload]
        for each, found in zip(here, _judge(study, catalogue, blocks, here), strict=True):
            judged[each, system] = found
    first = systems[0]
    return {
        (each, other): _chance(uncertain, each, (first, other), judged[each, first], judged[each, other])
        for each in comparisons
        for other in systems[1:]
    }


def _blocks(study: Study, scenarios: Scenarios, system: str, workload: str) -> list[Block]:
    """Return the designs of a system for a workload in the nominal scenario, as blocks without the axis of draws."""
    wanted: Mapping[str, Any] = {"system": system, "workload": workload, **scenarios.nominal(system)}
    found = []
    for block in study.space.blocks:
        if any(wanted.get(name, value) != value for name, value in block.constants.items()):
            continue
        axes = [_only(axis, wanted) for axis in block.axes if axis.names != (DRAW,)]
        if all(axis is not None for axis in axes):
            kept = tuple(axis for axis in axes if axis is not None)
            found.append(replace(block, axes=kept, offset=0, partition=()))
    return found


def _only(axis: Axis, wanted: Mapping[str, Any]) -> Axis | None:
    """Return an axis with the points that have the wanted values; None when there are none."""
    named = {name: name + TIMES if name in axis.times else name for name in axis.names}
    fixed = {name: wanted[column] for name, column in named.items() if column in wanted}
    if not fixed:
        return axis
    here = np.ones(axis.size, dtype=np.bool_)
    for name, value in fixed.items():
        here &= axis.values(name, 0, axis.size) == value
    places = np.flatnonzero(here)
    if not places.size:
        return None
    names = [name for name in axis.names if not (isinstance(axis, SampleAxis) and name == axis.index)]
    return zip_axis({name: axis.at(name, places).tolist() for name in names}, axis.times)


def _judge(
    study: Study, catalogue: Catalogue, blocks: Sequence[Block], comparisons: Sequence[Comparison]
) -> list[Judged]:
    """Return how one system fares under each comparison, from one evaluation of all its designs in all draws."""
    assert study.uncertain is not None
    races = [_Race(study, each, study.uncertain.draws) for each in comparisons]
    for cell in _cells(study, blocks):
        with np.errstate(all="ignore"):  # NaN and infinity are values here: unknown, or never
            nominal = inputs_with_origins(study, catalogue, cell.structural, cell.mesh, cell.times)
            passing = all_true(study.where, nominal.values)
            if not passing.any():
                continue
            drawn = evaluate_draws(study, catalogue, cell, np.arange(study.uncertain.draws))
            decided = evaluate_draws(study, catalogue, cell, None)
            for race in races:
                race.enter(cell, passing, decided, drawn)
    return [race.judged() for race in races]


def _cells(study: Study, blocks: Sequence[Block]) -> Iterator[Cell]:
    for block in blocks:
        yield from cells(Chunks(Space.of([block]), max(block.size, 1))[0], _most(study))


def _most(study: Study) -> int:
    """Return the most designs of one cell, as in a run that keeps statistics."""
    assert study.uncertain is not None
    return cell_rows(replace(study, uncertain=replace(study.uncertain, rows="quantiles")))


class _Race:
    """The designs of one system under one comparison, entered cell by cell; less is better inside."""

    def __init__(self, study: Study, comparison: Comparison, draws: int) -> None:
        self.study = study
        self.comparison = comparison
        self.sign = 1.0 if comparison.goal.direction == "minimize" else -1.0
        self.name = base_of(comparison.goal.name, study.uncertain)
        self.score = math.inf
        self.chosen = np.full(draws, np.nan)
        self.kept = np.zeros(draws, dtype=np.bool_)
        self.best = np.full(draws, np.inf)

    def enter(self, cell: Cell, passing: Mask, decided: Drawn, drawn: Drawn) -> None:
        """Take the designs of a cell into account; of equal ones the first stays chosen."""
        designs = (math.prod(cell.shape), self.best.size)
        shape = (*cell.shape, self.best.size)
        goals = np.broadcast_to(self._goals(drawn), shape).reshape(designs)
        keeps = np.broadcast_to(self._keeps(drawn), shape).reshape(designs) & np.isfinite(goals)
        feasible = np.broadcast_to(drawn.feasible, shape).reshape(designs)
        may = np.broadcast_to(passing, cell.shape).reshape(-1)
        bests = np.where(keeps & may[:, np.newaxis], goals, np.inf).min(axis=0)
        self.best = np.minimum(self.best, bests)
        scores = np.where(may, self._scores(cell, decided, goals, keeps), np.inf)
        place = int(np.argmin(scores))
        if scores[place] < self.score:
            self.score = float(scores[place])
            self.chosen = np.where(feasible[place], goals[place], np.nan)
            self.kept = np.array(keeps[place])

    def judged(self) -> Judged:
        """Return what was found, in the unit of the goal's column."""
        best = np.where(np.isfinite(self.best), self.best, np.nan)
        return Judged(self._shown(self.chosen), self.kept, self._shown(best))

    def _scores(self, cell: Cell, decided: Drawn, goals: Array, keeps: Mask) -> Array:
        """Return by what each design of a cell is chosen: its nominal goal, or the statistic that is the objective."""
        suffix = self.comparison.goal.name.removeprefix(f"{self.name}_")
        wanted = [each for each in statistics(self.study.uncertain) if each.suffix == suffix]
        if self.comparison.goal.name != self.name and wanted:
            found = self.sign * summarised(self.sign * goals, keeps, wanted)[suffix]
        else:
            value = np.where(self._keeps(decided), self._goals(decided), np.inf)
            found = np.broadcast_to(value, cell.shape).reshape(-1)
        return np.where(np.isnan(found), np.inf, found)

    def _goals(self, drawn: Drawn) -> Array:
        """Return the goal in SI, its sign turned where more is better."""
        return self.sign * np.asarray(drawn.known.get(self.name, np.nan), dtype=np.float64)

    def _keeps(self, drawn: Drawn) -> Mask:
        """Return where a design is feasible and within the common limit."""
        basis = self.comparison.basis
        if basis is None:
            return drawn.feasible
        return drawn.feasible & (np.asarray(drawn.known.get(basis.metric, np.nan)) <= basis.limit)

    def _shown(self, goals: Array) -> Array:
        return self.sign * output_column(self.study, self.name).from_si(goals)


def _chance(
    uncertain: Uncertain, comparison: Comparison, systems: tuple[str, str], first: Judged, second: Judged
) -> Chance:
    minimize = comparison.goal.direction == "minimize"
    with np.errstate(all="ignore"):
        ratio = first.chosen / second.chosen
    known = np.isfinite(ratio)
    shares = (min(uncertain.quantiles), max(uncertain.quantiles))
    low, high = np.quantile(ratio[known], shares) if known.any() else (math.nan, math.nan)
    return Chance(
        comparison=comparison,
        systems=systems,
        draws=uncertain.draws,
        planned=_shares(first.chosen, second.chosen, minimize=minimize),
        informed=_shares(first.best, second.best, minimize=minimize),
        kept=(float(first.kept.mean()), float(second.kept.mean())),
        mean=float(ratio[known].mean()) if known.any() else math.nan,
        low=float(low),
        high=float(high),
        interval=shares,
        regret=(_regret(first), _regret(second)),
        foresight=_foresight(first.chosen[known], second.chosen[known], minimize=minimize),
        decisive=_decisive(uncertain, systems, ratio),
    )


def _shares(first: Array, second: Array, *, minimize: bool) -> Shares:
    """Return how often each is better; one that has no goal loses against one that has."""
    worst = math.inf if minimize else -math.inf
    a, b = (np.where(np.isfinite(goals), goals, worst) for goals in (first, second))
    less, more = float((a < b).mean()), float((a > b).mean())
    return Shares(less, more, 1 - less - more) if minimize else Shares(more, less, 1 - less - more)


def _regret(judged: Judged) -> float:
    known = judged.kept & np.isfinite(judged.best)
    if not known.any():
        return math.nan
    return float(np.abs(judged.chosen[known] / judged.best[known] - 1).mean())


def _foresight(first: Array, second: Array, *, minimize: bool) -> float:
    """Return what choosing between two designs in hindsight saves, over the better mean; NaN without draws."""
    if not first.size:
        return math.nan
    means = (float(first.mean()), float(second.mean()))
    if minimize:
        return 1 - float(np.minimum(first, second).mean()) / min(means)
    return float(np.maximum(first, second).mean()) / max(means) - 1


def _decisive(uncertain: Uncertain, systems: Sequence[str], ratio: Array) -> tuple[tuple[str, float], ...]:
    """Return the inputs of two systems with their rank correlation with the ratio, over the draws that have one."""
    known = np.isfinite(ratio)
    if known.sum() < 2 or np.ptp(ratio[known]) == 0:
        return ()
    labels = dict.fromkeys(each.label for system in systems for each in uncertain.of(system).values())
    drawn = all_draws(uncertain)
    found = [(label, rank_correlation(drawn[label][known], ratio[known])) for label in labels]
    return tuple(sorted(found, key=lambda pair: -abs(pair[1])))


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's rank correlation; equal values share their mean rank. 0 where either never changes."""
    a, b = (_ranks(values) for values in (first, second))
    spread = math.sqrt(float((a**2).sum()) * float((b**2).sum()))
    return float((a * b).sum()) / spread if spread else 0.0


def _ranks(values: Array) -> Array:
    """Return ranks less their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]
    return np.asarray(ranks - ranks.mean(), dtype=np.float64)


def unit_of_goal(study: Study, comparison: Comparison) -> str:
    """Return the unit in which goals are judged."""
    name = base_of(comparison.goal.name, study.uncertain)
    return quantities()[name].unit if name in quantities() else study.metrics[name].si_unit
