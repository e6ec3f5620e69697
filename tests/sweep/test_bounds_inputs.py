"""Every input of the model against the bounds: whatever its value, no solved design passes them."""

import math

import numpy as np
import pytest

from models.collectives import TOPOLOGIES
from models.evaluate import evaluate
from models.inputs import ModelInputError
from models.memory import RECOMPUTE
from models.placement import PLACEMENTS
from models.quantities import quantities
from models.schedule import SCHEDULES
from models.speeds import MATRIX_FORMATS
from models.training import DISPATCHES, GATHERS, REDUCTIONS
from sweep.engine.cells import cells
from sweep.inputs import inputs_with_origins
from sweep.search.bounds import optimistic
from sweep.space import Chunks
from sweep.study import open_study
from sweep.units import factor

STUDY = """
study: one
question: What does it cost?
workload: {workload}
levers: {{system: {system}, domains: [{domains}, 1]}}
scenarios: {{region: us-texas}}
objective: {{minimize: cost_per_token}}
"""
TRAIN = "{train: llama-3-8b, tokens: 1e12, global_batch: 64, sequence: 4096, precision: bf16}"
MIXTURE = "{train: deepseek-v3, tokens: 1e12, global_batch: 512, sequence: 4096, precision: bf16}"
SERVE = "{serve: deepseek-r1, input_tokens: 4096, output_tokens: 1024, precision: fp8}"
JOBS = {"train": (TRAIN, "dgx-h100", 2), "mixture": (MIXTURE, "gb200-nvl72", 2), "serve": (SERVE, "gb200-nvl72", 3)}

WORDS = {
    "precision": MATRIX_FORMATS,
    "scale_up_topology": TOPOLOGIES,
    "scale_out_topology": ("fat_tree",),
    "recompute": RECOMPUTE,
    "placement": PLACEMENTS,
    "attention_kernel": ("fused", "unfused"),
    "trained_weights": ("all", "adapters"),
    "pipeline_schedule": SCHEDULES,
    "mixture_dispatch": DISPATCHES,
    "sharded_gathers": GATHERS,
    "gradient_reduction": REDUCTIONS,
    "yield_model": ("negative_binomial", "poisson", "murphy", "seeds"),
    "assembly_order": ("chip_last", "chip_first"),
    "buyer_country": ("US", "CN"),
    "rule_date": ("2022-12-01", "2026-01-15"),
    "export_regime": ("us", "none"),
}
"""What inputs of the model that are words can be."""

NO_INPUT = {"system", "region", "workload", "phase"}
"""What the catalogue turns into inputs; the phases are the jobs of this test."""

SPEEDS = {"chip", "fabric"}
"""Groups of quantities that are above zero in a cluster that works."""

INPUTS = [name for name, row in quantities().items() if row.role != "metric" and name not in NO_INPUT]


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The inputs of one design of each job, in SI."""
    found = {}
    for name, (workload, system, domains) in JOBS.items():
        file = tmp_path_factory.mktemp(name) / "one.yaml"
        file.write_text(STUDY.format(workload=workload, system=system, domains=domains), encoding="utf-8")
        study, catalogue = open_study(file)
        cell = next(iter(cells(Chunks(study.space, study.space.size)[0])))
        found[name] = dict(inputs_with_origins(study, catalogue, cell.structural, cell.mesh, cell.times).values)
    return found


def drawn(row, base, random, count):
    """Values of a number that its row allows [SI]: about what it is, anywhere in its range, its ends, and nothing."""
    scale = factor(row.unit, row.si_unit)
    low = -np.inf if row.minimum is None else row.minimum * scale
    high = np.inf if row.maximum is None else row.maximum * scale
    start = abs(float(np.asarray(base).reshape(-1)[0])) if base is not None else 0.0
    start = start if 0 < start < math.inf else min(scale, high)
    ends = [end for end in (low, high) if math.isfinite(end)]
    inside = random.uniform(low, high, count) if len(ends) == 2 else []
    values = np.clip([*start * 10.0 ** random.uniform(-1.5, 1.5, count), *inside, *ends, 0.0], low, high)
    values = np.rint(values) if row.dtype == "int" else values
    return np.unique(values[values > 0] if row.group in SPEEDS else values)


def settings_of(name, base, random, count):
    """Settings of one input: one block along an axis for a number that broadcasts, else one block for each value."""
    row = quantities()[name]
    if row.dtype == "text":
        return [{name: word} for word in WORDS[name]]
    values = drawn(row, base.get(name), random, count)
    if not row.structural:
        return [{name: values}]
    kind = int if row.dtype == "int" else float
    # a cluster of millions of chips takes long to solve, and says no more than one of hundreds
    return [{name: kind(value)} for value in values if row.dtype == "float" or value <= 512]


def assert_no_design_passes_its_bounds(inputs):
    """Hold both ends against the solved block; return whether any design of it is feasible."""
    try:
        solved = evaluate(inputs)
    except ModelInputError:
        return False  # one sentence for the user, in a sweep as in a search
    low, high = optimistic(inputs)
    ok = np.asarray(solved["status"]) == 0
    for name in solved.keys() & (low.keys() | high.keys()):
        value = np.asarray(solved[name])
        with np.errstate(invalid="ignore"):
            if low.get(name) is high.get(name):  # known beforehand: a condition on it is taken at its word
                kept = (value == low[name]) | (value != value)  # noqa: PLR0124 - not known in either
            elif name in low:
                kept = ~(low[name] > value + 1e-9 * np.abs(value))
            else:
                kept = ~(high[name] < value - 1e-9 * np.abs(value))
        assert (~ok | kept).all(), name
    return bool(ok.any())


def test_every_word_that_is_an_input_has_its_values_here():
    words = {name for name in INPUTS if quantities()[name].dtype == "text"}
    assert words == WORDS.keys()


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", INPUTS)
def test_no_value_of_an_input_passes_the_bounds(bases, job, name):
    random = np.random.default_rng([INPUTS.index(name), len(job)])
    for changed in settings_of(name, bases[job], random, 4):
        assert_no_design_passes_its_bounds({**bases[job], **changed})


@pytest.mark.parametrize("job", JOBS)
def test_no_values_of_many_inputs_together_pass_the_bounds(bases, job):
    random, feasible = np.random.default_rng(len(job)), 0
    for _ in range(40):
        inputs = dict(bases[job])
        for name in random.choice(INPUTS, size=12, replace=False).tolist():
            options = [each[name] for each in settings_of(name, bases[job], random, 2) if np.size(each[name])]
            if options:  # a number of which no value drawn is allowed, or solves soon, stays as it is
                inputs[name] = random.choice(np.asarray(options, dtype=object).reshape(-1))
        feasible += assert_no_design_passes_its_bounds(inputs)
    assert feasible > 5


@pytest.mark.parametrize("tariff", [-1.0, -0.6])
def test_a_year_that_pays_leaves_the_cost_of_a_run_without_a_bound(bases, tariff):
    paid = {"import_tariff": -1.0, "server_tariff": tariff, "network_tariff": tariff, "chip_price": 1e6}
    inputs = bases["train"] | paid
    assert_no_design_passes_its_bounds(inputs)
    low, _ = optimistic(inputs)
    assert np.isnan(low["cost_to_train"])
    assert np.isfinite(low["time_to_train"])
