"""How near a search comes to the exact optimum of six enumerable spaces, and how much sooner than random draws.

    python benchmarks/search_regret.py                    # every space, 10 seeds of 2,000 trials (an hour on one core)
    python benchmarks/search_regret.py conditional --seeds 2 --trials 500
    python benchmarks/search_regret.py --exact            # only the spaces: designs, structural cells, seconds

A space is enumerated first. The probability that one random draw is within 1 % of the optimum is then known exactly, so
random search needs 1/p trials in the mean: no draw is made for it. With two goals random search is run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sweep.search.cells import cell_blocks
from sweep.search.curves import missing
from sweep.search.enumeration import Proof, enumerated
from sweep.search.exact import Found, front
from sweep.search.goals import Score, score
from sweep.search.points import Point
from sweep.search.storage import open_kept
from sweep.search.task import Options, search_identity, task_of
from sweep.study import open_study

SPACES = Path(__file__).parent / "search_spaces"
NAMES = ("performance", "constrained", "conditional", "serving", "two-goals", "two-goals-constrained")
REGRET = 0.01
HYPERVOLUME = 0.99


class Bench:
    """One space with its exact answer; designs are evaluated once for all seeds."""

    def __init__(self, name: str) -> None:
        study, catalogue = open_study(SPACES / f"{name}.yaml")
        self.name, self.study, self.catalogue = name, study, catalogue
        task = task_of(study, catalogue, Options())
        self.goals, self.limits = task.goals, task.limits
        manifest, _ = search_identity(task, "results", 1)
        self.evaluator = task.evaluator(manifest, None).only([goal.name for goal in self.goals])
        self.scores: dict[Point, Score] = {}

    def exact(self) -> Proof:
        """Enumerate the space."""
        return enumerated(self.evaluator, self.goals, "expected")

    def search(self, sampler: str, seed: int, trials: int, proof: Proof, stop: float) -> list[float]:
        """Return the regret (one goal) or the missing hypervolume (several) after every trial.

        It ends with the batch after which no more than ``stop`` is missing.
        """
        curve: list[float] = []
        best: tuple[Found, ...] = ()
        task = task_of(self.study, self.catalogue, Options(sampler, seed))
        batch = task.kind.batch
        with tempfile.TemporaryDirectory() as folder:
            session = task.session(open_kept(folder, "regret", task.directions(), None))
            while len(curve) < trials and (not curve or curve[-1] > stop):
                asked = session.ask(min(batch, trials - len(curve)))
                new = {point for _, point in asked} - self.scores.keys()
                for point, rows in self.evaluator.measuring().rows(new):
                    self.scores[point] = score(rows, self.goals, "expected", self.limits)
                session.tell([(trial, point, self.scores[point]) for trial, point in asked])
                for trial, point in asked:
                    better = front([*best, Found(trial.number, point, self.scores[point])], self.goals)
                    same = len(better) == len(best) and all(a is b for a, b in zip(better, best, strict=True))
                    curve.append(curve[-1] if same and curve else self._missing(better, proof))
                    best = better
        return curve

    def _missing(self, best: tuple[Found, ...], proof: Proof) -> float:
        return missing(best, proof.best, self.goals) if best else 1.0


def reached(curve: Sequence[float], limit: float) -> int | None:
    """Return the trials after which a curve comes within a limit."""
    return next((place + 1 for place, value in enumerate(curve) if value <= limit), None)


def measure(name: str, seeds: int, trials: int, samplers: Sequence[str], *, stop: bool) -> dict[str, Any]:
    """Return the figures of one space."""
    bench = Bench(name)
    proof = bench.exact()
    blocks = cell_blocks(bench.evaluator)
    several = len(bench.goals) > 1
    chance = proof.share(blocks, REGRET)
    out: dict[str, Any] = {
        "space": name, "designs": proof.designs, "cells": proof.cells, "solved": proof.solved,
        "seconds to enumerate": round(proof.seconds, 1), "front": len(proof.best),
        "mean trials of random search": None if several else round(1 / chance),
    }  # fmt: skip
    limit = 1 - HYPERVOLUME if several else REGRET
    for sampler in samplers:
        started = time.perf_counter()
        curves = [bench.search(sampler, seed, trials, proof, limit if stop else 0.0) for seed in range(seeds)]
        needed = [reached(curve, limit) for curve in curves]
        good = [each for each in needed if each is not None]
        out[sampler] = {
            "seeds within limit": len(good),
            "trials to limit": needed,
            "median": float(np.median([each or np.inf for each in needed])) if len(good) * 2 > seeds else None,
            "final": [round(curve[-1], 5) for curve in curves],
            "seconds": round(time.perf_counter() - started),
        }
    return out


def main() -> None:
    """Measure the spaces named on the command line and print one JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spaces", nargs="*", metavar="SPACE", help=", ".join(NAMES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--sampler", action="append")
    parser.add_argument("--exact", action="store_true", help="enumerate only")
    parser.add_argument("--stop", action="store_true", help="end a search that has come within the limit")
    given = parser.parse_args()
    for name in given.spaces or NAMES:
        samplers = [] if given.exact else given.sampler or ["auto"]
        print(json.dumps(measure(name, given.seeds, given.trials, samplers, stop=given.stop)), flush=True)


if __name__ == "__main__":
    main()
