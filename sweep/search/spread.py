"""Large batches on Ray: the same rows, computed by several workers. Ray starts when a batch is worth it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, Self, TypeVar

from sweep.engine.cluster import PER_WORKER, RETRIES, ray_session
from sweep.engine.source import source_digest
from sweep.errors import SweepError

WORTH_ROWS = 2_000_000
"""Rows of a batch from which Ray is worth its start (3 s) and the way of the rows back to this process."""
TASK_ROWS = 250_000

Result = TypeVar("Result")


class Spread:
    """Ray workers for the batches of one search; use it as a context.

    ``rows`` is the most of one task; ``used`` says whether any batch was large enough.
    """

    def __init__(
        self, workers: int, address: str | None = None, *, worth: int = WORTH_ROWS, rows: int = TASK_ROWS
    ) -> None:
        self.rows = rows
        self._workers, self._address, self.worth = workers, address, worth
        self._open = ExitStack()
        self._at_once = 0
        self.used = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._at_once = 0

    def wants(self, rows: int) -> bool:
        """Return whether a batch of so many rows goes to the workers."""
        return rows >= self.worth

    def map(self, function: Callable[..., Result], tasks: Sequence[tuple[Any, ...]]) -> Iterator[Result]:
        """Yield what a function returns for each task, in their order; at most a few are in flight.

        Raises ``SweepError`` when workers fail, and what the function itself raises.
        """
        import ray  # noqa: PLC0415  (only large batches need it)

        self.used = True
        if not self._at_once:
            self._at_once = self._open.enter_context(ray_session(self._workers, self._address))
        shared, task = ray.put((function, source_digest())), ray.remote(_call)
        remote = task.options(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)
        waiting = iter(tasks)
        flying = [remote.remote(shared, each) for each in islice(waiting, self._at_once * PER_WORKER)]
        while flying:
            result = _result(ray, flying.pop(0))
            flying += [remote.remote(shared, each) for each in islice(waiting, 1)]
            yield result


def _call(shared: tuple[Callable[..., Any], str], task: tuple[Any, ...]) -> Any:
    function, digest = shared
    if source_digest() != digest:
        raise SweepError(
            "a worker imports another version of models/ or sweep/ than this process; install the same version of "
            "supernode-sweep everywhere, or use --in-process"
        )
    return function(*task)


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, SweepError):
            raise cause from None
        raise
    except ray.exceptions.OutOfMemoryError as error:
        raise SweepError("workers ran out of memory; use fewer (--workers) or sweep fewer scenarios") from error
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        raise SweepError(f"a Ray task failed: {lines[-1] if lines else type(error).__name__}") from error
