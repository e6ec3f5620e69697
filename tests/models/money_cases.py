"""Machines that only cost and draw what a test gives them: the ground on which published worked examples are set."""

from __future__ import annotations

from typing import Any

from models.economics import economics_stage
from models.power import YEAR, power_stage

HOUR, DAY, MONTH, KWH, MTOKEN = 3600.0, 86400.0, YEAR / 12, 3.6e6, 1e6
MM, MM2, PER_CM2 = 1e-3, 1e-6, 1e4

FREE: dict[str, Any] = {
    "phase": "train",
    "precision": "bf16",
    "peak_bf16": 1e15,
    "chips": 8,
    "domains": 1,
    "chips_used": 8,
    "scale_up_bandwidth": 450e9,
    "goodput": 1.0,
    "tokens_per_second": 1e6,
    "time_to_train": 1e6,
    "training_tokens": 1e12,
    "utilisation": 1.0,
    "power_usage_effectiveness": 1.0,
    "wacc": 0.0,
    "equipment_life": YEAR,
    "shell_life": YEAR,
    "train_power_fraction": 1.0,
    "staff_multiplier": 1.0,
    "colocation_share": 1.0,
    **dict.fromkeys(
        (
            *("chip_power", "host_power", "idle_power_fraction", "scale_up_power_per_bandwidth", "nic_power"),
            *("scale_out_switch_power", "transceiver_power", "nics", "scale_out_switches", "scale_out_transceivers"),
            *("chip_price", "scale_up_price_per_bandwidth", "nic_price", "scale_out_switch_price"),
            *("transceiver_price", "storage_price_per_chip", "installation_fraction", "import_tariff"),
            *("shell_price_per_power", "power_price", "demand_charge", "staff_cost", "colocation_rent"),
            *("maintenance_fraction", "residual_fraction"),
        ),
        0.0,
    ),
}
"""A rented server that costs and draws nothing: each test adds what its source counts."""


def costs(**known: Any) -> dict[str, Any]:
    """Outputs of power and money for ``FREE`` with what is given."""
    inputs = FREE | known
    inputs |= power_stage(inputs)
    return inputs | economics_stage(inputs)


DRAWING: dict[str, Any] = {
    "phase": "train",
    "chips": 72,
    "chips_used": 72,
    "chip_power": 1200.0,
    "host_power": 400.0,
    "train_power_fraction": 1.0,
    "prefill_power_fraction": 0.9,
    "decode_power_fraction": 0.5,
    "idle_power_fraction": 0.1,
    "scale_up_bandwidth": 900e9,
    "scale_up_power_per_bandwidth": 100 / 900e9,
    "nics": 72,
    "nic_power": 25.0,
    "scale_out_switches": 5,
    "scale_out_switch_power": 747.0,
    "scale_out_transceivers": 288,
    "transceiver_power": 9.5,
    "power_usage_effectiveness": 1.35,
    "utilisation": 1.0,
    "goodput": 1.0,
    "tokens_per_second": 1e5,
    "time_to_train": 1e6,
    "carbon_intensity": 0.3695 / KWH,
}
"""A supernode of 72 chips with every part that draws power."""


def published(power: float, chips: int, **others: Any) -> dict[str, Any]:
    """Inputs of a system of which only the all-in power [W] is published: all of it is put on the chips."""
    nothing = dict.fromkeys(("host_power", "nic_power", "scale_out_switch_power", "transceiver_power"), 0.0)
    power_per_chip = {"chip_power": power / chips, "chips": chips, "chips_used": chips}
    return DRAWING | nothing | power_per_chip | {"scale_up_power_per_bandwidth": 0.0} | others


RSC1 = 6.50 / 1000 / DAY  # failures per second of one node of 8 chips: Kokolis et al. 2024, arXiv:2410.21680
LLAMA3 = 419 / (2048 * 54) / DAY  # 419 unexpected interruptions of 2,048 nodes in 54 days: arXiv:2407.21783, table 5
NODES: dict[str, Any] = {
    "phase": "train",
    "chips": 16384,
    "chips_used": 16384,
    "chips_per_node": 8,
    "scale_up_size": 8,
    "domains": 2048,
    "chip_failure_rate": 0.0,
    "host_failure_rate": RSC1,
    "transceiver_failure_rate": 0.0,
    "nics": 0,
    "scale_out_switches": 0,
    "scale_up_transceivers": 0,
    "scale_out_transceivers": 0,
    "checkpoint_write_time": 10.0,
    "restart_time": 600.0,
    "repair_time": 0.0,
    "spare_fraction": 0.0,
    "training_tokens": 1e12,
    "tokens_per_second": 1e6,
}
"""16,384 chips in nodes of eight that fail as those of Meta's RSC-1."""


def cluster(chips: int, **others: Any) -> dict[str, Any]:
    """Inputs of that cluster with another number of chips."""
    return NODES | {"chips": chips, "chips_used": chips, "domains": chips // 8} | others


CHIP: dict[str, Any] = {
    "dies": 1,
    "die_area": 814 * MM2,
    "hbm_capacity": 80e9,
    "wafer_price": 16_988.0,
    "yield_model": "negative_binomial",
    "defect_density": 0.11 * PER_CM2,
    "yield_shape": 10.0,
    "die_salvage": 0.0,
    "memory_price": 0.0,
    "packaging_price": 0.0,
    "bonding_yield": 1.0,
    "packaging_yield": 1.0,
    "chip_test_price": 0.0,
}
"""The logic die of an H100 on a 5 nm wafer of 2020, and nothing else."""
