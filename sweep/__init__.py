"""Sweeps, searches and answers over the cluster model.

In a notebook, three lines do what the command line does::

    import sweep

    study = sweep.load("cloudmatrix384-vs-gb200-nvl72")
    run = sweep.run(study)
    run.pandas()

Heavy libraries are imported when the functions are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.dataset import Run
    from sweep.study import Study

__all__ = ["load", "run"]


def load(study: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Return a checked study from a file, or a shipped one by its name.

    ``overrides`` are texts such as ``"levers.domains=[1, 2]"``. Raises ``sweep.errors.StudyError`` with every fault.
    """
    from sweep.cli.find import find_study  # noqa: PLC0415
    from sweep.study import open_study  # noqa: PLC0415

    return open_study(find_study(study), overrides)[0]


def run(study: Study, output: str | Path = "results", **options: Any) -> Run:
    """Run a study, or finish it, and return its rows.

    ``options`` are those of ``sweep.engine.run``: ``workers``, ``in_process``, ``limit``, ``address``, ``progress``.
    Raises ``sweep.errors.SweepError`` with one sentence.
    """
    from sweep.catalogue import Catalogue  # noqa: PLC0415
    from sweep.engine import run as run_study  # noqa: PLC0415

    catalogue = Catalogue.load([Path(folder) for folder in study.catalogue_dirs])
    return run_study(study, catalogue, output, **options).run
