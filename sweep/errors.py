"""Errors a user may see: one sentence each, with the place, what is allowed and the nearest match."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class SweepError(Exception):
    """Something failed while working: exit code 1."""

    exit_code = 1


class Interrupted(SweepError):  # noqa: N818 - an interruption is no error of anyone
    """The user stopped it (Ctrl-C): exit code 130. What was finished is kept."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a file or on the command line.

    ``where`` is ``file:line`` (or a file, or an option), ``path`` the dotted path inside it, ``message`` a sentence
    that says what is wrong and what to do.
    """

    message: str
    where: str = ""
    path: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.path, self.message) if part)


class StudyError(SweepError):
    """The study, the catalogue or the command line is wrong: exit code 2. Holds every fault found, not the first."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def at(cls, message: str, where: str = "", path: str = "") -> StudyError:
        """Return the error for one fault."""
        return cls([Problem(message, where, path)])


def nearest(word: str, options: Iterable[str], limit: int = 8) -> str:
    """Return a hint to append to a message: the nearest allowed word, and the list when it is short."""
    allowed = sorted(set(options))
    starting = [option for option in allowed if word and option.startswith(word)]
    match = starting or difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
    hint = f"; did you mean {match[0]}?" if match else ""
    if len(allowed) <= limit or not match:
        shown = ", ".join(allowed[: 3 * limit]) + (", ..." if len(allowed) > 3 * limit else "")
        hint += f"{'' if match else ';'} allowed: {shown}"
    return hint
