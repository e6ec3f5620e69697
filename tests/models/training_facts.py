"""Machines and shapes for the training tests, as literals with their sources.

Peaks, memory and links: vendor data sheets. Efficiencies: largest measured products and attention kernels
(aiconfigurator-core 0.12.0, ml-engineering @744d01e), the 910C from the CloudMatrix paper (arXiv:2506.12708).
"""

from __future__ import annotations

from typing import Any

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


DGX_A100: dict[str, Any] = {
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


def job(machine: dict[str, Any], shape: Transformer, **inputs: Any) -> dict[str, Any]:
    """Inputs of a training job; the mapping is free unless given."""
    default = {"precision": "bf16", "sequence_length": 8192, "global_batch": 512, "domains": 4}
    return machine | default | {"shape": shape} | inputs
