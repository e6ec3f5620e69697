"""Sensitivity of a study: which of its inputs decides each metric, across the whole space and around one design.

Every input is drawn evenly and independently of the others, over all that the study sweeps: the indices say what
decides within these ranges, not within others. Sobol indices need a value at every point. Where some designs are
infeasible (or ``where`` drops them) the feasible ones no longer fill a cube, and a variance conditional on feasibility
has no Sobol decomposition: then the share of each input alone is estimated from the feasible points, and Sobol indices
are given for feasibility itself, which has a value everywhere.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sweep.catalogue import Catalogue
from sweep.dataset.columns import Column
from sweep.errors import StudyError, SweepError
from sweep.sensitivity.base import Progress, base_of, best_base
from sweep.sensitivity.design import Saltelli, Trajectories
from sweep.sensitivity.indices import (
    Effect,
    Index,
    Pair,
    first_from_data,
    morris_effects,
    require_salib,
    sobol_indices,
)
from sweep.sensitivity.inputs import Inputs
from sweep.sensitivity.points import MOST_ROWS, Model
from sweep.sensitivity.sources import Uniforms
from sweep.sensitivity.tornado import Tornado, tornado
from sweep.sensitivity.unknown import unknown_error
from sweep.study import Study

Method = Literal["sobol", "morris"]
SAMPLES: dict[Method, int] = {"sobol": 1024, "morris": 64}
FEWEST = 200
"""Fewest feasible points from which shares are estimated."""
FIRST_ROWS, LOOKS = 64, 32
"""Designs of the first call, so that it is soon known how long all take; about how often it is said how far it is."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to look: ``samples`` rows of the base design or trajectories; ``at`` a design, or None for the best one."""

    method: Method = "sobol"
    samples: int | None = None
    seed: int = 0
    second_order: bool = False
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What decides one output, the most important input first.

    ``kind`` is sobol, data (shares of each input alone, from the feasible designs), morris, or constant. The statistics
    are over the designs that have a value [unit of the column].
    """

    kind: Literal["sobol", "data", "morris", "constant"]
    mean: float
    deviation: float
    low: float
    high: float
    indices: tuple[Index, ...] = ()
    pairs: tuple[Pair, ...] = ()
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The answer: ``metrics`` and ``decided`` go together; ``feasibility`` is None when every design is feasible.

    ``reasons`` counts designs without a value by what keeps them from one; ``unknown`` is the share of designs, by
    metric, that are feasible but depend on an unknown fact.
    """

    inputs: Inputs
    options: Options
    samples: int
    evaluations: int
    metrics: tuple[Column, ...]
    decided: tuple[Decided, ...]
    feasibility: Decided | None
    reasons: Counter[str]
    unknown: tuple[float, ...]
    around: Tornado | None
    seconds: float = field(compare=False)

    @property
    def infeasible(self) -> float:
        """Share of the designs that have no metrics."""
        return sum(self.reasons.values()) / self.evaluations


def sensitivity(
    study: Study, catalogue: Catalogue, metrics: Sequence[str], options: Options, progress: Progress | None = None
) -> Sensitivity:
    """Say which inputs of a study decide its metrics.

    Raises
    ------
    StudyError
        A name is no metric, fewer than two inputs are swept, no or few designs are feasible, a metric is known nowhere,
        or the method cannot take infeasible designs.
    SweepError
        SALib is not installed.
    """
    started = time.perf_counter()
    require_salib()
    model = Model.of(study, catalogue, metrics)
    named = None if options.at is None else base_of(study, options.at)
    design = _design(len(model.inputs.every), options)
    values, reasons = _evaluated(model, design, progress)
    feasible = reasons == ""
    blocked = Counter(reasons[~feasible].tolist())
    _refuse_infeasible(blocked, design.rows, options)
    known = np.isfinite(values)
    for column, row in zip(model.metrics, known, strict=True):
        if not row.any():
            place = int(np.flatnonzero(feasible)[0])
            raise unknown_error(study, catalogue, column, model.chunk_at(design.block(place, place + 1)))
    work = _Analysis(model.inputs, design, options.seed)
    decided = tuple(work.decided(row) for row in values)
    base = best_base(model, options.seed, progress) if named is None else named
    around = None if base is None else tornado(model, base)
    return Sensitivity(
        model.inputs, options, design.samples, design.rows, model.metrics, decided,
        None if feasible.all() or isinstance(design, Trajectories) else work.decided(feasible.astype(np.float64)),
        blocked, tuple(float((feasible & ~row).mean()) for row in known), around, time.perf_counter() - started,
    )  # fmt: skip


def power_of_two(samples: int) -> int:
    """Return the next power of two, at which a Sobol sequence is balanced."""
    return 1 << (samples - 1).bit_length()


def _design(inputs: int, options: Options) -> Saltelli | Trajectories:
    samples = SAMPLES[options.method] if options.samples is None else options.samples
    if options.method == "morris":
        return Trajectories(inputs, samples, options.seed)
    return Saltelli(inputs, power_of_two(samples), options.seed, options.second_order)


def _evaluated(
    model: Model, design: Saltelli | Trajectories, progress: Progress | None
) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Return the metrics, shape (metrics, rows), and the reasons of all rows of a design.

    Raises ``StudyError`` as soon as too few of them can be left.
    """
    values, reasons = np.empty((len(model.metrics), design.rows)), np.empty(design.rows, dtype=np.object_)
    start, step = 0, FIRST_ROWS
    while start < design.rows:
        stop = min(start + step, design.rows)
        found = model.at(design.block(start, stop))
        values[:, start:stop], reasons[start:stop] = found.values, found.reasons
        if isinstance(design, Saltelli):
            _refuse_few(design, reasons[:stop])
        if progress is not None:
            progress(stop, design.rows, "designs")
        start, step = stop, min(2 * step, max(design.rows // LOOKS, FIRST_ROWS), MOST_ROWS)
    return values, reasons


def _refuse_few(design: Saltelli, reasons: NDArray[np.object_]) -> None:
    """Raise ``StudyError`` where the infeasible designs so far leave too few independent ones for shares."""
    feasible = reasons == ""
    if feasible.all():
        return
    kind = np.arange(feasible.size) % design.step
    independent = (kind == 0) | (kind == design.step - 1)
    most = 2 * design.samples - int((independent & ~feasible).sum())
    if most >= FEWEST:
        return
    share = float(feasible.mean())
    if not share:
        why = Counter(reasons.tolist()).most_common(1)[0][0]
        message = f"none of the first {feasible.size:,} sampled designs is feasible (most often because of {why!r})"
        raise StudyError.at(f"{message}; narrow the study with --set", "sensitivity")
    enough = power_of_two(math.ceil(FEWEST / (1.8 * share)))
    message = f"{100 * (1 - share):.0f} % of the first {feasible.size:,} designs are infeasible; then {FEWEST} samples"
    message += (
        f" must be feasible and independent, and {design.samples:,} give {most:,} at most; raise it to {enough:,}"
    )
    raise StudyError.at(message, "--samples")


def _refuse_infeasible(blocked: Counter[str], rows: int, options: Options) -> None:
    if not blocked:
        return
    count = sum(blocked.values())
    why = f"most often because of {blocked.most_common(1)[0][0]!r}"
    if options.method == "morris":
        message = f"{count:,} of {rows:,} designs are infeasible ({why}), and a trajectory needs a value at every point"
        raise StudyError.at(f"{message}; use --method sobol, which can do without", "--method")
    if rows - count < FEWEST:
        message = f"{rows - count:,} of {rows:,} sampled designs are feasible, too few to say what decides ({why})"
        raise StudyError.at(f"{message}; narrow the study with --set, or raise --samples", "sensitivity")


@dataclass(frozen=True)
class _Analysis:
    """From the outputs of a design to what decides them."""

    inputs: Inputs
    design: Saltelli | Trajectories
    seed: int

    def decided(self, output: NDArray[np.float64]) -> Decided:
        """Return what decides an output, NaN where it has no value."""
        here = output[np.isfinite(output)]
        spread = float(here.max() - here.min())
        numbers = (float(here.mean()), float(here.std()), float(here.min()), float(here.max()))
        if spread <= 1e-12 * float(np.abs(here).max()):
            return Decided("constant", *numbers)
        names = self.inputs.names
        if isinstance(self.design, Trajectories):
            points = self.design.block(0, self.design.rows)
            return Decided("morris", *numbers, effects=morris_effects(self.design, names, points, output, self.seed))
        if here.size == output.size:
            indices, pairs = sobol_indices(self.design, names, output, self.seed)
            return Decided("sobol", *numbers, indices=indices, pairs=pairs)
        points, values = self._independent(self.design, output)
        return Decided("data", *numbers, indices=first_from_data(names, points, values, self.seed))

    def _independent(self, design: Saltelli, output: NDArray[np.float64]) -> tuple[Uniforms, NDArray[np.float64]]:
        """Return the points of A and B that have a value, with it: they are independent of each other."""
        rows = output.reshape(design.samples, design.step)
        values = np.concatenate([rows[:, 0], rows[:, -1]])
        points = np.concatenate(np.split(design.base(0, design.samples), 2, axis=1))
        known = np.isfinite(values)
        if known.sum() < FEWEST:
            raise SweepError(f"only {known.sum():,} independent designs have a value; raise --samples")
        return self.inputs.classes(points[known]), values[known]
