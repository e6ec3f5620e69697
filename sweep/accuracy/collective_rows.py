"""Rows of configs/measurements/collectives.csv as collectives on systems of the catalogue, or left out with a reason.

COLLECTIVES.md beside the file describes its columns.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from sweep.paths import configs_dir

Row = Mapping[str, str]

SYSTEMS: Final = {
    "A100-80GB": "dgx-a100",
    "A100-80GB DGX": "dgx-a100",
    "A100-80GB node (NVLink3)": "dgx-a100",
    "H100-SXM": "dgx-h100",
    "H100 DGX": "dgx-h100",
    "8x H100 node (NVLink4, NVLS)": "dgx-h100",
    "H100-SXM, 8 nodes, 400G IB (SHARP job)": "dgx-h100",
    "H200-SXM": "dgx-h200",
    "8x H200 node (NVLink4)": "dgx-h200",
    "8x H200 node (NVLink4, NVLS)": "dgx-h200",
    "H800 + CX7": "hgx-h800",
    "H800 + CX7 400G IB": "hgx-h800",
    "H800 MPFT cluster": "hgx-h800",
    "B200": "dgx-b200",
    "P6-B200 node (NVLink5)": "dgx-b200",
    "P6-B200, 4 nodes (8x50 GB/s EFA v4 per node)": "dgx-b200",
    "B300": "dgx-b300",
    "GB200": "gb200-nvl72",
    "GB200 NVL72": "gb200-nvl72",
    "GB200 NVL72 (1 rack)": "gb200-nvl72",
    "GB200 NVL72 (2 racks)": "gb200-nvl72",
    "GB300": "gb300-nvl72",
    "MI300X node (xGMI)": "mi300x-node",
    "CloudMatrix384 (Ascend 910C dies)": "cloudmatrix384",
}
"""The system of the catalogue that stands for a system as the rows spell it."""

FP8_TOKEN: Final = 7168 + 4 * 7168 / 128
"""Bytes of a token of 7,168 elements in FP8 with a scale of four bytes per 128 elements (DeepEP)."""

TOKEN_BYTES: Final = {"bfloat16": 2.0 * 7168, "fp8": 7168.0, "nvfp4": 7168 / 2 + 7168 / 16, "int8": 7168.0 + 512}
"""Bytes of such a token by payload: nvfp4 has a scale per 16 elements, CANN 512 bytes of scale and index
(arXiv:2506.12708)."""

EXPERTS, CHOSEN = 256, 8
"""Experts and experts per token of every dispatch and combine in the file."""

NODE_LIMIT, NODE_LIMITED = 4, ("deepep-v1", "deepseek-isca25")
"""Nodes that the experts of a token lie on, and the sources that say so."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Bytes that a rank sends, those that the printed bandwidth counts, and the part bound elsewhere that crosses.

    The bandwidth of kernels that cross nodes counts every node of a token once, its own included: on H800 the time is
    then that of NVLink, and rates above the 50 GB/s of the network are possible.
    """

    sent: float
    counted: float
    crossing: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One row as a collective.

    ``system``: entry of the catalogue; ``ethernet``: its network is Ethernet, whatever the catalogue says. ``inside``:
    ranks of the group that use the links of one domain. ``bytes``: what a rank sends, gathers or reduces, its own
    share included; ``crossing``: the part of the bytes for other domains that crosses
    (``models.collectives.all_to_all``). ``switches``: switches may reduce. ``processors``: streaming multiprocessors
    of the kernel, infinite where not stated; ``kernels``: how many of them the time holds. ``measured`` [s].
    """

    name: str
    source: str
    system: str
    ethernet: bool
    collective: str
    ranks: int
    inside: int
    bytes: float
    crossing: float
    switches: bool
    processors: float
    kernels: int
    measured: float


def source_of(name: str) -> str:
    """Return the source of a row: its name without the number."""
    return name.rsplit("-", 1)[0]


def _from(*sources: str) -> Callable[[Row], bool]:
    return lambda row: source_of(row["id"]) in sources


def _between_nodes(row: Row) -> bool:
    return row["chips_per_node"] != "" and float(row["chips_per_node"]) < float(row["n_chips"])


def _sized(row: Row) -> bool:
    return row["message_bytes"] != "" or bool(re.match(r"\d+ tok/|batch \d+", row["message_size"]))


REASONS: Final[tuple[tuple[str, Callable[[Row], bool]], ...]] = (
    (
        "faster than the line: a clock of one microsecond on the sending side",
        lambda row: row["id"] in ("vidur-0145", "vidur-0146"),
    ),
    ("the line rate, not a measurement", lambda row: row["id"] == "cloudmatrix-0026"),
    ("latency of a read of 512 bytes, not of a collective", lambda row: row["id"] == "cloudmatrix-0025"),
    ("bandwidth counts duplicated traffic", _from("deepep-v2")),
    (
        "chips joined by PCIe or in pairs: no such fabric in the catalogue",
        lambda row: row["system"].startswith(("L40S", "RTX-PRO-6000")) or "pairwise NVLink" in row["system"],
    ),
    ("between nodes over a network that is not stated", lambda row: _from("vidur")(row) and _between_nodes(row)),
    ("chip not stated", lambda row: "GPU type not stated" in row["system"]),
    ("between host and chip, or a sum of both directions", lambda row: "copy" in row["collective"]),
    ("bytes of the low-precision combine not stated", lambda row: "low_precision" in row["collective"]),
    ("message size not stated", lambda row: not _sized(row)),
    ("system not in the catalogue", lambda row: row["system"] not in SYSTEMS),
)
"""Why a row is left out, first match."""

COPIED: Final = "the same times as another row on another chip: copied, not measured"


@cache
def _rows() -> tuple[tuple[Row, str | None], ...]:
    """Return every row of the file and why it is left out, None when it is not.

    Raises ``OSError`` when the file cannot be read.
    """
    path = configs_dir() / "measurements" / "collectives.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    seen: dict[tuple[str, ...], str] = {}
    judged = []
    for row in rows:
        why = next((text for text, holds in REASONS if holds(row)), None)
        if why is None and _from("aic-deepep-ll", "aic-deepep-normal")(row):
            same = tuple(row[column] for column in ("collective", "n_chips", "message_size", "latency_us"))
            if seen.setdefault((*same, row["implementation"]), row["system"]) != row["system"]:
                why = COPIED
        judged.append((row, why))
    return tuple(judged)


def left_out() -> Mapping[str, Sequence[str]]:
    """Return the names of the rows left out, by reason."""
    names: dict[str, list[str]] = {}
    for row, why in _rows():
        if why is not None:
            names.setdefault(why, []).append(row["id"])
    return names


def distinct(places: float, chosen: int = CHOSEN, experts: int = EXPERTS) -> float:
    """Return the expected number of places that a token is sent to: ``chosen`` of ``experts`` spread evenly over them.

    Drawn without replacement: a place of ``m`` experts is missed with probability C(E-m, k) / C(E, k).
    """
    held, missed = experts / places, 1.0
    for draw in range(chosen):
        missed *= max(experts - held - draw, 0.0) / (experts - draw)
    return places * (1.0 - missed)


def _token_bytes(row: Row) -> float:
    """Bytes of one token on the wire: combine is bfloat16, dispatch what the source sends."""
    if "combine" in row["collective"]:
        return TOKEN_BYTES["bfloat16"]
    payload = re.search(r"payload (\w+)", row["message_size"])
    if payload:
        return TOKEN_BYTES[payload[1]]
    return TOKEN_BYTES["int8"] if "CANN" in row["implementation"] else FP8_TOKEN


def _exchanged(row: Row, ranks: int, inside: int) -> Exchange:
    """Return what one rank sends in a dispatch or combine, its own share included.

    Low-latency kernels send a copy per expert, all others one per rank that a token wants, and one per domain.
    DeepSeek's own runs choose experts on no more than four nodes.
    """
    tokens = float(re.findall(r"\d+", row["message_size"])[0])
    payload = tokens * _token_bytes(row)
    if "low" in row["collective"] or source_of(row["id"]) == "cloudmatrix":
        return Exchange(payload * CHOSEN, payload * CHOSEN, 1.0)
    limit = NODE_LIMIT if source_of(row["id"]) in NODE_LIMITED else np.inf
    nodes = min(ranks / inside, limit)
    copies, domains = distinct(min(float(ranks), limit * inside)), distinct(nodes)
    return Exchange(payload * copies, payload * (domains if ranks > inside else copies), domains / copies)


def _seconds(row: Row, ranks: int, size: float) -> float:
    """Return the measured time [s], from the printed bandwidth where no time is printed; ``size`` is what it counts."""
    if row["latency_us"]:
        return float(row["latency_us"]) * 1e-6
    rate = float(row["busbw_GBps"]) * 1e9
    if "moe" in row["collective"]:
        return size / rate
    steps = 2.0 if row["collective"].startswith("all_reduce") else 1.0
    return steps * (ranks - 1) / ranks * size / rate


def _measured(row: Row, domain: int) -> Measured:
    ranks = int(float(row["n_chips"]))
    processors = re.search(r"(\d+) SMs", row["implementation"])
    by_network = row["implementation"] == "DeepEP (as quoted)"
    inside = 1 if by_network else min(domain, ranks)
    if "moe" in row["collective"]:
        exchange = _exchanged(row, ranks, inside)
    else:
        exchange = Exchange(*2 * (float(row["message_bytes"]),), 1.0)
    return Measured(
        name=row["id"],
        source=source_of(row["id"]),
        system=SYSTEMS[row["system"]],
        ethernet="EFA" in row["system"],
        collective=row["collective"],
        ranks=ranks,
        inside=inside,
        bytes=exchange.sent,
        crossing=exchange.crossing,
        switches="ring" not in row["implementation"],
        processors=float(processors[1]) if processors else np.inf,
        kernels=2 if "notify" in row["note"] else 1,
        measured=_seconds(row, ranks, exchange.counted),
    )


def measured(domains: Mapping[str, int]) -> Sequence[Measured]:
    """Return every row that is not left out, in the order of the file.

    ``domains``: ranks of one scale-up domain, by system of the catalogue.
    """
    return [_measured(row, domains[SYSTEMS[row["system"]]]) for row, why in _rows() if why is None]
