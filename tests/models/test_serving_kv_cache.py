"""Sizes and work of the key-value cache against published figures."""

import numpy as np
import pytest
from serving_facts import DEEPSEEK, GPT_OSS
from serving_facts import LLAMA_405B as LLAMA

from models.kv_cache import cache_bytes, cache_share, decode_attention_flops, prefill_attention_flops, tokens_seen

ONE = np.asarray(1.0)


@pytest.mark.parametrize(
    ("shape", "published"),
    [
        (DEEPSEEK, 70_272),  # "70.272 KB per token", DeepSeek-V3 hardware paper, arXiv:2505.09343, table 1
        (LLAMA, 516_096),  # "516.096 KB per token", the same table
    ],
)
def test_cache_bytes_per_token_are_the_published_ones(shape, published):
    assert cache_bytes(shape, ONE, np.asarray(2.0), ONE) == published


def test_key_value_heads_are_divided_until_one_is_left():
    share = cache_share(LLAMA, np.array([1.0, 4.0, 8.0, 16.0]))
    assert share.tolist() == [1, 1 / 4, 1 / 8, 1 / 8]


def test_latent_is_repeated_on_every_device_of_the_group():
    assert cache_share(DEEPSEEK, np.array([1.0, 8.0])).tolist() == [1, 1]


def test_windowed_layers_keep_no_more_than_the_window():
    assert tokens_seen(GPT_OSS, np.asarray(4096.0)) == (4096 + 128) / 2
    assert tokens_seen(GPT_OSS, np.asarray(100.0)) == 100


def test_decode_attention_work_per_layer_and_token():
    # FlashMLA: 128 heads x (576 + 512) x 2 FLOP per cached token; grouped-query: 128 heads x 128 x 4.
    assert decode_attention_flops(DEEPSEEK, ONE) == 61 * 128 * (576 + 512) * 2
    assert decode_attention_flops(LLAMA, ONE) == 126 * 128 * 128 * 4


def test_cached_prompt_tokens_are_attended_but_not_attending():
    whole = prefill_attention_flops(LLAMA, np.asarray(1000.0), np.asarray(0.0))
    second_half = prefill_attention_flops(LLAMA, np.asarray(500.0), np.asarray(500.0))
    first_half = prefill_attention_flops(LLAMA, np.asarray(500.0), np.asarray(0.0))
    assert first_half + second_half == pytest.approx(whole, rel=1e-12)
