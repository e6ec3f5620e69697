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
ASSEMBLY = ("chip_last", "chip_first")


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


def chip_first_cost(
    contents: Array, carrier: Array, dies: Array, bonding_yield: Array, packaging_yield: Array, carrier_yield: Array
) -> Array:
    """Return the cost of a package built chip-first: ``(contents + carrier) / (y_carrier y_bond^n y_pack)``.

    The carrier is made around the dies, so a bad carrier scraps good dies: dearer than chip-last, where only carriers
    that test good are used, by ``contents (1 / y_carrier - 1) / (y_bond^n y_pack)``. ``carrier`` here is one carrier
    started, not one that is good [USD]. Chiplet Actuary (Feng and Ma 2022, arXiv:2203.12268).
    """
    return chip_last_cost(contents, carrier, dies, bonding_yield, packaging_yield) / carrier_yield


def package_cost(known: Known, contents: Array, dies: Array) -> Array:
    """Return the cost of a whole package in the order of assembly of the design [USD].

    ``packaging_price`` is that of one carrier started; ``carrier_yield`` is 1 where it is of good ones.
    """
    order = known.get("assembly_order", "chip_last")
    if order not in ASSEMBLY:
        raise ModelInputError("assembly_order", f"assembly_order {order!r} is not one of {', '.join(ASSEMBLY)}")
    carrier, carrier_yield = number_or_nan(known, "packaging_price"), number_or(known, "carrier_yield", 1.0)
    yields = number_or(known, "bonding_yield", 1.0), number_or(known, "packaging_yield", 1.0)
    if order == "chip_first":
        return chip_first_cost(contents, carrier, dies, *yields, carrier_yield)
    return chip_last_cost(contents, carrier / carrier_yield, dies, *yields)


def chip_cost_metrics(known: Known) -> dict[str, Array]:
    """Return ``die_yield``, ``die_cost`` and ``chip_cost``; empty when no wafer price is given.

    The yield is that of ``yield_model`` at the defect density, unless the study fixes ``die_yield`` itself (yields in
    the press are of this kind). Memory is charged per byte of the chip's HBM. ``wafer_premium`` is what more patterning
    steps add to a wafer's price, such as making 5 nm without extreme ultraviolet light.
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
    wafer = number(known, "wafer_price") * (1 + number_or(known, "wafer_premium", 0.0))
    cost = die_cost(wafer, dies_per_wafer(area), sellable)
    contents = count * cost + number_or_nan(known, "hbm_capacity") * number_or_nan(known, "memory_price")
    built = package_cost(known, contents, count) + number_or(known, "chip_test_price", 0.0)
    return {"die_yield": good, "die_cost": cost, "chip_cost": built}
