"""Calculon's conventions on the operators and messages of one block, written down anew for the parity test.

Calculon (Isaev et al., SC'23, https://doi.org/10.1145/3581784.3607102, github.com/calculon-ai/calculon, Apache-2.0)
prices a block operator by operator: arithmetic at an efficiency that steps with the FLOPs of the operator, memory at
one that steps with its bytes, the two added (``no_overlap``) or the larger (``roofline``). The sides of the matrices
come from ``models.transformer``; what is here is only how Calculon charges them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.transformer import Transformer, attention_matrices, mlp_matrices

BYTES = {"float16": 2, "float8": 1}

FORWARD, INPUT, WEIGHT = range(3)
"""The passes of an operator; a message goes forward, backward, and forward again where the first is repeated."""

Three = tuple[float, float, float]


def shape_of(point: dict[str, Any]) -> Transformer:
    """The transformer of a point; Calculon leaves embedding and head out of everything compared here."""
    app = point["app"]
    return Transformer(
        layers=app["num_blocks"],
        hidden=app["hidden"],
        ffn_hidden=app["feedforward"],
        heads=app["attn_heads"],
        kv_heads=1 if point["attention_type"] == "multiquery" else app["attn_heads"],
        head_dim=app["attn_size"],
        vocabulary=51200,
        gated_mlp=False,
        tied_embeddings=True,
        attention_bias=True,
    )


@dataclass(frozen=True)
class Message:
    """An exchange of the tensor-parallel ranks, before the split products (``first``) or after them."""

    first: bool
    again: bool


@dataclass(frozen=True)
class Operator:
    """One operator of a block on a chip: FLOPs and bytes per pass, how it is recomputed, what its tiles hide."""

    matrix: bool
    flops: Three
    moved: Three
    again: bool
    hides: Message | None = None


class Reference:
    """One point under Calculon's conventions."""

    def __init__(self, point: dict[str, Any], system: dict[str, Any]) -> None:
        self.point, self.system, self.shape = point, system, shape_of(point)
        self.element = BYTES[point["datatype"]]
        self.tensor, self.tokens = point["tensor_par"], point["microbatch_size"] * point["app"]["seq_size"]
        self.whole = self.tokens * self.shape.hidden
        self.split = point["tensor_par_comm_type"] == "rs_ag"
        self.size = self.whole / (self.tensor if self.split else 1)
        self.overlapped = point["tensor_par_overlap"] != "none"
        self.network = system["networks"][point["tensor_par_net"]]
        self.scores = self.shape.heads // self.tensor * point["app"]["seq_size"] ** 2 * point["microbatch_size"]
        self.blocks = -(-self.shape.layers // point["pipeline_par"])
        self.micro_batches = point["batch_size"] // point["data_par"] // point["microbatch_size"]
        self.full = point["activation_recompute"] == "full"
        self.core_again = point["activation_recompute"] != "none"
        redo = point["seq_par_ag_redo"]
        self.messages = {
            "attention_first": Message(first=True, again=self.core_again or redo),
            "attention_last": Message(first=False, again=self.full),
            "mlp_first": Message(first=True, again=self.full or redo),
            "mlp_last": Message(first=False, again=self.full),
        }
        self.operators = list(self._block())

    # What a block does

    def _product(self, columns: float, depth: float, message: str = "") -> Operator:
        """A matrix product of all tokens; each of its passes touches both factors and the result."""
        flops = 2.0 * self.tokens * columns * depth
        hides = self.messages[message] if message and self.overlapped and self.tensor > 1 else None
        ends = self.tokens * depth, self.tokens * columns
        backward = self._tiled(*ends, first="first" in message) if message and self.overlapped else sum(ends)
        weights = columns * depth
        moved = (self.element * (sum(ends) + weights), *[self.element * (backward + weights)] * 2)
        return Operator(True, (flops, flops, flops), moved, self.full, hides)

    def _tiled(self, inputs: float, outputs: float, *, first: bool) -> float:
        """Elements that a product touches backward while its exchange runs in tiles."""
        if self.split:
            return inputs // self.tensor + outputs if first else inputs + 2.0 * (outputs // self.tensor)
        return inputs if first else 2.0 * outputs

    def _scores(self, *, again: bool) -> Operator:
        """One of the two products of attention; both of its gradients are charged to the input."""
        flops = 2.0 * self.scores * self.shape.head_dim
        moved = self.scores + 2.0 * self.tokens * self.shape.heads * self.shape.head_dim / self.tensor
        return Operator(True, (flops, 2.0 * flops, 0.0), (*[self.element * moved] * 2, 0.0), again)

    def _vector(self, flops: Three, elements: Three, masks: float = 0.0, *, again: bool) -> Operator:
        """An operator of the vector engine; ``masks`` are bytes."""
        forward, backward, weight = (self.element * count for count in elements)
        return Operator(False, flops, (forward + masks, backward + masks, weight), again)

    def _dropout(self, size: float, *, again: bool) -> Operator:
        return self._vector((size, size, 0.0), (2 * size, 2 * size, 0.0), size, again=again)

    def _fork(self, size: float, users: int) -> Operator:
        return self._vector((0.0, users * size, 0.0), (0.0, (users + 1) * size, 0.0), again=False)

    def _norm(self) -> Operator:
        size, moved = self.size, 2.0 * (self.size + self.shape.hidden)
        return self._vector((9 * size, 14 * size, 7 * size), (moved, moved, moved), again=self.full)

    def _tail(self) -> Iterator[Operator]:
        """Dropout and residual."""
        yield self._dropout(self.size, again=self.full)
        yield self._vector((self.size, 2 * self.size, 0.0), (3 * self.size, 3 * self.size, 0.0), again=self.full)

    def _block(self) -> Iterator[Operator]:
        yield from self._attention()
        up, down = mlp_matrices(self.shape, self.shape.ffn_hidden)
        units = self.tokens * up.outputs / self.tensor
        yield from (self._fork(self.size, 2), self._norm())
        yield self._product(up.outputs / self.tensor, up.inputs, "mlp_first")
        yield self._vector((8 * units, 13 * units, 0.0), (2 * units, 2 * units, 0.0), again=self.full)
        yield self._product(down.outputs, down.inputs / self.tensor, "mlp_last")
        yield from self._tail()

    def _attention(self) -> Iterator[Operator]:
        shape, scores = self.shape, self.scores
        _, out = attention_matrices(shape)
        heads = out.inputs / self.tensor
        keys = shape.head_dim if shape.kv_heads == 1 else heads
        pair = [self._product(keys, shape.hidden)] * 2
        yield from (self._fork(self.size, 2), self._norm())
        if self.overlapped and shape.kv_heads > 1:
            yield self._product(3 * heads, shape.hidden, "attention_first")
        elif self.overlapped:
            yield from (self._product(heads, shape.hidden, "attention_first"), self._fork(self.whole, 2), *pair)
        else:
            yield from (self._fork(self.whole, 3), self._product(heads, shape.hidden), *pair)
        yield self._scores(again=self.core_again)
        yield self._vector((5 * scores, 8 * scores, 0.0), (2 * scores, 2 * scores, 0.0), again=self.core_again)
        yield self._dropout(scores, again=self.core_again)
        yield self._scores(again=self.full)
        yield self._product(out.outputs, heads, "attention_last")
        yield from self._tail()

    # What it is charged

    @staticmethod
    def _efficiency(steps: list[list[float]], size: float) -> float:
        return next(value for least, value in steps if size >= least)

    def arithmetic(self, flops: float, *, matrix: bool) -> float:
        """Time of the FLOPs of one operator [s]."""
        peak, steps = self.system["matrix" if matrix else "vector"][self.point["datatype"]]
        return flops / (peak * 1e12 * self._efficiency(steps, flops / 1e9))

    def memory(self, moved: float) -> float:
        """Time of the bytes of one operator [s]."""
        bandwidth, steps = self.system["memory"]
        return moved / (bandwidth * 1e9 * self._efficiency(steps, moved / 1e6))

    def join(self, arithmetic: float, memory: float) -> float:
        """Time of one operator [s]: the sum, or the larger."""
        return max(arithmetic, memory) if self.system["roofline"] else arithmetic + memory

    def transfer(self, network: dict[str, Any], kind: str, volume: float, ranks: int) -> float:
        """Latency once, and ``scale (1 + offset / ranks)`` of the volume over the bandwidth [s]."""
        scale, offset = network["ops"][kind]
        scaled = scale * volume * (1.0 + (offset or 0.0) / ranks)
        return network["latency"] + scaled / (network["bandwidth"] * 1e9 * network["efficiency"])

    def exchange(self, message: Message, index: int, *, split: bool, on_chip: bool = True) -> float:
        """Time of a message in one pass [s]: the network, and the sums and copies on the chip."""
        if self.tensor == 1 or (index == WEIGHT and not message.again):
            return 0.0
        sums = message.first == (index == INPUT)
        if not sums and not split:
            return 0.0
        kind = ("reduce_scatter" if split else "all_reduce") if sums else "all_gather"
        volume = self.whole * self.element
        network = self.transfer(self.network, kind, volume, self.tensor)
        if index == WEIGHT or not on_chip:
            return network
        added = self.arithmetic(self.whole * (self.tensor - 1) / self.tensor, matrix=False) if sums else 0.0
        if self.overlapped:
            return network + added
        return network + self.join(added, self.memory(2.0 * volume) if sums or self.split else 0.0)

    def operator_time(self, one: Operator, index: int) -> tuple[float, float]:
        """Time of one pass of an operator, and what its tiles leave exposed of their exchange [s]."""
        arithmetic, memory = self.arithmetic(one.flops[index], matrix=one.matrix), self.memory(one.moved[index])
        alone = self.join(arithmetic, memory)
        link = self.exchange(one.hides, index, split=self.split) if one.hides else 0.0
        if not link:
            return alone, 0.0
        usage, rest = self.network["processor_usage"], (self.tensor - 1) / self.tensor
        slowed = arithmetic / (1.0 - usage)
        ahead = link / self.tensor if self.point["tensor_par_overlap"] == "pipe" else 0.0
        if link > slowed:
            return alone / self.tensor + rest * self.join(slowed, memory) + ahead, rest * (link - slowed) + ahead
        return alone + rest * link * usage + ahead, ahead

    # A step

    def _over_blocks(self, edge: float, inner: float) -> float:
        """Sum over the blocks of a stage and micro-batches; the last block of every chunk is an edge."""
        chunks = self.point["pipeline_interleaving"]
        return self.micro_batches * (chunks * edge + (self.blocks - chunks) * inner)

    def tensor_times(self, *, on_chip: bool = True) -> dict[str, float]:
        """Time of the tensor-parallel messages [s]: on the link and exposed, at first and again."""
        edge = self.point["tensor_par_comm_type"] != "ar"

        def link(index: int) -> float:
            last, inner = (
                sum(self.exchange(one, index, split=split, on_chip=on_chip) for one in self.messages.values())
                for split in (edge, self.split)
            )
            return self._over_blocks(last, inner)

        times = {"tensor_time": link(FORWARD) + link(INPUT), "regather_time": link(WEIGHT)}
        if not self.overlapped:
            return times | {"tensor_exposed": times["tensor_time"], "regather_exposed": times["regather_time"]}
        hidden = [one for one in self.operators if one.hides]
        once = sum(self.operator_time(one, index)[1] for one in hidden for index in (FORWARD, INPUT))
        again = sum(self.operator_time(one, FORWARD)[1] for one in hidden if one.hides and one.hides.again)
        runs = self.blocks * self.micro_batches
        return times | {"tensor_exposed": runs * once, "regather_exposed": runs * again}

    def compute_times(self) -> dict[str, float]:
        """Time of the operators of all blocks and micro-batches of a stage [s]."""
        runs = self.blocks * self.micro_batches
        passes = [sum(self.operator_time(one, index)[0] for one in self.operators) for index in range(3)]
        again = sum(self.operator_time(one, FORWARD)[0] for one in self.operators if one.again)
        return {
            "forward_time": runs * passes[FORWARD],
            "backward_time": runs * (passes[INPUT] + passes[WEIGHT]),
            "recompute_time": runs * again,
        }
