"""Candidate layouts of one instance."""

import numpy as np
from serving_facts import DEEPSEEK, LLAMA_405B

from models.serving_mapping import instance_sizes, mapping_table


def layouts(table):
    devices, width = np.broadcast_arrays(table.devices, table.tensor_parallel)
    return set(zip(devices[table.legal].tolist(), width[table.legal].tolist(), strict=True))


def test_sizes_hold_the_published_ones_and_whole_domains():
    # 32 and 320 dies on CloudMatrix 384, 72 and 36 of NVL72, 96 and 32 H100.
    assert {32, 320, 384} <= set(instance_sizes(512, 768))
    assert {36, 72, 144} <= set(instance_sizes(512, 72))
    assert {32, 96} <= set(instance_sizes(256, 8))
    assert max(instance_sizes(100, 8)) <= 100


def test_dense_model_stays_inside_one_domain():
    assert layouts(mapping_table(LLAMA_405B, 64, 8, 512)) == {(1, 1), (2, 2), (4, 4), (8, 8)}


def test_groups_of_a_mixture_divide_the_instance():
    pairs = layouts(mapping_table(DEEPSEEK, 32, 8, 512))
    assert {(32, 1), (32, 8), (24, 8), (5, 1)} <= pairs
    assert all(devices % width == 0 for devices, width in pairs)


def test_no_more_than_two_devices_per_expert():
    assert mapping_table(DEEPSEEK, 10_000, 10_000, 100_000).devices.max() <= 512
