"""Published times of collective operations against ``models.collectives``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from models import collectives as model
from models.collectives import DISPATCH, LIBRARY, Library
from models.inputs import Array, Known
from models.speeds import fabric_of, ranks_per_chip
from sweep.accuracy.collective_rows import SYSTEMS, Measured, left_out, measured
from sweep.catalogue.catalogue import Catalogue

__all__ = ["FITTED", "Batch", "CollectiveError", "Fitted", "batches", "collective_errors", "left_out", "predict"]

ETHERNET_SYSTEM: Final = "mi300x-node"
"""A system whose scale-out fabric is Ethernet of 400 Gbit/s per chip, for Amazon's nodes of B200."""

OPERATIONS: Final = {
    "all_reduce (custom kernel)": model.all_reduce_direct,
    "all_reduce": model.all_reduce,
    "all_gather": model.all_gather,
    "reduce_scatter": model.reduce_scatter,
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is fitted to the file: both libraries, and the bytes that one streaming multiprocessor sends [byte/s].

    The last bounds DeepEP's normal kernels, which say how many they use: on B200, B300, GB200 and GB300 the time falls
    from 20 to 24 of them as 20/24.
    """

    library: Library
    dispatch: Library
    processor_rate: float


FITTED: Final = Fitted(LIBRARY, DISPATCH, 16.4e9)


@dataclass(frozen=True, slots=True)
class CollectiveError:
    """A published time and the model's [s]; ``bytes`` per rank as the collective counts them."""

    name: str
    source: str
    system: str
    collective: str
    ranks: int
    bytes: float
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Relative error of the prediction: positive when the model is too slow."""
        return self.predicted / self.measured - 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that differ in ranks and bytes only, and the facts of their system."""

    cases: Sequence[Measured]
    known: Known

    @property
    def seconds(self) -> Array:
        """Measured times [s], one per row."""
        return np.asarray([case.measured for case in self.cases])


def batches(catalogue: Catalogue) -> Sequence[Batch]:
    """Return every row that is not left out, in batches.

    Raises ``OSError`` when the file cannot be read and ``StudyError`` when a system of the catalogue is wrong.
    """
    facts = {system: _facts(catalogue, system) for system in sorted({*SYSTEMS.values(), ETHERNET_SYSTEM})}
    found: dict[tuple[Any, ...], list[Measured]] = {}
    for case in measured({system: _domain(known) for system, known in facts.items()}):
        alike = (case.system, case.ethernet, case.collective, case.switches, case.processors, case.kernels)
        found.setdefault(alike, []).append(case)
    network = {name: value for name, value in facts[ETHERNET_SYSTEM].items() if name.startswith("scale_out")}
    return [Batch(cases, facts[cases[0].system] | (network if cases[0].ethernet else {})) for cases in found.values()]


def _facts(catalogue: Catalogue, system: str) -> dict[str, Any]:
    return {name: taken.value for name, taken in catalogue.facts(system).items() if taken.value is not None}


def _domain(known: Known) -> int:
    return int(known["scale_up_size"]) * ranks_per_chip(known)


def predict(batch: Batch, fitted: Fitted = FITTED) -> Array:
    """Return the model's times of a batch [s], one per row."""
    case, known = batch.cases[0], batch.known
    kind, exchange = case.collective, case.collective.startswith("moe")
    library = fitted.dispatch if exchange else fitted.library
    fabric = fabric_of(known)
    if not case.switches:
        fabric = replace(fabric, switch_reduction=0.0)
    sent = case.processors * fitted.processor_rate / library.exchange
    fabric = replace(fabric, up_rate=np.minimum(fabric.up_rate, sent))
    columns = np.asarray([(each.ranks, each.inside, each.bytes, each.crossing) for each in batch.cases], np.float64)
    ranks, inside, volume, crossing = columns.T
    share = model.up_share(str(known["scale_up_topology"]), inside, float(_domain(known)))
    if kind == "send_recv":
        return model.point_to_point(volume, fabric.up_rate * share, fabric.up_latency)
    group = model.group_of(ranks, inside, share, library)
    if exchange or kind == "alltoall":
        more = (case.kernels - 1) * (fabric.start + library.start)
        return np.asarray(more + model.all_to_all(volume, group, fabric, crossing))
    return OPERATIONS[kind](volume, group, fabric)


def collective_errors(catalogue: Catalogue) -> Sequence[CollectiveError]:
    """Return measured and predicted time of every row that is not left out, by name."""
    errors = [
        CollectiveError(
            name=case.name,
            source=case.source,
            system=case.system,
            collective=case.collective,
            ranks=case.ranks,
            bytes=case.bytes,
            measured=case.measured,
            predicted=float(time),
        )
        for batch in batches(catalogue)
        for case, time in zip(batch.cases, predict(batch), strict=True)
    ]
    return sorted(errors, key=lambda error: error.name)
