"""The figures the model is held to: what each should be, what it is, and on how many rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from sweep.accuracy.case import Prediction
from sweep.accuracy.choices import IN_SAMPLE, WITHOUT_CHIP, WITHOUT_SOURCE
from sweep.accuracy.collectives import CollectiveError
from sweep.accuracy.figures import Statistics, errors, noise_floor, statistics
from sweep.accuracy.mapping_choice import mapping_sweeps
from sweep.accuracy.tiers import Tiers

Sense = Literal["at most", "at least", "within", "none"]

KORTHIKANTI: Final = tuple(f"korthikanti22-{number:04d}" for number in range(1, 9))
"""The eight runs of Table 5 of arXiv:2205.05198: four model sizes, with full and with selective recomputation."""

MEGABYTE: Final = 1e6

ASCEND: Final = "ascend-910b"
TUNED: Final = "mlperf"
"""Submissions tuned by their vendors: what the search for the best mapping is held against."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its target.

    ``reached`` and ``target`` are fractions (``unit`` "%") or pure numbers (``unit`` ""). ``sense`` says which side of
    the target is right; "within" is about the absolute value. ``source_mean`` stands beside a mean over rows: the mean
    over sources of the source means, NaN where it has no meaning. ``rows`` counts what it was computed from.
    """

    name: str
    split: str
    rows: int
    sense: Sense
    target: float
    reached: float
    source_mean: float = math.nan
    unit: str = "%"

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none, or nothing to hold against it."""
        if self.sense == "none" or math.isnan(self.reached):
            return None
        if self.sense == "at least":
            return self.reached >= self.target
        return (abs(self.reached) if self.sense == "within" else self.reached) <= self.target


def figures(
    splits: Mapping[str, Sequence[Prediction]], left_out: int, tiers: Tiers, others: Sequence[Figure] = ()
) -> list[Figure]:
    """Return every figure.

    Parameters
    ----------
    splits
        Predictions of the same runs by split; all of ``choices.SPLITS``.
    left_out
        Number of published rows that are not predicted.
    tiers
        Tiers of the runs.
    others
        Figures that are not computed from predicted runs: collectives, kernels.
    """
    fitted, without_source = splits[IN_SAMPLE], splits[WITHOUT_SOURCE]
    rows = len(fitted) + left_out
    known = Figure("rows predicted", "", rows, "at least", 0.90, len(fitted) / rows if rows else math.nan)
    return [
        known,
        *_tier_1(without_source, tiers),
        *_other_tiers(without_source, splits[WITHOUT_CHIP], tiers),
        *_named(fitted, without_source, tiers),
        *_mapping(without_source),
        *others,
        _noise(fitted),
    ]


def collective_figure(found: Sequence[CollectiveError]) -> Figure:
    """Return the figure of collectives of 1 MB and more."""
    size = np.array([abs(each.predicted / each.measured - 1.0) for each in found if each.bytes >= MEGABYTE])
    mean = float(size.mean()) if len(size) else math.nan
    return Figure("collectives of 1 MB and more: mean error", "", len(size), "at most", 0.12, mean)


def kernel_figure(rows: int, median: float) -> Figure:
    """Return the figure of matrix products from the median absolute error of measured kernels."""
    return Figure("matrix product kernels: median error, mean over chips", "", rows, "at most", 0.08, median)


def _tier_1(predictions: Sequence[Prediction], tiers: Tiers) -> list[Figure]:
    stated = [each for each in predictions if each.case.stated and not each.case.microbenchmark]
    covered = [each for each in stated if tiers.covered(each.case)]
    other = [each for each in stated if not tiers.covered(each.case)]
    dense = [each for each in covered if not each.case.moe]
    mixtures = [each for each in covered if each.case.moe]
    name = "tier 1, covered"
    said = statistics(covered)
    return [
        *_mean_median(name, WITHOUT_SOURCE, said, 0.075, 0.05),
        *_mean_median(f"{name}, dense", WITHOUT_SOURCE, statistics(dense), 0.065, 0.045),
        *_mean_median(f"{name}, mixture of experts", WITHOUT_SOURCE, statistics(mixtures), 0.12, 0.09),
        *_mean_median("tier 1, otherwise", WITHOUT_SOURCE, statistics(other), 0.12, 0.08),
        Figure(f"{name}: rows within 10 %", WITHOUT_SOURCE, said.rows, "at least", 0.75, said.within_10),
        Figure(f"{name}: rows within 20 %", WITHOUT_SOURCE, said.rows, "at least", 0.94, said.within_20),
    ]


def _other_tiers(predictions: Sequence[Prediction], without_chip: Sequence[Prediction], tiers: Tiers) -> list[Figure]:
    ranges = statistics([each for each in predictions if not each.case.stated and not each.case.microbenchmark])
    blind = [each for each in without_chip if tiers.blind(each.case) and not each.case.microbenchmark]
    alone = statistics(blind)
    single = statistics([each for each in predictions if each.case.microbenchmark])
    return [
        _mean("tier 2: distance to the range, mean", WITHOUT_SOURCE, ranges, 0.06),
        Figure("tier 2: width of the range, median", WITHOUT_SOURCE, ranges.ranges, "at most", 0.25, ranges.width),
        Figure("tier 3: median error", WITHOUT_CHIP, alone.rows, "at most", 0.15, alone.median),
        _mean("microbenchmarks on one node: mean error", WITHOUT_SOURCE, single, 0.15),
    ]


def _named(fitted: Sequence[Prediction], without_source: Sequence[Prediction], tiers: Tiers) -> list[Figure]:
    found: list[Figure] = []
    for split, predictions in ((IN_SAMPLE, fitted), (WITHOUT_SOURCE, without_source)):
        size = np.abs(errors([each for each in predictions if each.case.name in KORTHIKANTI]))
        known = len(size) > 0
        name = "Korthikanti 2022, eight rows"
        found += [
            Figure(
                f"{name}: mean error", split, len(size), "at most", 0.036, float(size.mean()) if known else math.nan
            ),
            Figure(
                f"{name}: largest error", split, len(size), "at most", 0.08, float(size.max()) if known else math.nan
            ),
        ]
    ascend = statistics([each for each in without_source if tiers.chips[each.case.system] == ASCEND])
    return [*found, _mean("Ascend 910B: mean error", WITHOUT_SOURCE, ascend, 0.12)]


def _mapping(predictions: Sequence[Prediction]) -> list[Figure]:
    clusters = [each for each in predictions if not each.case.microbenchmark]
    nodes = [each for each in predictions if each.case.microbenchmark]
    searched = [each for each in predictions if each.case.searched and each.case.source == TUNED]
    tuned = statistics([replace(each, high=each.low) for each in searched])
    return [
        *_choice("mapping choice", clusters),
        *_choice("mapping choice on one node", nodes),
        Figure("searched optimum against tuned runs: bias", WITHOUT_SOURCE, tuned.rows, "within", 0.08, tuned.bias),
    ]


def _choice(name: str, predictions: Sequence[Prediction]) -> tuple[Figure, Figure]:
    sweeps = mapping_sweeps(predictions)
    correlation, loss = math.nan, math.nan
    if sweeps:
        correlation = float(np.mean([each.correlation for each in sweeps]))
        loss = float(np.mean([each.loss for each in sweeps]))
    rows, name = sum(each.mappings for each in sweeps), f"{name}, {len(sweeps)} sweeps"
    return (
        Figure(f"{name}: mean rank correlation", WITHOUT_SOURCE, rows, "at least", 0.85, correlation, unit=""),
        Figure(f"{name}: mean loss of the pick", WITHOUT_SOURCE, rows, "at most", 0.05, loss),
    )


def _noise(predictions: Sequence[Prediction]) -> Figure:
    rows, error = noise_floor([each for each in predictions if not each.case.microbenchmark])
    return Figure("noise floor: repeats of one configuration", "", rows, "none", math.nan, error)


def _mean_median(name: str, split: str, said: Statistics, mean: float, median: float) -> tuple[Figure, Figure]:
    return (
        _mean(f"{name}: mean error", split, said, mean),
        Figure(f"{name}: median error", split, said.rows, "at most", median, said.median),
    )


def _mean(name: str, split: str, said: Statistics, target: float) -> Figure:
    return Figure(name, split, said.rows, "at most", target, said.mean, source_mean=said.source_mean)
