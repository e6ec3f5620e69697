"""Chunks to rows, and runs in this process; the model is three lines here (``tiny_model``), the rest is real."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_study import DESIGNS, TINY, tiny_model, tiny_study

from models.inputs import ModelInputError
from models.quantities import quantities
from sweep.dataset import open_run, verify
from sweep.dataset.layout import run_id
from sweep.dataset.store import open_store
from sweep.engine import run
from sweep.engine.cells import cells
from sweep.engine.job import Job, run_chunk
from sweep.engine.prepare import first_manifest, prepare
from sweep.errors import Interrupted, StudyError, SweepError
from sweep.inputs import inputs_with_origins
from sweep.space import Block, Chunks, Space, linear_axis, list_axis, zip_axis


@pytest.fixture(autouse=True)
def _small_model(monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", tiny_model)


@pytest.fixture
def done(tmp_path):
    """The tiny study, run."""
    study, catalogue = tiny_study(tmp_path)
    return study, catalogue, run(study, catalogue, tmp_path / "results", in_process=True)


def rows_by_id(result):
    return {row["design"]: row for row in result.run.arrow().to_pylist()}


def test_every_design_that_passes_where_has_one_row(done):
    study, _, result = done
    assert study.space.size == DESIGNS
    expected = [
        number
        for number in range(DESIGNS)
        if not ((design := study.space.design(number))["domains"] == 2 and design["power_price"] > 0.1)
    ]
    assert result.run.arrow()["design"].to_pylist() == expected
    assert result.run.manifest.rows == len(expected)
    assert result.run.manifest.pruned == DESIGNS - len(expected)


def test_axes_hold_what_the_study_wrote(done):
    study, _, result = done
    for number, row in rows_by_id(result).items():
        for name, value in study.space.design(number).items():
            column = f"{name}_times" if name in {"scale_up_bandwidth", "staff_multiplier"} else name
            assert row[column] == value, (number, name)
    assert 0.02 in set(result.run.arrow()["power_price"].to_pylist())


def test_multipliers_stand_beside_the_value_they_give(done):
    _, catalogue, result = done
    for row in rows_by_id(result).values():
        own = catalogue.facts(row["system"], row["workload"], None)["scale_up_bandwidth"].value / 1e9
        assert row["scale_up_bandwidth"] == pytest.approx(own * row["scale_up_bandwidth_times"], rel=1e-15)
        assert row["staff_multiplier"] == row["staff_multiplier_times"]
    assert {row["staff_multiplier_times"] for row in rows_by_id(result).values() if row["system"] == "gb200-nvl72"} == {
        1.0
    }


def test_numbers_equal_the_model_one_design_at_a_time(done):
    study, catalogue, result = done
    rows = rows_by_id(result)
    for number in list(rows)[::37]:
        chunk = Chunks(study.space, 1).holding(number)
        (cell,) = cells(chunk)
        known = inputs_with_origins(study, catalogue, cell.structural, cell.mesh, cell.times).values
        speed = known["domains"] * known["scale_up_size"] * np.sqrt(known["scale_up_bandwidth"])
        if rows[number]["time_to_train"] is not None:
            assert rows[number]["time_to_train"] == (1e12 / speed / 86400).item()
            assert rows[number]["facility_power"] == 3e3 * float(known["domains"] * known["scale_up_size"]) / 1e6


def test_infeasible_rows_stay_with_their_reason(done):
    _, _, result = done
    reasons = {row["reason"] for row in rows_by_id(result).values()}
    assert reasons == {
        None,
        "chips: the mapping needs more groups of tensor x context ranks than the domains hold",
        "facility_power <= 25 MW",
    }
    for row in rows_by_id(result).values():
        fits = row["domains"] != 1 or row["scale_up_bandwidth_times"] != 0.5
        within = row["domains"] * {"cloudmatrix384": 384, "gb200-nvl72": 72}[row["system"]] * 3000 <= 25e6
        assert row["status"] == ("ok" if fits and within else "infeasible")
        assert (row["cost_per_token"] is not None) == fits, (
            "a requirement keeps the metrics, an unsolved design has none"
        )
        assert (row["tensor_parallel"] == 8) == fits
        assert row["mapping"] == (f"tp8.dp{row['domains']}" if fits else None)


def test_unknown_facts_are_null_and_units_are_human(done):
    _, _, result = done
    rows = rows_by_id(result).values()
    assert {row["carbon_to_train"] for row in rows} == {None}
    row = next(row for row in rows if row["status"] == "ok")
    assert row["power_per_chip"] == pytest.approx(3000.0)  # a metric of the study is SI: W
    assert row["facility_power"] == pytest.approx(row["chips"] * 0.003)  # the table says MW


def test_the_schema_tells_unit_description_and_role(done):
    _, _, result = done
    schema = pq.read_schema(result.run.files()[0])
    for field in schema:
        about = {
            key.decode(): value.decode() for key, value in field.metadata.items() if not key.startswith(b"PARQUET")
        }
        if field.name in quantities():
            assert about["unit"] == quantities()[field.name].unit
            assert about["description"] == quantities()[field.name].description
    assert schema.field("power_price").metadata[b"role"] == b"scenario"
    assert schema.field("power_per_chip").metadata[b"unit"] == b"W"
    assert schema.field("design").type == pa.int64()
    assert schema.field("domains").type == pa.int32()
    assert schema.field("system").type == pa.dictionary(pa.int32(), pa.string())
    assert schema.metadata[b"study"] == b"tiny"
    assert schema.metadata[b"run"].decode() == result.run.manifest.run


def test_columns_come_in_the_order_id_axes_status_outputs(done):
    _, _, result = done
    names = result.run.arrow().column_names
    assert names[0] == "design"
    assert names[names.index("status") :] == [
        *("status", "reason", "chips", "cost_per_token", "time_to_train", "facility_power", "mapping"),
        *("tensor_parallel", "carbon_to_train", "power_per_chip"),
    ]


def test_float32_studies_keep_axes_exact(tmp_path):
    study, catalogue = tiny_study(tmp_path, TINY + "float: float32\n")
    result = run(study, catalogue, tmp_path / "results", in_process=True)
    wide = run(*tiny_study(tmp_path), tmp_path / "results", in_process=True).run.arrow()
    table = result.run.arrow()
    assert table.schema.field("cost_per_token").type == pa.float32()
    assert table.schema.field("power_price").type == pa.float64()
    assert table["power_price"].equals(wide["power_price"])
    assert table["cost_per_token"].equals(wide["cost_per_token"].cast(pa.float32(), safe=False))


def test_an_unknown_fact_in_a_requirement_is_named(tmp_path):
    text = TINY.replace("facility_power <= 25 MW", "carbon_to_train <= 1000 t")
    result = run(*tiny_study(tmp_path, text), tmp_path / "results", in_process=True)
    assert "carbon_to_train <= 1000 t: not known" in {row["reason"] for row in rows_by_id(result).values()}


def test_a_study_that_drops_everything_says_so(tmp_path):
    study, catalogue = tiny_study(tmp_path, TINY.replace("where: not", "where: domains > 100 and not"))
    with pytest.raises(StudyError, match="where: drops every one of the 756 designs"):
        run(study, catalogue, tmp_path / "results", in_process=True)


def test_limit_keeps_the_first_designs_and_has_its_own_id(done, tmp_path):
    study, catalogue, result = done
    short = run(study, catalogue, tmp_path / "results", in_process=True, limit=100)
    assert short.run.manifest.run != result.run.manifest.run
    assert short.run.arrow().to_pylist() == [row for number, row in rows_by_id(result).items() if number < 100]
    assert verify(short.run) == []


def test_a_defect_names_the_designs_and_keeps_the_traceback(tmp_path, monkeypatch):
    def broken(_):
        raise ZeroDivisionError("of course")

    monkeypatch.setattr("sweep.engine.rows.evaluate", broken)
    with pytest.raises(
        SweepError, match="designs from 0: this is a defect of supernode-sweep: ZeroDivisionError"
    ) as caught:
        run(*tiny_study(tmp_path), tmp_path / "results", in_process=True)
    assert "of course" in caught.value.trace


def test_an_input_the_model_needs_is_the_users_sentence(tmp_path, monkeypatch):
    def wanting(_):
        raise ModelInputError("chip_price", "chip_price is not known for this design, and the model needs it")

    monkeypatch.setattr("sweep.engine.rows.evaluate", wanting)
    with pytest.raises(SweepError, match=r"cloudmatrix384: chip_price is not known .* give it in the study"):
        run(*tiny_study(tmp_path), tmp_path / "results", in_process=True)


def test_a_fraction_of_a_chip_is_a_defect(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.engine.rows.evaluate", lambda known: {**tiny_model(known), "chips": np.asarray(1.5)})
    with pytest.raises(SweepError, match="chips is a count, and the model returns one that is not whole"):
        run(*tiny_study(tmp_path), tmp_path / "results", in_process=True)


def test_ctrl_c_keeps_finished_parts(tmp_path):
    study, catalogue = tiny_study(tmp_path)
    seen = []

    def stop(progress):
        seen.append(progress)
        if progress.chunks_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="run it again to finish") as caught:
        run(study, catalogue, tmp_path / "results", in_process=True, progress=stop)
    assert caught.value.exit_code == 130
    result = run(study, catalogue, tmp_path / "results", in_process=True)
    assert result.computed == seen[-1].chunks - 3
    assert verify(result.run) == []


def test_a_worker_needs_no_file_of_the_catalogue(tmp_path, monkeypatch):
    study, catalogue = tiny_study(tmp_path)
    manifest, location = first_manifest(study, catalogue, tmp_path, None)
    prepare(open_store(location), study, catalogue, manifest)

    def gone(*_):
        raise FileNotFoundError("on another machine")

    monkeypatch.setattr("sweep.catalogue.catalogue.read_entry", gone)
    found = [run_chunk(Job(study, catalogue, location, manifest), number) for number in range(manifest.chunks)]
    assert sum(part.rows for part in found) == 612


def test_progress_ends_at_the_whole(tmp_path):
    study, catalogue = tiny_study(tmp_path)
    seen = []
    result = run(study, catalogue, tmp_path / "results", in_process=True, progress=seen.append)
    assert (seen[0].chunks_done, seen[0].rows) == (0, 0)
    assert seen[-1].designs_done == seen[-1].designs == DESIGNS
    assert seen[-1].rows == result.run.manifest.rows
    assert seen[-1].bytes == sum(part.bytes for part in result.run.manifest.parts)


def test_the_manifest_answers_who_made_it(done):
    study, catalogue, result = done
    manifest = result.run.manifest
    assert manifest.state == "complete"
    assert manifest.run == run_id(study.digest, catalogue.digest(), manifest.digests["model"], None)
    assert set(manifest.shares) == {"model", "rows", "parquet", "overhead"}
    assert sum(manifest.shares.values()) == pytest.approx(1, abs=1e-3)
    assert manifest.versions["numpy"] == np.__version__
    assert manifest.simd != ()
    assert open_run(result.run.location).manifest == manifest


SAMPLED = """
sample:
  method: random
  points: 200
  over:
    chip_failure_rate: {from: 0.01, to: 0.1, unit: 1/yr}
    scale_out_bandwidth: {from: 0.5, to: 2, times: true}
"""


def test_sampled_designs_carry_their_number_and_values(tmp_path):
    study, catalogue = tiny_study(tmp_path, TINY + SAMPLED)
    result = run(study, catalogue, tmp_path / "results", in_process=True, limit=500)
    for number, row in rows_by_id(result).items():
        design = study.space.design(number)
        assert row["sample"] == design["sample"] == number % 200
        assert row["chip_failure_rate"] == design["chip_failure_rate"]
        assert row["scale_out_bandwidth_times"] == design["scale_out_bandwidth"]


def places_of(found):
    return [np.arange(c.rows.start, c.rows.stop) if isinstance(c.rows, slice) else c.rows for c in found]


def mixed_space():
    """Structural and numeric quantities on one axis: neither cells nor their rows are contiguous."""
    return Space.of(
        [
            Block(
                (
                    zip_axis({"domains": [1, 2, 1, 2, 1], "wacc": [0.1, 0.2, 0.3, 0.4, 0.5]}),
                    list_axis("power_price", [1.0, 2.0, 3.0]),
                    linear_axis("utilisation", 0.5, 0.9, 5),
                ),
                {"system": "cloudmatrix384"},
            )
        ]
    )


@pytest.mark.parametrize("rows", [1, 4, 15, 1000])
@pytest.mark.parametrize("most", [1, 7, 30, 10**6])
def test_cells_hold_each_design_of_a_chunk_once_and_right(rows, most):
    space = mixed_space()
    for chunk in Chunks(space, rows):
        found = list(cells(chunk, most))
        assert all(math.prod(cell.shape) <= most for cell in found)
        places = places_of(found)
        assert sorted(np.concatenate(places).tolist()) == list(range(chunk.rows))
        for cell, at in zip(found, places, strict=True):
            flat = {name: np.broadcast_to(v, cell.shape).reshape(-1) for name, v in cell.mesh.items()}
            for place, row in enumerate(at.tolist()):
                values = {name: column[place].item() for name, column in flat.items()}
                assert space.design(chunk.first + row) == {**cell.structural, **values}


def test_points_with_equal_structure_share_a_cell():
    (chunk,) = Chunks(mixed_space(), 1000)
    found = sorted((cell.structural["domains"], math.prod(cell.shape)) for cell in cells(chunk))
    assert found == [(1, 45), (2, 30)]
