"""A small study with uncertain inputs, for the tests of draws, rows and answers."""

from __future__ import annotations

import shutil
from pathlib import Path

from sweep.catalogue import Catalogue
from sweep.paths import configs_dir
from sweep.study import Study, open_study

HEAD = """\
study: small-uncertain
question: Which one?
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
basis: {deadline: 90 d}
levers:
  system: [cloudmatrix384, gb200-nvl72]
  domains: [40, 66]
scenarios:
  region: [own, us-texas]
objective: {minimize: cost_to_train}
columns: [step_time, time_to_train, facility_power, cost_to_train, mapping]
"""

UNCERTAIN = """\
uncertain:
  draws: 300
  inputs:
    power_price: {triangular: [0.04, 0.06, 0.12], unit: USD/kWh}
    cloudmatrix384:
      chip_price: {lognormal: {median: 1, sigma: 0.2}, times: true}
      system_power: {choice: alternatives}
  correlations: [[power_price, cloudmatrix384.chip_price, 0.5]]
"""

STUDY = HEAD + UNCERTAIN


def price_only(draws: int, more: str = "") -> str:
    """Return the study in which one price alone is uncertain."""
    return (
        HEAD
        + f"uncertain:\n  draws: {draws}\n  model_error: false\n{more}  inputs:\n"
        + "    power_price: {triangular: [0.04, 0.06, 0.12], unit: USD/kWh}\n"
    )


def with_twin(folder: Path, text: str) -> tuple[Study, Catalogue]:
    """Return the study with a copy of GB200 NVL72 under another name in place of CloudMatrix 384."""
    (folder / "own" / "systems").mkdir(parents=True)
    shutil.copy(configs_dir() / "systems" / "gb200-nvl72.yaml", folder / "own" / "systems" / "twin.yaml")
    file = folder / "twins.yaml"
    file.write_text(text.replace("cloudmatrix384", "twin"), encoding="utf-8")
    return open_study(file, (), [folder / "own"])
