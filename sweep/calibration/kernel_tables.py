"""Tables of measured kernels that a user hands over: one Parquet file per operator, one row per measurement.

The columns are those of the package ``aiconfigurator-core`` 0.12.0 (Apache-2.0, Python registry), whose tables this
project does not ship: its files ``*_perf`` joined to one file per operator, with the name of the machine in ``system``.
``docs/kernels.md`` lists the columns that are read. Latencies are in milliseconds there, in seconds here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array
from sweep.errors import StudyError

CHIPS: Final = {
    "a100_sxm": "a100-sxm-80gb",
    "h100_sxm": "h100-sxm",
    "h200_sxm": "h200-sxm",
    "b200_sxm": "b200-sxm",
    "b300_sxm": "b300-sxm",
    "gb200": "gb200",
    "gb300": "gb300",
}
"""Machine of the tables → chip of the catalogue; other machines are passed over."""

FAMILIES: Final = {"bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "fp4"}
"""Number format of the tables → family of curves. ``fp8`` has one scale per tensor, ``fp8_block`` one per block."""

ELEMENT_BYTES: Final = {"bf16": 2.0, "fp8": 1.0, "fp8_block": 1.0, "fp4": 0.5}
PEAKS: Final = {"bf16": "peak_bf16", "fp8": "peak_fp8", "fp8_block": "peak_fp8", "fp4": "peak_fp4"}
"""The quantity that holds the peak of a family."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """Measured kernels of one operator: chip, family and time [s] of each, and its sides by name."""

    chip: NDArray[np.str_]
    family: NDArray[np.str_]
    seconds: Array
    sides: Mapping[str, Array]

    def where(self, chosen: NDArray[np.bool_]) -> Kernels:
        """Return the chosen kernels."""
        sides = {name: side[chosen] for name, side in self.sides.items()}
        return Kernels(self.chip[chosen], self.family[chosen], self.seconds[chosen], sides)


def read_gemm(folder: Path) -> Kernels:
    """Read ``gemm.parquet``: matrix products of ``m x k`` by ``k x n``."""
    table = _table(folder, "gemm", ("system", "gemm_dtype", "m", "n", "k", "latency"))
    kept = _known(table, "gemm_dtype")
    sides = {"rows": table["m"], "columns": table["n"], "depth": table["k"]}
    return _kernels(table, table["gemm_dtype"], sides).where(kept)


def read_attention(folder: Path) -> Kernels:
    """Read ``attention.parquet``: causal prefill over the whole sequence, cache and arithmetic in 16 bits."""
    names = ("system", "table", "attn_dtype", "kv_cache_dtype", "window_size", "head_dim")
    table = _table(folder, "attention", (*names, "batch_size", "num_heads", "isl", "latency"))
    kept = _known(table, "attn_dtype") & (table["table"] == "context_attention_perf") & (table["window_size"] == 0)
    kept &= (table["kv_cache_dtype"] == "bfloat16") & (table["attn_dtype"] == "bfloat16") & (table["head_dim"] <= 256)
    sides = {"sequences": "batch_size", "heads": "num_heads", "tokens": "isl", "width": "head_dim"}
    return _kernels(table, table["attn_dtype"], {side: table[name] for side, name in sides.items()}).where(kept)


def read_latent_attention(folder: Path) -> Kernels:
    """Read ``mla.parquet``: causal prefill of latent attention, keys 192 and values 128 wide, in 16 bits."""
    names = ("system", "table", "mla_dtype", "kv_cache_dtype", "batch_size", "num_heads", "isl", "latency")
    table = _table(folder, "mla", names)
    kept = _known(table, "mla_dtype") & (table["table"] == "context_mla_perf") & (table["mla_dtype"] == "bfloat16")
    kept &= table["kv_cache_dtype"] == "bfloat16"
    sides = {"sequences": table["batch_size"], "heads": table["num_heads"], "tokens": table["isl"]}
    sides["width"] = np.full(len(table["isl"]), (192.0 + 128.0) / 2.0)
    return _kernels(table, table["mla_dtype"], sides).where(kept)


def read_grouped(folder: Path) -> Kernels:
    """Read ``moe.parquet``: gated expert layers with equally loaded experts."""
    counts = ("num_tokens", "hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "moe_ep_size")
    names = ("system", "table", "moe_dtype", "distribution", "kernel_source", "latency")
    table = _table(folder, "moe", (*names, *counts))
    kept = _known(table, "moe_dtype") & (table["table"] == "moe_perf")
    kept &= np.isin(table["distribution"], ("balanced", "uniform"))
    kept &= ~np.isin(table["kernel_source"], ("moe_torch_flow_nongated", "moe_torch_flow_min_latency"))
    tokens, hidden, inner, chosen, experts, tensor, ranks = (table[name].astype(np.float64) for name in counts)
    sides = {"experts": experts / ranks, "rows": tokens * chosen / experts, "hidden": hidden, "units": inner / tensor}
    sides["copies"] = chosen / ranks
    return _kernels(table, table["moe_dtype"], sides).where(kept)


def _table(folder: Path, operator: str, columns: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Return the columns of one file. Raises ``StudyError`` when the file or a column is missing."""
    from pyarrow import parquet  # noqa: PLC0415

    file = folder / f"{operator}.parquet"
    if not file.is_file():
        raise StudyError.at(f"there is no {file.name} here; docs/kernels.md says which tables are read", str(folder))
    missing = [name for name in columns if name not in parquet.read_schema(file).names]
    if missing:
        raise StudyError.at(f"has no column {', '.join(missing)}", str(file))
    table = parquet.read_table(file, columns=list(columns))
    return {name: table[name].to_numpy() for name in columns}


def _known(table: Mapping[str, NDArray[Any]], dtype: str) -> NDArray[np.bool_]:
    return np.isin(table["system"], list(CHIPS)) & np.isin(table[dtype], list(FAMILIES))


def _kernels(table: Mapping[str, NDArray[Any]], dtype: NDArray[Any], sides: Mapping[str, NDArray[Any]]) -> Kernels:
    return Kernels(
        chip=np.array([CHIPS.get(name, "") for name in table["system"]]),
        family=np.array([FAMILIES.get(name, "") for name in dtype]),
        seconds=table["latency"] / 1e3,
        sides={name: side.astype(np.float64) for name, side in sides.items()},
    )
