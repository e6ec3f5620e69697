"""The chain of stages as a whole."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest
from training_facts import LLAMA_8B, NVL72, job

from models.evaluate import STAGES, check_broadcast, evaluate
from models.inputs import ModelInputError
from models.quantities import quantities

INPUTS = job(NVL72, LLAMA_8B, phase="train")


def test_every_output_is_in_the_quantity_table():
    out = evaluate(INPUTS)
    assert set(out) <= set(quantities())


def test_every_metric_of_the_performance_group_that_training_has_is_returned():
    out = evaluate(INPUTS)
    serving = {"memory_kv_cache", "time_to_first_token", "time_per_output_token", "input_tokens_per_second"}
    for name in ("step_time", "tokens_per_second", "memory_per_chip", "mapping", "chips", "parameters", "status"):
        assert name in out
    assert not serving & set(out)


def test_an_unknown_price_makes_costs_unknown_and_nothing_else():
    out = evaluate(INPUTS)
    assert np.isnan(out["annual_cost"])
    assert np.isfinite(out["step_time"])
    assert int(out["status"]) == 0


def test_an_axis_that_speed_does_not_depend_on_costs_nothing():
    prices = np.linspace(0.02, 0.2, 7)[None, :] / 3.6e6
    links = np.asarray([450e9, 900e9])[:, None]
    out = evaluate(INPUTS | {"power_price": prices, "scale_up_bandwidth": links})
    assert out["step_time"].shape == (2, 1)


def test_an_infeasible_design_has_a_reason_and_no_cost_per_token():
    out = evaluate(INPUTS | {"hbm_capacity": 1e9})
    assert int(out["status"]) == 1
    assert int(out["reason"]) > 0
    assert np.isnan(out["cost_per_token"])


def test_inputs_must_lie_on_one_mesh():
    with pytest.raises(ModelInputError, match="scale_out_bandwidth"):
        check_broadcast({"peak_bf16": np.ones((2, 1)), "scale_out_bandwidth": np.ones(3)})
    with pytest.raises(ModelInputError, match="does not fit"):
        check_broadcast({"peak_bf16": np.ones((2, 1)), "scale_out_bandwidth": np.ones((3, 1))})
    check_broadcast({"peak_bf16": np.ones((2, 1)), "scale_out_bandwidth": np.ones((1, 3)), "domains": 4})


@pytest.mark.parametrize(("name", "value"), [("phase", "dream"), ("shape", None), ("domains", 1.5)])
def test_nonsense_is_an_error(name, value):
    with pytest.raises(ModelInputError):
        evaluate(INPUTS | {name: value})


def test_later_stages_see_what_earlier_ones_found():
    names = [stage.__name__ for stage in STAGES]
    assert names.index("performance_stage") < names.index("power_stage") < names.index("economics_stage")
    out = evaluate(INPUTS)
    assert int(out["chips_used"]) <= int(out["chips"]) == 4 * 72


def test_the_example_of_the_docstring_runs():
    example = textwrap.dedent((evaluate.__doc__ or "").split("::\n", 1)[1])
    scope: dict[str, Any] = {}
    exec(example, scope)
    assert scope["out"]["step_time"].shape == (3,)
    assert (np.diff(scope["out"]["step_time"]) < 0).all()  # faster links, shorter steps


def test_importing_the_package_is_light():
    code = "import sys, models; print(sorted(name for name in sys.modules if name in ('numpy', 'scipy', 'ray')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
