"""Stacked runs: each must be what the model says of it alone, whatever else lies in the stack."""

import math
from dataclasses import replace

import numpy as np
import pytest
from published_runs import runs

from models.coefficients import prior_coefficients
from models.speeds import calibrated
from models.training import training_stage
from models.training_report import TIMES, step_parts
from sweep.accuracy.stack import MEMORY_SLACK, PLENTY, evaluate, select, stack_runs

PRIOR = prior_coefficients()
OTHER = replace(PRIOR, narrow_rate=0.8, unfused_passes=8.0, expert_exposed=1.7, adapter_bytes=30.0, graph_saving=0.9)
EXACT = 1e-12

NAMES = (
    "bloom-0001",  # pipeline on A100, attention not fused
    "bridge-0096",  # mixture in 16 bits, fused dispatch, pipeline
    "mlperf-0001",  # adapters beside frozen weights, 8 bits
    "palm-0001",  # torus, fully sharded, tensor parallelism of 12
    "bridge-0020",  # mixture in 8 bits on a rack
    "narayanan21-0011",  # fully sharded, gathered tensor by tensor
    "bridge-0074",  # activations on the host
    "mindspeed-0052",  # mixture on Ascend, all-to-all
    "neuron-0001",  # two ranks per chip
    "deepseek-isca25-0001",  # latent attention, DualPipe
    "bridge-0038",  # 4 bits
    "tpu-recipes-0002",  # mixture in 8 bits on a torus
    "llmfoundry-0001",  # fully sharded on Hopper
    "vtrain-single-0002",  # one node
)


@pytest.fixture(scope="module")
def known():
    """Return the inputs of very different runs; memory is no matter."""
    return [dict(case.variants[0]) | {"hbm_capacity": PLENTY} for case in runs(*NAMES)]


@pytest.fixture(scope="module")
def stacked(known):
    found, faults = stack_runs(list(enumerate(known)))
    assert not faults
    return found


def alone(known, by=PRIOR):
    """Return times of a run by the training stage, which searches among one mapping."""
    out = training_stage({**known, "coefficients": by})
    assert int(out["status"]) == 0
    return {name: float(out[name]) for name in TIMES}


def parts_of(stack, by):
    times, step = evaluate(stack, by)
    parts = step_parts(stack.table, times, step, calibrated(stack.speeds, by))
    return {name: np.broadcast_to(parts[name], step.total.shape) for name in TIMES}


def test_the_runs_differ_in_everything_that_matters(known):
    def values(name):
        return {one.get(name) for one in known}

    assert {bool(one["shape"].experts) for one in known} == {True, False}
    assert {one["shape"].latent_attention for one in known} == {True, False}
    assert values("mixture_dispatch") == {"fused", "alltoall"}
    assert values("trained_weights") == {"all", "adapters"}
    assert values("attention_kernel") == {"fused", "unfused"}
    assert values("precision") >= {"bf16", "fp8", "fp4"}
    assert values("sharded_gathers") == {None, "tensor"}
    assert values("recompute") == {"none", "selective", "full"}
    assert {"dualpipe", "interleaved"} <= values("pipeline_schedule")
    assert any(values("activation_offload") - {None})
    assert values("optimizer_sharding") >= {0, 1, 3}
    assert "torus" in values("scale_up_topology")
    assert 2 in values("devices_per_chip")


@pytest.mark.parametrize("by", [PRIOR, OTHER], ids=["prior", "other"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_run_in_a_stack_takes_as_long_as_alone(known, by, backwards):
    """The order matters: what stacking takes from the first run alone shows with another one first."""
    order = list(range(len(known)))[:: -1 if backwards else 1]
    found, _ = stack_runs([(index, known[index]) for index in order])
    parts = parts_of(found, by)
    for place, index in enumerate(order):
        wanted = alone(known[index], by)
        got = {name: float(column[place]) for name, column in parts.items()}
        assert got == pytest.approx(wanted, rel=EXACT, abs=EXACT), NAMES[index]


@pytest.mark.parametrize("pair", [("bloom-0001", "bridge-0096"), ("mindspeed-0052", "bridge-0096")])
def test_pairs_in_both_orders(known, pair):
    """A dense run beside a mixture exchanges no experts; two ways to dispatch experts stay two."""
    chosen = [known[NAMES.index(name)] for name in pair]
    wanted = [alone(one)["step_time"] for one in chosen]
    for order in ([0, 1], [1, 0]):
        found, _ = stack_runs([(index, chosen[index]) for index in order])
        total = evaluate(found, PRIOR)[1].total
        assert total == pytest.approx([wanted[index] for index in order], rel=EXACT)


def test_products_that_fill_up_cost_nothing(stacked, known):
    """A dense run has no routed products, latent attention has more dense ones; all get as many as the most."""
    most = max(len(stack_runs([(0, one)])[0].amounts.dense) for one in known)
    assert len(stacked.amounts.dense) == most
    bloom, latent = NAMES.index("bloom-0001"), NAMES.index("deepseek-isca25-0001")
    counts = np.asarray([sides.count for sides in stacked.amounts.dense])
    assert np.count_nonzero(counts[:, bloom]) == len(stack_runs([(0, known[bloom])])[0].amounts.dense) < most
    assert np.count_nonzero(counts[:, latent]) == most
    routed = np.asarray([sides.count for sides in stacked.amounts.routed])
    assert not routed[:, bloom].any()
    assert routed[:, latent].all()


@pytest.mark.parametrize("chosen", [np.arange(14) % 3 == 0, np.asarray([5, 0, 13, 5])], ids=["mask", "indices"])
def test_select_keeps_order_and_owners(stacked, chosen):
    part = select(stacked, chosen)
    assert part.owner.tolist() == np.arange(14)[chosen].tolist()
    assert len(part) == part.owner.size
    assert evaluate(part, PRIOR)[1].total.tolist() == evaluate(stacked, PRIOR)[1].total[chosen].tolist()
    assert part.fits.tolist() == stacked.fits[chosen].tolist()


def test_variants_keep_their_owner(known):
    found, _ = stack_runs([(7, known[0]), (3, known[1]), (7, known[2])])
    assert found.owner.tolist() == [7, 3, 7]


def test_runs_that_no_mapping_fits_are_named(known):
    first, heads = known[0], known[0]["shape"].heads
    free = {name: value for name, value in first.items() if name != "micro_batch"}
    variants = [(0, {**first, "tensor_parallel": 2 * heads}), (1, first), (2, free), (3, known[1])]
    found, faults = stack_runs(variants)
    assert found.owner.tolist() == [1, 3]
    assert set(faults) == {0, 2}
    assert "heads" in faults[0]
    assert faults[2] == "the mapping is not fixed"
    assert evaluate(found, PRIOR)[1].total == pytest.approx([alone(one)["step_time"] for one in known[:2]], rel=EXACT)


def test_a_mapping_fits_up_to_the_slack(known):
    """The memory that the model counts for the run decides, not its own: 1.25 times a chip is the most."""
    need = stack_runs([(0, known[0])])[0].table.budget.total[0]
    sizes = [need / MEMORY_SLACK * factor for factor in (0.99, 1.01)]
    found, _ = stack_runs([(0, {**known[0], "hbm_capacity": size}) for size in sizes])
    assert found.fits.tolist() == [False, True]
    assert MEMORY_SLACK == 1.25


def test_memory_counts_ranks(known):
    """Half of a chip's memory belongs to each of its two ranks."""
    neuron = known[NAMES.index("neuron-0001")]
    need = stack_runs([(0, neuron)])[0].table.budget.total[0]
    sizes = [2 * need / MEMORY_SLACK * factor for factor in (0.99, 1.01)]
    found, _ = stack_runs([(0, {**neuron, "hbm_capacity": size}) for size in sizes])
    assert found.fits.tolist() == [False, True]


def test_a_factor_scales_matrix_rates_alone(stacked):
    """A faster matrix unit shortens no vector work, and each run has its own factor."""
    factor = np.where(np.arange(len(stacked)) < 2, 2.0, 1.0)
    plain, scaled = evaluate(stacked, PRIOR)[0], evaluate(stacked, PRIOR, factor)[0]
    assert (scaled.compute[:2] < plain.compute[:2]).all()
    assert (scaled.head[:2] < plain.head[:2]).all()
    assert scaled.vector.tolist() == plain.vector.tolist()
    assert scaled.body[2:].tolist() == plain.body[2:].tolist()


def test_every_time_is_a_number(stacked):
    assert all(math.isfinite(value) for column in parts_of(stacked, PRIOR).values() for value in column)
