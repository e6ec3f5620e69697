"""Which inputs a stage of the model read: what it returns can only change when one of them does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

ABSENT = object()
"""What stands for an input that was asked for and not there."""


class Reading(Mapping[str, Any]):
    """A mapping that notes what is asked of it, and what it answered."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.known = known
        self.read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        self.read[name] = self.known.get(name, ABSENT)
        return self.known[name]

    def __contains__(self, name: object) -> bool:
        self.read[str(name)] = self.known.get(str(name), ABSENT)
        return name in self.known

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or the default when there is none."""
        found = self.read[name] = self.known.get(name, ABSENT)
        return default if found is ABSENT else found

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


def unchanged(read: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Return whether everything that was read still has the value it had."""
    return all(_same(value, known.get(name, ABSENT)) for name, value in read.items())


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        if one is ABSENT or other is ABSENT or one is None or other is None:
            return False
        first, second = np.asarray(one), np.asarray(other)
        return first.shape == second.shape and bool(
            np.array_equal(first, second, equal_nan=first.dtype.kind == "f" and second.dtype.kind == "f")
        )
    return bool(one == other)
