"""Training: the best mapping of every design, its step time with the parts, its memory and utilisation."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.amounts import count as count_amounts
from models.arithmetic import ROUNDING
from models.coefficients import Coefficients
from models.collectives import TOPOLOGIES
from models.columns import columns, map_columns, rows, stack
from models.fleet import of_all_sites, site_count, site_of
from models.inputs import Array, Known, ModelInputError, decided, integer, number
from models.mapping import SEARCHED, Cell, Fixed, Mappings, legal, mappings
from models.memory import GRADIENT_BYTES, RECOMPUTE, USABLE, WEIGHT_BYTES
from models.operators import ELEMENT_BYTES
from models.placement import PLACEMENTS
from models.reasons import Reason
from models.schedule import SCHEDULES
from models.slot import Machine, slot
from models.speeds import MATRIX_FORMATS, curves_of, machine_of, memory_of, positive, ranks_per_chip
from models.step import step
from models.training_report import RATES, TIMES, Winners, infeasible, report
from models.transformer import Transformer, with_predictions
from models.work import Curves, Work, charge

TILE: Final = 65536
"""Elements of the widest intermediate of one tile: half of a megabyte stays in the second-level cache."""

SLAB: Final = 1 << 22
"""Step times kept at once: designs x mappings."""

DISPATCHES: Final = ("fused", "alltoall")
GATHERS: Final = ("layer", "tensor")
REDUCTIONS: Final = ("scatter", "all_reduce")

NEAR: Final = 1.05
"""A mapping is near-optimal up to this multiple of the best step time."""

FIXED_COUNTS: Final = {
    "tensor": "tensor_parallel",
    "pipeline": "pipeline_parallel",
    "virtual": "virtual_pipeline",
    "data": "data_parallel",
    "context": "context_parallel",
    "expert": "expert_parallel",
    "micro_batch": "micro_batch",
}


def _chosen_text(known: Known, name: str, allowed: tuple[str, ...], default: str = "") -> str:
    """Return a text input, or the default when it is absent; raise ``ModelInputError`` when it is not allowed."""
    value = known.get(name) or default
    if value and value not in allowed:
        raise ModelInputError(name, f"{name} is {value!r}; it must be one of {', '.join(allowed)}")
    return str(value)


def _fixed(known: Known) -> Fixed:
    """Return what the inputs fix of the mapping."""
    counts = {field: integer(known, name) if known.get(name) else 0 for field, name in FIXED_COUNTS.items()}
    sharding = known.get("optimizer_sharding")
    return Fixed(
        **counts,
        recompute=_chosen_text(known, "recompute", RECOMPUTE),
        sharding_group=_sharding_group(known),
        sharding=-1 if sharding is None else integer(known, "optimizer_sharding"),
        placement=_chosen_text(known, "placement", PLACEMENTS),
    )


def _sharding_group(known: Known) -> int:
    """Return the fixed ranks of one sharded copy, 0 for all replicas; ``SEARCHED`` where nothing is said."""
    return SEARCHED if known.get("sharding_group") is None else int(_within(known, "sharding_group", np.inf))


def _within(known: Known, name: str, most: float) -> float:
    """Return an input from 0 to ``most``, 0 when it is absent; raises ``ModelInputError`` when it is not."""
    value = float(number(known, name)) if known.get(name) else 0.0
    if not 0.0 <= value <= most:
        raise ModelInputError(name, f"{name} is {value:g}; it must lie between 0 and {most:g}")
    return value


def cell_of(known: Known, shape: Transformer, spares: float, precision: str) -> Cell:
    """Return the structural cell of a block; ``spares`` whole domains stay out of it."""
    sequence = integer(known, "sequence_length")
    trained = _chosen_text(known, "trained_weights", ("all", "adapters"), "all") == "all"
    return Cell(
        shape=with_predictions(shape) if trained else replace(shape, mtp_layers=0),
        sequence=sequence,
        batch=integer(known, "global_batch"),
        domains=integer(known, "domains") - int(spares),
        domain=integer(known, "scale_up_size") * ranks_per_chip(known),
        topology=_chosen_text(known, "scale_up_topology", TOPOLOGIES, "single_tier"),
        sequence_parallel=integer(known, "sequence_parallel") > 0 if "sequence_parallel" in known else True,
        fused_attention=_chosen_text(known, "attention_kernel", ("fused", "unfused"), "fused") == "fused",
        fixed=_fixed(known),
        ranks_per_chip=ranks_per_chip(known),
        input_bytes=1.0 if ELEMENT_BYTES[precision] <= 1.0 else 2.0,
        trained=trained,
        packed=_within(known, "packed_length", sequence),
        fused_dispatch=_chosen_text(known, "mixture_dispatch", DISPATCHES, "fused") == "fused",
        bucketed=_chosen_text(known, "sharded_gathers", GATHERS, "layer") == "layer",
        gradient_bytes=_bytes_of(known, "gradient_bytes", GRADIENT_BYTES, (2.0, 4.0)),
        gathered_bytes=_gathered_bytes(known, precision),
        scattered=_chosen_text(known, "gradient_reduction", REDUCTIONS, "scatter") == "scatter",
        schedule=_chosen_text(known, "pipeline_schedule", SCHEDULES, "interleaved"),
        offload=_within(known, "activation_offload", 1.0),
    )


def _bytes_of(known: Known, name: str, default: float, allowed: tuple[float, float]) -> float:
    """Return the bytes of a weight or gradient on its way, one of the two ``allowed``."""
    value = float(number(known, name)) if name in known else default
    if value not in allowed:
        raise ModelInputError(name, f"{name} is {value:g}; it must be {allowed[0]:g} or {allowed[1]:g}")
    return value


def _gathered_bytes(known: Known, precision: str) -> float:
    """Return the bytes of a weight that is gathered: one only where the products take 8 bits or less."""
    asked = _bytes_of(known, "weight_gather_bytes", WEIGHT_BYTES, (1.0, 2.0))
    return asked if ELEMENT_BYTES[precision] <= 1.0 else WEIGHT_BYTES


@lru_cache(maxsize=64)
def prepared(
    cell: Cell, smallest: float, largest: float, precision: str, curves: Curves, by: Coefficients
) -> tuple[Mappings, Work]:
    """Return the mapping table of a cell and its work, kept for the next block of the same cell."""
    table = mappings(cell, smallest, largest)
    return table, charge(count_amounts(cell, table, precision), curves, by)


def mesh_of(machine: Machine, memory: Array) -> tuple[int, ...]:
    """Shape of the block of designs that the speeds and the memory span."""
    return np.broadcast_shapes(memory.shape, *(column.shape[:-1] for column in columns(machine)))


def solve(table: Mappings, amount: Work, machine: Machine, memory: Array) -> Winners:
    """Find the fastest legal mapping of every design; ties go to the lowest row.

    Step times of a slab of designs are kept for all mappings, made tile by tile; a block with more is halved along its
    longest axis. Neither changes a bit, since every operation is elementwise.
    """
    mesh = mesh_of(machine, memory)
    designs = int(np.prod(mesh, dtype=np.int64))
    if designs > 1 and designs * len(table) > SLAB:
        axis = int(np.argmax(mesh))
        halves = (slice(0, mesh[axis] // 2), slice(mesh[axis] // 2, None))
        parts = [solve(table, amount, _cut_machine(machine, axis, half), _cut(memory, axis, half)) for half in halves]
        return stack(parts, axis)
    times = _times(table, amount, machine, memory, mesh)
    index = np.argmin(times, axis=-1)
    best = np.take_along_axis(times, index[..., None], axis=-1)
    fits = np.isfinite(times)
    near = np.count_nonzero(fits & (times <= NEAR * best), axis=-1)
    count = np.count_nonzero(fits, axis=-1)
    least = np.argmin(table.budget.total)
    return Winners(np.where(count > 0, index, least), np.asarray(count), np.asarray(near))


def _cut(column: NDArray[Any], axis: int, part: slice) -> NDArray[Any]:
    """Cut an array of the open mesh along an axis it may not depend on."""
    if column.ndim <= axis or column.shape[axis] == 1:
        return column
    return column[(slice(None),) * axis + (part,)]


def _cut_machine(machine: Machine, axis: int, part: slice) -> Machine:
    """Cut every speed along an axis; the mapping axis, which is last and has length 1, stays."""
    return map_columns(machine, lambda column: _cut(column, axis, part))


def _times(table: Mappings, amount: Work, machine: Machine, memory: Array, mesh: tuple[int, ...]) -> Array:
    """Step time of every design and mapping [s], infinite where a mapping is not legal or has no matrix rate."""
    times = np.empty((*mesh, len(table)))
    width = max(TILE // max(int(np.prod(mesh, dtype=np.int64)), 1), 16)
    for start in range(0, len(table), width):
        part = slice(start, start + width)
        tile, tile_work = rows(table, part), rows(amount, part)
        total = step(tile, tile_work, slot(tile, tile_work, machine), machine).total
        possible = legal(tile, memory[..., None], memory[..., None]) & (total < np.inf)
        times[..., part] = np.where(possible, total, np.inf)
    return times


def training_stage(known: Known) -> dict[str, Any]:
    """Return the best mapping, step time with its parts, memory and utilisation of every design of a block.

    Reads the structural cell (shape, batch, sequence, domains, fixed mapping), the speeds of chip and fabric and the
    overlaps. Returns the training metrics of the quantity table, on the mesh that the speeds, the memory and the
    spares span. ``floor(spare_fraction x domains)`` domains do not work; each such count is a cell of its own. The
    mapping is the best one at the values ``decided_at`` where these are given. A run over several sites is that of its
    fullest site and its exchange with the others (``models.fleet``).
    """
    sites = site_count(known)
    if sites > 1:
        if integer(known, "global_batch") < sites:
            return infeasible(Reason.BATCH)
        return infeasible(Reason.SITES) if integer(known, "domains") < sites else _over_sites(known)
    fraction = number(known, "spare_fraction") if "spare_fraction" in known else np.zeros(())
    spares = np.floor(fraction * integer(known, "domains") * (1 + ROUNDING))
    counts = np.unique(spares)
    if not (counts >= 0).all():
        raise ModelInputError("spare_fraction", "spare_fraction must be known and not below zero")
    metrics = _with_spares(known, float(counts[0]))
    for count in counts[1:]:
        other = _with_spares(known, float(count))
        metrics = {name: np.where(spares == count, other[name], value) for name, value in metrics.items()}
    return _slowed(metrics, known)


def _slowed(metrics: dict[str, Any], known: Known) -> dict[str, Any]:
    """Return metrics with all times multiplied by ``step_time_factor``, rates and utilisations divided by it."""
    if "step_time_factor" not in known:
        return metrics
    factor = positive(known, "step_time_factor")
    slower = {name: metrics[name] * factor for name in TIMES}
    return metrics | slower | {name: metrics[name] / factor for name in RATES}


def _over_sites(known: Known) -> dict[str, Any]:
    """Metrics of a block whose run is spread over several sites; never faster than in one place (``models.fleet``)."""
    apart = of_all_sites(known, training_stage(site_of(known)))
    together = training_stage({**known, "sites": 1})["step_time"]
    total = np.fmax(apart["step_time"], together)
    waited, rate = total - apart["step_time"], apart["step_time"] / total
    times = {"step_time": total, "cross_site_time": apart["cross_site_time"] + waited}
    return apart | times | {name: apart[name] * rate for name in RATES}


def _with_spares(known: Known, spares: float) -> dict[str, Any]:
    """Metrics of a block in which ``spares`` domains do not work."""
    shape = known.get("shape")
    if not isinstance(shape, Transformer):
        raise ModelInputError("workload", "the shape of the workload is not known for this design")
    precision = _chosen_text(known, "precision", MATRIX_FORMATS, "bf16")
    cell, machine = cell_of(known, shape, spares, precision), machine_of(known, precision)
    memory = memory_of(known)
    judged = decided(known)
    at = machine if judged is known else machine_of(judged, precision)
    sizes = memory if judged is known else memory_of(judged)
    table, amount = prepared(
        cell,
        float(sizes.min()),
        float(sizes.max()),
        precision,
        curves_of(known, precision, latent=shape.latent_attention),
        machine.coefficients,
    )
    if not len(table):
        return infeasible(table.reason)
    winners = solve(table, amount, at, sizes)
    best, best_work = rows(table, winners.index[..., None]), rows(amount, winners.index[..., None])
    times = slot(best, best_work, machine)
    whole = step(best, best_work, times, machine)
    reason = _reasons(best, winners, memory, machine)
    return report(cell, table, best, winners, times, whole, machine, reason)


def _reasons(best: Mappings, winners: Winners, memory: Array, machine: Machine) -> NDArray[np.int16]:
    """Why each design is infeasible: number format, then memory by its larger part; 0 where it is not."""
    need = best.budget
    state = (need.total - need.activations)[..., 0]
    short = np.where(state > memory * USABLE, Reason.MEMORY_STATE, Reason.MEMORY_ACTIVATIONS)
    held = (winners.legal > 0) & (need.total[..., 0] <= memory * USABLE)
    fits = np.where(held, Reason.NONE, short)
    reason = np.where(np.isnan(machine.matrix_rate[..., 0]), Reason.PRECISION, fits).astype(np.int16)
    return np.broadcast_to(reason, np.broadcast_shapes(reason.shape, mesh_of(machine, memory)))
