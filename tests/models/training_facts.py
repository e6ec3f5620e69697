"""Machines and shapes for the training tests, as literals with their sources.

Peaks, memory and links: vendor data sheets. Efficiencies: largest measured products and attention kernels
(aiconfigurator-core 0.12.0, ml-engineering @744d01e), the 910C from the CloudMatrix paper (arXiv:2506.12708). Curves of
kernels and ``HAND`` are round numbers: tests must not lean on fitted ones.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from models.coefficients import Coefficients, priors
from models.collectives import DISPATCH, LIBRARY, START, Library
from models.training import training_stage
from models.transformer import Transformer

LLAMA_405B = Transformer(126, 16384, 53248, 128, 8, 128, 128256)
LLAMA_8B = Transformer(32, 4096, 14336, 32, 8, 128, 128256)
DEEPSEEK_V3 = Transformer(
    layers=61,
    hidden=7168,
    ffn_hidden=18432,
    heads=128,
    kv_heads=128,
    head_dim=128,
    vocabulary=129280,
    experts=256,
    experts_per_token=8,
    expert_ffn_hidden=2048,
    shared_experts=1,
    first_dense_layers=3,
    q_lora_rank=1536,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    mtp_layers=1,
)
MIXTRAL = Transformer(32, 4096, 14336, 32, 8, 128, 32000, experts=8, experts_per_token=2, expert_ffn_hidden=14336)


def gpt(layers: int, hidden: int, heads: int, vocabulary: int = 51200) -> Transformer:
    """A GPT of the Megatron papers."""
    return Transformer(
        layers,
        hidden,
        4 * hidden,
        heads,
        heads,
        hidden // heads,
        vocabulary,
        gated_mlp=False,
        tied_embeddings=True,
        learned_positions=2048,
        attention_bias=True,
    )


HAND = Coefficients(
    **{
        name: prior.minimum + (0.3 + 0.01 * place) * (prior.maximum - prior.minimum)
        for place, (name, prior) in enumerate(priors().items())
    }
)
"""Coefficients inside their bounds, away from prior and fit: what a test expects follows from the values it passes."""

CALIBRATION = Path(__file__).parents[2] / "configs" / "calibration" / "2026-11.yaml"


def shipped() -> Coefficients:
    """Coefficients of the calibration in the catalogue, read as plain text: the models know nothing of its files."""
    lines = CALIBRATION.read_text(encoding="utf-8").splitlines()
    start = lines.index("  coefficients:") + 1
    pairs = (line.split(":") for line in lines[start : start + len(fields(Coefficients))])
    return Coefficients(**{name.strip(): float(value) for name, value in pairs})


KERNELS: dict[str, Any] = {
    "gemm_wave_bf16": 170e3,
    "gemm_depth_bf16": 150.0,
    "gemm_traffic_bf16": 1.05,
    "gemm_launch_bf16": 3e-6,
    "gemm_wave_fp8": 250e3,
    "gemm_depth_fp8": 200.0,
    "gemm_traffic_fp8": 1.3,
    "gemm_launch_fp8": 9e-6,
    "attention_start": 1000.0,
    "attention_fill": 13000.0,
    "attention_softmax": 64.0,
    "attention_launch": 12e-6,
    "latent_attention_start": 700.0,
    "latent_attention_fill": 17000.0,
    "latent_attention_launch": 14e-6,
}
"""Curves of matrix products and attention, the same for every machine here [SI]."""

DGX_A100: dict[str, Any] = KERNELS | {
    "scale_up_size": 8,
    "peak_bf16": 312e12,
    "peak_fp16": 312e12,
    "hbm_capacity": 80e9,
    "hbm_bandwidth": 2039e9,
    "gemm_efficiency_bf16": 0.80,
    "attention_efficiency": 0.49,
    "hbm_efficiency": 0.85,
    "kernel_launch_time": 3.5e-6,
    "scale_up_bandwidth": 300e9,
    "scale_up_latency": 1.03e-6,
    "scale_up_efficiency": 0.783,
    "scale_out_bandwidth": 25e9,
    "scale_out_latency": 3.7e-6,
    "scale_out_efficiency": 0.861,
}
DGX_H100: dict[str, Any] = DGX_A100 | {
    "peak_bf16": 989e12,
    "peak_fp16": 989e12,
    "peak_fp8": 1979e12,
    "hbm_bandwidth": 3350e9,
    "gemm_efficiency_bf16": 0.75,
    "gemm_efficiency_fp8": 0.70,
    "attention_efficiency": 0.62,
    "hbm_efficiency": 0.926,
    "scale_up_bandwidth": 450e9,
    "scale_up_efficiency": 0.816,
    "scale_out_bandwidth": 50e9,
}
NVL72: dict[str, Any] = DGX_H100 | {
    "scale_up_size": 72,
    "peak_bf16": 2500e12,
    "peak_fp16": 2500e12,
    "peak_fp8": 5000e12,
    "hbm_capacity": 186e9,
    "hbm_bandwidth": 8000e9,
    "gemm_efficiency_bf16": 0.63,
    "gemm_efficiency_fp8": 0.55,
    "hbm_efficiency": 0.925,
    "scale_up_bandwidth": 900e9,
}
CLOUDMATRIX: dict[str, Any] = DGX_A100 | {
    "scale_up_size": 384,
    "peak_bf16": 707.8e12,
    "peak_fp16": 752e12,
    "hbm_capacity": 128e9,
    "hbm_bandwidth": 3200e9,
    "gemm_efficiency_bf16": 0.61,
    "attention_efficiency": 0.695,
    "hbm_efficiency": 0.841,
    "kernel_launch_time": 5e-6,
    "scale_up_bandwidth": 392e9,
    "scale_up_latency": 2.1e-6,
    "scale_out_bandwidth": 50e9,
}


ALONE: dict[str, Any] = {
    "tensor_parallel": 1,
    "pipeline_parallel": 1,
    "virtual_pipeline": 1,
    "data_parallel": 1,
    "context_parallel": 1,
    "micro_batch": 1,
    "recompute": "none",
    "optimizer_sharding": 0,
    "hbm_capacity": 1e15,
}
"""One rank that holds everything."""

FREE_LINKS = {"scale_up_latency": 0.0, "scale_out_latency": 0.0}


def job(machine: dict[str, Any], shape: Transformer, **inputs: Any) -> dict[str, Any]:
    """Inputs of a training job; the mapping is free unless given."""
    default = {"precision": "bf16", "sequence_length": 8192, "global_batch": 512, "domains": 4}
    return machine | default | {"shape": shape} | inputs


def gathered(volume: float, ranks: float, rate: float) -> float:
    """Time of a gather of ``volume`` bytes over ``ranks`` ranks of one domain without latency [s]."""
    return START + moved(volume * (ranks - 1 + LIBRARY.copy) / ranks / rate)


def exchanged(volume: float, ranks: float, rate: float, library: Library = DISPATCH) -> float:
    """Time of an exchange of ``volume`` bytes per rank over ``ranks`` ranks of one domain without latency [s]."""
    transfer = volume * (ranks - 1 + library.copy) / ranks / library.exchange / rate
    return START + library.start + moved(transfer, library)


def moved(transfer: float, library: Library = LIBRARY) -> float:
    """Time of a transfer under the faster of both protocols [s]; ``transfer`` at the full rate."""
    return min(transfer / library.small_rate, transfer + library.protocol)


def part(name: str, inputs: dict[str, Any]) -> float:
    """One metric of one design."""
    return float(training_stage(inputs)[name])
