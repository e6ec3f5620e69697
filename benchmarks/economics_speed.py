"""Designs per second of power, reliability and money, as blocks that broadcast, on one core.

A study of 37 power prices x 5 staff multipliers x 5 chip prices x 20 link speeds for each of 50 structural cells:
925,000 designs. Run ``python benchmarks/economics_speed.py``. Three figures, each the best of several passes, per
second of processor time, so that other work on the machine counts little:

* open mesh: every output computed, each only as large as what it depends on; what the model itself costs;
* money columns: the costs that depend on all axes, and the axes' own columns, written out as full float32 columns;
* all outputs: every output of the three stages written out as a full float32 column.

Where nothing of a block outlives it, glibc hands the memory back to the system after every block and asks for it again,
which costs more than the arithmetic. It stops once a large array was freed, as in every run of a study, whose parts are
of megabytes: its thresholds follow the largest mapping freed (mallopt(3), M_MMAP_THRESHOLD). ``settle`` does that here;
``--cold`` leaves it out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from models.economics import economics_stage
from models.inputs import Known
from models.power import YEAR, power_stage
from models.reliability import reliability_stage

KWH = 3.6e6
FIXED: Mapping[str, Any] = {
    "phase": "train",
    "precision": "bf16",
    "chips_per_node": 8,
    "scale_up_size": 384,
    "peak_bf16": 708e12,
    "scale_out_switch_power": 747.0,
    "transceiver_power": 9.5,
    "nic_power": 20.0,
    "chip_power": 850.0,
    "host_power": 300.0,
    "scale_up_power_per_bandwidth": 2e-10,
    "idle_power_fraction": 0.15,
    "train_power_fraction": 0.75,
    "power_usage_effectiveness": 1.3,
    "carbon_intensity": 0.5 / KWH,
    "fan_power": 40.0,
    "power_conversion_efficiency": 0.95,
    "power_cap": 0.9,
    "chip_failure_rate": 0.09 / YEAR,
    "host_failure_rate": 0.5 / YEAR,
    "transceiver_failure_rate": 0.015 / YEAR,
    "checkpoint_write_time": 60.0,
    "restart_time": 600.0,
    "nic_failure_rate": 0.003 / YEAR,
    "switch_failure_rate": 0.001 / YEAR,
    "repair_time": 6 * 3600.0,
    "spare_fraction": 0.05,
    "training_tokens": 1e12,
    "scale_up_price_per_bandwidth": 6e-9,
    "nic_price": 1_500.0,
    "scale_out_switch_price": 30_000.0,
    "transceiver_price": 400.0,
    "shell_price_per_power": 12.0,
    "storage_price_per_chip": 1_500.0,
    "network_tariff": 0.1,
    "colocation_share": 0.3,
    "colocation_rent": 0.15 / (YEAR / 12),
    "payments_per_year": 12.0,
    "network_life": 7 * YEAR,
    "storage_residual_fraction": 0.1,
    "transceiver_replacement_rate": 0.009 / YEAR,
    "staff_cost_per_system": 1e5 / YEAR,
    "dies": 2,
    "die_area": 1331e-6,
    "hbm_capacity": 128e9,
    "wafer_price": 14_000.0,
    "wafer_premium": 0.5,
    "defect_density": 0.14e4,
    "yield_shape": 10.0,
    "memory_price": 15e-9,
    "packaging_price": 700.0,
    "carrier_yield": 0.98,
    "wacc": 0.08,
    "equipment_life": 5 * YEAR,
    "shell_life": 15 * YEAR,
    "staff_cost": 120 / 1e3 / YEAR,
    "maintenance_fraction": 0.05 / YEAR,
    "utilisation": 0.8,
}
AXES: Mapping[str, Any] = {
    "scale_up_bandwidth": 392e9 * np.linspace(0.1, 2.0, 20),
    "chip_price": np.linspace(8e3, 30e3, 5),
    "staff_multiplier": np.linspace(1.0, 5.0, 5),
    "power_price": np.linspace(0.02, 0.20, 37) / KWH,
}
MONEY = ("cost_per_token", "cost_to_train", "cost_per_chip_hour", "annual_cost", "net_present_cost", *AXES)


def settle() -> None:
    """Free an array of 31 MiB, just below the largest that glibc's thresholds follow."""
    np.empty(31 << 20, dtype=np.uint8)


def cell(number: int) -> dict[str, Any]:
    """Inputs of one structural cell: the axes as an open mesh, and what fabric and performance would have said."""
    domains = number + 1
    mesh = dict(zip(AXES, np.ix_(*AXES.values()), strict=True))
    chips = 384 * domains
    parts = {"nics": chips, "scale_out_switches": 18 * domains, "scale_out_transceivers": 4 * chips}
    parts |= {"scale_up_switch_chips": 336 * domains, "scale_up_spine_chips": 112 * domains}
    counts = {"domains": domains, "chips": chips, "chips_used": chips - 16, "scale_up_transceivers": 14 * chips}
    speed = chips * 400.0 * mesh["scale_up_bandwidth"] / (mesh["scale_up_bandwidth"] + 5e10)
    return {**FIXED, **mesh, **parts, **counts, "tokens_per_second": speed}


def evaluate(known: Known) -> dict[str, Any]:
    """Outputs of the three stages for one cell."""
    outputs = reliability_stage(known)
    outputs |= power_stage({**known, **outputs})
    return outputs | economics_stage({**known, **outputs})


def write(known: Known, names: tuple[str, ...] | None, columns: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Evaluate one cell and write the named outputs (all when None) as full columns, as ``sweep.engine.rows`` does."""
    values = {**known, **evaluate(known)} if names else evaluate(known)
    for name in names or values:
        column = columns.setdefault(name, np.empty(shape, dtype=np.float32))
        value = np.asarray(values[name])
        column[...] = value if value.size == column.size else value.astype(column.dtype)


def best_rate(task: Callable[[Known], object], cells: list[dict[str, Any]], passes: int) -> float:
    """Designs per second of the fastest of several passes over all cells."""
    designs = len(cells) * np.prod([len(axis) for axis in AXES.values()])
    times = []
    for _ in range(passes):
        start = time.process_time()
        for known in cells:
            task(known)
        times.append(time.process_time() - start)
    return float(designs / min(times))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="let glibc hand memory back after every block")
    arguments = parser.parse_args()
    if not arguments.cold:
        settle()
    cells = [cell(number) for number in range(arguments.cells)]
    shape = tuple(len(axis) for axis in AXES.values())
    columns: dict[str, Any] = {}
    tasks: dict[str, Callable[[Known], object]] = {
        "open mesh": evaluate,
        "money columns": lambda known: write(known, MONEY, columns, shape),
        "all outputs": lambda known: write(known, None, columns, shape),
    }
    print(f"{len(cells)} cells x {np.prod(shape):,} designs, one core, NumPy {np.__version__}")
    for name, task in tasks.items():
        rate = best_rate(task, cells, arguments.passes)
        print(f"{name:14} {rate / 1e6:7.1f} M designs/s")
    print(f"{len(columns)} columns written in all outputs and money columns together")


if __name__ == "__main__":
    main()
