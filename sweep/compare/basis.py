"""At what systems are compared as equals, and which design of each stands for it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.study import Equal

Array = NDArray[np.float64]
COST = "cost_per_token"
"""What systems are compared by: the year's cost per trained or generated token."""


@dataclass(frozen=True, slots=True)
class Basis:
    """A limit that every system keeps, and what is best under it.

    ``metric`` is at most ``limit`` [SI]; ``goal`` is minimised, or maximised with ``most``. Without a metric every
    system has the number of domains it is given, ``domains`` in the order of the systems.
    """

    name: str
    text: str
    goal: str = COST
    most: bool = False
    metric: str = ""
    limit: float = np.inf
    domains: tuple[int, ...] = ()

    @classmethod
    def of(cls, equal: Equal, phase: str) -> Basis:
        """Return an equal-basis comparison of a study for one phase.

        At equal deadline the cheapest run counts, otherwise the fastest that keeps the limit.
        """
        goal = equal.goals[phase]
        name = COST if "cost" in goal.name else goal.name
        return cls(equal.name, equal.text, name, goal.direction == "maximize", equal.metric, equal.limit)

    @property
    def cheapest(self) -> bool:
        """Whether the cheapest design is taken, and not the fastest."""
        return self.goal == COST

    def key(self, found: Mapping[str, Any]) -> Array:
        """Return what is smallest for the best design."""
        goal = np.asarray(found[self.goal], dtype=np.float64)
        return -goal if self.most else goal

    def keeps(self, found: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Return which designs work and keep the limit."""
        works = (np.asarray(found["status"]) == 0) & np.isfinite(self.key(found))
        if self.metric:
            works = works & (np.asarray(found[self.metric], dtype=np.float64) <= self.limit)
        return np.asarray(works)


@dataclass(frozen=True, slots=True)
class Choice:
    """The design taken in each of m variants: its place among the n designs (-1: none) and its cost [USD/token]."""

    place: NDArray[np.int64]
    cost: Array


def choose(basis: Basis, found: Mapping[str, Any]) -> Choice:
    """Return the best design of each variant; ``found`` are metrics of shape (m, n)."""
    cost = np.asarray(found[COST], dtype=np.float64)
    key, keeps = basis.key(found), basis.keeps(found) & np.isfinite(cost)
    shape = np.broadcast_shapes(key.shape, keeps.shape, cost.shape)
    ranked = np.where(np.broadcast_to(keeps, shape), np.broadcast_to(key, shape), np.inf)
    place = np.argmin(ranked, axis=-1)
    rows = np.arange(shape[0])
    none = ~np.isfinite(ranked[rows, place])
    taken = np.where(none, np.nan, np.broadcast_to(cost, shape)[rows, place])
    return Choice(np.where(none, -1, place).astype(np.int64), taken)
