"""Whether a design is feasible, and why not: what the model says, and the requirements of the study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reasons import REASONS
from sweep.expressions import Expression
from sweep.study import Study

Mask = NDArray[np.bool_]


def reasons(study: Study) -> tuple[str | None, ...]:
    """Return what the codes of a verdict say: 0 nothing, then the model's reasons, then each ``require`` of the study.

    A requirement has two codes: it does not hold, or a fact it needs is not known.
    """
    required = [text for each in study.require for text in (each.text, f"{each.text}: not known")]
    return (None, *REASONS[1:], *required)


def verdict_of(require: Iterable[Expression], known: Mapping[str, Any], unsolved: Mask) -> NDArray[np.int32]:
    """Return a code of ``reasons`` per design: the model's reason first, then the first requirement that fails."""
    verdict = np.where(unsolved, np.asarray(known["reason"], dtype=np.int32), np.int32(0))
    for number, condition in enumerate(require):
        holds = np.asarray(condition.evaluate(known), dtype=np.bool_)
        unknown = _any_unknown(known.get(name) for name in condition.names)
        code = np.where(unknown, np.int32(len(REASONS) + 2 * number + 1), np.int32(len(REASONS) + 2 * number))
        verdict = np.where((verdict == 0) & (unknown | ~holds), code, verdict)
    return verdict


def all_true(conditions: Iterable[Expression], known: Mapping[str, Any]) -> Mask:
    """Return where every condition holds."""
    passing = np.ones((), dtype=np.bool_)
    for condition in conditions:
        passing = np.logical_and(passing, condition.evaluate(known))
    return passing


def _any_unknown(values: Iterable[Any]) -> Mask:
    found = np.zeros((), dtype=np.bool_)
    for value in values:
        array = np.asarray(np.nan if value is None else value)
        if array.dtype.kind in "fU":
            found = found | (np.isnan(array) if array.dtype.kind == "f" else array == "")
    return found
