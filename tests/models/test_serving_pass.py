"""Parts of one forward pass: limits, and exchange times against measured kernels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_facts import ASCEND_910C, DEEPSEEK, GB200, H100, H800, LLAMA_405B, scalar

from models.decode import iteration_parts
from models.serving_device import device_of
from models.serving_memory import weight_memory
from models.serving_network import all_reduce_time, copies_sent, exchange_time
from models.serving_pass import (
    Instance,
    active_experts,
    communication_time,
    experts_held,
    experts_time,
    overlapped_time,
    product_time,
)
from models.transformer import parameters

SIZES = st.floats(1e-3, 1e6)


@given(SIZES, SIZES, SIZES, SIZES)
def test_product_never_beats_the_roofline_nor_loses_more_than_both(flops, read, flop_rate, byte_rate):
    time = product_time(*(scalar(value) for value in (flops, read, flop_rate, byte_rate)))
    compute, memory = flops / flop_rate, read / byte_rate
    assert time >= max(compute, memory) * (1 - 1e-12)
    assert time <= (compute + memory) * (1 + 1e-12)


def test_experts_held_covers_every_expert_and_replicates_the_rest():
    # CloudMatrix 384: 256 routed experts on 320 dies, one per die (arXiv:2506.12708, section 4.2).
    held = experts_held(256, np.array([1.0, 8.0, 72.0, 256.0, 320.0]))
    assert held.tolist() == [256, 32, 4, 1, 1]


def test_active_experts_of_few_and_of_many_tokens():
    held, devices = scalar(256), scalar(1)
    assert active_experts(held, devices, 8, scalar(0)) == 0
    assert active_experts(held, devices, 8, scalar(1)) == pytest.approx(8)
    # 32 tokens x 8 choices: 256 (1 - (1 - 1/32)^32) of the 256, not all of them.
    assert active_experts(held, devices, 8, scalar(32)) == pytest.approx(256 * (1 - (31 / 32) ** 32))
    assert active_experts(held, devices, 8, scalar(1e6)) == 256


def test_copies_sent_stay_at_home_on_one_device():
    assert copies_sent(8, np.array([1.0, 2.0])).tolist() == [0, 1 - 0.5**8]
    assert copies_sent(8, scalar(1e9)) == pytest.approx(8, rel=1e-6)


@pytest.mark.parametrize("shape", [DEEPSEEK, LLAMA_405B])
def test_one_device_has_no_communication(shape):
    device = device_of(H100, "fp8")
    assert communication_time(device, shape, scalar(64), Instance(scalar(1), scalar(1)), 0).item() == 0


@pytest.mark.parametrize(
    ("system", "precision", "group", "element", "measured"),
    [
        # 128 tokens of 7,168 elements to 8 experts: combine (16 bit) on CloudMatrix 384 and DeepEP on H800 at 256
        # ranks (arXiv:2506.12708, table 6); DeepEP low latency and TensorRT-LLM (aiconfigurator-core 0.12.0).
        (ASCEND_910C, "int8", 256, 2, 149e-6),
        (H800, "fp8", 256, 1, 194e-6),
        (H800, "fp8", 256, 2, 360e-6),
        (H100, "fp8", 8, 1, 36.7e-6),
        (H100, "fp8", 8, 2, 67.0e-6),
        (GB200, "fp8", 64, 1, 27.6e-6),
        (GB200, "fp8", 64, 2, 43.0e-6),
    ],
)
def test_exchange_time_is_near_the_measured_kernels(system, precision, group, element, measured):
    time = exchange_time(device_of(system, precision), scalar(7168 * element), scalar(128), 8, scalar(group))
    assert time.item() == pytest.approx(measured, rel=0.35)  # first order: one efficiency for all links of a kind


def test_all_reduce_moves_twice_the_payload_at_least_at_line_rate():
    device = device_of(H100, "fp8")
    time = all_reduce_time(device, scalar(1e9), scalar(8)).item()
    assert time > 2 * 7 / 8 * 1e9 / 450e9
    assert all_reduce_time(device, scalar(1e9), scalar(1)).item() == 0


def test_fewer_padded_rows_than_tokens_cannot_be():
    device = device_of(H100, "fp8")
    at = Instance(scalar(8), scalar(1))
    tokens = 1e6
    flops = 2 * 3 * 7168 * 2048 * 8 * tokens * DEEPSEEK.moe_layers
    assert experts_time(device, DEEPSEEK, scalar(tokens), at, 0, 1.0).item() > flops / 1979e12


def test_two_micro_batches_never_lose():
    device, at = device_of(H800, "fp8"), Instance(scalar(128), scalar(1))
    whole, half = (
        iteration_parts(device, DEEPSEEK, at, scalar(batch), scalar(4096), scalar(2), 0) for batch in (128, 64)
    )
    time = overlapped_time(whole, half, at).item()
    assert whole.busy.item() < time < whole.total.item()


@pytest.mark.parametrize("shape", [DEEPSEEK, LLAMA_405B])
def test_weights_of_one_device_are_the_parameters(shape):
    # One byte per parameter of the layers, two for embedding and head; norms and router (0.01 %) are left out.
    memory = weight_memory(device_of(H100, "fp8"), shape, Instance(scalar(1), scalar(1)), 0).item()
    tables = 2 * shape.vocabulary * shape.hidden
    assert memory == pytest.approx(parameters(shape) + tables, rel=5e-4)
