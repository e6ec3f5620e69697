"""A study of three continuous inputs, and functions of them in place of the model."""

import numpy as np

from sweep.sensitivity import Options, sensitivity
from sweep.study import open_study

THREE = """
study: three
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers:
  system: gb200-nvl72
  domains: 16
scenarios:
  wacc: {linspace: [0.02, 0.12], steps: 3}
  utilisation: {linspace: [0.2, 1.0], steps: 5}
  staff_multiplier: {linspace: [1, 5], steps: 2}
objective: {minimize: cost_per_token}
"""
ENDS = {"wacc": (0.02, 0.12), "utilisation": (0.2, 1.0), "staff_multiplier": (1.0, 5.0)}
PER_MILLION = 1e6
"""cost_per_token of the model is in USD, its column in USD per million."""

ISHIGAMI = {"wacc": (0.3139, 0.5576), "utilisation": (0.4424, 0.4424), "staff_multiplier": (0.0, 0.2437)}
"""First and total indices of sin x1 + 7 sin^2 x2 + x3^4 sin(x1) / 10 over [-pi, pi]^3 (Ishigami and Homma 1990)."""


def feasible(units):
    """No design is infeasible."""
    return np.zeros(np.shape(units[0]), dtype=bool)


def model(formula, infeasible=feasible):
    """A model whose cost is a formula of the inputs as shares of their ranges, in the order of ``ENDS``."""

    def evaluate(known):
        units = [(np.asarray(known[name]) - low) / (high - low) for name, (low, high) in ENDS.items()]
        status = np.asarray(infeasible(units), dtype=np.int8)
        return {
            "status": status,
            "reason": (status * 2).astype(np.int16),
            "chips": np.asarray(known["domains"] * 72, dtype=np.int64),
            "cost_per_token": np.asarray(formula(units), dtype=np.float64) / PER_MILLION,
            "carbon_to_train": np.asarray(np.nan),
            "capital_cost": np.asarray(2.0e9),
        }

    return evaluate


def ishigami(units):
    """The function of Ishigami and Homma with a = 7 and b = 0.1."""
    x, y, z = ((2 * unit - 1) * np.pi for unit in units)
    return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


def opened(folder, text=THREE, *overrides):
    """The study and its catalogue, read from a file in ``folder``."""
    path = folder / "three.yaml"
    path.write_text(text, encoding="utf-8")
    return open_study(path, overrides)


def analysed(folder, text=THREE, metrics=("cost_per_token",), overrides=(), **options):
    """The sensitivity of a study."""
    return sensitivity(*opened(folder, text, *overrides), metrics, Options(**options))


def by_input(found):
    """Indices or effects of one metric by input."""
    return {each.input: each for each in found.indices or found.effects}
