"""What other programs see: the same numbers in pyarrow, DuckDB, Polars and pandas; SQL that cannot touch anything."""

from pathlib import Path
from types import SimpleNamespace

import duckdb
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import fs
from tiny_study import TINY, tiny_model, tiny_study

from models.quantities import quantities
from sweep.dataset import open_run, verify
from sweep.dataset.query import query
from sweep.dataset.reduce import Goal, Keep, reduce
from sweep.engine import run
from sweep.engine.columns import study_keep
from sweep.errors import SweepError


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweep.engine.rows.evaluate", tiny_model)
        return run(*tiny_study(folder), folder / "results", in_process=True)


def kept(tmp_path, keep):
    return run(*tiny_study(tmp_path, TINY + f"keep: {keep}\n"), tmp_path / "results", in_process=True).run


def test_every_reader_finds_the_same_rows_in_the_files(result):
    table = result.run.arrow()
    rows, cost = table.num_rows, pc.sum(table["cost_per_token"]).as_py()
    own = table.filter(pc.equal(table["system"].cast("string"), "gb200-nvl72"))
    data = Path(result.run.location, "data")
    files = f"{data}/**/*.parquet"

    def check(count, total, part):
        assert (count, part) == (rows, own.num_rows)
        assert total == pytest.approx(cost, rel=1e-12)  # the order of summation differs

    question = "SELECT count(*), sum(cost_per_token), count(*) FILTER (system = 'gb200-nvl72')"
    with duckdb.connect() as sql:
        for hive in ("", ", hive_partitioning = true", ", hive_partitioning = false"):
            check(*sql.execute(f"{question} FROM read_parquet('{files}'{hive})").fetchone())
    for hive in (None, True, False):
        frame = pl.scan_parquet(files, hive_partitioning=hive).collect()
        check(frame.height, frame["cost_per_token"].sum(), (frame["system"] == "gb200-nvl72").sum())
    plain = pd.concat([pd.read_parquet(file, partitioning=None) for file in result.run.files()])
    folder = pd.read_parquet(data)
    for frame in (plain, folder):
        check(len(frame), frame["cost_per_token"].sum(), (frame["system"] == "gb200-nvl72").sum())
    opened = ds.dataset(data).to_table()  # without partitioning="hive": the column is in the files, as a dictionary
    of_own = opened.filter(ds.field("system") == "gb200-nvl72").num_rows
    check(opened.num_rows, pc.sum(opened["cost_per_token"]).as_py(), of_own)


def test_a_run_opens_as_arrow_polars_pandas_and_duckdb(result):
    table = result.run.arrow(["design", "cost_per_token"])
    cost = pc.sum(table["cost_per_token"]).as_py()
    assert result.run.polars(["cost_per_token"])["cost_per_token"].sum() == pytest.approx(cost, rel=1e-12)
    assert result.run.pandas(["cost_per_token"])["cost_per_token"].sum() == pytest.approx(cost, rel=1e-12)
    (found,) = result.run.duckdb().execute("SELECT sum(cost_per_token) FROM designs").fetchone()
    assert found == pytest.approx(cost, rel=1e-12)


def test_units_survive_in_arrow(result):
    schema = result.run.arrow().schema
    for name in ("power_price", "facility_power", "cost_per_token"):
        assert schema.field(name).metadata[b"unit"].decode() == quantities()[name].unit


def test_parquet_is_encoded_as_promised(result):
    file = pq.ParquetFile(result.run.files()[0])
    group = file.metadata.row_group(0)
    encodings = {group.column(i).path_in_schema: set(group.column(i).encodings) for i in range(group.num_columns)}
    assert "BYTE_STREAM_SPLIT" in encodings["cost_per_token"]
    assert "RLE_DICTIONARY" in encodings["power_price"]
    assert "RLE_DICTIONARY" in encodings["mapping"]
    assert {group.column(i).compression for i in range(group.num_columns)} == {"ZSTD"}
    assert group.sorting_columns[0].column_index == 0


def test_four_tables_in_sql(result):
    run_ = result.run
    rows = query(run_, "SELECT count(*) AS n, min(power_price) AS low FROM designs WHERE status = 'ok'").to_pylist()
    assert rows[0]["low"] == 0.02
    assert query(run_, "SELECT unit FROM columns WHERE name = 'power_price'").to_pylist() == [{"unit": "USD/kWh"}]
    assert query(run_, "SELECT sum(rows) AS n FROM parts").to_pylist() == [{"n": run_.manifest.rows}]
    sources = query(run_, "SELECT DISTINCT entry FROM sources WHERE kind = 'systems'").to_pylist()
    assert {row["entry"] for row in sources} == {"cloudmatrix384", "gb200-nvl72"}


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{run}/x.csv'",
        "CREATE TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '{run}/columns.csv'",
        "ATTACH '{run}/x.db'",
        "SET enable_external_access = true",
        "SELECT nonsense FROM designs",
        "INSTALL httpfs",
        "",
    ],
)
def test_sql_that_writes_or_looks_elsewhere_is_refused(result, sql):
    with pytest.raises(SweepError):
        query(result.run, sql.format(run=result.run.location))
    assert not list(Path(result.run.location).glob("x.*"))


def test_even_a_bare_connection_cannot_write(result):
    connection = result.run.duckdb()
    for sql in ("COPY (SELECT 1) TO '{run}/x.csv'", "ATTACH '{run}/x.db'", "SET enable_external_access = true"):
        with pytest.raises(duckdb.Error):
            connection.execute(sql.format(run=result.run.location))
    assert not list(Path(result.run.location).glob("x.*"))


@pytest.mark.parametrize("keep", ["best", "top 3", "pareto [cost_per_token, maximize facility_power]", "sample 0.25"])
def test_reduced_runs_equal_the_reduction_of_all_rows(result, tmp_path, monkeypatch, keep):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)
    study, _ = tiny_study(tmp_path, TINY + f"keep: {keep}\n")
    names = result.run.arrow().column_names
    expected = reduce(result.run.arrow().combine_chunks(), study_keep(study))
    found = kept(tmp_path, keep)
    assert found.arrow(names).sort_by("design").to_pylist() == expected.to_pylist()
    assert found.manifest.rows == expected.num_rows > 0
    assert found.manifest.pruned == result.run.manifest.pruned


def test_best_is_best_in_each_scenario(result, tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)
    rows = result.run.arrow().to_pylist()
    scenario = ("power_price", "region", "wacc", "utilisation", "staff_multiplier_times")
    best = {}
    for row in rows:
        key = tuple(row[name] for name in scenario)
        if row["status"] == "ok" and row["cost_per_token"] < best.get(key, (float("inf"),))[0]:
            best[key] = (row["cost_per_token"], row["design"])
    found = kept(tmp_path, "best").arrow().to_pylist()
    assert sorted(row["design"] for row in found) == sorted(number for _, number in best.values())
    assert len(best) == 7 * 2 * 2 * 2


def test_scenarios_of_a_study_are_its_multipliers_and_prices(tmp_path):
    study, _ = tiny_study(tmp_path, TINY + "keep: best\n")
    keep = study_keep(study)
    assert keep == Keep("best", (Goal("cost_per_token"),), keep.scenarios)
    assert "staff_multiplier_times" in keep.scenarios
    assert "staff_multiplier" not in keep.scenarios
    assert "scale_up_bandwidth_times" not in keep.scenarios


def test_a_run_is_found_by_folder_study_and_latest(result):
    folder = Path(result.run.location)
    for place in (folder, folder.parent, folder.parent / "latest", f"{folder}/"):
        assert open_run(place).manifest.run == result.run.manifest.run
    with pytest.raises(SweepError, match="is no run and no folder with a latest one"):
        open_run(folder.parents[1] / "nothing")


def test_latest_may_be_a_text_file(result):
    link = Path(result.run.location).parent / "latest"
    name = link.readlink()
    link.unlink()
    link.write_text(f"{name}\n")
    assert open_run(link).manifest.run == result.run.manifest.run
    link.unlink()
    link.symlink_to(name)


def test_an_object_store_holds_a_run_as_a_folder_does(result, tmp_path, monkeypatch):
    bucket = fs._MockFileSystem()
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)
    opening = SimpleNamespace(from_uri=lambda uri: (bucket, uri.removeprefix("mock://")))
    names = SimpleNamespace(FileSystem=opening, FileSelector=fs.FileSelector, FileType=fs.FileType)
    monkeypatch.setattr("sweep.dataset.store.fs", names)
    study, catalogue = tiny_study(tmp_path)
    first = run(study, catalogue, "mock://bucket/results", in_process=True)
    assert first.run.manifest.digests["dataset"] == result.run.manifest.digests["dataset"]
    assert run(study, catalogue, "mock://bucket/results", in_process=True).computed == 0
    found = open_run("mock://bucket/results/tiny/latest")
    assert verify(found) == []
    assert found.arrow().equals(result.run.arrow())
    assert query(found, "SELECT count(*) AS n FROM designs").to_pylist() == [{"n": result.run.manifest.rows}]
