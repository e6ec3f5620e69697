"""Where told trials are kept: a journal in the run's folder, or a study in any database that Optuna knows.

Only finished trials are written, each whole or not at all, a batch of them at a time. What a search was thinking of
when it was killed is not there, and is thought again.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from sweep.errors import StudyError, SweepError
from sweep.study.study import Direction

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.storages.journal import BaseJournalBackend
    from optuna.trial import FrozenTrial

JOURNAL = "trials.journal"
PASSWORD = re.compile(r"://(?P<user>[^:/]*):(?P<password>.*)@")
"""The password of an address: up to the last ``@``, so that none is taken for the host when it holds one itself."""
GIVEN = re.compile(r"([?&](?:password|passwd|pwd|sslpassword)=)([^&]+)", re.IGNORECASE)
POSTGRES = re.compile(r"^postgres(ql)?://")
"""An address without a driver: which one it means depends on the version of SQLAlchemy."""
OPTION = "--storage"
NO_DATABASE = "is no database; write it as sqlite:///trials.db or postgresql://user@host/database"


def masked(url: str) -> str:
    """Return an address without its password."""
    return GIVEN.sub(r"\1***", PASSWORD.sub(r"://\g<user>:***@", url))


class Kept:
    """The told trials of one search in its storage; ``trials`` are those that are there."""

    def __init__(self, storage: BaseStorage, study: int, name: str, journal: Journal | None) -> None:
        self._storage = storage
        self._study = study
        self._name = name
        self._journal = journal

    @property
    def trials(self) -> list[FrozenTrial]:
        """Finished trials by number."""
        if self._journal is not None:
            self._journal.blind = False
        found = self._storage.get_all_trials(self._study, deepcopy=False)
        return [trial for trial in found if trial.state.is_finished()]

    def append(self, trials: Sequence[FrozenTrial]) -> None:
        """Write finished trials after those that are there. Raises ``SweepError``."""
        with _database_faults(self._name):
            if self._journal is not None:
                for trial in trials:
                    self._storage.create_new_trial(self._study, template_trial=trial)
                    self._journal.blind = True  # Optuna looks for the first trial that it makes, and no other
                self._journal.flush()
                return
            for trial in trials:
                made = self._storage.create_new_trial(self._study, template_trial=trial)
                if self._storage.get_trial_number_from_id(made) != trial.number:
                    raise SweepError(f"another process writes to the same search in {self._name}; stop it first")

    def close(self) -> None:
        """Let go of the storage, and of its connections to a database."""
        self._storage.remove_session()
        engine = getattr(getattr(self._storage, "_backend", self._storage), "engine", None)  # behind Optuna's cache
        if engine is not None:
            engine.dispose()


def open_kept(location: str, name: str, directions: Sequence[Direction], url: str | None) -> Kept:
    """Open what is kept of a search, or begin.

    Parameters
    ----------
    location
        Folder of the run; the journal is there when no ``url`` is given.
    name
        Name of the Optuna study.
    directions
        ``minimize`` or ``maximize`` for each goal.
    url
        Address of a database, as SQLAlchemy writes it.

    Raises ``SweepError`` when it cannot be read or written.
    """
    import optuna  # noqa: PLC0415
    from optuna.storages import JournalStorage  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shown = masked(url) if url else str(Path(location, JOURNAL))
    if url:
        _check_address(url, shown)
    with _database_faults(shown, secrets_of(url or "")), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        journal = Journal(Path(location, JOURNAL)) if url is None else None
        storage: BaseStorage = _database(url, shown) if url else JournalStorage(cast("BaseJournalBackend", journal))
        try:
            number = storage.get_study_id_from_name(name)
        except KeyError:  # load_if_exists would write to the journal to find out
            optuna.create_study(storage=storage, study_name=name, directions=directions)
            number = storage.get_study_id_from_name(name)
        if journal is not None:
            journal.flush()
        return Kept(storage, number, shown, journal)


def secrets_of(url: str) -> tuple[str, ...]:
    """Return the passwords of an address, as they are written and as they are meant."""
    found = [*(each["password"] for each in PASSWORD.finditer(url)), *(each[2] for each in GIVEN.finditer(url))]
    return tuple(text for each in found if each for text in (each, unquote(each)))


def _check_address(url: str, shown: str) -> None:
    """Raise ``StudyError`` for an address that no library may see: its own words would tell the password."""
    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    encode = "percent-encode the password (@ is %40, : is %3A, / is %2F)"
    found = PASSWORD.search(url)
    if found and "@" in found["password"]:
        raise StudyError.at(f"{shown} has more than one @; {encode}", OPTION)
    try:
        make_url(url)
    except ArgumentError as error:
        raise StudyError.at(f"{shown} {NO_DATABASE}", OPTION) from error
    except ValueError:  # it repeats what it took for the port
        raise StudyError.at(f"{shown} has a port that is no number; {encode}", OPTION) from None
    if url.startswith("redis"):
        raise StudyError.at(f"{shown} {NO_DATABASE}", OPTION)


@contextmanager
def _database_faults(shown: str, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Turn what Optuna, SQLAlchemy and drivers raise into one sentence; a reason that tells a secret is left out."""
    import optuna  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    kinds = (OSError, ValueError, KeyError, TypeError, RuntimeError, SQLAlchemyError, optuna.exceptions.OptunaError)
    try:
        yield
    except kinds as error:
        cause = error.__cause__ if isinstance(error, optuna.exceptions.OptunaError) and error.__cause__ else error
        reason = str(getattr(cause, "orig", None) or cause).strip().splitlines()
        what = "as the storage of a search" if "://" in shown else "as the journal of a search"
        first = reason[0] if reason and not any(secret in reason[0] for secret in secrets) else type(cause).__name__
        raise SweepError(f"{shown} cannot be used {what}: {first}") from error


def _database(url: str, shown: str) -> BaseStorage:
    from optuna.storages import get_storage  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError  # noqa: PLC0415

    try:
        return get_storage(POSTGRES.sub("postgresql+psycopg://", url))
    except ImportError as error:
        hint = "; pip install 'supernode-sweep[postgresql]'" if url.startswith("postgres") else ""
        raise StudyError.at(f"{shown} needs a driver that is not installed ({error}){hint}", OPTION) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise StudyError.at(f"{shown} {NO_DATABASE}", OPTION) from error


class Journal:
    """A journal file of one writer: lines are kept until ``flush`` writes them together.

    The run's folder is locked while it is open, so the file needs no lock of its own. A line that a killed process left
    half written is cut off. While it is ``blind`` lines are not read back as they are taken in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logs: list[dict[str, Any]] = []
        self._waiting: list[str] = []
        self.blind = False
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        self._logs = [json.loads(line) for line in whole.splitlines()]
        self._written = len(whole)

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """Return the logs from a number on, those that are not yet written among them."""
        return [] if self.blind else self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Take logs in."""
        self._waiting += [json.dumps(log, separators=(",", ":")) for log in logs]
        self._logs += logs

    def flush(self) -> None:
        """Write and sync what was taken in."""
        if not self._waiting:
            return
        data = ("\n".join(self._waiting) + "\n").encode()
        with self._path.open("r+b" if self._path.exists() else "w+b") as file:
            file.truncate(self._written)
            file.seek(self._written)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._written += len(data)
        self._waiting = []
