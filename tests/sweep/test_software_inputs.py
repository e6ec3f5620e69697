"""What training software does is an input like any other: every one can be swept, and moves the step."""

import pytest
from study_files import fault

from models.evaluate import evaluate
from models.inputs import ModelInputError
from models.quantities import quantities
from sweep.engine import run
from sweep.inputs import inputs_with_origins
from sweep.study import open_study
from sweep.study.values import FIXED

STUDY = """\
study: software
workload: {{train: {model}, tokens: 1e12, global_batch: 256, sequence: 4096, precision: fp8}}
levers:
  system: dgx-h100
  domains: 8
scenarios: {{{fixed}{name}: [{values}]}}
columns: [step_time]
"""
DENSE, MIXTURE = "llama-3-8b", "qwen3-30b-a3b"
STAGES = "tensor_parallel: 1, pipeline_parallel: 4, virtual_pipeline: 1, "
SHARDED = "tensor_parallel: 1, pipeline_parallel: 1, optimizer_sharding: 3, "
EXPERTS = "expert_parallel: 16, "
# workload, what the study fixes of the mapping so that the input matters, and two values
SWEPT = {
    "attention_kernel": (DENSE, "", "fused, unfused"),
    "sequence_parallel": (DENSE, "tensor_parallel: 8, ", "0, 1"),
    "overlap_tensor": (DENSE, "tensor_parallel: 8, ", "0, 1"),
    "overlap_input_gradients": (DENSE, "tensor_parallel: 8, ", "0, 1"),
    "overlap_experts": (MIXTURE, EXPERTS, "0, 1"),
    "overlap_gradients": (DENSE, SHARDED, "0, 1"),
    "expert_imbalance": (MIXTURE, EXPERTS, "1, 1.5"),
    "captured_graphs": (MIXTURE, "micro_batch: 1, tensor_parallel: 8, ", "0, 1"),
    "blocking_launches": (MIXTURE, "micro_batch: 1, tensor_parallel: 8, captured_graphs: 0, ", "0, 1"),
    "software_date": (MIXTURE, EXPERTS, "2023, 2026.5"),
    "step_time_factor": (DENSE, "", "0.9, 1.1"),
    "trained_weights": (DENSE, "", "all, adapters"),
    "packed_length": (DENSE, "", "0, 512"),
    "pipeline_schedule": (DENSE, STAGES, "interleaved, zero_bubble, dualpipe"),
    "activation_offload": (DENSE, "recompute: none, ", "0, 1"),
    "mixture_dispatch": (MIXTURE, EXPERTS + "overlap_experts: 0, ", "fused, alltoall"),
    "gradient_bytes": (DENSE, "tensor_parallel: 1, optimizer_sharding: 1, ", "2, 4"),
    "weight_gather_bytes": (DENSE, "tensor_parallel: 1, optimizer_sharding: 3, ", "1, 2"),
    "gradient_reduction": (DENSE, "tensor_parallel: 1, optimizer_sharding: 1, ", "scatter, all_reduce"),
    "sharded_gathers": (DENSE, SHARDED, "layer, tensor"),
}


def opened(folder, name):
    model, fixed, values = SWEPT[name]
    (folder / "study.yaml").write_text(STUDY.format(model=model, fixed=fixed, name=name, values=values))
    return open_study(folder / "study.yaml")


def test_every_input_of_the_mapping_group_is_here():
    group = {name for name, row in quantities().items() if row.group == "mapping" and row.role == "scenario"}
    assert group == set(SWEPT)


@pytest.mark.parametrize("name", SWEPT)
def test_an_input_can_be_swept_and_moves_the_step(tmp_path, name):
    rows = run(*opened(tmp_path, name), tmp_path / "results", in_process=True).run.arrow().to_pylist()
    assert [str(row[name]) for row in rows] == [
        str(float(value)) if quantities()[name].dtype == "float" else value for value in SWEPT[name][2].split(", ")
    ]
    assert {row["status"] for row in rows} == {"ok"}
    assert len({row["step_time"] for row in rows}) == len(rows)


@pytest.mark.parametrize("name", [name for name in SWEPT if quantities()[name].dtype == "text"])
def test_the_words_of_a_study_are_those_of_the_model(tmp_path, name):
    study, found = opened(tmp_path, name)
    known = inputs_with_origins(study, found, study.space.design(0), {}).values
    with pytest.raises(ModelInputError) as caught:
        evaluate(known | {name: "wrong"})
    assert str(caught.value).endswith(f"must be one of {', '.join(FIXED[name])}")
    text = (tmp_path / "study.yaml").read_text().replace(SWEPT[name][2], "wrong")
    problem = fault(tmp_path, text)
    assert f"there is no {name} 'wrong'" in problem.message
    assert FIXED[name][0] in problem.message
