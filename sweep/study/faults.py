"""Faults of one study, collected with the place of each, so that a user sees all of them at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from models.quantities import quantities
from sweep.errors import Problem, StudyError, nearest
from sweep.money import Exchange
from sweep.study import grammar
from sweep.yaml_source import Path_, Source, dotted

SENTENCES = {
    "missing": "is required and missing",
    "string_type": "needs a word or a text",
    "int_type": "needs a whole number",
    "list_type": "needs a list",
    "dict_type": "needs keys and values",
    "model_type": "needs keys and values",
    "bool_type": "needs true or false",
    "bool_parsing": "needs true or false",
    "too_short": "is empty; give at least one value",
}
LENGTHS = {"too_short": "min_length", "too_long": "max_length"}


BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
    "greater_than": ("more than", "gt"),
}

WHOLE_ENTRIES = {"levers": 2, "scenarios": 2, "blocks": 4, "sample": 1, "uncertain": 3}
"""How deep a path reaches that is dropped when something in it is broken: an axis without its steps says nothing."""


@dataclass(slots=True)
class Faults:
    """The faults found so far in one source.

    ``options`` holds the command-line option that set a path, ``broken`` the paths that break the grammar,
    ``exchanges`` the prices that are not in dollars.
    """

    source: Source
    options: Mapping[Path_, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: list[Path_] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    def where(self, path: Path_) -> str:
        """Return the option that set a path, or its file and line."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.options:
                return self.options[path[:length]]
        inside = [option for place, option in self.options.items() if place[: len(path)] == path]
        return inside[0] if inside and path not in self.source.lines else self.source.where(path)

    def add(self, path: Path_, message: str) -> None:
        """Note one fault at a path, once; what only follows from a part that is broken itself is left out."""
        if any(path == other[: len(path)] and len(path) < len(other) for other in self.broken):
            return
        problem = Problem(message, self.where(path), dotted(path))
        if problem not in self.problems:
            self.problems.append(problem)

    def stop_if_any(self) -> None:
        """Raise ``StudyError`` with everything found, in the order of the file."""
        if self.problems:
            raise StudyError(sorted(self.problems, key=_line))


def _line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.where, 0)


def add_pydantic(faults: Faults, error: ValidationError, model: type[BaseModel]) -> list[Path_]:
    """Note what pydantic found, as sentences at the paths of the file; return the paths."""
    paths = []
    for fault in error.errors(include_url=False):
        path = _real_path(fault["loc"], faults.source.data, missing=fault["type"] == "missing")
        if path not in faults.broken:
            faults.add(path, _sentence(fault, _allowed(model, fault["loc"])))
        paths.append(path)
    faults.broken.extend(paths)
    return paths


def without(data: dict[str, Any], paths: Iterable[Path_]) -> dict[str, Any]:
    """Return a copy of the file's data without what breaks the grammar, so that the rest can be checked as well."""
    kept = copy.deepcopy(data)
    for path in paths:
        place: Any = kept
        parts = path[: WHOLE_ENTRIES.get(str(path[0]), len(path))]
        keys = [index for index, part in enumerate(parts) if isinstance(part, str)]
        for part in parts[: keys[-1]]:
            place = place[part] if isinstance(part, int) or part in place else {}
        place.pop(parts[keys[-1]], None)
    kept.setdefault("study", "nameless")
    return kept


def _real_path(location: Iterable[str | int], data: Any, *, missing: bool) -> Path_:
    """Drop the parts of a pydantic location that name a branch of a union and not a place in the file."""
    path: list[str | int] = []
    parts = list(location)
    for index, part in enumerate(parts):
        held = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        if part in held:
            data = held[part]
        elif not (missing and index == len(parts) - 1):
            continue
        path.append(part)
    return tuple(path)


def _allowed(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Return the keys allowed beside the last part of a location, as far as they can be known."""
    if len(location) == 1:
        return [field.alias or name for name, field in model.model_fields.items()]
    owners: dict[str | int, type[BaseModel]] = {
        "~values": grammar.ValueList,
        "~linear": grammar.Linear,
        "~log": grammar.Logarithmic,
        "~from": grammar.FromTo,
        "~times": grammar.Times,
        "basis": grammar.Basis,
        "objective": grammar.Objective,
        "sample": grammar.Sample,
        "blocks": grammar.SubSweep,
        "~triangular": grammar.TriangularDraw,
        "~uniform": grammar.UniformDraw,
        "~normal": grammar.NormalDraw,
        "~lognormal": grammar.LognormalDraw,
        "~choice": grammar.ChoiceDraw,
        "normal": grammar.NormalParameters,
        "lognormal": grammar.LognormalParameters,
        "uncertain": grammar.Uncertain,
    }
    found = next((owners[part] for part in reversed(location[:-1]) if part in owners), None)
    if location[0] == "sample" and len(location) > 3:
        found = grammar.Interval
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def _sentence(fault: Any, allowed: list[str]) -> str:
    kind, value, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        return f"is no key here{nearest(str(fault['loc'][-1]), allowed)}"
    if kind == "draw":
        return _no_distribution(value, fault["loc"]) or str(fault["msg"])
    if kind in LENGTHS and context[LENGTHS[kind]] > 1:
        return f"needs {context[LENGTHS[kind]]} values, got {context['actual_length']}"
    if kind in SENTENCES:
        given = "" if kind in {"missing", "too_short"} else f", got {_shown(value)}"
        return SENTENCES[kind] + given
    if kind in BOUNDS:
        word, key = BOUNDS[kind]
        return f"needs {word} {context[key]:,}, got {_shown(value)}"
    return _said(kind, value, context, str(fault["msg"]))


def _said(kind: str, value: Any, context: Mapping[str, Any], message: str) -> str:
    if kind == "literal_error":
        return f"{_shown(value)} is not allowed; write {context['expected'].replace(chr(39), '')}"
    if kind == "string_pattern_mismatch":
        return f"{_shown(value)} is no name of a study; use lower-case letters, digits, points and dashes"
    return f"{message[0].lower()}{message[1:]}, got {_shown(value)}"


def _no_distribution(value: Any, location: tuple[str | int, ...]) -> str:
    """Return what is wrong with an uncertain input whose distribution nobody knows; nothing when it names none."""
    name, word = location[2], str(location[-1])
    if name in quantities() and word != name:  # what looks like a system with its inputs is an input
        return f"{word!r} is no distribution{nearest(word, grammar.DRAWS)}"
    unknown = [str(key) for key in value if key not in grammar.Drawn.model_fields] if isinstance(value, dict) else []
    return f"{unknown[0]!r} is no distribution{nearest(unknown[0], grammar.DRAWS)}" if unknown else ""


def _shown(value: Any) -> str:
    words = {None: "nothing", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
