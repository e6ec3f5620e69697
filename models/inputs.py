"""How a stage of the model reads what is known so far.

Every stage has the signature ``stage(known: Known) -> dict[str, Value]``. ``known`` is a flat mapping from quantity
names to values in SI units: the inputs, and the outputs of earlier stages. Structural quantities are plain scalars
(str or int). Numeric ones are float64 arrays that broadcast against each other: an open mesh in which every axis of a
study is one dimension, so an array has length 1 along every dimension it does not depend on. An unknown fact is either
absent or NaN; NaN passes through the arithmetic, so what depends on it becomes unknown and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Known = Mapping[str, Any]


class ModelInputError(ValueError):
    """An input the model cannot work with; ``quantity`` names it, the message is one sentence for the user."""

    def __init__(self, quantity: str, message: str) -> None:
        super().__init__(message)
        self.quantity = quantity


def number(known: Known, name: str) -> Array:
    """Return the value of a quantity the stage cannot do without [SI], any broadcastable shape.

    Raises ``ModelInputError`` when it is absent.
    """
    if name not in known or known[name] is None:
        raise ModelInputError(name, f"{name} is not known for this design, and the model needs it")
    return np.asarray(known[name], dtype=np.float64)


def number_or_nan(known: Known, name: str) -> Array:
    """Return the value of a quantity, or NaN (0-d) when it is not known."""
    value = known.get(name)
    return np.asarray(np.nan if value is None else value, dtype=np.float64)


def text(known: Known, name: str) -> str:
    """Return a structural text quantity; raises ``ModelInputError`` when it is absent."""
    if not isinstance(known.get(name), str):
        raise ModelInputError(name, f"{name} is not known for this design, and the model needs it")
    return str(known[name])


def integer(known: Known, name: str) -> int:
    """Return a structural whole number; raises ``ModelInputError`` when it is absent or not whole."""
    value = number(known, name)
    if value.size != 1 or value.item() != np.floor(value.item()):
        raise ModelInputError(name, f"{name} must be one whole number here")
    return int(value.item())


def decided(known: Known) -> Known:
    """Return what is known when the mapping is chosen: the same, with the values under ``decided_at`` in their place.

    A planner who settles the mapping before the world decides has only nominal values of what is uncertain.
    """
    at = known.get("decided_at")
    return {**known, **at} if at else known
