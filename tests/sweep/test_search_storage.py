"""Trials in databases: the same as in a journal, resumed after a kill, shown by optuna-dashboard."""

import json
import os
import uuid
from io import BytesIO, StringIO

import optuna
import pytest
from test_search import SMALL, WIDE
from test_search_resume import TRIALS, content, killed, told
from tiny_study import tiny_model, tiny_study

from sweep.errors import StudyError, SweepError
from sweep.search import Options, search
from sweep.search.storage import Journal

BATCH = Options(sampler="nsgaii", batch=8)


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


def searched(folder, trials=TRIALS, storage=None, options=BATCH):
    folder.mkdir(exist_ok=True)
    return search(*tiny_study(folder, WIDE), folder / "out", trials, options, storage=storage)


def in_database(url):
    storage = optuna.storages.RDBStorage(url)
    (study,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).get_trials()
    storage.remove_session()
    storage.engine.dispose()
    return [(trial.number, trial.params, trial.values, trial.constraints, trial.state.name) for trial in trials]


def same_as_journal(tmp_path, url):
    whole = searched(tmp_path / "a")
    killed(tmp_path / "b", "nsgaii", 0.9, WIDE, storage=url)
    rest = searched(tmp_path / "b", TRIALS, url)
    assert in_database(url) == told(whole.run.location)
    assert content(rest.run.location) == content(whole.run.location)
    longer = searched(tmp_path / "b", TRIALS + 5, url)
    assert longer.found[:TRIALS] == whole.found
    assert [trial[0] for trial in in_database(url)] == list(range(TRIALS + 5))


@pytest.mark.slow
def test_sqlite_holds_the_trials_of_a_journal_and_goes_on_after_a_kill(tmp_path):
    same_as_journal(tmp_path, f"sqlite:///{tmp_path / 'trials.db'}")


@pytest.mark.postgresql
def test_postgresql_holds_the_trials_of_a_journal_and_goes_on_after_a_kill(tmp_path):
    import psycopg

    server = os.environ["SUPERNODE_POSTGRESQL"]
    name = f"search_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://") + f"/{name}"
    same_as_journal(tmp_path, url)


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("foo://somewhere/x", StudyError, "is no database; write it as sqlite"),
        ("no address at all", StudyError, "is no database"),
        ("postgresql://someone:secret@127.0.0.1:1/none", SweepError, "someone:\\*\\*\\*@.*cannot be used.*refused"),
        ("sqlite:////no/such/folder/x.db", SweepError, "unable to open database file"),
        ("postgresql://user:p@ss:secret@127.0.0.1:1/x", StudyError, r"user:\*\*\*@127.*percent-encode the password"),
        ("postgresql://user:p@ss/secret@127.0.0.1:1/x", StudyError, r"user:\*\*\*@127.*percent-encode the password"),
        ("postgresql://me@corp:secret@127.0.0.1:1/x", SweepError, r"me@corp:\*\*\*@127.*refused"),
        ("postgresql://user:secret@127.0.0.1:port/x", StudyError, r"user:\*\*\*@127.*no number; percent-encode"),
        ("postgresql://user@127.0.0.1:1/x?password=secret", SweepError, r"x\?password=\*\*\* cannot be used.*refused"),
        ("postgresql://user:p%40secret@127.0.0.1:1/x", SweepError, r"user:\*\*\*@127.0.0.1:1/x cannot.*refused"),
        ("redis://user:secret@127.0.0.1:1/0", StudyError, r"redis://user:\*\*\*@127.0.0.1:1/0 is no database"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_sentence(tmp_path, url, kind, message):
    with pytest.raises(kind, match=message) as caught:
        searched(tmp_path, 4, url, SMALL)
    assert "secret" not in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_a_reason_that_tells_the_password_is_left_out(tmp_path, monkeypatch):
    def telling(_):
        raise RuntimeError("cannot log in with p@secret")

    monkeypatch.setattr("optuna.storages.get_storage", telling)
    with pytest.raises(SweepError, match=r"user:\*\*\*@host/x cannot be used .*: RuntimeError$") as caught:
        searched(tmp_path, 4, "postgresql://user:p%40secret@host/x", SMALL)
    assert "secret" not in str(caught.value)


def test_the_dashboard_shows_a_search(tmp_path):
    from optuna_dashboard import wsgi

    url = f"sqlite:///{tmp_path / 'trials.db'}"
    searched(tmp_path, 16, url, Options(batch=8))
    storage = optuna.storages.RDBStorage(url)
    app = wsgi(storage)

    def get(path):
        environment = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": BytesIO(), "SERVER_NAME": "here",
                       "SERVER_PORT": "80", "wsgi.url_scheme": "http", "QUERY_STRING": "",
                       "wsgi.errors": StringIO()}  # fmt: skip
        status = []
        body = b"".join(app(environment, lambda line, *_: status.append(line)))
        assert status[0].startswith("200")
        return json.loads(body)

    (study,) = get("/api/studies")["study_summaries"]
    assert study["study_name"].startswith("tiny search-")
    trials = get(f"/api/studies/{study['study_id']}")["trials"]
    assert [trial["state"] for trial in trials] == ["Complete"] * 16
    assert {attribute["key"] for attribute in trials[0]["user_attrs"]} >= {"levers", "point"}
    storage.remove_session()
    storage.engine.dispose()


def test_a_journal_is_one_that_optuna_reads_and_a_torn_line_is_cut(tmp_path):
    result = searched(tmp_path, 16, None, SMALL)
    path = tmp_path / "out" / "tiny" / result.run.manifest.run / "trials.journal"
    before = path.read_bytes()
    path.write_bytes(before + b'{"op_code": 4, "wor')
    journal = Journal(path)
    journal.append_logs([{"a": 1}])
    journal.flush()
    assert path.read_bytes() == before + b'{"a":1}\n'
