"""How a published training run becomes a case of the model, or why it does not.

Rules speak of what a row records and when it ran; none speaks of a source, and none of how well the model does on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sweep.accuracy.case import Case
from sweep.accuracy.machines import Machines
from sweep.accuracy.mappings import implied, is_mapped, mapping_of, thinned
from sweep.accuracy.measured import peak_share, step_seconds
from sweep.accuracy.recipes import formats_of, mixtures, overlaps_tensor, software
from sweep.accuracy.shapes import shape_of
from sweep.accuracy.table import LeftOutError, Row, read_table
from sweep.accuracy.twins import Twins
from sweep.catalogue import Catalogue
from sweep.paths import configs_dir

PLENTY: Final = 1e15
"""Memory per chip [byte] of a run whose mapping is stated: it did run, whatever the model thinks of its memory."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is no case, and why."""

    name: str
    reason: str


def training_table() -> Path:
    """Return the published runs that come with the program."""
    return configs_dir() / "measurements" / "training.csv"


def read_cases(path: Path, catalogue: Catalogue) -> tuple[list[Case], list[LeftOut]]:
    """Read a table of runs as cases, and the rows that are none with the reason.

    Raises ``StudyError`` with file and line for every fault of the table itself: unknown columns, bad numbers.
    """
    rows = read_table(path)
    machines, twins = Machines(catalogue), Twins(rows)
    cases: list[Case] = []
    left_out: list[LeftOut] = []
    for row in rows:
        try:
            cases.append(case_of(row, twins.of(row), machines, catalogue))
        except LeftOutError as reason:
            left_out.append(LeftOut(row.text("id"), str(reason)))
    return cases, left_out


def case_of(row: Row, completed: Sequence[Row], machines: Machines, catalogue: Catalogue) -> Case:
    """Turn a row into a case; raises ``LeftOutError`` with the reason when it cannot.

    ``completed``: the row with what its twins state, or the row alone.
    """
    if "single layer" in row.features:
        raise LeftOutError("forward and backward of one layer: no step with head and optimizer")
    if "whole-run average" in row.features:
        raise LeftOutError("average of a whole run with interruptions, not a step")
    shape = shape_of(row, catalogue)
    machine = machines.of(row)
    sequence, batch = row.need("seq_len", "sequence length"), _batch(row)
    seconds = step_seconds(row, shape, machine, batch, sequence)
    formats = formats_of(row, machine)
    peak = max(machine.peak(code) for code in formats)
    share = peak_share(shape, machine, batch, sequence, seconds, peak) if peak else 0.0
    inputs = software(row, shape, formats[0])
    if not peak:
        raise LeftOutError(f"the chip has no {formats[0]} products")
    if share * (2 / 3 if inputs["trained_weights"] == "adapters" else 1) > 1:
        raise LeftOutError(f"implies {share:.1f} times the peak of the chip")
    mappings = [mapping_of(implied(filled, machine, batch), shape, machine, batch, sequence) for filled in completed]
    layouts = [
        {"overlap_tensor": int(overlaps_tensor(filled)), **variant}
        for filled, mapping in zip(completed, mappings, strict=True)
        for variant in mapping.variants
    ]
    searched = mappings[0].searched
    ways = mixtures(row, shape)
    stated = is_mapped(row) and bool(row.text("recompute")) and len(layouts) == len(formats) == len(ways) == 1
    common = machine.inputs | inputs | {"shape": shape, "sequence_length": sequence, "global_batch": batch}
    if stated:
        common["hbm_capacity"] = PLENTY
    variants = tuple(
        {**common, "precision": code, **way, **variant}
        for variant in thinned(layouts, len(formats) * len(ways))
        for code in formats
        for way in ways
    )
    return Case(
        name=row.text("id"),
        source=row.source,
        family=row.text("family") or row.source,
        chip=row.text("chip"),
        system=machine.system,
        model=row.text("model"),
        date=row.text("date"),
        precision=formats[0],
        moe=bool(shape.experts),
        stated=stated,
        searched=searched,
        microbenchmark=row.text("purpose") == "microbenchmark",
        seconds=seconds,
        configuration=_configuration(variants, row),
        variants=variants,
    )


def _batch(row: Row) -> int:
    """Sequences of a step.

    Where a row states tokens per second and no batch, a run without pipeline that fills its micro-batch is taken to
    make one micro-batch per replica: its rate hardly depends on how many follow each other.
    """
    batch = row.count("global_batch_sequences")
    if batch is not None:
        return batch
    micro, data = row.count("micro_batch"), row.count("dp")
    if micro and data and row.count("pp") == 1 and row.number("measured_tokens_per_s_per_chip"):
        return micro * data
    raise LeftOutError("batch not stated")


CONFIGURATION: Final = (
    "tensor_parallel",
    "pipeline_parallel",
    "virtual_pipeline",
    "data_parallel",
    "context_parallel",
    "expert_parallel",
    "micro_batch",
    "recompute",
    "optimizer_sharding",
    "sequence_length",
    "global_batch",
    "precision",
    "trained_weights",
    "captured_graphs",
    "activation_offload",
    "mixture_dispatch",
    "overlap_experts",
    "overlap_input_gradients",
    "overlap_tensor",
)
"""Inputs in which two runs must agree to repeat one configuration; the date of the software is not among them."""


def _configuration(variants: tuple[Mapping[str, Any], ...], row: Row) -> tuple[Any, ...]:
    knobs = {tuple(variant.get(name) for name in CONFIGURATION) for variant in variants}
    machine = (row.text("chip"), row.count("n_chips"), row.text("model"), row.count("n_layers"), row.count("n_heads"))
    return (*machine, *sorted(knobs, key=repr))


STATES: Final = ("stated", "range", "searched")
"""How much a case states: all of its mapping and recomputation, less, or no mapping at all."""


def state(case: Case) -> str:
    """Return how much a case states, one of ``STATES``."""
    return "searched" if case.searched else "stated" if case.stated else "range"


def summary(cases: Iterable[Case], left_out: Iterable[LeftOut]) -> Iterator[str]:
    """Yield counts as lines of text: cases by source and how much they state, then rows left out by reason."""
    counts = Counter((case.source, state(case)) for case in cases)
    if counts:
        yield f"{'source':24s}" + "".join(f"{name:>10s}" for name in STATES)
    for source in sorted({source for source, _ in counts}):
        yield f"{source:24s}" + "".join(f"{counts[source, name]:10d}" for name in STATES)
    for reason, count in Counter(row.reason for row in left_out).most_common():
        yield f"{count:6d}  {reason}"
