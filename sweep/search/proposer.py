"""From what a sampler proposes to a design worth a trial: whole, passing ``where``, and new where that matters."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.search.passing import Filter
from sweep.search.points import LeverSpace, Point
from sweep.search.samplers import Kind

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

REDRAWS = 64
"""How often a sampler that does not learn draws again what ``where`` drops, before any passing point is taken."""
NEIGHBOURS = 32
"""How many neighbours of a known point are tried, each one step further away than the last, before any new point."""
FRESH = 256
"""How many points are drawn at random in the hope of a new one."""


@dataclass(frozen=True)
class Rules:
    """What makes a point worth a trial in one search; ``known`` are those that were proposed before."""

    kind: Kind
    levers: LeverSpace
    filter: Filter
    known: Collection[Point]

    def __contains__(self, point: object) -> bool:
        """Return whether a point would be no trial, because it is known or dropped."""
        return not isinstance(point, Point) or point in self.known or not self.filter.passes(point)

    def wanted(self, point: Point) -> bool:
        """Return whether a proposal may stand as it is."""
        new = point not in self.known or not self.kind.learns or self.exhausted
        return new and self.filter.passes(point)

    @property
    def exhausted(self) -> bool:
        """Whether no point is left that was not proposed before."""
        return self.filter.size is not None and len(self.known) >= self.filter.size

    def replacement(self, point: Point, random: np.random.Generator) -> Point:
        """Return a point in place of one that is not wanted: a near one, or any new one, or any that passes."""
        learns = self.kind.learns and not self.exhausted
        if learns:
            near = point
            for _ in range(NEIGHBOURS):
                near = self._step(near, random)
                if self.wanted(near):
                    return near
        for _ in range(FRESH if learns else 0):
            drawn = self.filter.draw(random)
            if drawn not in self.known:
                return drawn
        return self.filter.draw(random)

    def _step(self, point: Point, random: np.random.Generator) -> Point:
        """Return the point with one of its levers moved: an ordered one by one place, a word to any other."""
        parameters = self.levers.parameters[point.block]
        if not parameters:
            return point
        moved = parameters[int(random.integers(len(parameters)))]
        size = self.levers.lever_axes(self.levers.space.blocks[point.block])[moved.place].size
        places = list(point.places)
        if moved.words:
            places[moved.place] = (places[moved.place] + 1 + int(random.integers(size - 1))) % size
        else:
            step = 1 if random.integers(2) else -1
            places[moved.place] += step if 0 <= places[moved.place] + step < size else -step
        return Point(point.block, tuple(places))


@cache
def proposer() -> Any:  # noqa: C901 - a class, made here because its base takes half a second to import
    """Return the class of a sampler that asks another one and makes its answer a design worth a trial."""
    import optuna  # noqa: PLC0415

    class Proposer(optuna.samplers.BaseSampler):
        """Proposes all parameters of a trial at once."""

        def __init__(self, learned: BaseSampler, rules: Rules, random: np.random.Generator) -> None:
            self.learned = learned
            self.rules = rules
            self.random = random
            self.every_block = not rules.kind.conditional
            self.given: Point | None = None
            self.proposed: Point | None = None

        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            space = self.rules.levers.distributions
            self.space = space if self.every_block else self.learned.infer_relative_search_space(study, trial)
            return space

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
            del search_space
            if self.given is not None:
                self.proposed = self.given
                return self._given(study, trial, self.given)
            params, point = self._proposal(study, trial)
            tries = 0 if self.rules.kind.learns else REDRAWS
            while tries and not self.rules.wanted(point):
                params, point = self._proposal(study, trial)
                tries -= 1
            self.proposed = point
            if self.rules.wanted(point):
                return params
            if self.rules.kind.name == "cmaes":  # a point that is not its own teaches it nothing
                study._storage.set_trial_system_attr(trial._trial_id, "cmawm:generation", -1)  # noqa: SLF001
            self.proposed = self.rules.replacement(point, self.random)
            return params | self.rules.levers.params_of(self.proposed)

        def _given(self, study: Any, trial: Any, point: Point) -> dict[str, Any]:
            """Return the parameters of a point that others chose; a genetic sampler counts it to its generation."""
            levers = self.rules.levers
            if not self.every_block:
                return levers.params_of(point)
            if self.rules.kind.genetic:
                self.learned.sample_relative(study, trial, self.space)
            own = levers.params_of(point)

            def choose(name: str, distribution: Any) -> Any:
                return own[name] if name in own else self.learned.sample_independent(study, trial, name, distribution)

            return levers.params(choose, every_block=True)

        def _proposal(self, study: Any, trial: Any) -> tuple[dict[str, Any], Point]:
            relative = self.learned.sample_relative(study, trial, self.space) if self.space else {}

            def choose(name: str, distribution: Any) -> Any:
                if name in relative:
                    return relative[name]
                return self.learned.sample_independent(study, trial, name, distribution)

            params = self.rules.levers.params(choose, every_block=self.every_block)
            point = self.rules.levers.point(params)
            assert point is not None
            return params, point

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return self.learned.sample_independent(study, trial, param_name, param_distribution)

        def before_trial(self, study: Any, trial: Any) -> None:
            self.learned.before_trial(study, trial)

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            self.learned.after_trial(study, trial, state, values)

    return Proposer
