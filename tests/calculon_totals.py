"""Step time of Calculon's points by our model with Calculon's rates, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
from calculon_ladders import points
from calculon_step import ReferenceStep

from models.training import training_stage

FORMATS = {"float16": "bf16", "float8": "fp8"}
RECOMPUTE = {"none": "none", "attn_only": "selective", "full": "full"}

PARTS = {
    "compute": ("compute_time", "recompute_time", "vector_time", "overhead_time"),
    "tensor": ("tensor_parallel_time",),
    "pipeline": ("pipeline_time",),
    "bubble": ("bubble_time",),
    "data": ("data_parallel_time",),
    "optimizer": ("optimizer_time",),
}
"""Parts of a step, and the metrics of ours that they sum."""


def inputs(one: ReferenceStep) -> dict[str, Any]:
    """A point as inputs of ours: rates of large operators, no latency, no launches, memory without limit."""
    point, (near, far) = one.point, one.system["networks"]
    matrix, vast = one.system["matrix"], 1e15
    bandwidth, steps = one.system["memory"]
    efficiency = matrix["float16"][1][0][1]
    ranks = point["tensor_par"] * point["pipeline_par"] * point["data_par"]
    domain = near["size"] if point["tensor_par_net"] == 0 else 1
    return {
        "shape": one.shape,
        "phase": "train",
        "precision": FORMATS[point["datatype"]],
        "sequence_length": point["app"]["seq_size"],
        "global_batch": point["batch_size"],
        "scale_up_size": domain,
        "domains": 4 * -(-ranks // domain),
        "peak_bf16": matrix["float16"][0] * 1e12,
        "peak_fp16": matrix["float16"][0] * 1e12,
        "peak_fp8": 2e12 * matrix["float16"][0],
        "gemm_efficiency_bf16": efficiency,
        "gemm_efficiency_fp8": efficiency,
        "attention_efficiency": efficiency,
        "hbm_capacity": vast,
        "hbm_bandwidth": bandwidth * 1e9,
        "hbm_efficiency": steps[0][1],
        "kernel_launch_time": 0.0,
        "scale_up_bandwidth": near["bandwidth"] * 1e9,
        "scale_up_efficiency": near["efficiency"],
        "scale_up_latency": 0.0,
        "scale_out_bandwidth": far["bandwidth"] * 1e9,
        "scale_out_efficiency": far["efficiency"],
        "scale_out_latency": 0.0,
        "tensor_parallel": point["tensor_par"],
        "pipeline_parallel": point["pipeline_par"],
        "virtual_pipeline": point["pipeline_interleaving"],
        "data_parallel": point["data_par"],
        "context_parallel": 1,
        "expert_parallel": 1,
        "micro_batch": point["microbatch_size"],
        "recompute": RECOMPUTE[point["activation_recompute"]],
        "optimizer_sharding": int(point["optimizer_sharding"]),
        "placement": "data" if point["data_par_net"] == 0 else "pipeline",
        "sequence_parallel": int(one.split),
        "attention_kernel": "unfused",
    }


def ours(one: ReferenceStep) -> dict[str, float]:
    """Our step by part [s]; raises ``AssertionError`` where we find the point infeasible."""
    metrics = training_stage(inputs(one))
    assert int(metrics["status"]) == 0, (one.point["id"], int(metrics["reason"]))
    parts = {part: float(sum(metrics[name] for name in names)) for part, names in PARTS.items()}
    return parts | {"total": float(metrics["step_time"])}


def theirs(one: ReferenceStep) -> dict[str, float]:
    """Calculon's step by part [s], its fault in recomputation statistics mended; offloading is left out."""
    out = one.point["out"]
    mended = out["data_exposed"] + out["total_mended"] - out["total"]
    return {
        "compute": out["forward_time"] + out["backward_time"] + out["recompute_time"],
        "tensor": out["tensor_exposed"] + out["regather_exposed"],
        "pipeline": out["pipeline_time"],
        "bubble": out["bubble_time"],
        "data": mended,
        "optimizer": out["optimizer_time"],
        "total": out["total_mended"] - out["offload_exposed"],
    }


def group(one: ReferenceStep) -> str:
    """The class of a point in the table of totals; empty where it is inference or offloads."""
    if not one.point["training"] or one.point["offload"]:
        return ""
    if one.point["tag"] != "random":
        return "Korthikanti 2022, " + one.point["activation_recompute"].replace("attn_only", "selective")
    if one.shape.hidden < 1024:
        return "random, model of 126 M"
    return "random, tensor groups " + ("between domains" if one.point["tensor_par_net"] else "inside a domain")


def table() -> list[str]:
    """Lines of docs/peers.md: median share of every part in the difference of the totals, by class."""
    classes: dict[str, list[dict[str, float]]] = {}
    for one in points():
        if group(one):
            us, them = ours(one), theirs(one)
            classes.setdefault(group(one), []).append({name: (us[name] - them[name]) / them["total"] for name in us})
    lines = []
    for name, rows in sorted(classes.items()):
        middle = [round(100.0 * float(np.median([row[part] for row in rows]))) for part in (*PARTS, "total")]
        near = sum(abs(row["total"]) <= 0.1 for row in rows)
        lines.append(f"| {name} | {len(rows)} | {' | '.join(f'{share:+d}' for share in middle)} | {near} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))  # noqa: T201
