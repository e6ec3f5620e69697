"""What a row says about the software of a run, as inputs of the model.

Rules go by date, chip and the words of ``other_features``; a column of the row (``attention_kernel`` and so on) wins
over its rule. None goes by source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from models.transformer import Transformer
from sweep.accuracy.machines import Machine
from sweep.accuracy.table import Row

MODERN: Final = 2023.0
"""Year from which training software is taken to fuse attention, to share norms over tensor-parallel ranks and to
overlap the gradient reduction, unless the row says otherwise. FlashAttention is of May 2022 (arXiv:2205.14135),
sequence parallelism of the same month (arXiv:2205.05198); both reached the common frameworks within the year."""

FLAGS: Final = re.compile(r"\b(?:use-|overlap-|sequence-parallel\b)")
"""Words in the form of Megatron's command line: the row lists the flags of its script, and what is not listed is off.
Where no such word stands, nothing follows from an absence."""

ATTENTION: Final = (
    ("a100", 2023.5, 0.40),
    ("a800", 2023.5, 0.40),
    ("h100", 2024.5, 0.35),
    ("h800", 2024.5, 0.35),
    ("h200", 2024.5, 0.35),
)
"""Chip, year of the kernel generation that knows it, part of the peak that fused attention reached before.

FlashAttention reaches 25 to 40 % of the peak of an A100 and FlashAttention-2 of July 2023 replaces it
(arXiv:2307.08691, abstract); that reaches 35 % of the peak of an H100 and FlashAttention-3 of July 2024 replaces it
(arXiv:2407.08608, abstract). From then on the calibrated efficiency of the chip holds."""

ALIBI: Final = 2024.0
"""FlashAttention-2 takes linear position biases from version 2.4 of January 2024 on (its release notes); before, such
models ran the kernels of the first generation."""

HOPPER: Final = ("h100", "h800", "h200", "gh200")

FIRST_ON_HOPPER: Final = 0.19
"""Part of the peak of an H100 that first-generation kernels reach, derived: they use the instructions of an A100,
where they reach 125 TFLOP/s on 108 multiprocessors at 1.41 GHz; 132 at 1.755 GHz make it 190 of 989."""

MIXTURES: Final = 2025.33
"""Year from which Megatron-Core has kernels of their own for the exchange of experts and graphs of mixture layers (its
changelog, 0.12.0; DeepEP itself is of February 2025)."""

ASYNCHRONOUS: Final = 2022.0
"""Year from which Megatron runs the sums of input gradients beside the weight gradient; before, they are a node of
their own behind both (mpu/layers.py, NVIDIA/Megatron-LM @aed2f75)."""

COMPILED: Final = re.compile(r"^(?:tpu|trainium)")
"""Chips whose software compiles a step ahead of time."""

TRANSFORMER_ENGINE: Final = 2024.0
"""Products in 8 bits on these chips run in Transformer Engine, whose attention is that of cuDNN 9 of early 2024, which
knows Hopper."""

FORMATS: Final = (
    (re.compile(r"fp4"), "fp4", 0.5),
    (re.compile(r"fp8|e4m3|e5m2"), "fp8", 1.0),
    (re.compile(r"int8"), "int8", 1.0),
    (re.compile(r"bf16|bfloat16|fp16|float16|half|mixed"), "bf16", 2.0),
    (re.compile(r"tf32"), "tf32", 4.0),
    (re.compile(r"fp32|float32"), "fp32", 4.5),
)
"""Words for number formats, the code of the model, and an order from narrow to wide. fp16 and bf16 are one class."""

NVFP4_SINCE: Final = 2025.75
"""Training products in four bits are published from late 2025 (MLPerf Training 5.1, November 2025)."""


def formats_of(row: Row, machine: Machine) -> tuple[str, ...]:
    """Return the number format of the matrix products; several where the row does not say and the chip has them.

    Of several named the narrowest, the faster of two as narrow. When blank: bf16 where the chip has nothing narrower or
    before 2023; since late 2025 either 4 or 8 bits where the chip has 4, unless the name of a script says 4; else 8.
    """
    text = row.text("precision").lower()
    named = [(width, -machine.peak(code), code) for word, code, width in FORMATS if word.search(text)]
    if named:
        code = min(named)[2]
        return ("fp16",) if code == "bf16" and not machine.peak("bf16") else (code,)
    if not machine.peak("fp8") or row.year < MODERN or text:
        return ("bf16",)
    if machine.peak("fp4") and row.year >= NVFP4_SINCE:
        return ("fp4",) if re.search(r"config_\S*fp4", row.features) else ("fp8", "fp4")
    return ("fp8",)


def is_fused(row: Row) -> bool:
    """Whether attention is one fused kernel: stated, listed, or by date. Neuron computes the scores in full."""
    if stated := row.text("attention_kernel"):
        return stated == "fused"
    if "flash" in row.features:
        return True
    if FLAGS.search(row.features) or row.text("chip").lower().startswith("trainium"):
        return False
    return row.year >= MODERN


def shares_sequence(row: Row) -> bool:
    """Whether tensor-parallel ranks share norms and residuals; DeepSpeed's fork of Megatron does not."""
    if stated := row.text("sequence_parallel"):
        return stated == "yes"
    if re.search(r"no sequence.parallel", row.features):
        return False
    if re.search(r"sequence.parallel", row.features):
        return True
    return row.year >= MODERN and "deepspeed" not in row.features and not FLAGS.search(row.features)


def attention_efficiency(row: Row, precision: str) -> float | None:
    """Part of the peak of fused attention whose kernels did not know the chip yet; None when they did."""
    chip = row.text("chip").lower()
    if precision in {"fp8", "fp4"} and row.year >= TRANSFORMER_ENGINE:
        return None
    if "alibi" in row.features and row.year < ALIBI and chip.startswith(HOPPER):
        return FIRST_ON_HOPPER
    for beginning, known, efficiency in ATTENTION:
        if chip.startswith(beginning) and row.year < known:
            return efficiency
    return None


def trained_weights(row: Row) -> str:
    """``adapters`` where only low-rank adapters of a frozen model are trained, else ``all``."""
    if stated := row.text("trained"):
        return "adapters" if stated == "adapters" else "all"
    return "adapters" if re.search(r"\bq?lora\b", row.features) else "all"


def sharding_stage(row: Row) -> int:
    """ZeRO stage.

    When blank: 0 before 2023 and with DeepSpeed, whose default it is (deepspeed.ai/docs/config-json), then 1: the
    distributed optimizer, which Megatron's recipes switch on.
    """
    stated = row.text("zero_stage/dist_optimizer").lower()
    text = stated or row.features
    if "zero-2" in text or "grad_op" in text:
        return 2
    if "fsdp" in text or "zero-3" in text:
        return 3
    if re.search(r"zero-1|dist_optimizer|distributed.optimizer", text):
        return 1
    return 0 if stated == "none" or row.year < MODERN or "deepspeed" in text else 1


def gathers_tensors(row: Row) -> bool:
    """Whether sharded weights are gathered tensor by tensor: DeepSpeed's ZeRO-3 before it joined them into buckets.

    The first release of ZeRO-3 (March 2021) fetches every parameter when a layer needs it.
    """
    words = f"{row.features} {row.text('zero_stage/dist_optimizer').lower()}"
    return "zero-3" in words and "fsdp" not in words and row.year < MODERN


def gradient_bytes(row: Row) -> float:
    """Bytes in which gradients are reduced: 2 where a script or its framework reduces in 16 bits, else 4.

    Composer reduces in the format of the products in both of its modes (``get_mixed_precision``). MaxText casts weights
    to bf16 at their use, so the sums over replicas that XLA puts behind their gradients are of bf16.
    """
    words = f"{row.features} {_sharding_words(row)}"
    return 2.0 if re.search(r"grad_reduce_in_fp32 false|mp mode (?:default|pure)|maxtext", words) else 4.0


def reduces_all(row: Row) -> bool:
    """Whether every replica gets all gradients although the optimizer is sharded: DeepSpeed's ``BF16_Optimizer``.

    The pipeline engine all-reduces its fp32 gradients after the last micro-batch, and gathers the weights after the
    update (``_bf16_reduce_grads`` in deepspeed/runtime/pipe/engine.py, which calls ``buffered_allreduce_fallback``).
    """
    return "bf16optimizer" in _sharding_words(row)


def sharding_group(row: Row, machine: Machine, tensor: int) -> int:
    """Ranks over which fully sharded data parallelism shards when it is not all of them; 0 when it is.

    "FSDP=64" or "256-way FSDP"; TPU slices that repeat the model over the data-centre network shard within a slice.
    """
    words = f"{row.features} {row.text('zero_stage/dist_optimizer').lower()}"
    if match := re.search(r"\bfsdp=(\d+)|\b(\d+)-way fsdp", words):
        return int(match[1] or match[2])
    if "data parallel across slices" in words and machine.chips > machine.domain:
        return max(machine.ranks // machine.chips * machine.domain // tensor, 1)
    return 0


def captured_graphs(row: Row) -> float:
    """Part of the kernel launches that CUDA graphs capture.

    All on TPU and Trainium, whose compilers make one program of a step. Half where only named parts of a layer are
    ("cuda graphs attn/moe_router"); all where no part is named, which in Megatron means whole layers, or the whole
    iteration is; "_cg" in the name of a script says the same.
    """
    if COMPILED.search(row.text("chip").lower()):
        return 1.0
    match = re.search(r"cuda graphs?([^;\[]*)", row.features)
    if match:
        scope = match[1].strip()
        return 1.0 if not scope or "full" in scope else 0.5
    return 1.0 if re.search(r"config_\S*_cg\b|config_\S*_cg_", row.features) else 0.0


def activation_offload(row: Row, layers: int) -> float:
    """Part of the activations that moves to the host: of some layers, or all."""
    if match := re.search(r"activation offload (\d+) layers", row.features):
        return min(int(match[1]) / layers, 1.0)
    if "offload false" in row.features:
        return 0.0
    return 1.0 if re.search(r"(?:act|activation)s? (?:cpu )?offload", row.features) else 0.0


def schedule(row: Row) -> str:
    """Pipeline schedule: ``interleaved`` (with one chunk per stage: one forward, one backward) unless named."""
    if "dualpipe" in row.features:
        return "dualpipe"
    return "zero_bubble" if re.search(r"zero.bubble", row.features) else "interleaved"


def mixtures(row: Row, shape: Transformer) -> tuple[dict[str, Any], ...]:
    """Return what the layers of experts run on: how tokens reach them, in graphs or not, behind other work or not.

    Tokens go by kernels of their own where the row names them, else by all-to-all, Megatron's default. A row that lists
    nothing of its recipe leaves two open once both are public: all of it, as the recipes of today have it, or nothing.
    """
    named = re.search(r"hybridep|deepep|dualpipe", row.features)
    stated = {
        "mixture_dispatch": "fused" if named or not shape.experts else "alltoall",
        "captured_graphs": captured_graphs(row),
        "overlap_experts": int(
            bool(re.search(r"a2a overlap|dualpipe|all-to-all, adaptive pipe overlap", row.features))
        ),
    }
    listed = named or "[preset" in row.features or "cuda graph" in row.features or FLAGS.search(row.features)
    other = re.search(r"^(?:tpu|trainium|ascend)", row.text("chip").lower())
    if not shape.experts or listed or other or row.count("ep") == 1 or row.year < MIXTURES:
        return (stated,)
    return stated, {"mixture_dispatch": "fused", "captured_graphs": 1.0, "overlap_experts": 1}


def overlaps_tensor(row: Row) -> bool:
    """Whether tensor-parallel messages are said to hide behind products."""
    if stated := row.text("tensor_overlap"):
        return stated == "yes"
    return bool(re.search(r"tp comm overlap|use-mc2|tp/pp overlap", row.features))


def _overlaps(row: Row) -> dict[str, int]:
    """Return which other communication is said to hide behind work."""
    words = row.features
    exposed = re.search(r"not overlapped|no gradient bucketing", words)
    listed = "overlap-grad-reduce" in words if FLAGS.search(words) else row.year >= MODERN
    gradients = not exposed and (listed or "overlap of grad" in words or "with overlap" in _sharding_words(row))
    return {"overlap_gradients": int(gradients), "overlap_input_gradients": int(row.year >= ASYNCHRONOUS)}


def _sharding_words(row: Row) -> str:
    return row.text("zero_stage/dist_optimizer").lower()


def software(row: Row, shape: Transformer, precision: str) -> dict[str, Any]:
    """Return the inputs that say what the software of a run does, without its mapping; ``precision`` is its format."""
    fused = is_fused(row)
    inputs: dict[str, Any] = {
        "software_date": row.year,
        "attention_kernel": "fused" if fused else "unfused",
        "sequence_parallel": int(shares_sequence(row)),
        "trained_weights": trained_weights(row),
        "pipeline_schedule": schedule(row),
        "gradient_bytes": gradient_bytes(row),
        "weight_gather_bytes": 1.0 if "fp8 param gather" in row.features else 2.0,
        "blocking_launches": int("cuda_launch_blocking=1" in row.features),
        **_overlaps(row),
    }
    inputs |= _present(
        {
            "attention_efficiency": attention_efficiency(row, precision) if fused else None,
            "packed_length": row.count("packed_length"),
            "activation_offload": activation_offload(row, shape.layers),
        }
    )
    return inputs


def _present(values: dict[str, float | Sequence[str] | None]) -> dict[str, Any]:
    """Leave out what does not apply."""
    return {name: value for name, value in values.items() if value}
