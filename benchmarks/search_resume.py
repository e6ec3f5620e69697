"""Kill each sampler's search 20 times with SIGKILL and let it end; its trials must be those of one that ran through.

    python benchmarks/search_resume.py            # every sampler that is installed; some minutes
    python benchmarks/search_resume.py tpe gp

A search is killed when its journal holds so many told trials: 20 counts spread from the first batch to the last, each
another part of a batch later, so that kills fall between asking, evaluating, writing and telling. A kill counts as
landed when it left at least one told trial and not all of them. Lost is a trial that was told at some kill and is not
in the end what it was; doubled, one whose number is there twice, or whose rows are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sweep"))

import test_search_resume as resume
from tiny_study import tiny_model

import sweep.engine.rows
from sweep.search import SearchResult
from sweep.search.samplers import KINDS

MOMENTS = 20
TRIALS, BATCH = 320, resume.BATCH
OTHER = {"gp": (88, 4), "qmc": (640, BATCH), "random": (640, BATCH)}
"""Trials and batch of samplers whose every trial takes long, or whose search would be over before a kill lands."""
MORE = ("domains: [1, 2, 3, 5, 8, 13]", "domains: {linspace: [1, 64], steps: 64}")
"""What makes the study of the tests one that no search comes to the end of."""


def differences(rest: SearchResult, whole: SearchResult) -> list[str]:
    """Return what is not equal in two searches, apart from the seconds they took."""
    places = rest.run.location, whole.run.location
    one, other = (resume.told(place) for place in places)
    trials = [mine[0] for mine, theirs in zip(one, other, strict=False) if mine != theirs]
    found = [f"trial {number}" for number in trials]
    found += ["the number of trials"] if len(one) != len(other) else []
    if resume.content(places[0]) != resume.content(places[1]):
        found.append("the dataset")
    return found + resume.verify(rest.run)


def check(sampler: str, trials: int, batch: int) -> bool:
    """Print how a sampler's killed search compares with its uninterrupted one; return whether they are equal."""
    text = resume.TEXTS.get(sampler, resume.WIDE).replace(*MORE)
    with tempfile.TemporaryDirectory() as folder:
        whole = resume.searched(Path(folder, "a"), sampler, trials, text=text, batch=batch)
        kept, rest = resume.killed_and_finished(Path(folder, "b"), sampler, MOMENTS, text, trials, batch)
        last = resume.told(rest.run.location)
        landed = [len(each) for each in kept if 0 < len(each) < trials]
        numbers, rows = [trial[0] for trial in last], rest.run.arrow()["design"].to_pylist()
        lost = {trial[0] for each in kept for trial in each if not _among(trial, last)}
        doubled = len(numbers) - len(set(numbers)) + len(rows) - len(set(rows))
        different = differences(rest, whole)
    equal = "yes" if not different else f"no: {', '.join(different[:5])}"
    print(
        f"{sampler:8s} {trials} trials in batches of {batch}: {len(landed)} kills landed, at {landed[0]} to "
        f"{landed[-1]} told trials ({len(set(landed))} counts); lost {len(lost)}, doubled {doubled}; "
        f"equal to uninterrupted: {equal}",
        flush=True,
    )
    return len(landed) == MOMENTS and not lost and not doubled and not different


def _among(trial: Any, last: list[Any]) -> bool:
    return trial[0] < len(last) and last[trial[0]] == trial


def main() -> int:
    """Check the samplers named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samplers", nargs="*", metavar="SAMPLER", help=", ".join(KINDS))
    parser.add_argument("--trials", type=int)
    given = parser.parse_args()
    if unknown := set(given.samplers) - set(KINDS):
        parser.error(f"no sampler: {', '.join(sorted(unknown))}")
    sweep.engine.rows.evaluate = tiny_model
    good = True
    for sampler in given.samplers or KINDS:
        missing = [package for package in KINDS[sampler].packages if find_spec(package) is None]
        if missing:
            print(f"{sampler:8s} not checked: {', '.join(missing)} is not installed", flush=True)
            continue
        trials, batch = OTHER.get(sampler, (TRIALS, BATCH))
        good = check(sampler, given.trials or trials, batch) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
