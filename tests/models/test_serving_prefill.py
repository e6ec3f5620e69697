"""Prefill passes against published throughput."""

import pytest
from serving_facts import ASCEND_910C, DEEPSEEK, H100, H800, LLAMA_405B, scalar

from models.prefill import pass_time
from models.serving_device import device_of
from models.serving_pass import Instance


def tokens_per_second(system, precision, prompts):
    """Return prompt tokens per second and chip on 32 devices, 4,096-token prompts."""
    at = Instance(scalar(32), scalar(1))
    time = pass_time(device_of(system, precision), DEEPSEEK, at, scalar(prompts), scalar(4096), scalar(0))
    return (prompts * 4096 / time).item() * system.get("devices_per_chip", 1)


@pytest.mark.parametrize(
    ("system", "precision", "prompts", "measured"),
    [
        (ASCEND_910C, "int8", 2, 5655),  # CloudMatrix-Infer, default balance
        (H100, "fp8", 4, 6288),  # SGLang, default balance
        (H800, "fp8", 4, 7839),  # DeepSeek's published profile
    ],
)
def test_prefill_throughput_of_deepseek(system, precision, prompts, measured):
    """DeepSeek-R1 on 32 devices, 16,384 tokens per chip and pass: arXiv:2506.12708, table 2."""
    assert tokens_per_second(system, precision, prompts) == pytest.approx(measured, rel=0.25)  # first pass: -3 to +21 %


def test_cached_tokens_cost_attention_only():
    device, at = device_of(H100, "fp8"), Instance(scalar(8), scalar(8))
    times = [
        pass_time(device, LLAMA_405B, at, scalar(1), scalar(new), scalar(4096 - new)).item() for new in (4096, 2048, 1)
    ]
    assert times[0] > times[1] > times[2]
    alone = pass_time(device, LLAMA_405B, at, scalar(1), scalar(2048), scalar(0)).item()
    assert times[1] > alone
