"""The chain of stages that turns the inputs of a block of designs into its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from models.economics import economics_stage
from models.export_control import rules_stage
from models.fabric import fabric_stage
from models.fleet import site_count
from models.inputs import Known, ModelInputError, integer, text
from models.intervals import interval_stage
from models.power import power_stage
from models.power_cap import capped, uncapped_utilisation
from models.reasons import Reason
from models.reliability import reliability_stage
from models.serving import serving_stage
from models.training import training_stage
from models.transformer import Transformer, active_parameters, parameters

Stage = Callable[[Known], dict[str, Any]]

PHASES: Final[Mapping[str, Stage]] = {"train": training_stage, "serve": serving_stage}


def shape_of(known: Known) -> Transformer:
    """Return the shape of the workload; raises ``ModelInputError`` when it is absent."""
    shape = known.get("shape")
    if not isinstance(shape, Transformer):
        raise ModelInputError("workload", "the shape of the workload is not known for this design")
    return shape


def size_stage(known: Known) -> dict[str, Any]:
    """Count what needs no model: chips bought, parameters of the workload."""
    shape = shape_of(known)
    return {
        "chips": np.asarray(integer(known, "domains") * integer(known, "scale_up_size"), dtype=np.int64),
        "parameters": np.asarray(parameters(shape), dtype=np.float64),
        "active_parameters": np.asarray(active_parameters(shape), dtype=np.float64),
    }


def performance_stage(known: Known) -> dict[str, Any]:
    """Run the stage of the phase, training or serving, on chips at the clock of their power cap."""
    phase = text(known, "phase")
    if phase not in PHASES:
        raise ModelInputError("phase", f"phase is {phase!r}; it must be one of {', '.join(PHASES)}")
    if phase == "serve" and site_count(known) > 1:
        raise ModelInputError("sites", "sites is for training; serve from each site on its own")
    inputs = capped(known)
    metrics = PHASES[phase](inputs)
    return metrics if inputs is known else metrics | uncapped_utilisation(known, metrics)


def possible_stage(known: Known) -> dict[str, Any]:
    """Make designs infeasible whose inputs cannot be together, such as a system that costs less than its fabric.

    ``impossible`` says where; whatever else the model found there follows from these inputs.
    """
    impossible = known.get("impossible")
    if impossible is None:
        return {}
    return {
        "status": np.where(impossible, 1, np.asarray(known["status"])).astype(np.int8),
        "reason": np.where(impossible, Reason.INPUTS, np.asarray(known["reason"])).astype(np.int16),
    }


STAGES: Final[tuple[Stage, ...]] = (
    size_stage,
    rules_stage,
    fabric_stage,
    performance_stage,
    reliability_stage,
    power_stage,
    economics_stage,
    interval_stage,
    possible_stage,
)


def check_broadcast(inputs: Known) -> None:
    """Raise ``ModelInputError`` when the numeric inputs do not lie on one open mesh."""
    shape: tuple[int, ...] = ()
    for name, value in inputs.items():
        if not isinstance(value, np.ndarray) or value.ndim == 0:
            continue
        if shape and value.ndim != len(shape):
            raise ModelInputError(name, f"{name} has {value.ndim} dimensions; the other inputs have {len(shape)}")
        try:
            shape = np.broadcast_shapes(shape, value.shape)
        except ValueError:
            raise ModelInputError(name, f"{name} has shape {value.shape}, which does not fit {shape}") from None


def evaluate(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate a block of designs.

    Parameters
    ----------
    inputs : mapping
        Quantity names (``models.quantities``) to values in SI units. Structural quantities are plain ``str`` or
        ``int``; ``shape`` is the ``Transformer`` of the workload, ``coefficients`` the calibrated ``Coefficients`` of
        the training model (their priors when absent). Numeric quantities are numbers or float arrays on an open mesh:
        one dimension per axis, length 1 where an array does not depend on the axis. ``decided_at`` may hold, in the
        same way, the values at which the mapping is chosen where they differ from those it then runs at;
        ``impossible`` (boolean) says where the inputs cannot be together.

    Returns
    -------
    dict
        Every metric that the inputs allow, by its name in the quantity table, in SI units and broadcastable to the
        mesh. ``status`` is 0 (ok) or 1 (infeasible), ``reason`` an index into ``models.reasons.REASONS``. A metric
        that needs an unknown fact is NaN.

    Examples
    --------
    How the step time of a 70-billion-parameter model depends on the link speed of a supernode of 72 chips::

        import numpy as np
        from models.evaluate import evaluate
        from models.transformer import Transformer

        llama = Transformer(80, 8192, 28672, 64, 8, 128, 128256)
        out = evaluate(
            {
                "shape": llama, "phase": "train", "precision": "bf16", "sequence_length": 8192, "global_batch": 1024,
                "domains": 4, "scale_up_size": 72, "peak_bf16": 2.5e15, "hbm_capacity": 186e9, "hbm_bandwidth": 8e12,
                "gemm_efficiency_bf16": 0.63, "attention_efficiency": 0.58, "hbm_efficiency": 0.9,
                "kernel_launch_time": 4e-6,
                "scale_up_bandwidth": np.array([100e9, 300e9, 900e9]), "scale_up_latency": 1e-6,
                "scale_up_efficiency": 0.8,
                "scale_out_bandwidth": 50e9, "scale_out_latency": 5e-6, "scale_out_efficiency": 0.8,
            }
        )
        out["step_time"], out["mapping"]
    """
    check_broadcast(inputs)
    known: dict[str, Any] = dict(inputs)
    outputs: dict[str, Any] = {}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for stage in STAGES:
            values = stage(known)
            known.update(values)
            outputs.update(values)
    return outputs
