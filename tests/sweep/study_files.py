"""A small study as text, and how the tests of studies read it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sweep.catalogue import Catalogue
from sweep.errors import Problem, StudyError
from sweep.study import Study, load_study

SMALL = """\
study: small
question: Which one?
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
basis: {deadline: 90 d, budget: 500 MUSD}
levers:
  system: [cloudmatrix384, gb200-nvl72]
  domains: [3, 11, 45]
  scale_up_bandwidth: {times: [0.5, 1, 2]}
scenarios:
  power_price: {linspace: [0.02, 0.20], steps: 4, unit: USD/kWh}
  region: [own, us-texas]
  zip: {wacc: [0.05, 0.09], utilisation: [0.9, 0.7]}
  cloudmatrix384: {staff_multiplier: [1, 3, 5]}
objective: {minimize: cost_per_token}
"""


@cache
def catalogue() -> Catalogue:
    """Return the catalogue of the repository, read once."""
    return Catalogue.load()


def load_text(folder: Path, text: str, overrides: Sequence[str] = ()) -> Study:
    """Return the study of a text."""
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load_study(path, catalogue(), overrides)


def changed(old: str, new: str) -> str:
    """Return the small study with one part replaced; the part must be there."""
    assert old in SMALL
    return SMALL.replace(old, new)


def faults(folder: Path, text: str, overrides: Sequence[str] = ()) -> list[Problem]:
    """Return what is wrong with a study; fails when nothing is."""
    try:
        load_text(folder, text, overrides)
    except StudyError as error:
        return list(error.problems)
    raise AssertionError("the study was accepted")


def fault(folder: Path, text: str, overrides: Sequence[str] = ()) -> Problem:
    """Return the only thing that is wrong with a study."""
    found = faults(folder, text, overrides)
    assert len(found) == 1, found
    return found[0]
