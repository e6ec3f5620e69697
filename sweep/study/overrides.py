"""``--set path=value``: changes to a study on the command line, made before anything is checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sweep.errors import Problem, StudyError
from sweep.yaml_source import Path_, Source, parse_yaml

PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def apply_overrides(source: Source, overrides: Sequence[str]) -> tuple[Source, dict[Path_, str]]:
    """Return the source with the overrides in it, and the option that set each path.

    Each override is ``dotted.path=value`` with a YAML value; ``null`` removes a key. Raises ``StudyError`` that names
    the option.
    """
    options: dict[Path_, str] = {}
    problems: list[Problem] = []
    data = source.data
    for override in overrides:
        option = f"--set {override}"
        try:
            path, value = _parse(override, option)
            data = _placed(data, path, value, option)
            options[path] = option
        except StudyError as error:
            problems.extend(error.problems)
    if problems:
        raise StudyError(problems)
    return replace(source, data=data), options


def _parse(override: str, option: str) -> tuple[Path_, Any]:
    left, equals, right = override.partition("=")
    path = tuple(int(index) if index else name for name, index in PART.findall(left.strip()))
    if not equals or not path or isinstance(path[0], int):
        raise StudyError.at("write it as path=value, such as levers.domains=[1, 2]", option)
    try:
        return path, parse_yaml(f"value: {right}", option).data["value"]
    except StudyError as error:
        raise StudyError(replace(problem, where=option) for problem in error.problems) from error


def _placed(data: Any, path: Path_, value: Any, option: str) -> Any:
    """Return a copy of the data in which the value stands at the path."""
    part, rest = path[0], path[1:]
    if isinstance(part, int):
        if not isinstance(data, list) or part >= len(data):
            raise StudyError.at(f"there is no item [{part}] to set", option)
        items = list(data)
        items[part] = _placed(items[part], rest, value, option) if rest else value
        return items
    if data is not None and not isinstance(data, dict):
        raise StudyError.at(f"{part} cannot be set inside {data!r}", option)
    mapping = dict(data or {})
    if rest:
        mapping[part] = _placed(mapping.get(part), rest, value, option)
    elif value is None:
        mapping.pop(part, None)
    else:
        mapping[part] = value
    return mapping
