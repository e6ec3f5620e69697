"""``verify`` finds whatever is not as it was computed."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_study import TINY, tiny_model, tiny_study

from sweep.dataset import open_run, verify
from sweep.engine import run
from sweep.errors import SweepError


@pytest.fixture
def result(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)
    return run(*tiny_study(tmp_path), tmp_path / "results", in_process=True)


def faults(result):
    return verify(open_run(result.run.location))


def part(result, number=3):
    return Path(result.run.files()[number])


def change_manifest(result, change):
    path = Path(result.run.location, "manifest.json")
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_nothing_is_wrong_with_a_new_run(result):
    seen = []
    assert verify(result.run, lambda done, total: seen.append((done, total))) == []
    assert seen[-1] == (15, 15)


@pytest.mark.parametrize("place", [10, 500, -20])
def test_a_flipped_byte(result, place):
    data = bytearray(part(result).read_bytes())
    data[place] ^= 1
    part(result).write_bytes(data)
    (fault,) = faults(result)
    assert "part-000003.parquet was changed after it was written" in fault


def test_a_missing_part(result):
    part(result).unlink()
    (fault,) = faults(result)
    assert fault.endswith("part-000003.parquet is missing")


def test_a_truncated_part(result):
    part(result).write_bytes(part(result).read_bytes()[:-1])
    (fault,) = faults(result)
    assert "bytes instead of" in fault


def test_an_extra_file(result):
    part(result).with_name("part-000099.parquet").write_bytes(b"x")
    (fault,) = faults(result)
    assert fault.endswith("part-000099.parquet belongs to no part of this run")


def rewritten(result, change):
    """Change the rows of a part and make its digest fit, as somebody would who edits results."""
    table = change(pq.read_table(part(result), partitioning=None))
    pq.write_table(table, part(result))

    def edit(data):
        data["parts"][3]["bytes"] = part(result).stat().st_size
        data["parts"][3]["digest"] = hashlib.sha256(part(result).read_bytes()).hexdigest()

    change_manifest(result, edit)
    return faults(result)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: table.slice(1), "has 23 rows instead of 24"),
        (lambda table: pa.concat_tables([table.slice(1, 1), table.slice(1)]), "once each and in order"),
        (
            lambda table: table.set_column(0, table.schema.field(0), pa.array(range(24), pa.int64())),
            "outside 168 to 223",
        ),
        (lambda table: table.rename_columns(["id", *table.column_names[1:]]), "other columns, types or units"),
        (lambda table: table.drop_columns("reason"), "other columns, types or units"),
    ],
    ids=["row lost", "row twice", "other ids", "other name", "column lost"],
)
def test_rows_edited_with_their_digest(result, change, sentence):
    found = rewritten(result, change)
    assert "the digest of the dataset does not follow from the parts that the manifest lists" in found
    assert any(sentence in fault for fault in found), found


def test_a_manifest_that_does_not_add_up(result):
    change_manifest(result, lambda data: data.update(rows=data["rows"] + 1))
    (fault,) = faults(result)
    assert "the manifest counts" in fault


def test_a_chunk_that_the_manifest_forgot(result):
    change_manifest(result, lambda data: data["parts"].pop(3))
    found = faults(result)
    assert "designs 168 to 223 are in no part" in found
    assert any("part-000003.parquet belongs to no part" in fault for fault in found)


def test_a_run_that_is_not_finished(result):
    change_manifest(result, lambda data: data.update(state="running"))
    assert faults(result)[0] == "the run is not complete (0 of 15 parts are there); run it again to finish it"


def test_reduced_runs_are_checked_too(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)
    text = TINY + "keep: pareto [cost_per_token, time_to_train]\n"
    result = run(*tiny_study(tmp_path, text), tmp_path / "results", in_process=True)
    assert faults(result) == []
    data = bytearray(part(result, 0).read_bytes())
    data[100] ^= 4
    part(result, 0).write_bytes(data)
    assert len(faults(result)) == 1


def test_a_damaged_manifest_is_one_sentence(result):
    Path(result.run.location, "manifest.json").write_text("{")
    with pytest.raises(SweepError, match="is no manifest of this program"):
        open_run(result.run.location)


def test_a_manifest_of_another_format_is_one_sentence(result):
    change_manifest(result, lambda data: data.update(format=0))
    with pytest.raises(SweepError, match="was not written by this version"):
        open_run(result.run.location)
