"""A published training run as a case of the model, and what the model says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """One measured run.

    ``source`` is the prefix of the row's name, ``family`` the sources that share authors, machines or data and are left
    out together. ``chip`` as the row spells it, ``system`` its entry in the catalogue, ``precision`` the number format
    of the matrix products (a code of ``models.speeds.MATRIX_FORMATS``). ``stated``: mapping and recomputation are
    stated (tier 1); else ``variants`` are the values that the unstated knobs may have (tier 2) and the prediction is a
    range. ``searched``: the mapping is not stated at all, and the model searches it. ``microbenchmark``: a run on one
    node made to profile, reported apart. ``seconds``: measured time of one step. ``configuration`` is equal for rows
    that repeat one configuration.
    """

    name: str
    source: str
    family: str
    chip: str
    system: str
    model: str
    date: str
    precision: str
    moe: bool
    stated: bool
    searched: bool
    microbenchmark: bool
    seconds: float
    configuration: tuple[Any, ...]
    variants: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says about a case: range of the step time over its variants [s], one number when it is stated.

    ``parts`` are the parts of the step time of the middle variant [s], by their names in the quantity table.
    """

    case: Case
    low: float
    high: float
    parts: Mapping[str, float]
