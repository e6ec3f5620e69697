"""The ``facts`` of a study: catalogue facts it replaces, for every system or for one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sweep.errors import nearest
from sweep.study.faults import Faults
from sweep.study.study import Constant
from sweep.study.values import Scalar, Vocabulary, checked, input_quantity
from sweep.yaml_source import Path_

NOT_FACTS = {"system", "workload", "phase", "region"}


def read_facts(
    entries: Mapping[str, Scalar | dict[str, Scalar]], axes: Collection[str], faults: Faults, vocabulary: Vocabulary
) -> tuple[Constant, ...]:
    """Return the replaced facts, those for every system before those for one."""
    shared: list[Constant | None] = []
    own: list[Constant | None] = []
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            shared.append(_constant(key, entry, "", ("facts", key), axes, faults, vocabulary))
        elif key in vocabulary.words["system"]:
            found = [
                _constant(name, value, key, ("facts", key, name), axes, faults, vocabulary)
                for name, value in entry.items()
            ]
            own += found
        else:
            faults.add(("facts", key), f"is no system{nearest(key, vocabulary.words['system'])}")
    return tuple(constant for constant in (*shared, *own) if constant is not None)


def _constant(
    name: str, value: Scalar, system: str, path: Path_, axes: Collection[str], faults: Faults, vocabulary: Vocabulary
) -> Constant | None:
    quantity = input_quantity(name, path, faults)
    if quantity is None:
        return None
    if name in NOT_FACTS or name in axes:
        faults.add(path, "is a lever or scenario of this study, not a fact; set it there")
        return None
    found = checked(quantity, value, "", path, faults, vocabulary)
    return None if found is None else Constant(name, found, system, faults.where(path))
