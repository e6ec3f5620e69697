"""The comparisons of the two systems on which the articles' page and some claims rest, each computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sweep.errors import StudyError, nearest

if TYPE_CHECKING:
    from sweep.compare import Comparison, Design
    from sweep.compare.request import Opened

SYSTEMS: Final = ("cloudmatrix384", "gb200-nvl72")


@dataclass(frozen=True, slots=True)
class Question:
    """A comparison, each system at home: its options on the command line, the workload and the basis."""

    options: str
    workload: Mapping[str, Any]
    basis: Mapping[str, Any]

    @property
    def command(self) -> str:
        """The command that asks it."""
        return f"supernode compare {' '.join(SYSTEMS)} {self.options} --region own"


QUESTIONS: Final[Mapping[str, Question]] = {
    "training": Question("--deadline '90 d'", {"train": "llama-3.1-405b"}, {"deadline": "90 d"}),
    "training-bf16": Question(
        "--deadline '90 d' --precision bf16", {"train": "llama-3.1-405b", "precision": "bf16"}, {"deadline": "90 d"}
    ),
    "site": Question("--power '20 MW'", {"train": "llama-3.1-405b"}, {"power": "20 MW"}),
    "serving": Question(
        "--serve deepseek-r1 --tpot '50 ms' --power '20 MW'",
        {"serve": "deepseek-r1", "time_per_output_token_limit": "50 ms"},
        {"power": "20 MW"},
    ),
}
"""A deadline in the best format of each chip and in one format, and what a site can do."""


class Questions:
    """The answers to ``QUESTIONS``; designs alone are found in a third of the time of the whole.

    Parameters
    ----------
    catalogue_dirs
        The user's folders on top of the catalogue.
    """

    def __init__(self, catalogue_dirs: Sequence[Path] = ()) -> None:
        self._folders = tuple(catalogue_dirs)
        self._whole: dict[str, Comparison] = {}
        self._designs: dict[str, tuple[Design | None, ...]] = {}

    def comparison(self, name: str) -> Comparison:
        """Return a comparison with break-evens and published conflicts."""
        if name not in self._whole:
            from sweep.compare.comparison import compared  # noqa: PLC0415 - runs the model

            self._whole[name] = compared(self._opened(name), alternatives=True)
        return self._whole[name]

    def design(self, name: str, system: str) -> Design:
        """Return the design of a system. Raises ``StudyError`` when it has none, or is none of the two."""
        if name not in QUESTIONS:
            raise StudyError.at(f"there is no comparison {name}{nearest(name, QUESTIONS)}")
        if system not in SYSTEMS:
            raise StudyError.at(f"{system} is not compared{nearest(system, SYSTEMS)}")
        if name not in self._designs:
            from sweep.compare.comparison import designs  # noqa: PLC0415

            whole = self._whole.get(name)
            self._designs[name] = whole.cases[0].designs if whole is not None else designs(self._opened(name))
        found = self._designs[name][SYSTEMS.index(system)]
        if found is None:
            raise StudyError.at(f"{system} has no design in {QUESTIONS[name].command}")
        return found

    def _opened(self, name: str) -> Opened:
        from sweep.compare.request import Request  # noqa: PLC0415 - pydantic

        question = QUESTIONS[name]
        return Request(SYSTEMS, question.workload, question.basis, ["own"], catalogue_dirs=self._folders).open()
