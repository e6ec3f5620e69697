"""A search at work in its folder: batches asked, evaluated, written as parts, and told.

What is new in a batch is written as one part before the batch is told, so whatever was told has its rows. A batch that
was not told to its end is asked and evaluated again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.parquet as pq

from sweep.dataset.columns import DESIGN
from sweep.dataset.manifest import Manifest, write_manifest
from sweep.dataset.merge import drop_stale_parts, drop_unneeded, write_final
from sweep.dataset.parts import Part, write_record
from sweep.dataset.store import LocalStore
from sweep.engine.prepare import done_parts, is_complete
from sweep.search.batch import Evaluator
from sweep.search.curves import busy_seconds
from sweep.search.exact import Found
from sweep.search.goals import Score, columns_of, scored
from sweep.search.points import Point
from sweep.search.session import Session
from sweep.search.storage import Kept, open_kept
from sweep.search.task import Task
from sweep.search.trials import trials_table

TRIALS = "trials.parquet"
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Told:
    """The trials of a search, and the time that it had worked when each of them ended [s].

    The first ``given`` of them are designs of the run that it began with.
    """

    found: tuple[Found, ...]
    seconds: tuple[float, ...]
    given: int

    @classmethod
    def of(cls, session: Session) -> Told:
        """Return what a session holds."""
        return cls(tuple(session.found()), tuple(busy_seconds(session.told)), session.given)


@dataclass(slots=True)
class Work:
    """A search in its folder. ``spent`` counts the seconds of its engine calls, of writing rows, and of all."""

    store: LocalStore
    manifest: Manifest
    evaluator: Evaluator
    task: Task
    storage: str | None
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("engine", "parts", "wall"), 0.0))

    def done(self, trials: int) -> Told | None:
        """Return the trials of a folder that holds the complete dataset of at least so many; None if it does not."""
        table = self.store.root / TRIALS
        if not (is_complete(self.store) and table.exists()) or pq.read_metadata(table).num_rows < trials:
            return None
        with closing(self._kept()) as kept:
            session = self.task.session(kept)
            return Told.of(session) if session.total >= trials else None

    def _kept(self) -> Kept:
        name = f"{self.manifest.study} {self.manifest.run}"
        return open_kept(str(self.store.root), name, self.task.directions(), self.storage)

    def go_on(self, trials: int, progress: Report | None) -> Told:
        """Take the search up after its last whole batch, end it, and close the manifest; return all trials."""
        started = time.perf_counter()
        with closing(self._kept()) as kept:
            session = self.task.session(kept)
            parts = self._begin(session)
            self._new_trials(session, parts, trials, progress)
            told = Told.of(session)
        self.store.put(TRIALS, trials_table(told.found, self.evaluator, self.task.goals, self.task.limits))
        listed = [part for _, part in sorted(parts.items())]
        drop_stale_parts(self.store, listed)
        self.spent["wall"] = time.perf_counter() - started
        write_manifest(self.store, replace(self.manifest.completed(listed, 0, self.spent, 1), chunks=len(listed)))
        drop_unneeded(self.store)
        return told

    def _begin(self, session: Session) -> dict[int, Part]:
        """Tell what the search begins with; return the parts of all told trials, making again those that are lost.

        Each part holds what is new in one batch; the first one what another run gave, if the search begins with it.
        """
        start = self.task.start
        rows: dict[Point, pa.Table] = {}
        if start is not None:
            task = self.task
            rows, scores = start.designs(self.evaluator, task.filter, task.goals, task.fold, task.limits)
            session.begin_with(scores, start.run.manifest.run)
        done, seen, parts = done_parts(self.store, self.manifest), set[Point](), dict[int, Part]()
        whole = session.batches()
        for number, points in enumerate([*whole, *([session.unfinished] if session.unfinished else [])]):
            fresh = points - seen
            if number in done and number < len(whole):
                parts[number] = done[number]
            else:
                given = [rows[point] for point in fresh if point in rows]
                missing = self.evaluator.answers(fresh - rows.keys())
                tables = [*given, *(answered.table for answered in missing)]
                parts[number] = self._part(number, tables, session.asked_in(number))
            seen |= fresh
        return parts

    def _new_trials(self, session: Session, parts: dict[int, Part], trials: int, progress: Report | None) -> None:
        """Ask, evaluate, write and tell batches until there are enough trials; equal points are evaluated once."""
        if session.total >= trials:
            return
        scores, batch = session.answered, self.task.kind.batch
        while session.count < trials:
            asked = session.ask(min(batch, trials - session.count))
            number = session.next_batch
            tables = self._answer({point for _, point in asked if point not in scores}, scores)
            parts[number] = self._part(number, tables, len(asked))
            session.tell([(trial, point, scores[point]) for trial, point in asked])
            if progress is not None:
                progress(session.count, trials)

    def _answer(self, points: set[Point], scores: dict[Point, Score]) -> list[pa.Table]:
        """Evaluate points, add their scores, and return their rows."""
        started = time.perf_counter()
        tables = []
        goals, fold, limits = self.task.goals, self.task.fold, self.task.limits
        for answered in self.evaluator.measuring().answers(points):
            columns = columns_of(answered.table, goals, limits)
            for point, first, last in zip(answered.points, answered.bounds[:-1], answered.bounds[1:], strict=True):
                here = {name: values[first:last] for name, values in columns.items()}
                scores[point] = scored(here, goals, fold, limits)
            tables.append(answered.table.select(self.evaluator.schema.names))
        self.spent["engine"] += time.perf_counter() - started
        return tables

    def _part(self, number: int, tables: Sequence[pa.Table], trials: int) -> Part:
        """Write the rows of the points that are new in a batch of so many trials, and their record."""
        started = time.perf_counter()
        schema = self.evaluator.schema
        rows = pa.concat_tables([schema.empty_table(), *(table.cast(schema) for table in tables)])
        written = write_final(self.store, self.manifest, rows.unify_dictionaries().sort_by(DESIGN), first=number)
        empty = Part(number, "", 0, self.manifest.designs, 0, 0, 0, 0, "", 0)
        part = replace(written[0] if written else empty, trials=trials)
        write_record(self.store, part)
        self.spent["parts"] += time.perf_counter() - started
        return part
