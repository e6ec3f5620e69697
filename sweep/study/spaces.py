"""From checked axes to the space of designs."""

from __future__ import annotations

from collections.abc import Sequence

from models.quantities import quantities
from sweep.errors import StudyError
from sweep.space import Axis, Block, SampleAxis, Value, arrange, linear_axis, list_axis, log_axis, zip_axis
from sweep.study.axes import Grids, Listed, Spaced
from sweep.study.faults import Faults

STRUCTURAL = frozenset(name for name, row in quantities().items() if row.structural)


def build_block(
    axes: Sequence[Grids], samples: Sequence[SampleAxis], partition: Sequence[str], faults: Faults
) -> Block | None:
    """Return the block of these axes; single values become constants. Notes what the space refuses."""
    constants: dict[str, Value] = {}
    built: list[Axis] = []
    for grids in axes:
        if all(isinstance(grid, Listed) and grid.scalar for grid in grids):
            constants |= {grid.name: grid.values[0] for grid in grids if isinstance(grid, Listed)}
        else:
            axis = build_axis(grids, faults)
            built += [axis] if axis is not None else []
    built += samples
    names = {name for axis in built for name in axis.names} | set(constants)
    if not names:
        return None
    present = tuple(name for name in partition if name in names)
    try:
        return Block(arrange(built, present, STRUCTURAL), constants, partition=present)
    except StudyError as error:
        faults.problems.extend(error.problems)
        return None


def build_axis(grids: Grids, faults: Faults) -> Axis | None:
    """Return the axis of one quantity, or of several that change together."""
    try:
        if len(grids) > 1:
            columns = {grid.name: listed(grid) for grid in grids}
            return zip_axis(columns, [grid.name for grid in grids if grid.times])
        return _single(grids[0])
    except ValueError as error:
        faults.add((), f"{', '.join(grid.name for grid in grids)}: {error}")
        return None


def _single(grid: Listed | Spaced) -> Axis:
    if isinstance(grid, Listed):
        return list_axis(grid.name, grid.values, times=grid.times)
    whole = quantities()[grid.name].dtype == "int" and not grid.times
    make = linear_axis if grid.spacing == "linear" else log_axis
    return make(grid.name, grid.start, grid.stop, grid.steps, whole=whole, times=grid.times)


def listed(grid: Listed | Spaced) -> tuple[Value, ...]:
    """Return every value of a grid, in order and with repetitions."""
    if isinstance(grid, Listed):
        return grid.values
    axis = _single(grid)
    return tuple(axis.values(grid.name, 0, axis.size).tolist())
