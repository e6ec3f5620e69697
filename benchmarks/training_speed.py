"""Designs solved and legal (design x mapping) evaluations per second and core, for the cells of the main study.

Run with ``python benchmarks/training_speed.py``. A block sweeps both link speeds and the memory bandwidth, 5 x 8 x 5
designs per structural cell; the first call of a cell also makes its mapping table. One process, one thread.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from models.training import prepared, training_stage
from sweep.catalogue import Catalogue

SYSTEMS = ("cloudmatrix384", "gb200-nvl72")
WORKLOADS = {"llama-3.1-405b": (8192, 2048), "deepseek-v3": (4096, 15360)}
DOMAINS = (1, 2, 4, 8, 16, 32, 64)


def speeds(catalogue: Catalogue, system: str) -> dict[str, Any]:
    """Facts of a system as inputs of the model [SI]; those given by formulas (prices, powers) are left out."""
    facts = catalogue.facts(system)
    return {name: fact.value for name, fact in facts.items() if fact.value is not None and fact.formula is None}


def block(machine: dict[str, Any]) -> dict[str, Any]:
    """A machine with 5 x 8 x 5 values of its two link speeds and memory bandwidth."""
    axes = {"scale_up_bandwidth": (5, 1, 1), "scale_out_bandwidth": (1, 8, 1), "hbm_bandwidth": (1, 1, 5)}
    swept = {name: machine[name] * np.linspace(0.5, 2.0, max(shape)).reshape(shape) for name, shape in axes.items()}
    return machine | swept


def measure(inputs: dict[str, Any]) -> tuple[float, float, int, int]:
    """Seconds of the first and of the second call, designs of the block, and legal evaluations in it."""
    prepared.cache_clear()
    seconds = []
    for _ in range(2):
        start = time.process_time()
        out = training_stage(inputs)
        seconds.append(time.process_time() - start)
    legal = np.broadcast_to(out["legal_mappings"], out["step_time"].shape)
    return seconds[0], seconds[1], out["step_time"].size, int(legal.sum())


def main() -> None:
    """Print one line per cell and the totals."""
    catalogue = Catalogue.load()
    first = second = 0.0
    designs = evaluations = 0
    print(f"{'cell':44s} {'mappings':>8s} {'first s':>8s} {'then s':>8s} {'designs/s':>10s} {'legal/s':>12s}")
    for system in SYSTEMS:
        machine = block(speeds(catalogue, system))
        for workload, (sequence, batch) in WORKLOADS.items():
            shape = catalogue.entry("workloads", workload).shape
            job = {"shape": shape, "sequence_length": sequence, "global_batch": batch, "precision": "bf16"}
            for domains in DOMAINS:
                one, two, count, legal = measure(machine | job | {"domains": domains})
                first, second, designs, evaluations = first + one, second + two, designs + count, evaluations + legal
                name = f"{system} x {domains} {workload}"
                print(f"{name:44s} {legal // count:8d} {one:8.3f} {two:8.3f} {count / two:10.0f} {legal / two:12.3g}")
    print(f"\nfirst call: {designs / first:.0f} designs/s, {evaluations / first:.3g} legal evaluations/s")
    print(f"later calls: {designs / second:.0f} designs/s, {evaluations / second:.3g} legal evaluations/s")


if __name__ == "__main__":
    main()
