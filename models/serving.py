"""Serving: the best layout, batch and split between prefill and decode within the service levels."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array, Known, ModelInputError, decided, text
from models.kv_cache import prefill_attention_flops
from models.reasons import Reason
from models.serving_case import Case, case_of
from models.serving_choice import Choice, Sizes, by_size, choose
from models.serving_device import PRECISION_BYTES
from models.serving_mapping import MappingTable, mapping_table
from models.serving_memory import WORKSPACE, sequence_memory
from models.serving_pass import Instance
from models.serving_point import (
    DecodePoint,
    PrefillPoint,
    batches_for,
    cache_space,
    decode_point,
    ladder,
    prefill_point,
    shared_prompt_time,
)
from models.serving_queue import REQUEST_TIME, mean_wait
from models.transformer import Transformer, forward_matrix_flops, score_flops_at

LARGEST_DECODE_INSTANCE: Final = 512
LARGEST_PREFILL_INSTANCE: Final = 64
"""Devices of one instance; prefill gains nothing beyond, and published instances have 32."""


def least(values: Array, where: NDArray[np.bool_]) -> Array:
    """Return the least value over the mapping dimensions where ``where`` holds; NaN where it holds nowhere."""
    kept = np.where(where & ~np.isnan(values), values, np.inf).min(axis=(-2, -1))
    return np.where(np.isinf(kept), np.nan, kept)


def infeasible_reason(peak: Array, apart: DecodePoint, shared: DecodePoint, prefill: PrefillPoint) -> Array:
    """Return the code of the limit that leaves no combination of layouts; meant for designs that have none.

    The first that applies of: number format, memory, time per output token, time to the first token, devices for both
    phases.
    """
    can_prefill = (prefill.rate > 0).any(axis=(-2, -1))
    can_decode = (apart.rate > 0).any(axis=(-2, -1))
    fits = apart.fits.any(axis=(-2, -1)) & prefill.fits.any(axis=(-2, -1)) | shared.fits.any(axis=(-2, -1))
    reason = np.where(can_prefill, Reason.SERVING_INSTANCES, Reason.SERVING_FIRST_TOKEN)
    reason = np.where(can_decode, reason, Reason.SERVING_OUTPUT_TOKEN)
    reason = np.where(fits, reason, Reason.SERVING_MEMORY)
    return np.where(np.isnan(peak), Reason.PRECISION, reason)


def layout_text(tensor_parallel: Array, devices: Array, shape: Transformer) -> NDArray[np.str_]:
    """Return layouts in one word each: tp8 for a dense model, tp1.ep32 for a mixture of experts."""
    tensor = np.strings.add("tp", tensor_parallel.astype(np.int64).astype(np.str_))
    if not shape.experts:
        return tensor
    return np.strings.add(np.strings.add(tensor, ".ep"), devices.astype(np.int64).astype(np.str_))


def mapping_text(choice: Choice, shape: Transformer) -> NDArray[np.str_]:
    """Return the chosen layouts in one word: prefill:tp1.ep32+decode:tp1.ep320, or shared:tp8 on the same instances."""
    decode = layout_text(choice.decode["tensor_parallel"], choice.decode["devices"], shape)
    prefill = layout_text(choice.prefill["tensor_parallel"], choice.prefill["devices"], shape)
    apart = np.strings.add(np.strings.add("prefill:", prefill), np.strings.add("+decode:", decode))
    named = np.where(choice.shared, np.strings.add("shared:", decode), apart)
    return np.where(choice.requests > 0, named, "")


def first_token_time(choice: Choice) -> Array:
    """Return the mean time to the first token at the throughput of the choice [s]."""
    prefill = choice.prefill
    load = choice.requests / (choice.prefill_instances * prefill["capacity"])
    apart = REQUEST_TIME + prefill["service_time"] + mean_wait(load, prefill["service_time"], prefill["bulk"])
    return np.where(choice.shared, choice.decode["first_token_time"], apart)


def request_flops(case: Case) -> Array:
    """Return the model FLOPs of one request [FLOP]: matrix products of computed and generated tokens, causal scores."""
    products = forward_matrix_flops(case.shape) * (case.new + case.answer)
    prompt = prefill_attention_flops(case.shape, case.new, case.cached)
    return (products + prompt + case.answer * score_flops_at(case.shape, case.prompt + case.answer / 2))[..., 0, 0, 0]


def chip_counts(case: Case, choice: Choice) -> dict[str, Array]:
    """Return chips that prefill, that decode, and that work at all; shared instances count by their time."""
    decode = choice.decode_instances * choice.decode["devices"] / case.device.per_chip
    prefill = choice.prefill_instances * choice.prefill["devices"] / case.device.per_chip
    used = np.ceil(decode + prefill)
    prefill = np.where(choice.shared, np.rint(used * choice.decode["prefill_share"]), np.ceil(prefill))
    return {"prefill_chips": prefill, "decode_chips": used - prefill, "chips_used": used}


def memory_metrics(case: Case, choice: Choice) -> dict[str, Array]:
    """Return the memory of one decode chip by use [byte]."""
    at = Instance(choice.decode["devices"], choice.decode["tensor_parallel"])
    element = case.cache_element[..., 0, 0, 0]
    per_sequence = sequence_memory(case.shape, at, case.context, element)
    weights = case.device.per_chip * choice.decode["weights"]
    cache = case.device.per_chip * choice.decode["batch"] * per_sequence
    return {
        "memory_weights": weights,
        "memory_kv_cache": cache,
        "memory_per_chip": weights + cache + case.device.per_chip * WORKSPACE,
    }


def throughput_metrics(case: Case, choice: Choice, chips_used: Array) -> dict[str, Array]:
    """Return rates of the cluster and its model FLOPs utilisation."""
    output = choice.requests * case.answer
    return {
        "requests_per_second": choice.requests,
        "tokens_per_second": output,
        "tokens_per_second_per_chip": output / chips_used,
        "input_tokens_per_second": choice.requests * case.prompt,
        "model_flops_utilisation": choice.requests * request_flops(case) / (case.device.peak * chips_used),
    }


def serving_stage(known: Known) -> dict[str, Any]:
    """Return the performance of a cluster that serves a transformer, at its best operating point.

    For every layout the largest batch within memory and service levels is solved, then the number of instances that
    prefill and that decode (or do both), for the most requests per second of the chips bought. ``tokens_per_second``
    counts output tokens. Where nothing works, ``reason`` names the limit, and the quantity it limits says by how much:
    the least ``memory_per_chip``, ``time_per_output_token`` or ``time_to_first_token`` that any layout reaches.

    The layouts are the best ones at the values ``decided_at`` where these are given; batch and split of the instances
    follow what then holds.

    Limits of this form: no pipeline stages, tensor parallelism inside one domain, steady load, equal requests. Cache
    transfer between instances (5-10 ms for a 4k prompt on 400G links) is left out. Where whole instances leave decode
    a little idle, its time per token and batch are still those of full load.
    """
    shape, precision = known.get("shape"), text(known, "precision")
    if not isinstance(shape, Transformer):
        raise ModelInputError("workload", "the shape of the workload is not known for this design")
    if precision not in PRECISION_BYTES:
        raise ModelInputError("precision", f"precision {precision!r} is none of {', '.join(PRECISION_BYTES)}")
    case, judged = case_of(known, shape, precision), decided(known)
    layouts = layouts_of(case)
    points = points_of(case, layouts)
    by = points if judged is known else points_of(case_of(judged, shape, precision), layouts)
    deciding = None if judged is known else _sizes(by, by, layouts)
    choice = choose(case, *_sizes(points, by, layouts), judged=deciding)
    return stage_metrics(case, choice, *points, layouts[0])


Layouts = tuple[MappingTable, MappingTable]
Points = tuple[DecodePoint, DecodePoint, PrefillPoint]


def layouts_of(case: Case) -> Layouts:
    """Return the layouts that may decode, and those that may prefill."""
    found = (LARGEST_DECODE_INSTANCE, LARGEST_PREFILL_INSTANCE)
    decode, prefill = (mapping_table(case.shape, case.devices, case.device.domain, largest) for largest in found)
    return decode, prefill


def points_of(case: Case, layouts: Layouts) -> Points:
    """Return the points of every layout: decode with prefill elsewhere, decode with prefill beside it, prefill."""
    decode, prefill = layouts
    space = cache_space(case, decode)
    iteration = ladder(case, decode, batches_for(space))
    apart = decode_point(case, decode, space, iteration, None)
    shared = decode_point(case, decode, space, iteration, shared_prompt_time(case, decode))
    return apart, shared, prefill_point(case, prefill)


def _sizes(points: Points, judged: Points, layouts: Layouts) -> tuple[Sizes, Sizes, Sizes]:
    """Return the three points by instance size, each at the width that is best at the values judged."""
    decode, prefill = layouts
    (apart, shared, first), (by_apart, by_shared, by_first) = points, judged
    return by_size(apart, decode, by_apart), by_size(shared, decode, by_shared), by_size(first, prefill, by_first)


def stage_metrics(
    case: Case,
    choice: Choice,
    apart: DecodePoint,
    shared: DecodePoint,
    prefill: PrefillPoint,
    table: MappingTable,
) -> dict[str, Any]:
    """Return all metrics of the stage; those of infeasible designs are NaN (0 for whole numbers) but for the limits."""
    ok = choice.requests > 0
    counts = chip_counts(case, choice)
    metrics = counts | memory_metrics(case, choice) | throughput_metrics(case, choice, counts["chips_used"])
    metrics = {name: np.where(ok, value, np.nan) for name, value in metrics.items()}
    one = sequence_memory(case.shape, table.instance, case.context, case.cache_element)
    needed = case.device.per_chip * least(apart.weights + one[..., 0, :, :] + WORKSPACE, table.legal)
    metrics["memory_per_chip"] = np.where(ok, metrics["memory_per_chip"], needed)
    metrics["time_per_output_token"] = np.where(ok, choice.decode["token_time"], least(apart.fastest, apart.fits))
    fastest_prefill = REQUEST_TIME + least(prefill.service_time, prefill.fits)
    metrics["time_to_first_token"] = np.where(ok, first_token_time(choice), fastest_prefill)
    ranks = choice.decode["devices"] / choice.decode["tensor_parallel"]
    whole = {
        "decode_batch": choice.decode["batch"] * ranks,
        "tensor_parallel": choice.decode["tensor_parallel"],
        "expert_parallel": choice.decode["devices"] if case.shape.experts else np.ones_like(ranks),
        "pipeline_parallel": np.ones_like(ranks),
        "data_parallel": choice.decode_instances,
    }
    integers = {name: np.where(ok, np.nan_to_num(value), 0).astype(np.int64) for name, value in whole.items()}
    for name in ("prefill_chips", "decode_chips", "chips_used"):
        integers[name] = np.nan_to_num(metrics.pop(name)).astype(np.int64)
    reason = np.where(ok, Reason.NONE, infeasible_reason(case.device.peak, apart, shared, prefill))
    return {
        **metrics,
        **integers,
        "mapping": mapping_text(choice, case.shape),
        "legal_mappings": choice.legal,
        "near_optimal_mappings": choice.near,
        "status": np.where(ok, 0, 1).astype(np.int8),
        "reason": reason.astype(np.int16),
    }
