"""A study of a few hundred designs for the tests of engine and dataset, and a stand-in for the model."""

import numpy as np

from models.reasons import REASONS
from sweep.study import open_study

TINY = """
study: tiny
question: Which is cheaper?
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers:
  system: [cloudmatrix384, gb200-nvl72]
  domains: [1, 2, 40]
  scale_up_bandwidth: {times: [0.5, 1, 2]}
scenarios:
  power_price: {linspace: [0.02, 0.20], steps: 7, unit: USD/kWh}
  region: [own, us-texas]
  zip: {wacc: [0.05, 0.09], utilisation: [0.9, 0.7]}
  cloudmatrix384: {staff_multiplier: {times: [1, 3]}}
where: not (domains == 2 and power_price > 0.1 USD/kWh)
require: facility_power <= 25 MW
metrics: {power_per_chip: facility_power / chips}
objective: {minimize: cost_per_token}
columns: [chips, cost_per_token, time_to_train, facility_power, mapping, tensor_parallel, carbon_to_train]
partition: [system]
rows_per_part: 60
"""
DESIGNS = 3 * 3 * 7 * 2 * 2 * (2 + 1)
"""Three staff multipliers in all: two for one system, one for the other."""

SLOW = {"cloudmatrix384": 250e9, "gb200-nvl72": 500e9}
"""Link speed [B/s] that only the multiplier 0.5 is below."""


def tiny_study(folder, text=TINY, *overrides):
    """The study and its catalogue, read from a file in ``folder``."""
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return open_study(path, overrides)


def tiny_model(known):
    """A stand-in for ``models.evaluate``: cheap, deterministic, with ties, unknowns and infeasible designs."""
    chips = known["domains"] * known["scale_up_size"]
    speed = chips * np.sqrt(known["scale_up_bandwidth"])
    lost = np.asarray(known["scale_up_bandwidth"] < SLOW[known["system"]])
    status = (lost & (known["domains"] == 1)).astype(np.int8)
    annual = chips * (known["wacc"] * 1e3 + 1e9 * known["power_price"]) * known["staff_multiplier"]
    return {
        "status": status,
        "reason": (status * REASONS.index(REASONS[4])).astype(np.int16),
        "chips": np.asarray(chips, dtype=np.int64),
        "cost_per_token": annual / speed / known["utilisation"],
        "time_to_train": 1e12 / speed,
        "facility_power": np.asarray(chips * 3000.0),
        "mapping": np.where(status == 0, f"tp8.dp{known['domains']}", ""),
        "tensor_parallel": np.where(status == 0, 8, 0),
        "carbon_to_train": np.asarray(np.nan),
    }
