"""What a search makes of a study that compares: one workload at a time, and its equal basis as a limit.

The answer of a run takes the workloads and the bases of a study one by one. A search has one objective and one set of
limits: the one basis of a study is a limit like those under ``require``, and where there are several, or several
workloads, the user says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweep.errors import StudyError
from sweep.expressions import Expression
from sweep.expressions.nodes import Comparison, Name, Number
from sweep.search.scenarios import OPTION, Scenario
from sweep.study import Study
from sweep.study.study import Equal
from sweep.yaml_source import parse_yaml

WORKLOAD = "workload"
Job = tuple[str, str]
"""A workload and its phase."""


def held_to_basis(study: Study, scenario: Scenario | None) -> Study:
    """Return the study that a search of it, in one scenario or in all, is about.

    Raises ``StudyError`` when it has several workloads or several bases there.
    """
    jobs = _jobs(study, scenario)
    if len(jobs) > 1:
        raise StudyError.at(_one_workload(study, [workload for workload, _ in jobs]), study.file, WORKLOAD)
    phases = {phase for _, phase in jobs}
    bases = [basis for basis in study.basis if phases & basis.goals.keys()]
    if len(bases) > 1:
        raise StudyError.at(_one_basis(study, bases), study.file, "basis")
    return replace(study, require=(*study.require, *conditions(bases)))


def conditions(bases: Iterable[Equal]) -> tuple[Expression, ...]:
    """Return what designs keep under some bases."""
    nodes = [Comparison("<=", Name(basis.metric), Number(basis.limit, basis.text)) for basis in bases]
    return tuple(Expression(str(node), node, "bool", "") for node in nodes)


def _jobs(study: Study, scenario: Scenario | None) -> list[Job]:
    """Return the workloads, each once; the one of a scenario when that says which."""
    found: dict[Job, None] = {}
    for block in study.space.blocks:
        axis = next((axis for axis in block.axes if WORKLOAD in axis.names), None)
        if axis is None:
            found[str(block.constants[WORKLOAD]), str(block.constants["phase"])] = None
            continue
        named = scenario is not None and WORKLOAD in scenario.names
        for place in [scenario.place(block, axis)] if scenario is not None and named else range(axis.size):
            found[str(axis.value(WORKLOAD, place)), str(axis.value("phase", place))] = None
    return list(found)


def _one_workload(study: Study, names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    entries = parse_yaml(study.text, study.file).data.get(WORKLOAD)
    whole = f", or --set '{WORKLOAD}={_flow(entries[0])}'" if isinstance(entries, list) else ""
    return (
        f"has {len(names)} workloads ({', '.join(unique)}), and a search is for one: type {OPTION} {WORKLOAD}="
        f"{unique[0]} for its nominal scenario{whole}{' for all of its scenarios' if whole else ''}"
    )


def _one_basis(study: Study, bases: Sequence[Equal]) -> str:
    listed = ", ".join(f"{basis.name} {basis.text}" for basis in bases)
    first = bases[0]
    require = [each.text for each in (*study.require, *conditions(bases))]
    return (
        f"has {len(bases)} bases ({listed}), and a search keeps one: type --set 'basis={{{first.name}: {first.text}}}'"
        f", or for all at once --set basis=null --set 'require=[{', '.join(require)}]'"
    )


def _flow(value: Any) -> str:
    """Return a YAML value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return f"{value:.12g}" if isinstance(value, float) else str(value)
