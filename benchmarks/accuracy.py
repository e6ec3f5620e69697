"""Predicted against measured step time of every published training run whose mapping is known.

Run with ``python benchmarks/accuracy.py [--rows]`` from the root of the repository. The mapping is given to the model,
the efficiencies are those of the catalogue, nothing is fitted here. ``--rows`` prints every run.
"""

from __future__ import annotations

import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.training_rows import Run, read_runs
from models.reasons import REASONS
from models.training import training_stage
from sweep.catalogue import Catalogue


def error_of(run: Run) -> float | str:
    """Predicted over measured step time, less one; or why there is no prediction."""
    out = training_stage(run.inputs)
    if int(out["status"]):
        return REASONS[int(out["reason"])]
    return float(out["step_time"]) / run.seconds - 1


def line(name: str, errors: Iterable[float]) -> str:
    """One row of the table: count, mean and median absolute error, bias, 90th percentile [%]."""
    values = list(errors)
    sizes = sorted(abs(value) for value in values)
    tail = sizes[int(0.9 * (len(sizes) - 1))]
    return (
        f"{name:34s} {len(values):5d} {100 * statistics.mean(sizes):7.1f} {100 * statistics.median(sizes):7.1f}"
        f" {100 * statistics.mean(values):7.1f} {100 * tail:7.1f}"
    )


def main() -> None:
    """Print the errors by source, by chip and format, and the rows left out by reason."""
    errors: dict[str, dict[str, float]] = defaultdict(dict)
    left_out: Counter[str] = Counter()
    for run in read_runs(Catalogue.load()):
        if isinstance(run, tuple):
            left_out[run[1]] += 1
            continue
        error = error_of(run)
        if isinstance(error, str):
            left_out[error] += 1
            continue
        if "--rows" in sys.argv:
            print(f"{run.name:28s} {run.chip:12s} {run.precision:5s} {run.seconds:9.3f} {100 * error:7.1f}")
        kind = "mixture" if run.moe else "dense"
        stated = "recompute stated" if run.stated else "recompute not stated"
        for key in ("all", f"all {kind}", stated, f"{run.source} {kind}", f"{run.chip} {run.precision}"):
            errors[key][run.name] = error
    print(f"{'':34s} {'rows':>5s} {'mean':>7s} {'median':>7s} {'bias':>7s} {'p90':>7s}   [%]")
    for key in sorted(errors):
        print(line(key, errors[key].values()))
    print("\nleft out")
    for reason, count in left_out.most_common():
        print(f"{count:6d}  {reason}")


if __name__ == "__main__":
    main()
