"""Calculon's conventions on memory and on a whole step, on top of those on a block (``calculon_reference``)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from calculon_reference import Reference

from models.memory import chip_parameters
from models.transformer import attention_matrices, mlp_matrices


class ReferenceStep(Reference):
    """Memory and time of a step of one point under Calculon's conventions."""

    def weights(self) -> list[float]:
        """Weights of every operator of a block on a chip: keys and values of one head whole, no biases."""
        shape, tensor = self.shape, self.tensor
        up, down = mlp_matrices(shape, shape.ffn_hidden)
        _, out = attention_matrices(shape)
        heads = out.size / tensor
        keys = shape.head_dim * shape.hidden if shape.kv_heads == 1 else heads
        joint = self.overlapped and shape.kv_heads > 1
        return [
            *([3 * heads] if joint else [heads, keys, keys]),
            heads,
            up.size / tensor,
            down.size / tensor,
            *[2.0 * shape.hidden] * 2,
        ]

    def block_parameters(self) -> float:
        """Our count of the parameters of a block on a chip, less its biases."""
        stages, one = np.float64(self.point["pipeline_par"]), np.float64(1.0)
        held = chip_parameters(self.shape, np.float64(self.tensor), stages, one).dense
        return float(held) / self.blocks - (self.shape.ffn_hidden + self.shape.hidden) / self.tensor

    @property
    def shards(self) -> int:
        """Ranks over which optimizer state and all but one block of gradients are cut."""
        return self.point["data_par"] if self.point["optimizer_sharding"] else 1

    def state(self) -> dict[str, float]:
        """Bytes of weights, gradients and optimizer state: gradients in fp32 for one block, else as the products."""
        block = self.block_parameters()
        return {
            "weights": self.blocks * block * self.element,
            "gradients": 4.0 * block + (self.blocks - 1) * block * self.element / self.shards,
            "optimizer": 12.0 * self.blocks * block / self.shards,
        }

    def _kept(self) -> Iterator[tuple[float, bool]]:
        """Bytes that the operators of a block hold, and whether they are kept until the backward pass."""
        size, scores, e = self.size, self.scores, self.element
        heads = self.tokens * self.shape.heads * self.shape.head_dim / self.tensor
        units = self.tokens * self.shape.ffn_hidden / self.tensor
        kept, gathered = not self.core_again, not self.messages["attention_first"].again
        yield e * size, True
        yield from self._ends(kept=gathered)
        yield 2 * e * heads, True
        yield from ((e * scores, kept), (scores, kept), (e * scores, kept))
        yield e * heads, True
        yield e * heads if self.split or not self.overlapped else 0.0, True
        yield size, True
        yield e * size, True
        yield from self._ends(kept=not self.messages["mlp_first"].again, mlp=True)
        yield 0.0 if self.point["fused_activation"] else e * units, True
        yield e * units if self.split or not self.overlapped else 0.0, True
        yield size, True

    def _ends(self, *, kept: bool, mlp: bool = False) -> Iterator[tuple[float, bool]]:
        """Input of the first products of a half block, whole and cut, and the buffer of its closing message."""
        whole, e = self.whole, self.element
        buffer = whole if self.tensor > 1 else 0.0
        if self.overlapped:
            yield e * (whole // self.tensor if self.split else whole), True
            if self.shape.kv_heads == 1 and not mlp:
                yield e * whole, kept
            return
        if self.split:
            yield from ((e * buffer / self.tensor, True), (e * buffer / self.tensor, False))
        else:
            yield e * buffer, False
        yield e * whole, kept

    def working(self) -> float:
        """Bytes that the block at work holds."""
        return sum(size for size, _ in self._kept())

    def flying(self) -> float:
        """Micro-batches in flight on the first stage; fewer than stages are taken for a full interleaved round."""
        stages, chunks = self.point["pipeline_par"], self.point["pipeline_interleaving"]
        return min(self.micro_batches, stages) * (1.0 + (stages - 1) / (stages * chunks) if chunks > 1 else 1.0)

    def activations(self) -> float:
        """Bytes of activations: the block at work whole, the others as far as they are kept."""
        if self.full:
            return self.working() + self.flying() * self.blocks * self.element * self.whole
        stored = sum(size for size, kept in self._kept() if kept)
        return self.working() + stored * (self.flying() * self.blocks - 1.0)

    def regathers(self) -> float:
        """Gathers of a block repeated without full recomputation."""
        return 0.0 if self.full or not self.split else float(sum(one.again for one in self.messages.values()))

    def hop(self) -> float:
        """Time of one transfer between stages [s]."""
        if self.point["pipeline_par"] == 1:
            return 0.0
        cut = 1 if self.point["tensor_par_comm_type"] == "ar" else self.tensor
        network = self.system["networks"][self.point["pipeline_par_net"]]
        return self.transfer(network, "p2p", self.whole * self.element / cut, 2)

    def data_time(self) -> float:
        """Time of the gradient messages of a step on the link [s]."""
        ranks, point = self.point["data_par"], self.point
        if ranks == 1:
            return 0.0
        kinds = ("reduce_scatter", "all_gather") if point["optimizer_sharding"] else ("all_reduce",)
        network = self.system["networks"][point["data_par_net"]]
        volume = self.block_parameters() * self.element
        return self.blocks * sum(self.transfer(network, kind, volume, ranks) for kind in kinds)

    def optimizer_time(self) -> float:
        """Time of the optimizer [s]: 11 FLOPs and 12 bytes per weight, operator by operator."""
        held = [count / self.shards for count in self.weights()]
        return self.blocks * sum(self.join(self.arithmetic(11 * n, matrix=False), self.memory(12 * n)) for n in held)

    def bubble(self, busy: float) -> float:
        """Idle time of the first stage [s], where ``busy`` is its time of work, transfers included.

        Rounds that are no multiple of the stages wait for the micro-batches they lack in every chunk but the last;
        stages that have a block less shorten the wait.
        """
        stages, chunks, runs = self.point["pipeline_par"], self.point["pipeline_interleaving"], self.micro_batches
        chunk = busy / (runs * chunks)
        lacking = -runs % stages * (chunks - 1)
        missing = self.blocks * stages - self.shape.layers
        inner = (chunk - 2.0 * self.hop()) / (self.blocks / chunks)
        return (stages - 1 + lacking) * chunk - missing * (inner + (1.0 if self.blocks > chunks else 2.0) * self.hop())

    def step_times(self) -> dict[str, float]:
        """All parts of a training step and their sum [s]; what data overlap and offloading expose are inputs."""
        out, chunks, runs = self.point["out"], self.point["pipeline_interleaving"], self.micro_batches
        parts = self.compute_times() | self.tensor_times()
        parts["pipeline_time"] = 2.0 * runs * chunks * self.hop()
        names = ("forward_time", "backward_time", "recompute_time", "tensor_exposed", "regather_exposed")
        busy = sum(parts[name] for name in names) + parts["pipeline_time"] + out["offload_exposed"]
        parts |= {"bubble_time": self.bubble(busy), "optimizer_time": self.optimizer_time()}
        given = out["data_exposed"] + out["total_mended"] - out["total"]
        return parts | {
            "data_time": self.data_time(),
            "total": busy + parts["bubble_time"] + parts["optimizer_time"] + given,
        }
