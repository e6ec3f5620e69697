"""Step times against published runs, and the parts of a step."""

from __future__ import annotations

import numpy as np
import pytest
from training_facts import CLOUDMATRIX, DEEPSEEK_V3, DGX_A100, DGX_H100, LLAMA_8B, LLAMA_405B, NVL72, gpt, job, shipped

from models.coefficients import prior_coefficients
from models.inputs import ModelInputError
from models.reasons import Reason
from models.training import training_stage
from models.training_report import TIMES
from models.transformer import Transformer

UNLIMITED = {"hbm_capacity": 1e15, "coefficients": prior_coefficients()}
"""Recorded mappings did run, so memory is no limit; priors are not fitted to the steps that they predict."""

KORTHIKANTI = [
    # arXiv:2205.05198, table 5: shape, stages, chunks, micro-batch, batch, seconds full, seconds selective + sequence
    (gpt(48, 6144, 64), 1, 1, 4, 4, 1.42, 1.10),
    (gpt(96, 12288, 96), 8, 3, 1, 64, 18.13, 13.75),
    (gpt(105, 20480, 128), 35, 3, 1, 280, 49.05, 37.83),
    (gpt(128, 25600, 160), 64, 1, 1, 512, 94.42, 71.49),
]


@pytest.mark.parametrize(("shape", "stages", "chunks", "micro_batch", "batch", "full", "selective"), KORTHIKANTI)
def test_korthikanti_step_times_within_15_percent(shape, stages, chunks, micro_batch, batch, full, selective):
    mapping = {
        "tensor_parallel": 8,
        "pipeline_parallel": stages,
        "virtual_pipeline": chunks,
        "data_parallel": 1,
        "micro_batch": micro_batch,
        "optimizer_sharding": 0,
        "attention_kernel": "unfused",
    }
    inputs = job(
        DGX_A100 | UNLIMITED, shape, sequence_length=2048, global_batch=batch, domains=stages, precision="fp16"
    )
    slow = training_stage(inputs | mapping | {"recompute": "full", "sequence_parallel": 0})
    fast = training_stage(inputs | mapping | {"recompute": "selective", "sequence_parallel": 1})
    assert float(slow["step_time"]) == pytest.approx(full, rel=0.15)
    assert float(fast["step_time"]) == pytest.approx(selective, rel=0.15)


@pytest.mark.parametrize(("replicas", "published"), [(64, 430), (128, 400)])
def test_llama_405b_on_8192_and_16384_h100(replicas, published):
    # arXiv:2407.21783, table 4: 430 and 400 TFLOP/s per GPU with tp8 pp16; interleaving is not stated, 4 is assumed
    out = training_stage(
        job(
            DGX_H100 | UNLIMITED,
            LLAMA_405B,
            global_batch=2048,
            domains=16 * replicas,
            tensor_parallel=8,
            pipeline_parallel=16,
            virtual_pipeline=4,
            data_parallel=replicas,
            micro_batch=1,
            recompute="none",
            optimizer_sharding=2,
        )
    )
    assert float(out["model_flops_utilisation"]) * 989 == pytest.approx(published, rel=0.15)


def test_deepseek_v3_on_2048_h800():
    # arXiv:2505.09343, table 4: 19.9 s per step on chips of 80 GB; it counts 4 % more, for it does not know moments of
    # the optimizer in 16 bits and outputs of attention in 12 (arXiv:2412.19437, section 3.3.3). Trained in November and
    # December of 2024. With the coefficients that the catalogue ships (their fit has seen the run) 13 to 14 % too fast:
    # products scaled block by block reach 0.64 of the fp8 peak where 0.70 is assumed (docs/kernels.md); real routing
    # loads some experts more than others
    out = training_stage(
        job(
            DGX_H100 | {"scale_up_bandwidth": 200e9, "coefficients": shipped()},
            DEEPSEEK_V3,
            precision="fp8",
            sequence_length=4096,
            global_batch=15360,
            domains=256,
            tensor_parallel=1,
            pipeline_parallel=16,
            virtual_pipeline=1,
            data_parallel=128,
            expert_parallel=64,
            micro_batch=1,
            recompute="selective",
            pipeline_schedule="dualpipe",
            software_date=2024.9,
            captured_graphs=0.0,
            hbm_capacity=85e9,
        )
    )
    assert int(out["status"]) == 0
    assert float(out["memory_per_chip"]) > 70e9
    assert float(out["step_time"]) == pytest.approx(19.9, rel=0.16)


@pytest.mark.parametrize(
    ("machine", "shape", "inputs", "seconds"),
    [
        # Narayanan et al. 2021, table 2: 175B, ZeRO-3 of DeepSpeed on 384 A100, 144 TFLOP/s with recomputation. Its
        # first release gathers tensor by tensor and overlaps nothing. Under the priors 15.4 % too fast, under the
        # coefficients that the catalogue ships 7 %: gathers beside computation are slower than the priors say.
        (
            DGX_A100,
            gpt(96, 12288, 96),
            {
                "domains": 48,
                "micro_batch": 4,
                "global_batch": 1536,
                "sequence_length": 2048,
                "attention_kernel": "unfused",
                "recompute": "full",
                "overlap_gradients": 0.0,
                "sharded_gathers": "tensor",
                "precision": "fp16",
                "coefficients": shipped(),
            },
            81.6,
        ),
        (  # NeMo 25.11 performance summary: Llama 3 70B, FSDP on 64 GB200 in fp8
            NVL72,
            Transformer(80, 8192, 28672, 64, 8, 128, 128256),
            {
                "domains": 1,
                "scale_up_size": 64,
                "micro_batch": 2,
                "global_batch": 256,
                "recompute": "none",
                "precision": "fp8",
            },
            7.6,
        ),
    ],
)
def test_published_runs_with_sharded_weights(machine, shape, inputs, seconds):
    fixed = {"tensor_parallel": 1, "pipeline_parallel": 1, "virtual_pipeline": 1, "optimizer_sharding": 3}
    out = training_stage(job(machine | UNLIMITED, shape, **inputs) | fixed)
    assert float(out["step_time"]) == pytest.approx(seconds, rel=0.15)


def test_a_package_of_two_devices_is_two_ranks():
    halves = ("peak_bf16", "hbm_capacity", "hbm_bandwidth", "scale_up_bandwidth", "scale_out_bandwidth")
    package = training_stage(job(CLOUDMATRIX, LLAMA_405B, devices_per_chip=2))
    split = CLOUDMATRIX | {name: CLOUDMATRIX[name] / 2 for name in halves} | {"scale_up_size": 768}
    ranks = training_stage(job(split, LLAMA_405B))
    assert package["mapping"] == ranks["mapping"]
    assert float(package["step_time"]) == float(ranks["step_time"])
    assert float(package["model_flops_utilisation"]) == float(ranks["model_flops_utilisation"])
    assert float(package["memory_per_chip"]) == 2 * float(ranks["memory_per_chip"])
    assert float(package["tokens_per_second_per_chip"]) == 2 * float(ranks["tokens_per_second_per_chip"])
    assert int(package["chips_used"]) == -(-int(ranks["chips_used"]) // 2)


@pytest.mark.parametrize("machine", [DGX_H100, NVL72, CLOUDMATRIX])
@pytest.mark.parametrize("shape", [LLAMA_8B, LLAMA_405B, DEEPSEEK_V3])
def test_the_parts_add_up_to_the_step(machine, shape):
    out = training_stage(job(machine, shape, domains=512 if machine is DGX_H100 else 8))
    assert int(out["status"]) == 0
    parts = sum(float(out[name]) for name in TIMES[1:])
    assert parts == pytest.approx(float(out["step_time"]), rel=1e-12)
    assert all(float(out[name]) >= -1e-12 for name in TIMES)


def test_the_winner_is_the_fastest_of_its_fixed_neighbours():
    inputs = job(NVL72, LLAMA_405B)
    best = training_stage(inputs)
    for name in ("tensor_parallel", "pipeline_parallel", "micro_batch", "data_parallel"):
        for other in (1, 2, 4, 8, 16):
            out = training_stage(inputs | {name: other})
            assert int(out["status"]) == 1 or float(out["step_time"]) >= float(best["step_time"]) * (1 - 1e-12)


def test_fixing_the_winner_gives_the_winner():
    inputs = job(NVL72, DEEPSEEK_V3)
    best = training_stage(inputs)
    names = ("tensor_parallel", "pipeline_parallel", "virtual_pipeline", "data_parallel", "context_parallel")
    names += ("expert_parallel", "micro_batch", "optimizer_sharding", "recompute", "placement")
    again = training_stage(inputs | {name: best[name].item() for name in names})
    assert again["mapping"] == best["mapping"]
    assert float(again["step_time"]) == float(best["step_time"])
    assert int(again["legal_mappings"]) == 1


def test_one_chip_has_no_communication():
    tiny = gpt(4, 1024, 8)
    out = training_stage(job(DGX_H100 | {"scale_up_size": 1}, tiny, domains=1, global_batch=4, sequence_length=1024))
    for name in ("tensor_parallel_time", "context_parallel_time", "expert_parallel_time", "pipeline_time"):
        assert float(out[name]) == 0.0
    assert float(out["data_parallel_time"]) == 0.0
    assert float(out["bubble_time"]) == 0.0


def test_a_single_stage_has_no_bubble_and_many_micro_batches_shrink_it():
    fixed = {"tensor_parallel": 8, "virtual_pipeline": 1, "micro_batch": 1, "data_parallel": 1, "recompute": "full"}
    share = []
    for stages, batch in ((1, 64), (16, 64), (16, 1024)):
        out = training_stage(
            job(
                DGX_H100 | UNLIMITED,
                gpt(96, 12288, 96),
                domains=16,
                global_batch=batch,
                pipeline_parallel=stages,
                **fixed,
            )
        )
        share.append(float(out["bubble_time"]) / float(out["step_time"]))
    assert share[0] == pytest.approx(0, abs=1e-12)
    assert share[1] == pytest.approx(15 / 79, rel=0.12)  # (p-1)/(n+p-1), and the stages that wait for the head
    assert share[1] > 15 / 79
    assert share[2] < share[1] / 4


def test_precision_the_chip_lacks_is_infeasible_not_an_error():
    out = training_stage(job(DGX_A100, LLAMA_8B, precision="fp8"))
    assert (int(out["status"]), int(out["reason"])) == (1, Reason.PRECISION)
    assert np.isnan(float(out["step_time"]))


def test_too_little_memory_says_how_much_is_needed():
    out = training_stage(job(DGX_H100, LLAMA_405B, domains=2))
    assert (int(out["status"]), int(out["reason"])) == (1, Reason.MEMORY_STATE)
    # 18 bytes per parameter over 16 chips is the least that any mapping of the state needs
    assert float(out["memory_per_chip"]) > 405.85e9 * 18 / 16 / 2
    assert out["mapping"].item() == ""
    assert int(out["tensor_parallel"]) == 0


def test_activations_that_do_not_fit_are_named():
    long = job(DGX_H100, LLAMA_8B, domains=1, sequence_length=1 << 20, global_batch=1, context_parallel=1)
    out = training_stage(long)
    assert int(out["reason"]) == Reason.MEMORY_ACTIVATIONS


def test_a_fixed_mapping_that_needs_more_chips_says_so():
    out = training_stage(job(DGX_H100, LLAMA_8B, domains=1, tensor_parallel=8, data_parallel=2))
    assert (int(out["status"]), int(out["reason"])) == (1, Reason.CHIPS)


def test_spare_domains_do_not_work():
    out = training_stage(job(NVL72, LLAMA_405B, domains=8, spare_fraction=0.25))
    six = training_stage(job(NVL72, LLAMA_405B, domains=6))
    assert float(out["step_time"]) == float(six["step_time"])
    assert int(out["chips_used"]) <= 6 * 72


def test_spare_fractions_may_be_an_axis():
    fractions = np.asarray([0.0, 0.25, 0.3, 0.5])[:, None]
    links = np.asarray([450e9, 900e9])[None, :]
    block = training_stage(job(NVL72, LLAMA_405B, domains=8, spare_fraction=fractions, scale_up_bandwidth=links))
    for row, domains in enumerate((8, 6, 6, 4)):
        alone = training_stage(job(NVL72, LLAMA_405B, domains=domains, scale_up_bandwidth=links))
        assert block["step_time"][row].tolist() == alone["step_time"][0].tolist()
        assert block["mapping"][row].tolist() == alone["mapping"][0].tolist()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recompute", "some"),
        ("placement", "tensor"),
        ("precision", "bf8"),
        ("attention_kernel", "x"),
        ("trained_weights", "some"),
        ("pipeline_schedule", "gpipe"),
        ("mixture_dispatch", "ring"),
        ("sharded_gathers", "model"),
    ],
)
def test_nonsense_is_an_error_that_names_the_quantity(name, value):
    with pytest.raises(ModelInputError, match=name) as fault:
        training_stage(job(DGX_H100, LLAMA_8B) | {name: value})
    assert fault.value.quantity == name


@pytest.mark.parametrize("name", ["hbm_bandwidth", "scale_up_bandwidth", "gemm_efficiency_bf16"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_speed_must_be_known_and_positive(name, value):
    with pytest.raises(ModelInputError, match=name):
        training_stage(job(DGX_H100, LLAMA_8B) | {name: value})


def test_near_optimal_mappings_are_counted():
    out = training_stage(job(NVL72, LLAMA_405B))
    assert 1 <= int(out["near_optimal_mappings"]) <= int(out["legal_mappings"])


def test_the_best_sharded_copy_is_found():
    """Forty supernodes in one place: a copy over some of them beats one over all, and no given one is better."""
    known = job(CLOUDMATRIX, LLAMA_405B, domains=40, global_batch=3840)
    groups = (0, 96, 192, 384, 768)
    given = {group: float(training_stage(known | {"sharding_group": group})["step_time"]) for group in groups}
    found = training_stage(known)
    assert found["step_time"] == min(given.values()) < given[0]
    assert given[int(found["sharding_group"])] == found["step_time"]
    assert f"z3x{found['sharding_group']}." in str(found["mapping"])
