"""Tornado: one design, one input at a time to its ends, and how far each metric moves. Mappings are solved anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweep.sensitivity.base import Base, nominal_settings, system_of
from sweep.sensitivity.inputs import SYSTEM, UNCERTAIN, Batch, Input, Spot, block_sources
from sweep.sensitivity.points import Model
from sweep.sensitivity.sources import Levels, Settings, sources_of
from sweep.sensitivity.worlds import doubts, is_about
from sweep.space import Axis, SampleAxis, Value


@dataclass(frozen=True, slots=True)
class Swing:
    """One input set to one other value: ``settings`` are the quantities that change [units of the table].

    ``values`` are the metrics then, None where there is none; ``reason`` says why.
    """

    input: str
    settings: Settings
    values: tuple[float | None, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Tornado:
    """Swings around one design; ``values`` are its metrics, ``times`` the quantities that are multipliers."""

    base: Base
    values: tuple[float | None, ...]
    times: frozenset[str]
    swings: tuple[Swing, ...]

    def ranked(self, metric: int) -> list[tuple[str, list[Swing]]]:
        """Return the swings by input, the input that moves a metric furthest first."""
        groups: dict[str, list[Swing]] = {}
        for swing in self.swings:
            groups.setdefault(swing.input, []).append(swing)
        return sorted(groups.items(), key=lambda item: -self._reach(item[1], metric))

    def _reach(self, swings: Sequence[Swing], metric: int) -> float:
        moved = [value for swing in swings if (value := swing.values[metric]) is not None]
        start = self.values[metric]
        return max(*moved, start) - min(*moved, start) if start is not None and moved else 0.0


def tornado(model: Model, base: Base) -> Tornado:
    """Return the swings around a design: numbers to their low and high end, anything else to each other level.

    Where systems have axes of their own, another system keeps the values it has too and takes the nearest otherwise.
    """
    designs = [("", base.block, base.settings)]
    for each in model.inputs.every:
        options = _systems(model, base) if model.inputs.spots and each.name == SYSTEM else _options(model, each, base)
        designs += [(each.name, block, settings) for block, settings in options]
    values = np.full((len(model.metrics), len(designs)), np.nan)
    reasons = np.full(len(designs), "", dtype=np.object_)
    for batch in _batches(model, [(block, settings) for _, block, settings in designs]):
        found = model.of_batch(batch)
        values[:, batch.rows], reasons[batch.rows] = found.values, found.reasons
    rows = [tuple(None if np.isnan(value) else float(value) for value in column) for column in values.T]
    swings = [
        Swing(name, _changed(base.settings, settings), row, str(reason))
        for (name, _, settings), row, reason in zip(designs[1:], rows[1:], reasons[1:], strict=True)
    ]
    times = {name for source in block_sources(model.study.space.blocks[base.block]) for name in source.times}
    times |= {name for _, found in doubts(model.study) for source in found.values() for name in source.times}
    return Tornado(base, rows[0], frozenset(times), tuple(swings))


def _options(model: Model, each: Input, base: Base) -> Iterator[tuple[int, Settings]]:
    source = each.sources.get(base.block)
    system = system_of(model.study.space.blocks[base.block], base.settings)
    if source is None or (each.role == UNCERTAIN and not is_about(model.study, each.name, system)):
        return
    for option in source.options:
        if any(base.settings.get(name, source.nominal[name]) != value for name, value in option.items()):
            yield base.block, {**base.settings, **option}


def _systems(model: Model, base: Base) -> Iterator[tuple[int, Settings]]:
    """Yield the design with every other system, in the block of that system."""
    blocks = model.study.space.blocks
    here = system_of(blocks[base.block], base.settings)
    for spot in model.inputs.spots:
        settings: dict[str, Value] = {SYSTEM: spot.label}
        for axis in blocks[spot.block].axes:
            settings |= _moved(model, spot, axis, base)
        if spot.block != base.block or system_of(blocks[spot.block], settings) != here:
            yield spot.block, settings


def _moved(model: Model, spot: Spot, axis: Axis, base: Base) -> Settings:
    """Return what an axis of another system is set to: near the design, a scenario of that system alone nominal."""
    if SYSTEM in axis.names:
        return Levels(axis).at(spot.place)
    scenario = all(model.study.roles.get(name) == "scenario" for name in axis.names)
    if scenario and not isinstance(axis, SampleAxis) and not set(axis.names) & base.settings.keys():
        return nominal_settings(model, model.study.space.blocks[spot.block], axis)
    return {name: value for source in sources_of(axis) for name, value in source.nearest(base.settings).items()}


def _changed(before: Settings, after: Settings) -> dict[str, Value]:
    return {name: value for name, value in after.items() if before.get(name) != value}


def _batches(model: Model, designs: Sequence[tuple[int, Settings]]) -> Iterator[Batch]:
    """Yield the designs of each block with the columns that the block has."""
    for number, block in enumerate(model.study.space.blocks):
        rows = np.array([row for row, (place, _) in enumerate(designs) if place == number], dtype=np.int64)
        sources = [*block_sources(block)]
        columns: Mapping[str, np.ndarray] = {
            name: np.array([designs[row][1][name] for row in rows.tolist()])
            for source in sources
            for name in source.names
        }
        worlds = {
            label: np.array([designs[row][1].get(label, found[number].nominal[label]) for row in rows.tolist()])
            for label, found in doubts(model.study)
            if number in found
        }
        if rows.size:
            yield Batch(number, rows, columns, frozenset(name for source in sources for name in source.times), worlds)
