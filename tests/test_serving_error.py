"""The error of the model in serving that the catalogue states is what the benchmark of published measurements finds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from sweep.catalogue import Catalogue

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "serving_accuracy.py"
NEW_CALIBRATION = 0.005
"""What a new calibration of the kernels may move an error by before the facts must be written anew."""


@pytest.fixture(scope="module")
def measured():
    """Mean absolute error of times per output token, and its rows, by chip; ``other`` is that of all rows."""
    spec = importlib.util.spec_from_file_location("serving_accuracy", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with np.errstate(all="ignore"):
        scored, _ = module.errors(module.read()[0])
    return module.error_facts(scored)


def test_each_chip_has_the_error_of_its_own_measurements_or_that_of_all(measured):
    """``python benchmarks/serving_accuracy.py`` prints the facts to write where this fails."""
    catalogue = Catalogue.load()
    assert "ascend-910c" not in measured  # a handful of points of one paper
    for system in catalogue.names("systems"):
        chip = catalogue.entry("systems", system).links["chip"]
        error, rows = measured.get(chip, measured["other"])
        fact = catalogue.facts(system)["token_time_error"]
        assert fact.value == pytest.approx(error, abs=NEW_CALIBRATION), chip
        assert f"{rows:,}" in fact.fact.note, chip
        assert (fact.fact.confidence == "measured") == (chip in measured)
