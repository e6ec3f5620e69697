"""The ``workload`` part of a study: one axis over which model, phase, tokens, batch and precision change together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.errors import nearest
from sweep.study import grammar
from sweep.study.axes import Grids, Listed
from sweep.study.faults import Faults
from sweep.study.values import PRECISIONS, Value, Vocabulary, checked
from sweep.units import factor
from sweep.yaml_source import Path_

SHORT = {"tokens": "training_tokens", "sequence": "sequence_length"}
NOT_HERE = {"system", "domains", "region", "workload", "phase"}


@dataclass(frozen=True, slots=True)
class Job:
    """One workload: quantities for every system, and the precision of each system where they differ."""

    values: Mapping[str, Value]
    precision: Mapping[str, str]


def read_jobs(
    entries: Sequence[grammar.Workload], *, single: bool, faults: Faults, vocabulary: Vocabulary
) -> list[Job]:
    """Return the checked workloads; ``single`` tells that the file holds one mapping and no list."""
    jobs = []
    for index, entry in enumerate(entries):
        path: Path_ = ("workload",) if single else ("workload", index)
        jobs.append(_job(entry, path, faults, vocabulary))
    return jobs


def _job(entry: grammar.Workload, path: Path_, faults: Faults, vocabulary: Vocabulary) -> Job:
    values: dict[str, Value] = {}
    phases = [phase for phase in ("train", "serve") if getattr(entry, phase) is not None]
    if len(phases) != 1:
        faults.add(path, "needs one of train and serve with the name of a model, such as train: llama-3.1-405b")
    for phase in phases:
        model = getattr(entry, phase)
        fault = vocabulary.fault("workload", model)
        if fault:
            faults.add((*path, phase), fault)
        values |= {"workload": model, "phase": phase}
    given = {"tokens": entry.tokens, "sequence": entry.sequence} | (entry.model_extra or {})
    for key, value in given.items():
        if value is not None:
            _set(values, key, value, (*path, key), faults, vocabulary)
    return Job(values, _precision(entry, values, path, faults, vocabulary))


def _set(
    values: dict[str, Value], key: str, value: object, path: Path_, faults: Faults, vocabulary: Vocabulary
) -> None:
    name = SHORT.get(key, key)
    quantity = quantities().get(name)
    if quantity is None or not quantity.is_input or name in NOT_HERE:
        allowed = ["train", "serve", "precision", *SHORT, *_workload_quantities()]
        faults.add(path, f"is no key of a workload{nearest(key, allowed)}")
    elif isinstance(value, bool) or not isinstance(value, (int, float, str)):
        faults.add(path, "needs one value; sweep it under scenarios, or list several workloads")
    else:
        found = checked(quantity, value, "", path, faults, vocabulary)
        if found is not None:
            values[name] = found


def _workload_quantities() -> list[str]:
    rows = quantities().values()
    return [row.name for row in rows if row.group == "workload" and row.is_input and row.name not in SHORT.values()]


def _precision(
    entry: grammar.Workload, values: dict[str, Value], path: Path_, faults: Faults, vocabulary: Vocabulary
) -> dict[str, str]:
    if entry.precision is None:
        return {}
    found = {"": entry.precision} if isinstance(entry.precision, str) else dict(entry.precision)
    for system, precision in found.items():
        where = (*path, "precision", system) if system else (*path, "precision")
        if system:
            fault = vocabulary.fault("system", system)
            if fault:
                faults.add(where, fault)
        if precision not in PRECISIONS:
            faults.add(where, f"{precision!r} is no precision{nearest(precision, PRECISIONS)}")
    if "" in found:
        values["precision"] = found[""]
        return {}
    return found


def workload_axis(jobs: Sequence[Job], system: str, facts: Mapping[str, Mapping[str, Value]]) -> Grids:
    """Return the axis over the workloads for one system, each quantity listed in the order of the jobs.

    A quantity that only some workloads state takes, in the others, the fact of the model (``facts`` by model) or the
    default of the table.
    """
    rows = [dict(job.values) for job in jobs]
    for row, job in zip(rows, jobs, strict=True):
        if system in job.precision:
            row["precision"] = job.precision[system]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [_or_known(row, name, facts) for row in rows] for name in names}
    return tuple(
        Listed(name, tuple(value for value in column if value is not None), scalar=len(rows) == 1)
        for name, column in columns.items()
        if None not in column
    )


def _or_known(row: Mapping[str, Value], name: str, facts: Mapping[str, Mapping[str, Value]]) -> Value | None:
    if name in row:
        return row[name]
    return facts.get(str(row.get("workload")), {}).get(name, quantities()[name].default)


def model_facts(catalogue: Catalogue, models: Collection[str]) -> dict[str, dict[str, Value]]:
    """Return what the catalogue says of each model's own workload, in the units of the table."""
    return {
        model: {
            name: from_si(name, fact.si)
            for name, fact in catalogue.entry("workloads", model).facts.items()
            if fact.si is not None and name in quantities()
        }
        for model in models
    }


def from_si(name: str, value: float | str) -> Value:
    """Return an SI value in the unit of its quantity."""
    quantity = quantities()[name]
    if isinstance(value, str):
        return value
    number = value * factor(quantity.si_unit, quantity.unit)
    return int(number) if quantity.dtype == "int" else number
