"""What a chip costs to make: yield, dies per wafer, packaging, memory, salvage.

Areas in m^2, lengths in m, defect densities in 1/m^2. A cost is not a price: the maker's margin is a factor on it
(``chip_markup``). Masks and design are left out: no source spreads them over a volume.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from models.arithmetic import number_or, ratio
from models.inputs import Array, Known, ModelInputError, number, number_or_nan

WAFER_DIAMETER = 0.3


def poisson_yield(defects: Array, _shape: Array) -> Array:
    """Return ``e^-d``: defects fall independently. ``defects`` d: mean number on a die, area times density."""
    return np.asarray(np.exp(-defects))


def murphy_yield(defects: Array, _shape: Array) -> Array:
    """Return ``((1 - e^-d) / d)^2``: densities vary over wafers, triangularly distributed. 1 at d = 0."""
    safe = np.where(defects > 0, defects, 1.0)
    return np.where(defects == 0, 1.0, (-np.expm1(-safe) / safe) ** 2) + 0 * defects


def seeds_yield(defects: Array, _shape: Array) -> Array:
    """Return ``1 / (1 + d)``: densities vary exponentially, the negative binomial of shape 1."""
    return np.asarray(1 / (1 + defects))


def negative_binomial_yield(defects: Array, shape: Array) -> Array:
    """Return ``(1 + d / a)^-a``: defects cluster, the less the larger the shape a; Poisson as a goes to infinity."""
    return np.asarray((1 + defects / shape) ** -shape)


def bose_einstein_yield(defects: Array, shape: Array) -> Array:
    """Return ``(1 + d)^-n``: n critical layers, each with the density that d is made of."""
    return np.asarray((1 + defects) ** -shape)


YIELD_MODELS: dict[str, Callable[[Array, Array], Array]] = {
    "poisson": poisson_yield,
    "murphy": murphy_yield,
    "seeds": seeds_yield,
    "negative_binomial": negative_binomial_yield,
    "bose_einstein": bose_einstein_yield,
}


def dies_per_wafer(area: Array, diameter: float = WAFER_DIAMETER, edge: float = 0.0, scribe: float = 0.0) -> Array:
    """Return the gross dies of a round wafer: ``pi (D/2 - e)^2 / A - pi (D - 2e) / sqrt(2 A)``, as a mean, not whole.

    ``area`` of the die [m^2], grown by the scribe line to ``A + 2 s sqrt(A) + s^2``; ``diameter`` D of the wafer,
    ``edge`` e lost at its rim, ``scribe`` s [m]. The form of Chiplet Actuary (Feng and Ma 2022, arXiv:2203.12268);
    with no edge and no scribe it is the usual one.
    """
    cell = area + 2 * scribe * np.sqrt(area) + scribe**2
    return np.asarray(math.pi * (diameter / 2 - edge) ** 2 / cell - math.pi * (diameter - 2 * edge) / np.sqrt(2 * cell))


def die_cost(wafer_price: Array, dies: Array, die_yield: Array) -> Array:
    """Return the cost of one sellable die: wafer price over the dies that can be sold."""
    return ratio(np.asarray(wafer_price), dies * die_yield)


def salvaged_yield(die_yield: Array, salvage: Array) -> Array:
    """Return the share of dies that can be sold when a fraction of the defective ones works with parts switched off.

    ``y + (1 - y) salvage``: big chips are sold with some cores disabled, which is why published die costs lie below
    those of the yield formulas.
    """
    return np.asarray(die_yield + (1 - die_yield) * salvage)


def chip_last_cost(contents: Array, carrier: Array, dies: Array, bonding_yield: Array, packaging_yield: Array) -> Array:
    """Return the cost of a package built chip-last: ``(contents + carrier) / (y_bond^n y_pack)``.

    ``contents``: known-good dies and memory stacks; ``carrier``: a good interposer and substrate with assembly [USD].
    ``dies`` n bonds of yield ``bonding_yield`` and one last step of ``packaging_yield`` can scrap everything. It is
    Chiplet Actuary's sum of raw parts, wasted dies and wasted interposers.
    """
    return np.asarray((contents + carrier) / (bonding_yield**dies * packaging_yield), dtype=np.float64)


def chip_cost_metrics(known: Known) -> dict[str, Array]:
    """Return ``die_yield``, ``die_cost`` and ``chip_cost``; empty when no wafer price is given.

    The yield is that of ``yield_model`` at the defect density, unless the study fixes ``die_yield`` itself (yields in
    the press are of this kind). Memory is charged per byte of the chip's HBM.
    """
    if known.get("wafer_price") is None:
        return {}
    model = known.get("yield_model", "negative_binomial")
    if model not in YIELD_MODELS:
        raise ModelInputError("yield_model", f"yield_model {model!r} is not one of {', '.join(YIELD_MODELS)}")
    count = number_or_nan(known, "dies")
    area = number_or_nan(known, "die_area") / count
    defects = area * number_or_nan(known, "defect_density")
    fixed = known.get("die_yield") is not None
    good = number(known, "die_yield") if fixed else YIELD_MODELS[model](defects, number_or_nan(known, "yield_shape"))
    sellable = salvaged_yield(good, number_or(known, "die_salvage", 0.0))
    cost = die_cost(number(known, "wafer_price"), dies_per_wafer(area), sellable)
    contents = count * cost + number_or_nan(known, "hbm_capacity") * number_or_nan(known, "memory_price")
    package = chip_last_cost(
        contents,
        number_or_nan(known, "packaging_price"),
        count,
        number_or(known, "bonding_yield", 1.0),
        number_or(known, "packaging_yield", 1.0),
    )
    return {"die_yield": good, "die_cost": cost, "chip_cost": package + number_or(known, "chip_test_price", 0.0)}
