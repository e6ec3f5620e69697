"""How much of a sampler's own rate a search keeps: trials per second of a search over bare ask and tell.

    python benchmarks/search_overhead.py                        # every sampler, 2,000 trials (GP: 96)
    python benchmarks/search_overhead.py tpe --trials 500

Bare is the same Optuna sampler on the same parameters, batches, values and constraints, with nothing around it and the
study in memory. The search is the whole of it (proposals, scores, parts, journal on disk), less the seconds inside the
engine, which are the price of the answer and not of asking; the last column counts those too. Both run in turns in this
process, and seconds are those of its processor, so that others on the machine count less.

The space has 1.6 million designs in one block, so that every sampler can take it, with two goals for NSGA-III.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import optuna

from sweep.catalogue import Catalogue
from sweep.search import Options, search
from sweep.search.samplers import KINDS, make_sampler
from sweep.search.task import Task, task_of
from sweep.search.work import Work
from sweep.study import Study, open_study

STUDY = """
study: overhead
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers:
  system: gb200-nvl72
  domains: {from: 8, to: 128, steps: 11, scale: log}
  scale_out_bandwidth: {times: [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6]}
  scale_up_bandwidth: {times: [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6]}
  hbm_bandwidth: {times: [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6]}
  oversubscription: {linspace: [1, 8], steps: 36}
  chip_power: {times: [0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3]}
scenarios: {power_price: [0.05 USD/kWh, 0.1 USD/kWh]}
require: facility_power <= 15 MW
columns: [cost_per_token, time_to_train, facility_power]
partition: []
"""
ONE, TWO = "objective: {minimize: cost_per_token}\n", "keep: pareto [cost_per_token, time_to_train]\n"
FEW = {"gp": 96}
"""GP fits a matrix of all trials for every one: 2,000 would take a day."""


class Clock:
    """Adds up the processor seconds of a function."""

    seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a clock on it."""

        def clocked(*given: Any) -> Any:
            started = time.process_time()
            try:
                return function(*given)
            finally:
                self.seconds += time.process_time() - started

        return clocked


def bare(task: Task, values: Sequence[tuple[float, ...]], amounts: Sequence[tuple[float, ...]]) -> float:
    """Return the seconds of asking and telling as many trials as there are values."""
    study = optuna.create_study(directions=task.directions())
    space, size, told = task.levers.distributions, task.kind.batch, 0
    started = time.process_time()
    while told < len(values):
        study.sampler = make_sampler(task.kind, 0, told // size)
        asked = [study.ask(space) for _ in range(min(size, len(values) - told))]
        for trial in asked:
            for name, amount in zip(task.constraints, amounts[told], strict=True):
                trial.set_constraint(name, amount)
            study.tell(trial, list(values[told]))
            told += 1
    return time.process_time() - started


def measure(name: str, trials: int, folder: Path, catalogue: Catalogue) -> None:
    """Print the rates of one sampler."""
    study = _study(name, folder)
    options = Options(name)
    task = task_of(study, catalogue, options)
    search(study, catalogue, folder / f"{name} first", 1, options)  # imports
    clock = Clock()
    started = time.process_time()
    with patch.object(Work, "_answer", clock.timed(Work._answer)):  # noqa: SLF001 - the engine's part of a search
        result = search(study, catalogue, folder / name, trials, options)
    wall, engine = time.process_time() - started, clock.seconds
    values = [each.score.values for each in result.found]
    amounts = [each.score.amounts for each in result.found]
    alone = min(bare(task, values, amounts) for _ in range(2))
    rates = [trials / alone, trials / (wall - engine), trials / wall]
    shares = [alone / (wall - engine), alone / wall]
    print(
        f"{name:8s} {trials:6d}  bare {rates[0]:8.1f}/s  search without engine {rates[1]:8.1f}/s"
        f" {100 * shares[0]:5.0f} %  with engine {rates[2]:8.1f}/s {100 * shares[1]:5.0f} %",
        flush=True,
    )


def _study(name: str, folder: Path) -> Study:
    file = folder / "overhead.yaml"
    file.write_text(STUDY + (ONE if KINDS[name].one_goal else TWO), encoding="utf-8")
    return open_study(file)[0]


def main() -> None:
    """Measure the samplers named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samplers", nargs="*", metavar="SAMPLER", help=", ".join(KINDS))
    parser.add_argument("--trials", type=int, default=2000)
    given = parser.parse_args()
    if unknown := set(given.samplers) - set(KINDS):
        parser.error(f"no sampler: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        for name in given.samplers or KINDS:
            measure(name, min(given.trials, FEW.get(name, given.trials)), Path(folder), Catalogue.load())


if __name__ == "__main__":
    main()
