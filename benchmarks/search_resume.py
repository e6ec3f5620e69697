"""Kill each sampler's search 20 times with SIGKILL and let it end; its trials must be those of one that ran through.

python benchmarks/search_resume.py            # every sampler; some minutes
python benchmarks/search_resume.py tpe gp
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sweep"))

import test_search_resume as resume
from tiny_study import tiny_model

import sweep.engine.rows
from sweep.search.samplers import KINDS

MOMENTS = 20
TRIALS = 320


def check(sampler: str, trials: int) -> None:
    """Raise ``AssertionError`` when a resumed search is not the uninterrupted one; print how it went."""
    text = resume.TEXTS.get(sampler, resume.WIDE)
    with tempfile.TemporaryDirectory() as folder:
        whole = resume.searched(Path(folder, "a"), sampler, trials, text=text)
        told_after, rest = resume.killed_and_finished(Path(folder, "b"), sampler, MOMENTS, text, trials)
        numbers = [trial[0] for trial in resume.told(rest.run.location)]
        assert told_after == sorted(told_after), "a told trial was lost"
        assert numbers == list(range(trials)), "a trial was lost or doubled"
        resume.same(rest, whole)
    print(
        f"{sampler}: killed {len(told_after)} times after {told_after} told trials; {trials} equal trials", flush=True
    )


def main() -> None:
    """Check the samplers named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samplers", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--trials", type=int, default=TRIALS)
    given = parser.parse_args()
    sweep.engine.rows.evaluate = tiny_model
    for sampler in given.samplers:
        check(sampler, given.trials)


if __name__ == "__main__":
    main()
