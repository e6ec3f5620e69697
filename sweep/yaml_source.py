"""YAML with line numbers and without surprises.

YAML 1.2 (``989e12`` is a number, ``NO`` is a word), duplicate keys refused, anchors, aliases and tags refused (no
alias bombs, no object construction), size and depth bounded. Dates stay text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sweep.errors import Problem, StudyError

MAX_BYTES = 4_000_000
MAX_DEPTH = 40
CORE_TAG = "tag:yaml.org,2002:"

HINTS = {
    "mapping values are not allowed": "; put a text that holds a colon in quotes",
    "'\\t'": "; indent with spaces, not tabs",
}
"""What to do about a fault of YAML, by words of the parser's message."""

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: plain data, and the line of every key and list item by its path."""

    file: str
    data: dict[str, Any]
    lines: Mapping[Path_, int]

    def where(self, path: Path_) -> str:
        """Return ``file:line`` of a path, or of its nearest known ancestor."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines.get(path, 1)}"


def dotted(path: Path_) -> str:
    """Return a path as people read it: ``levers.domains.values[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_yaml(path: Path) -> Source:
    """Read one YAML file whose top level is a mapping. Raises ``StudyError`` with file and line."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StudyError.at(f"cannot be read: {error.strerror or error}", str(path)) from error
    if len(raw) > MAX_BYTES:
        raise StudyError.at(f"is larger than {MAX_BYTES // 1_000_000} MB, no study or fact file is", str(path))
    try:
        content = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StudyError.at("is not UTF-8 text", str(path)) from error
    return parse_yaml(content, str(path))


def parse_yaml(content: str, file: str) -> Source:
    """Parse YAML text; ``file`` names it in messages. Raises ``StudyError``."""
    try:
        _refuse_aliases_and_tags(content, file)
        root = YAML(typ="safe", pure=True).compose(content)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem or error.context or ""
        hint = next((hint for words, hint in HINTS.items() if words in problem), "")
        raise StudyError.at(f"is not valid YAML: {problem}{hint}", f"{file}:{line}") from error
    except YAMLError as error:
        raise StudyError.at(f"is not valid YAML: {str(error).splitlines()[0]}", file) from error
    if not isinstance(root, MappingNode):
        raise StudyError.at("must hold keys and values at the top level, such as 'study: name'", f"{file}:1")
    lines: dict[Path_, int] = {}
    problems: list[Problem] = []
    data = _plain(root, (), lines, problems, file)
    if problems:
        raise StudyError(problems)
    return Source(file, data, lines)


def _refuse_aliases_and_tags(content: str, file: str) -> None:
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(content):
        where = f"{file}:{event.start_mark.line + 1}"
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            raise StudyError.at("anchors and aliases (& and *) are not allowed; write the value out", where)
        if getattr(event, "tag", None):
            tag = str(event.tag).replace(CORE_TAG, "!!")
            raise StudyError.at(f"the tag {tag} is not allowed; write plain values", where)
        name = type(event).__name__
        depth += name.endswith(("MappingStartEvent", "SequenceStartEvent"))
        depth -= name.endswith(("MappingEndEvent", "SequenceEndEvent"))
        if depth > MAX_DEPTH:
            raise StudyError.at(f"is nested deeper than {MAX_DEPTH} levels", where)


def _plain(node: Node, path: Path_, lines: dict[Path_, int], problems: list[Problem], file: str) -> Any:
    if isinstance(node, ScalarNode):
        return _scalar(node, path, problems, file)
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
        return [_plain(item, (*path, i), lines, problems, file) for i, item in enumerate(node.value)]
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        here = (*path, key)
        if key in result:
            message = f"the key is given twice (first on line {lines[here]}); keep one"
            problems.append(Problem(message, f"{file}:{line}", dotted(here)))
            continue
        lines[here] = line
        result[key] = _plain(value_node, here, lines, problems, file)
    return result


def _scalar(node: ScalarNode, path: Path_, problems: list[Problem], file: str) -> Any:
    text = str(node.value)
    kind = str(node.tag).removeprefix(CORE_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int" and not text.startswith(("0x", "0o", "0b")):
        return int(text.replace("_", ""))
    if kind == "float":
        value = float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        if not math.isfinite(value):
            line = f"{file}:{node.start_mark.line + 1}"
            problems.append(Problem(f"{text} is not a finite number", line, dotted(path)))
        return value
    return text
