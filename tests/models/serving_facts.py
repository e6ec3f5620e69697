"""Facts that the serving tests share, as literals with their sources.

Chips: vendors' data sheets; 910C: arXiv:2506.12708 and the device table of Huawei's modelling tool (msmodeling).
Shapes: the models' published configurations.
"""

import numpy as np

from models.serving import serving_stage
from models.transformer import Transformer

DEEPSEEK = Transformer(
    layers=61, hidden=7168, ffn_hidden=18432, heads=128, kv_heads=128, head_dim=128, vocabulary=129280,
    experts=256, experts_per_token=8, expert_ffn_hidden=2048, shared_experts=1, first_dense_layers=3,
    q_lora_rank=1536, kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128, mtp_layers=1,
)  # fmt: skip
LLAMA_405B = Transformer(126, 16384, 53248, 128, 8, 128, 128256)
LLAMA_70B = Transformer(80, 8192, 28672, 64, 8, 128, 128256)
GPT_OSS = Transformer(
    36, 2880, 2880, 64, 8, 64, 201088, experts=128, experts_per_token=4, expert_ffn_hidden=2880, sliding_window=128
)

ASCEND_910C = {
    "peak_bf16": 707.8e12, "peak_fp16": 752e12, "peak_int8": 1504e12, "hbm_capacity": 128e9, "hbm_bandwidth": 3.2e12,
    "scale_up_bandwidth": 392e9, "scale_out_bandwidth": 50e9, "scale_up_size": 384, "devices_per_chip": 2,
    "gemm_efficiency_int8": 0.80,
}  # fmt: skip
H100 = {
    "peak_bf16": 989e12, "peak_fp8": 1979e12, "hbm_capacity": 80e9, "hbm_bandwidth": 3.35e12,
    "scale_up_bandwidth": 450e9, "scale_out_bandwidth": 50e9, "scale_up_size": 8,
}  # fmt: skip
H800 = H100 | {"scale_up_bandwidth": 200e9}
H20 = H100 | {"peak_bf16": 148e12, "peak_fp8": 296e12, "hbm_capacity": 96e9, "hbm_bandwidth": 4e12}
GB200 = {
    "peak_bf16": 2500e12, "peak_fp8": 5000e12, "peak_fp4": 10000e12, "hbm_capacity": 186e9, "hbm_bandwidth": 8e12,
    "scale_up_bandwidth": 900e9, "scale_out_bandwidth": 50e9, "scale_up_size": 72,
}  # fmt: skip

WORKLOAD = {
    "phase": "serve", "input_tokens": 4096, "output_tokens": 1024, "prefix_cache_hit": 0.0, "kv_bytes": 2.0,
    "speculative_tokens": 0, "speculative_acceptance": 0.7, "time_to_first_token_limit": 2.0,
    "time_per_output_token_limit": 0.05, "domains": 1,
}  # fmt: skip


def serve(system, shape, precision, **changes):
    """Run the serving stage as the chain of stages does: NaN and division by zero are values, not warnings."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return serving_stage({**system, **WORKLOAD, "shape": shape, "precision": precision, **changes})


def scalar(value):
    """Return a number as a 0-d array."""
    return np.asarray(float(value))
