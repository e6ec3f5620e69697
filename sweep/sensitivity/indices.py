"""Sensitivity indices of one output over a design, by SALib where the whole cube has values, from data elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.errors import SweepError
from sweep.sensitivity.design import GRID, Saltelli, Trajectories, unit_problem
from sweep.sensitivity.inputs import MOST_CLASSES
from sweep.sensitivity.sources import Uniforms

RESAMPLES = 200
"""Bootstrap samples behind every interval."""

Z95 = 1.959963984540054
"""Half width of a 95 % interval in standard deviations of a normal distribution."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Index:
    """One input's shares of the variance of an output, each with the half width of its 95 % interval.

    ``first`` is the share that goes when the input alone is fixed; ``total`` what stays when all others are fixed, None
    where it cannot be estimated.
    """

    input: str
    first: float
    first_interval: float
    total: float | None = None
    total_interval: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """The share of the variance that two inputs cause only together, beyond what each causes alone."""

    inputs: tuple[str, str]
    share: float
    interval: float


@dataclass(frozen=True, slots=True)
class Effect:
    """One input's elementary effects on an output [unit of the output, per full range of the input].

    ``mean`` (mu) with its sign, ``size`` (mu*) of the absolute values with the half width of its 95 % interval,
    ``spread`` (sigma) by which effects differ across the space: curvature or interaction.
    """

    input: str
    mean: float
    size: float
    interval: float
    spread: float


def require_salib() -> None:
    """Raise ``SweepError`` that names the extra when SALib is not installed."""
    try:
        import SALib  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise SweepError("SALib is not installed; pip install 'supernode-sweep[analysis]'") from error


def sobol_indices(
    design: Saltelli, names: tuple[str, ...], output: Values, seed: int
) -> tuple[tuple[Index, ...], tuple[Pair, ...]]:
    """Return first and total indices of every input, and those of pairs when the design is for second order.

    Parameters
    ----------
    design, names
        The design and its inputs.
    output
        One finite value per row of the design, not all equal.
    seed
        Seed of the bootstrap.

    Estimators: Saltelli et al. 2010 (first order: table 2 b; total: table 2 f, after Jansen), Saltelli 2002 for pairs.
    """
    from SALib.analyze import sobol  # noqa: PLC0415 - an optional extra, two seconds

    found = sobol.analyze(
        unit_problem(names), output, calc_second_order=design.second_order, num_resamples=RESAMPLES,
        seed=seed + 1,  # SALib takes 0 for none
    )  # fmt: skip
    columns = (found["S1"], found["S1_conf"], found["ST"], found["ST_conf"])
    indices = [Index(name, *(float(value) for value in row)) for name, *row in zip(names, *columns, strict=True)]
    pairs = [
        Pair((names[j], names[k]), float(found["S2"][j, k]), float(found["S2_conf"][j, k]))
        for j, k in combinations(range(len(names)), 2)
        if design.second_order
    ]
    ranked = sorted(indices, key=lambda each: -(each.total or 0.0))
    return tuple(ranked), tuple(sorted(pairs, key=lambda each: -each.share))


def morris_effects(
    design: Trajectories, names: tuple[str, ...], points: Uniforms, output: Values, seed: int
) -> tuple[Effect, ...]:
    """Return the elementary effects of every input over trajectories, the largest first."""
    from SALib.analyze import morris  # noqa: PLC0415 - an optional extra, two seconds

    draws = np.random.default_rng([seed, design.samples])
    found: Any = morris.analyze(
        unit_problem(names), points, output, num_levels=GRID, num_resamples=RESAMPLES, seed=draws
    )
    columns = (found["mu"], found["mu_star"], found["mu_star_conf"], found["sigma"])
    effects = [Effect(name, *(float(value) for value in row)) for name, *row in zip(names, *columns, strict=True)]
    return tuple(sorted(effects, key=lambda each: -each.size))


def first_from_data(names: tuple[str, ...], points: Uniforms, output: Values, seed: int) -> tuple[Index, ...]:
    """Return first-order shares from points that do not fill the cube, the largest first.

    The share of an input is the correlation ratio Var(E[Y|X]) / Var(Y) (Pearson 1905), which means the same whether or
    not inputs depend on each other, estimated from class means (Plischke, Borgonovo and Smith 2013, *Eur. J. Oper.
    Res.* 226, 536) without their bias (Kelley 1935, epsilon squared). Intervals come from a bootstrap over the points.

    Parameters
    ----------
    points
        Where the output is known, shape (points, inputs).
    output
        Its values, not all equal.
    """
    draws = np.random.default_rng([seed, output.size])
    again = draws.integers(output.size, size=(RESAMPLES, output.size))
    indices = []
    for place, name in enumerate(names):
        classes = _classes(points[:, place])
        spread = np.std([correlation_ratio(classes[rows], output[rows]) for rows in again], ddof=1)
        indices.append(Index(name, correlation_ratio(classes, output), Z95 * float(spread)))
    return tuple(sorted(indices, key=lambda each: -each.first))


def _classes(coordinate: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the class of each point: those of equal values when they are few, otherwise equally many by rank.

    The number of classes grows with the cube root of the points, as SALib's ``analyze.delta`` has it.
    """
    values, level = np.unique(coordinate, return_inverse=True)
    if values.size <= MOST_CLASSES:
        return level.astype(np.int64)
    most = max(2, min(round(coordinate.size ** (1 / 3)), MOST_CLASSES))
    rank = np.argsort(np.argsort(coordinate, kind="stable"), kind="stable")
    classes: NDArray[np.int64] = rank * most // coordinate.size
    return classes


def correlation_ratio(classes: NDArray[np.int64], output: Values) -> float:
    """Return the share of the variance that lies between classes, corrected for their number (epsilon squared)."""
    centred = output - output.mean()
    total = float((centred**2).sum())
    counts = np.bincount(classes)
    sums = np.bincount(classes, weights=centred)
    used = int((counts > 0).sum())
    if total == 0.0 or output.size <= used:
        return 0.0
    between = float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
    return 1.0 - (1.0 - between / total) * (output.size - 1) / (output.size - used)
