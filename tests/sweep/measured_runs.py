"""Measured runs and predictions made up for tests."""

from sweep.accuracy.case import Case, Prediction

PARTS = {"compute_time": 3.0, "bubble_time": 1.0, "optimizer_time": 0.001}


def case(name="a-0001", seconds=10.0, **changes):
    """Return a run; its source is what stands before the number, its family the same unless said otherwise."""
    source = name.rsplit("-", 1)[0]
    system = changes.pop("system", "dgx-a100")
    inputs = {"sequence_length": 2048, "global_batch": 64, **changes.pop("inputs", {})}
    default = {
        "name": name, "source": source, "family": source, "chip": "A100-80GB", "system": system, "model": "gpt-22b",
        "date": "2022-05", "precision": "bf16", "moe": False, "stated": True, "searched": False,
        "microbenchmark": False, "seconds": seconds, "configuration": (name,), "variants": (inputs,),
    }  # fmt: skip
    return Case(**default | changes)


def prediction(low, high=None, **changes):
    """Return a prediction of a made-up run, one number unless a range is given."""
    return Prediction(case(**changes), low, low if high is None else high, PARTS)
