"""Every system of the catalogue through the whole model: small, middling and large clusters, training and serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.evaluate import evaluate
from models.inputs import ModelInputError
from models.reasons import REASONS
from sweep.catalogue import Catalogue
from sweep.engine.cells import cells
from sweep.inputs import inputs_with_origins
from sweep.space import Chunks
from sweep.study import load_study

CATALOGUE = Catalogue.load()
SYSTEMS = CATALOGUE.names("systems")
UNDESCRIBED = {"kyber-nvl576": "hbm_bandwidth"}
"""Systems of which not even the memory is published, and what the model misses first."""
NO_BF16 = {"atlas-960-superpod"}
TOO_LARGE = {(name, "train") for name in ("tpu-v4-pod", "tpu-v5p-pod", "atlas-950-superpod", "atlas-950-supercluster")}
"""64 of these hold 260,000 to 600,000 chips. The fastest mapping uses most of them, and a job on so many fails more
often than it restarts: the search does not weigh failures."""
WORKLOADS = {
    "train": "{train: llama-3-70b, tokens: 15e12, global_batch: 1024, sequence: 8192, precision: bf16}",
    "serve": "{serve: llama-3-70b, input_tokens: 2048, output_tokens: 512, precision: bf16}",
}
DOMAINS = (1, 8, 64)
MONEY = ("equipment_cost", "capital_cost", "annual_cost")


@cache
def inputs(folder: Path, phase: str) -> dict[tuple[str, int], Mapping[str, Any]]:
    """Return what the model takes for every system and number of domains, at home."""
    path = folder / f"{phase}.yaml"
    path.write_text(
        f"study: every-system\nworkload: {WORKLOADS[phase]}\n"
        f"levers: {{system: [{', '.join(SYSTEMS)}], domains: {list(DOMAINS)}}}\nscenarios: {{region: own}}\n"
    )
    study = load_study(path, CATALOGUE)
    chunks = Chunks(study.space, 10**6)
    every = [cell for number in range(len(chunks)) for cell in cells(chunks[number])]
    return {
        (str(cell.structural["system"]), int(cell.structural["domains"])): inputs_with_origins(
            study, CATALOGUE, cell.structural, cell.mesh, cell.times
        ).values
        for cell in every
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("every")


def results(folder: Path, phase: str, system: str) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Yield inputs and results of one system at every number of domains."""
    for domains in DOMAINS:
        known = inputs(folder, phase)[system, domains]
        yield known, evaluate(known)


def one(values: Mapping[str, Any], name: str) -> float:
    """Return the one value of a quantity; NaN when it is absent."""
    return float(np.asarray(values.get(name, np.nan), dtype=np.float64).reshape(-1)[0])


@pytest.mark.parametrize("phase", WORKLOADS)
@pytest.mark.parametrize("system", [name for name in SYSTEMS if name not in UNDESCRIBED])
def test_a_cluster_of_every_system_has_a_result_or_a_reason(folder: Path, phase: str, system: str) -> None:
    statuses = []
    for known, found in results(folder, phase, system):
        status, reason = int(one(found, "status")), REASONS[int(one(found, "reason"))]
        statuses.append(status)
        assert status in {0, 1}
        assert bool(reason) == (status == 1)
        assert one(found, "chips") == known["domains"] * known["scale_up_size"]
        assert 0 <= one(found, "chips_used") <= one(found, "chips")
        assert str(found["export_status"]) in {"free", "licence", "case_by_case", "denied"}
        if status == 0:
            pace = one(found, "step_time" if phase == "train" else "time_per_output_token")
            assert 0 < pace < np.inf
            assert 0 < one(found, "tokens_per_second") < np.inf
            assert 0 < one(found, "model_flops_utilisation") <= 1
            assert 0 < one(found, "goodput") <= 1
    hindered = (system, phase) in TOO_LARGE or system in NO_BF16
    assert statuses[-1] == (1 if hindered else 0), "64 domains hold a model of 70 billion parameters"
    assert hindered or statuses == sorted(statuses, reverse=True), "what fits a cluster fits a larger one"


@pytest.mark.parametrize("phase", WORKLOADS)
@pytest.mark.parametrize("system", [name for name in SYSTEMS if name not in UNDESCRIBED])
def test_money_is_unknown_exactly_where_a_price_or_power_is(folder: Path, phase: str, system: str) -> None:
    for known, found in results(folder, phase, system):
        priced = np.isfinite(one(known, "chip_price"))
        powered = np.isfinite(one(known, "chip_power") + one(known, "host_power"))
        assert np.isfinite(one(found, "equipment_cost")) == priced
        assert np.isfinite(one(found, "it_power_peak")) == powered
        assert np.isfinite(one(found, "capital_cost")) == (priced and powered)
        if one(found, "status") == 0:
            assert np.isfinite(one(found, "cost_per_token")) == (priced and powered)
            assert np.isfinite(one(found, "energy_per_token")) == powered
        for name in MONEY:
            assert not one(found, name) <= 0


def test_an_unknown_price_is_an_unknown_fact(folder: Path) -> None:
    """A price that the catalogue states, as a number or through a formula, reaches the model; any other is unknown."""
    for system in SYSTEMS:
        fact = CATALOGUE.facts(system)["chip_price"]
        stated = fact.value is not None or fact.formula is not None
        assert np.isfinite(one(inputs(folder, "train")[system, 1], "chip_price")) == stated, system


@pytest.mark.parametrize(("system", "missing"), UNDESCRIBED.items())
@pytest.mark.parametrize("phase", WORKLOADS)
def test_a_system_without_figures_is_refused_by_the_one_it_lacks(
    folder: Path, phase: str, system: str, missing: str
) -> None:
    with pytest.raises(ModelInputError, match=f"{missing} is not known") as caught:
        evaluate(inputs(folder, phase)[system, 8])
    assert caught.value.quantity == missing
