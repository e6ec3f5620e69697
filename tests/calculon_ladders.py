"""From our value of a part to Calculon's, one convention at a time.

A ladder is a list of (convention, value): our value first, each later one with one convention of Calculon more, the
last with all of them. Run as a script to print the tables of docs/peers.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from calculon_reference import FORWARD, INPUT, WEIGHT, Operator
from calculon_step import ReferenceStep
from numpy.typing import NDArray

from models.collectives import (
    START,
    Fabric,
    Group,
    Library,
    all_gather,
    all_reduce,
    group_of,
    point_to_point,
    reduce_scatter,
)
from models.memory import (
    FULL,
    GRADIENT_BYTES,
    NONE,
    OPTIMIZER_STATE_BYTES,
    SELECTIVE,
    WEIGHT_BYTES,
    chip_parameters,
    in_flight,
    stage_activations,
)
from models.step import round_gaps
from models.transformer import forward_matrix_flops, forward_score_flops, head_parameters

Ladder = list[tuple[str, float]]

DATA = Path(__file__).parent / "data" / "calculon.jsonl"
RECOMPUTE = {"none": NONE, "attn_only": SELECTIVE, "full": FULL}
OURS = "ours"


def points() -> list[ReferenceStep]:
    """All points of the fixture."""
    lines = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    systems = {line["system"]: line for line in lines if "system" in line}
    return [ReferenceStep(line, systems[line["on"]]) for line in lines if "id" in line]


IDEAL = Library(start=0.0, direct=0.0, protocol=0.0, small_rate=1.0, copy=0.0, exchange=1.0, switch=0.0)
"""A collective library that costs nothing beyond the wire."""


def fabric(network: dict[str, Any]) -> Fabric:
    """A fabric whose two tiers are one network of a point, without latency per hop."""
    rate, none = np.float64(network["bandwidth"] * 1e9 * network["efficiency"]), np.float64(0.0)
    return Fabric(rate, none, rate, none, start=network["latency"])


def ranks(count: int) -> Group:
    """A group of ranks on one network."""
    return group_of(np.float64(count), np.float64(count), library=IDEAL)


def _stage_parameters(one: ReferenceStep) -> float:
    stages = np.float64(one.point["pipeline_par"])
    return float(chip_parameters(one.shape, np.float64(one.tensor), stages, np.float64(1.0)).dense)


def forward_flops(one: ReferenceStep) -> Ladder:
    """FLOPs of a block forward on a chip."""
    shape = one.shape
    matrices = forward_matrix_flops(shape) - 2.0 * head_parameters(shape)
    scores = forward_score_flops(shape, one.point["app"]["seq_size"], causal=False)
    ours = one.tokens * (matrices + scores) / shape.layers / one.tensor
    products = sum(operator.flops[FORWARD] for operator in one.operators if operator.matrix)
    every = sum(operator.flops[FORWARD] for operator in one.operators)
    sums = 0.0 if one.overlapped else 2.0 * one.whole * (one.tensor - 1) / one.tensor
    return [(OURS, ours), ("one key-value head on every rank", products), ("vector operators count", every + sums)]


def weights(one: ReferenceStep) -> Ladder:
    """Weights of a stage on a chip, embedding excluded [byte]."""
    ours = WEIGHT_BYTES * _stage_parameters(one)
    narrow = ours * one.element / WEIGHT_BYTES
    return [(OURS, ours), ("8-bit weights", narrow), ("no biases", one.state()["weights"])]


def gradients(one: ReferenceStep) -> Ladder:
    """Gradients of a stage on a chip [byte]."""
    held = _stage_parameters(one)
    inner = (one.blocks - 1) / one.blocks * held
    mixed = GRADIENT_BYTES * (held - inner) + one.element * inner
    cut = GRADIENT_BYTES * (held - inner) + one.element * inner / one.shards
    return [
        (OURS, GRADIENT_BYTES * held),
        ("fp32 in one block only", mixed),
        ("sharded with the optimizer", cut),
        ("no biases", one.state()["gradients"]),
    ]


def optimizer_state(one: ReferenceStep) -> Ladder:
    """Optimizer state of a stage on a chip [byte]."""
    ours = OPTIMIZER_STATE_BYTES * _stage_parameters(one) / one.shards
    return [(OURS, ours), ("no biases", one.state()["optimizer"])]


def block_activations(one: ReferenceStep, recompute: float) -> float:
    """What we count that one block keeps of a micro-batch [byte]."""
    kept = stage_activations(
        one.shape,
        np.float64(one.tokens),
        one.point["app"]["seq_size"],
        np.float64(one.tensor),
        np.float64(one.shape.layers),
        np.float64(recompute),
        sequence_parallel=one.split,
        fused_attention=False,
    )
    return float(kept)


def activations(one: ReferenceStep) -> Ladder:
    """Activations of the first stage on a chip [byte]."""
    point = one.point
    stages, chunks, runs = (
        np.float64(count) for count in (point["pipeline_par"], point["pipeline_interleaving"], one.micro_batches)
    )
    block = block_activations(one, RECOMPUTE[point["activation_recompute"]])
    flying = float(in_flight(stages, chunks, runs))
    plain = {"datatype": "float16", "fused_activation": False, "tensor_par_overlap": "none"}
    plain |= {"seq_par_ag_redo": one.split and not one.full}
    at_work = ReferenceStep(point | plain, one.system).working() - (0.0 if one.full else block)
    ladder = [
        (OURS, flying * one.blocks * block),
        ("one block at work is whole", flying * one.blocks * block + at_work),
        ("in flight: fewer micro-batches than stages", one.flying() * one.blocks * block + at_work),
    ]
    names = {
        "seq_par_ag_redo": "gathered inputs of products kept",
        "fused_activation": "fused GeLU keeps no input",
        "tensor_par_overlap": "overlapped products keep a tile",
        "datatype": "8-bit activations",
    }
    kept = ReferenceStep(point | plain, one.system).activations()
    ladder.append(("whole checkpoints; no input of attention; a key-value head per query head", kept))
    for field, name in names.items():
        plain.pop(field)
        ladder.append((name, ReferenceStep(point | plain, one.system).activations()))
    return ladder


def _compute(one: ReferenceStep, kept: Any, join: Any) -> float:
    """Time of some operators of all blocks and micro-batches [s], every pass."""

    def passes(operator: Operator) -> float:
        times = [
            join(one.arithmetic(operator.flops[index], matrix=operator.matrix), one.memory(operator.moved[index]))
            for index in (FORWARD, INPUT, WEIGHT)
        ]
        return float(sum(times) + operator.again * times[FORWARD])

    return one.blocks * one.micro_batches * sum(passes(operator) for operator in one.operators if kept(operator))


def compute_time(one: ReferenceStep) -> Ladder:
    """Time of the work of a stage in a step [s]; ours is the roofline of its products alone."""
    return [
        (OURS, _compute(one, lambda operator: operator.matrix, max)),
        ("arithmetic and memory add up", _compute(one, lambda operator: operator.matrix, one.join)),
        ("vector operators, each through memory", _compute(one, lambda _: True, one.join)),
        ("products slowed by the messages they hide", sum(one.compute_times().values())),
    ]


def tensor_time(one: ReferenceStep) -> Ladder:
    """Time of the tensor-parallel messages of a step on the link [s], repeated ones included."""
    wide = np.float64(2.0 * one.whole)
    group, rates = ranks(one.tensor), fabric(one.network)
    runs = one.blocks * one.micro_batches
    again = 2.0 if one.full else 0.0
    ours = runs * (4.0 + again) * float(all_reduce(wide, group, rates))
    narrow = runs * (4.0 + again) * float(all_reduce(wide * one.element / 2.0, group, rates))
    repeated = narrow * (1.0 + one.regathers() / (4.0 + again) / 2.0)
    network = one.tensor_times(on_chip=False)
    every = one.tensor_times()
    return [
        (OURS, ours),
        ("8-bit messages", narrow),
        ("inputs gathered again", repeated),
        ("scale of the network file", network["tensor_time"] + network["regather_time"]),
        ("sums and copies on the chip", every["tensor_time"] + every["regather_time"]),
    ]


def pipeline_time(one: ReferenceStep) -> Ladder:
    """Time of the transfers between stages of a step [s], all of them."""
    network = one.system["networks"][one.point["pipeline_par_net"]]
    rates, latency = fabric(network), np.float64(network["latency"] - START)
    hops = 2.0 * one.micro_batches * one.point["pipeline_interleaving"] * (one.point["pipeline_par"] > 1)
    ours = hops * float(point_to_point(np.float64(2.0 * one.size), rates.up_rate, latency))
    narrow = hops * float(point_to_point(np.float64(one.element * one.size), rates.up_rate, latency))
    return [(OURS, ours), ("8-bit transfers", narrow), ("cut over tensor ranks (p2p_rs_ag)", hops * one.hop())]


def data_time(one: ReferenceStep) -> Ladder:
    """Time of the gradient and weight messages of a step on the link [s]."""
    rates, group = fabric(one.system["networks"][one.point["data_par_net"]]), ranks(one.point["data_par"])
    held = np.float64(_stage_parameters(one))
    sharded = one.point["optimizer_sharding"]

    def moved(gradient: float, weight: float) -> float:
        back = all_gather(held * weight, group, rates) if sharded else all_gather(held * gradient, group, rates)
        return float(reduce_scatter(held * gradient, group, rates) + back)

    return [
        (OURS, moved(GRADIENT_BYTES, WEIGHT_BYTES)),
        ("gradients reduced in the format of the products", moved(one.element, one.element)),
        ("scale of the network file", one.data_time()),
    ]


def bubble_time(one: ReferenceStep) -> Ladder:
    """Idle time of the first stage in a step [s], for the same work."""
    out = one.point["out"]
    names = ("forward_time", "backward_time", "recompute_time", "tensor_exposed", "regather_exposed", "pipeline_time")
    busy = sum(out[name] for name in names) + out["offload_exposed"]
    stages, chunks = one.point["pipeline_par"], one.point["pipeline_interleaving"]
    gaps = float(round_gaps(np.float64(one.micro_batches), np.float64(stages), np.float64(chunks)))
    slots = (one.shape.layers - one.blocks) / chunks / one.blocks + gaps
    uneven = (stages * one.blocks - one.shape.layers) / one.blocks * (1.0 - 1.0 / chunks)
    rounds = slots - gaps + (-one.micro_batches % stages) * (chunks - 1) / chunks
    slot = busy / one.micro_batches
    return [
        (OURS, slots * slot),
        ("partial rounds wait in every chunk", rounds * slot),
        ("a missing block shortens the wait once", (rounds - uneven) * slot),
        ("missing block with its transfer", one.bubble(busy)),
    ]


PARTS = {
    "block_forward_flops": forward_flops,
    "weights": weights,
    "gradients": gradients,
    "optimizer": optimizer_state,
    "activations": activations,
    "compute_time": compute_time,
    "tensor_time": tensor_time,
    "pipeline_time": pipeline_time,
    "data_time": data_time,
    "bubble_time": bubble_time,
}

SUMS = {
    "compute_time": ("forward_time", "backward_time", "recompute_time"),
    "tensor_time": ("tensor_time", "regather_time"),
}


def published(one: ReferenceStep, part: str) -> float:
    """Calculon's own value of a part."""
    return float(sum(one.point["out"][name] for name in SUMS.get(part, (part,))))


@dataclass(frozen=True)
class Row:
    """One line of a table: a convention, and the values so far over Calculon's, one per point where it has the part."""

    part: str
    convention: str
    ratios: NDArray[np.float64]
    moved: int

    def __str__(self) -> str:
        """The line in Markdown: points moved by more than 10 %, then median, extremes and points still beyond 10 %."""
        low, middle, high = (f"{value:.3g}" for value in np.quantile(self.ratios, (0.0, 0.5, 1.0)))
        beyond = np.count_nonzero(np.abs(self.ratios - 1.0) > 0.1)
        moved = "" if self.convention == OURS else f"{self.moved}"
        counted = f"{beyond} of {self.ratios.size}"
        return f"| {self.part} | {self.convention} | {moved} | {middle} | {low} | {high} | {counted} |"


def compared(part: str) -> list[ReferenceStep]:
    """Points whose part is compared: inference has weights and FLOPs only, one rank no messages."""
    inference = ("block_forward_flops", "weights")
    return [one for one in points() if (one.point["training"] or part in inference) and published(one, part) > 0.0]


def table(part: str) -> list[Row]:
    """The ladder of a part over all points."""
    rungs = [(PARTS[part](one), published(one, part)) for one in compared(part)]
    names = [name for name, _ in rungs[0][0]]
    values = np.asarray([[value / theirs for _, value in ladder] for ladder, theirs in rungs])
    with np.errstate(divide="ignore"):
        moved = np.abs(values[:, 1:] / values[:, :-1] - 1.0) > 0.1
    counts = [0, *np.count_nonzero(moved, axis=0).tolist()]
    return [Row(part, name, values[:, index], counts[index]) for index, name in enumerate(names)]


if __name__ == "__main__":
    print("\n".join(str(row) for part in PARTS for row in table(part)))  # noqa: T201
