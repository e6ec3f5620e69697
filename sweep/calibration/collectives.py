"""Constants of ``models.collectives`` from published times: one fit to all sources, and one without each of them.

What is fitted is the same for every source: eight numbers of the libraries, the rate of a streaming multiprocessor,
and the start of each link generation that the catalogue states (``scale_up_start``).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array
from sweep.accuracy.collectives import FITTED, Batch, Fitted, batches, predict
from sweep.catalogue.catalogue import Catalogue

LARGE: Final = 1e6
"""Bytes from which a message counts as large."""

SMALL_WEIGHT: Final = 0.2
"""Weight of the mean error of small messages beside that of large ones."""

FIRST_STEP, LAST_STEP = 0.2, 0.004
"""Relative steps of the search."""

RANGES: Final = {
    "protocol": (0.0, 60e-6),
    "small_rate": (0.1, 1.0),
    "copy": (0.0, 1.0),
    "exchange": (0.4, 1.0),
    "switch": (0.0, 30e-6),
    "direct": (0.1, 1.0),
    "dispatch_start": (0.0, 30e-6),
    "dispatch_exchange": (0.4, 1.0),
    "processor_rate": (5e9, 40e9),
}
"""Physical range of each constant."""

START_RANGE: Final = (1e-6, 20e-6)
"""Range of the start of a link generation [s]."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What is fitted: the numbers of ``RANGES``, and the start of each generation by that of the catalogue [s]."""

    values: Mapping[str, float]
    starts: Mapping[float, float]

    def fitted(self) -> Fitted:
        """Return the libraries with these constants."""
        given = self.values
        own = {field.name: given[field.name] for field in fields(FITTED.library) if field.name in given}
        library = replace(FITTED.library, **own)
        dispatch = replace(FITTED.dispatch, start=given["dispatch_start"], exchange=given["dispatch_exchange"])
        return Fitted(library, dispatch, given["processor_rate"])


def shipped(rows: Sequence[Batch]) -> Constants:
    """Return the constants that ship."""
    library, dispatch = FITTED.library, FITTED.dispatch
    values = {name: getattr(library, name) for name in RANGES if hasattr(library, name)}
    values |= {"dispatch_start": dispatch.start, "dispatch_exchange": dispatch.exchange}
    values |= {"processor_rate": FITTED.processor_rate}
    starts = {batch.known["scale_up_start"] for batch in rows if "scale_up_start" in batch.known}
    return Constants(values, {start: start for start in sorted(starts)})


def errors(rows: Sequence[Batch], constants: Constants) -> Array:
    """Relative errors of the predictions, one per row, batch by batch."""
    fitted = constants.fitted()
    found = []
    for batch in rows:
        start = batch.known.get("scale_up_start")
        known = batch.known if start is None else {**batch.known, "scale_up_start": constants.starts[start]}
        found.append(predict(Batch(batch.cases, known), fitted) / batch.seconds - 1.0)
    return np.concatenate(found)


def large(rows: Sequence[Batch]) -> NDArray[np.bool_]:
    """Tell which rows have large messages."""
    return np.asarray([case.bytes >= LARGE for batch in rows for case in batch.cases])


def _loss(rows: Sequence[Batch], big: NDArray[np.bool_], constants: Constants) -> float:
    miss = np.abs(errors(rows, constants))
    parts = [(miss[big], 1.0), (miss[~big], SMALL_WEIGHT)]
    return float(sum(weight * part.mean() for part, weight in parts if part.size))


def _neighbours(constants: Constants, step: float) -> Sequence[Constants]:
    """Constants with one of them larger or smaller by ``step``, within the ranges."""
    found = []
    for factor in (1.0 + step, 1.0 / (1.0 + step)):
        for name, (low, high) in RANGES.items():
            value = min(max(constants.values[name] * factor, low), high)
            found.append(replace(constants, values={**constants.values, name: value}))
        for stated, start in constants.starts.items():
            value = min(max(start * factor, START_RANGE[0]), START_RANGE[1])
            found.append(replace(constants, starts={**constants.starts, stated: value}))
    return found


def fit(rows: Sequence[Batch], first: Constants) -> Constants:
    """Return the constants with the smallest mean absolute error, by a search along one constant at a time."""
    big = large(rows)
    best, least, step = first, _loss(rows, big, first), FIRST_STEP
    while step > LAST_STEP:
        losses = [(_loss(rows, big, near), near) for near in _neighbours(best, step)]
        loss, near = min(losses, key=lambda pair: pair[0])
        if loss < least:
            best, least = near, loss
        else:
            step /= 2.0
    return best


def without(rows: Sequence[Batch], source: str, *, inverse: bool = False) -> Sequence[Batch]:
    """Return the rows of all sources but one, or of that one (``inverse``)."""
    kept = []
    for batch in rows:
        cases = [case for case in batch.cases if (case.source == source) == inverse]
        if cases:
            kept.append(replace(batch, cases=cases))
    return kept


def left_out_errors(catalogue: Catalogue) -> Mapping[str, Array]:
    """Relative errors of the large messages of each source, with constants fitted to all other sources."""
    rows = batches(catalogue)
    first, found = shipped(rows), {}
    for source in sorted({case.source for batch in rows for case in batch.cases}):
        own = without(rows, source, inverse=True)
        constants = fit(without(rows, source), first)
        found[source] = errors(own, constants)[large(own)]
    return found


def main() -> None:
    """Print the constants fitted to all sources, and the error on every source with constants fitted without it."""
    catalogue = Catalogue.load()
    rows = batches(catalogue)
    found = fit(rows, shipped(rows))
    lines = [f"{name:32s} {value:10.4g}" for name, value in found.values.items()]
    lines += [f"start, shipped as {given * 1e6:4.1f} us {value:20.4g}" for given, value in found.starts.items()]
    lines += [
        f"{source:24s} {each.size:6d} mean {abs(each).mean():6.1%} median {np.median(abs(each)):6.1%}"
        for source, each in left_out_errors(catalogue).items()
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
