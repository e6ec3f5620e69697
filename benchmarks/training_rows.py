"""How a published training run becomes inputs of the model, or why it does not.

Rules speak of what a row records and when it ran; none speaks of how well the model does on it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.transformer import Transformer
from sweep.catalogue import Catalogue
from sweep.errors import SweepError

ROWS: Final = Path(__file__).parent.parent / "tests" / "data" / "training.csv"

SYSTEMS: Final = {
    "A100-80GB": "dgx-a100",
    "A800-80GB": "dgx-a100",
    "A100-40GB": "dgx-a100-40gb",
    "H100-SXM": "dgx-h100",
    "H800": "hgx-h800",
    "H200-SXM": "dgx-h200",
    "B200": "dgx-b200",
    "B300": "dgx-b300",
    "GB200": "gb200-nvl72",
    "GB300": "gb300-nvl72",
    "MI300X": "mi300x-node",
    "MI325X": "mi325x-node",
    "MI355X": "mi355x-node",
    "Ascend 910B (Atlas 900 A2 PODc)": "atlas-800t-a2",
    "Ascend 910B-class NPU": "atlas-800t-a2",
    "Trainium1": "trn1-instance",
    "TPU-v4": "tpu-v4-pod",
    "TPU-v5e": "tpu-v5e-pod",
    "TPU-v5p": "tpu-v5p-pod",
    "TPU-v6e": "tpu-v6e-pod",
    "TPU-v7x (Ironwood)": "tpu-v7-pod",
}

FORMATS: Final = {"NVFP4": "fp4", "MXFP8": "fp8", "FP8": "fp8", "INT8": "int8", "FP16": "fp16", "BF16": "bf16"}

UNFUSED: Final = ("korthikanti22", "narayanan21", "bloom", "vtrain", "neuron", "megatron-readme", "opt", "gpt-neox")
"""Sources whose software predates fused attention or did not use it."""

UNSHARDED_SEQUENCE: Final = ("narayanan21", "bloom", "vtrain", "opt", "gpt-neox")
"""Sources whose software predates sequence parallelism."""

CLUSTERS: Final = {"bloom": {"scale_out_bandwidth": 4 * 12.5e9 / 8}}
"""What a source says about its cluster that differs from the catalogue's system. Jean Zay: eight A100 share four
Omni-Path links (huggingface.co/blog/bloom-megatron-deepspeed, hardware; 100 Gbit/s is the rate of that generation)."""

IMPOSSIBLE: Final = {
    "bloom-prequel-0013": "implies more than the peak",
    "bloom-prequel-0014": "implies more than the peak",
    "bloom-prequel-0015": "implies more than the peak",
    "mindspeed-0019": "implies 2.4 times the peak: misprint",
}

PLENTY: Final = 1e15
"""Memory per chip [byte] under which every recorded mapping is legal: it did run."""


class LeftOutError(Exception):
    """A row the model does not predict; the message says why."""


@dataclass(frozen=True, slots=True)
class Run:
    """One published run: what it is, what the model is told, and how long a step took [s]."""

    name: str
    source: str
    chip: str
    precision: str
    moe: bool
    stated: bool
    seconds: float
    inputs: Mapping[str, Any]


def source_of(row: Mapping[str, str]) -> str:
    """Name of the source of a row."""
    return row["id"].rsplit("-", 1)[0]


def workload_of(name: str) -> str:
    """Name of a model in the catalogue."""
    name = name.lower()
    for family in ("llama2-", "llama3-", "llama3.1-", "llama4-"):
        if name.startswith(family):
            return name.replace("llama", "llama-", 1)
    return name


def _format(row: Mapping[str, str]) -> str:
    text = row["precision"].upper()
    if not text:
        raise LeftOutError("number format not stated")
    return next((code for word, code in FORMATS.items() if word in text), "bf16")


def _whole(row: Mapping[str, str], column: str, default: int | None = None) -> int:
    if row[column]:
        return int(float(row[column]))
    if default is None:
        raise LeftOutError("mapping or batch not stated")
    return default


def _step_seconds(row: Mapping[str, str], batch: int, sequence: int, chips: int) -> float:
    """Measured step time [s]: printed, or from tokens per second, or from hardware TFLOP/s (Narayanan's formula)."""
    if row["measured_step_time_s"]:
        return float(row["measured_step_time_s"])
    if row["measured_tokens_per_s_per_chip"]:
        return batch * sequence / (float(row["measured_tokens_per_s_per_chip"]) * chips)
    if source_of(row) == "narayanan21" and row["measured_tflops_per_chip"]:
        layers, hidden, words = (float(row[name]) for name in ("n_layers", "hidden", "vocab"))
        passes = 96.0 if row["recompute"] == "full" else 72.0
        extra = 1 + sequence / (6 * hidden) + words / (passes / 6 * layers * hidden)
        return (
            passes
            * batch
            * sequence
            * layers
            * hidden**2
            * extra
            / (float(row["measured_tflops_per_chip"]) * 1e12 * chips)
        )
    raise LeftOutError("neither step time nor tokens per second stated")


def _sharding(row: Mapping[str, str]) -> int:
    text = row["zero_stage/dist_optimizer"].lower()
    if "zero-2" in text or "grad_op" in text:
        return 2
    if "fsdp" in text or "zero-3" in text:
        return 3
    return 0 if text in ("", "none") and row["date"] < "2023" else 1


def _moe_floor(row: Mapping[str, str]) -> float:
    """Least time of a mixture layer [s]: 11 ms in early 2025, 8 % less per half year, half with captured graphs."""
    year, month = (int(part) for part in (row["date"] + "-06")[:7].split("-"))
    half_years = max(2 * (year - 2025) + (month > 6), 0)
    return 11e-3 * 0.92**half_years * (0.5 if "cuda graph" in row["other_features"].lower() else 1.0)


def _attention(row: Mapping[str, str]) -> dict[str, float]:
    """Attention efficiency where the kernels of the time did not know the chip yet.

    FlashAttention reaches at best 40 % of the peak of an A100 (arXiv:2307.08691, abstract); its successor is of July
    2023. That reaches 35 % of the peak of an H100 (arXiv:2407.08608, abstract); its successor is of July 2024.
    """
    if source_of(row).startswith(UNFUSED):
        return {}
    if row["chip"].startswith("A100") and row["date"] < "2023-07":
        return {"attention_efficiency": 0.40}
    if row["chip"].startswith("H100") and row["date"] < "2024-07":
        return {"attention_efficiency": 0.35}
    return {}


def _cluster(source: str) -> dict[str, float]:
    """Facts of the cluster of a source."""
    return next((facts for prefix, facts in CLUSTERS.items() if source.startswith(prefix)), {})


def _left_out(row: Mapping[str, str]) -> str:
    """Why a row is not predicted although its mapping may be known; empty when it is."""
    features, model = row["other_features"].lower(), row["model"]
    if row["id"] in IMPOSSIBLE:
        return IMPOSSIBLE[row["id"]]
    if "lora" in features or "sft" in features:
        return "fine-tuning: frozen weights or packed sequences are not modelled"
    if model.startswith(("nemotron3", "deepseek-v4", "qwen3-next", "hunyuan")):
        return "layers that are no transformer layers"
    if source_of(row) in ("vtrain-single", "korthikanti22-layer"):
        return "microbenchmark of one chip or layer"
    if "offload" in features and "act cpu offload false" not in features and source_of(row) != "llmfoundry":
        return "activation offload is not modelled"
    return "" if row["chip"] in SYSTEMS else "chip is not in the catalogue"


def speeds(catalogue: Catalogue, system: str) -> dict[str, Any]:
    """Facts of a system as inputs of the model [SI]; those given by formulas (prices, powers) are left out."""
    facts = catalogue.facts(system)
    return {name: fact.value for name, fact in facts.items() if fact.value is not None and fact.formula is None}


def _shape(row: Mapping[str, str], catalogue: Catalogue) -> Transformer:
    """Shape from the catalogue, or from the row itself for GPT models that the catalogue cannot verify."""
    try:
        shape = catalogue.entry("workloads", workload_of(row["model"])).shape
    except SweepError:
        shape = None
    if shape is not None:
        return shape
    if not row["model"].startswith("gpt-"):
        raise LeftOutError("shape is not in the catalogue")
    hidden, heads = _whole(row, "hidden"), _whole(row, "n_heads")
    return Transformer(
        layers=_whole(row, "n_layers"),
        hidden=hidden,
        ffn_hidden=_whole(row, "ffn_hidden"),
        heads=heads,
        kv_heads=heads,
        head_dim=hidden // heads,
        vocabulary=_whole(row, "vocab"),
        gated_mlp=False,
        tied_embeddings=True,
    )


def read_run(row: Mapping[str, str], catalogue: Catalogue) -> Run:
    """Turn a row into a run; raises ``LeftOutError`` with the reason when it cannot."""
    if reason := _left_out(row):
        raise LeftOutError(reason)
    cores = 2 if row["chip"] == "Trainium1" else 1
    tensor, pipeline, context = _whole(row, "tp"), _whole(row, "pp"), _whole(row, "cp", 1)
    micro_batch, batch = _whole(row, "micro_batch"), _whole(row, "global_batch_sequences")
    chips, sequence, domain = _whole(row, "n_chips"), _whole(row, "seq_len"), _whole(row, "scale_up_domain")
    tensor = max(tensor // cores, 1)
    data = chips // (tensor * pipeline * context)
    if not data or data * micro_batch > batch + micro_batch - 1:
        raise LeftOutError("ranks, batch and micro-batch do not agree")
    source, features, early = source_of(row), row["other_features"].lower(), row["date"] < "2023"
    precision = _format(row)
    shape = _shape(row, catalogue)
    inputs = (
        speeds(catalogue, SYSTEMS[row["chip"]])
        | _attention(row)
        | _cluster(source)
        | {
            "shape": shape,
            "precision": precision,
            "sequence_length": sequence,
            "global_batch": batch,
            "domains": math.ceil(chips / domain),
            "scale_up_size": domain,
            "hbm_capacity": PLENTY,
            "tensor_parallel": tensor,
            "pipeline_parallel": pipeline,
            "virtual_pipeline": _whole(row, "vpp", 1),
            "data_parallel": data,
            "context_parallel": context,
            "expert_parallel": _whole(row, "ep", 1) if shape.experts else 1,
            "micro_batch": micro_batch,
            "recompute": row["recompute"] or "none",
            "optimizer_sharding": _sharding(row),
            "placement": "data",
            "attention_kernel": "unfused" if source.startswith(UNFUSED) else "fused",
            "sequence_parallel": int(
                not source.startswith(UNSHARDED_SEQUENCE) and "no sequence parallel" not in features
            ),
            "tensor_parallel_overlap": 0.32 if "tp comm overlap" in features or "use-mc2" in features else 0.0,
            "data_parallel_overlap": 0.0 if early else 1.0,
            "moe_layer_floor": _moe_floor(row),
            "expert_parallel_overlap": 0.86 if "a2a overlap" in features or "dualpipe" in features else 0.0,
        }
    )
    return Run(
        name=row["id"],
        source=source,
        chip=row["chip"],
        precision=precision,
        moe=bool(shape.experts),
        stated=bool(row["recompute"]),
        seconds=_step_seconds(row, batch, sequence, chips),
        inputs=inputs,
    )


def read_runs(catalogue: Catalogue) -> Iterator[Run | tuple[str, str]]:
    """Yield every row as a run, or as its name and the reason why it is left out."""
    with ROWS.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                yield read_run(row, catalogue)
            except LeftOutError as reason:
                yield row["id"], str(reason)
