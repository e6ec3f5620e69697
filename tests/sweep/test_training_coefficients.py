"""The coefficients of the training model: from a calibration file to the rows, the run's identity and what is shown."""

import csv
import json
import pickle
from dataclasses import asdict, replace

import pytest
from click.testing import CliRunner

from models.coefficients import prior_coefficients, priors
from sweep.catalogue import CALIBRATION, Catalogue
from sweep.cli.app import cli
from sweep.engine import run
from sweep.engine.sources import sources_csv
from sweep.errors import StudyError
from sweep.explain import explain, moved
from sweep.study import open_study

DIGEST = "5f" * 32
FACT = "source: s, date: 2026-01, confidence: measured"
FACTS = f"""\
title: A calibration of mine
replaces: true
facts:
  gemm_efficiency_bf16: {{value: 0.7, {FACT}}}
  attention_efficiency: {{value: 0.6, {FACT}}}
  hbm_efficiency: {{value: 0.9, {FACT}}}
  kernel_launch_time: {{value: 3, unit: us, {FACT}}}
"""
FIT = f"""\
training:
  date: 2026-11
  digest: {DIGEST}
  rows: 1234
  residuals: {{mean: 0.081, median: 0.05, bias: -0.002}}
  coefficients: {{optimizer_bytes: 60, step_overhead: 0.25}}
"""
STUDY = """\
study: fitted
workload: {train: llama-3-8b, tokens: 1e12, global_batch: 256, sequence: 8192, precision: bf16}
levers: {system: dgx-h100, domains: [2, 4]}
scenarios: {power_price: {values: [0.05, 0.1], unit: USD/kWh}}
"""


def folder_of(folder, fit):
    """A catalogue folder whose calibration takes the place of the program's."""
    path = folder / "calibration" / f"{CALIBRATION}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FACTS + fit, encoding="utf-8")
    return folder


def opened(folder, fit):
    """The study with a calibration."""
    folder_of(folder / "mine", fit)
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    return open_study(folder / "study.yaml", (), [folder / "mine"])


def rows_of(folder, fit):
    result = run(*opened(folder, fit), folder / "results", in_process=True)
    return result.run, result.run.arrow().to_pylist()


def fault(folder, old, new):
    """The one sentence about a calibration with a part replaced, and the line it names."""
    assert old in FIT
    text = FIT.replace(old, new)
    with pytest.raises(StudyError) as caught:
        Catalogue.load([folder_of(folder, text)])
    (problem,) = caught.value.problems
    lines = (FACTS + text).splitlines()
    return str(problem), lines[int(problem.where.rsplit(":", 1)[1]) - 1]


def test_without_a_fit_every_coefficient_is_its_prior(tmp_path):
    assert Catalogue.load([folder_of(tmp_path, "")]).coefficients() == prior_coefficients()


def test_a_fit_takes_the_place_of_the_priors_it_names(tmp_path):
    found = Catalogue.load([folder_of(tmp_path, FIT)]).coefficients()
    assert found == replace(prior_coefficients(), optimizer_bytes=60.0, step_overhead=0.25)


def test_another_calibration_of_the_catalogue_can_be_asked_for(tmp_path):
    (tmp_path / "calibration").mkdir()
    (tmp_path / "calibration" / "other.yaml").write_text(FACTS.replace("replaces: true\n", "") + FIT)
    catalogue = Catalogue.load([tmp_path])
    assert catalogue.coefficients("other").optimizer_bytes == 60.0
    assert catalogue.coefficients(calibration=CALIBRATION) == Catalogue.load().coefficients()
    with pytest.raises(StudyError, match="did you mean other"):
        catalogue.coefficients("othr")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("optimizer_bytes: 60", "optimiser_bytes: 60", ["no coefficient", "did you mean optimizer_bytes"]),
        ("optimizer_bytes: 60", "optimizer_bytes: 20", ["is 20 byte; it must be at least 28 and at most 90"]),
        ("step_overhead: 0.25", "step_overhead: 0.5", ["is 0.5 s", "at most 0.4"]),
        ("step_overhead: 0.25", "step_overhead: much", ["'much'", "number"]),
        ("step_overhead: 0.25", "step_overhead: true", ["True", "number"]),
        ("step_overhead: 0.25", "step_overhead: .nan", ["not a finite number"]),
        ("median: 0.05", "median: good", ["'good'", "number"]),
        ("date: 2026-11", "date: May", ["'May'", "write it as"]),
        (DIGEST, "5f5f", ["digest", "'5f5f'"]),
        ("rows: 1234", "rows: 0", ["rows", "greater than or equal to 1"]),
        ("rows: 1234", "row: 1234", []),
    ],
)
def test_a_wrong_fit_is_one_sentence_with_its_line(tmp_path, old, new, words):
    if words:
        message, line = fault(tmp_path, old, new)
        assert new.split(":")[0] in line
        assert all(word in message for word in words)
        return
    with pytest.raises(StudyError) as caught:
        Catalogue.load([folder_of(tmp_path, FIT.replace(old, new))])
    messages = [str(problem) for problem in caught.value.problems]
    assert any("training.rows: is missing" in message for message in messages)
    assert any("did you mean rows" in message for message in messages)


def test_a_chip_has_no_fit(tmp_path):
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "mine.yaml").write_text("title: Mine\nvendor: Mine\n" + FIT)
    with pytest.raises(StudyError, match="training: is no key of this file"):
        Catalogue.load([tmp_path])


def test_the_rows_follow_the_fit_whatever_ran_before(tmp_path):
    """Only the fixed time of a step differs, so every step of one study differs by it."""
    long, short = FIT, FIT.replace("step_overhead: 0.25", "step_overhead: 0.05")
    runs = [rows_of(tmp_path / name, fit) for name, fit in (("a", long), ("b", short), ("c", long))]
    (first, slow), (second, fast), (third, again) = runs
    assert [row["step_time"] for row in slow] == pytest.approx([row["step_time"] + 0.2 for row in fast], rel=1e-9)
    assert slow == again
    assert first.manifest.digests["catalogue"] != second.manifest.digests["catalogue"]
    assert len({first.manifest.run, second.manifest.run}) == 2
    assert first.manifest.run == third.manifest.run


def test_a_worker_gets_the_fit_with_the_catalogue(tmp_path):
    """Ray workers unpickle the catalogue, perhaps where its files do not lie; the driver has read what they need."""
    study, catalogue = opened(tmp_path, FIT)
    sources_csv(study, catalogue)
    sent = pickle.dumps(catalogue)
    (tmp_path / "mine" / "calibration" / f"{CALIBRATION}.yaml").unlink()
    assert pickle.loads(sent).coefficients().step_overhead == 0.25


def test_the_run_names_the_source_of_every_coefficient(tmp_path):
    written, _ = rows_of(tmp_path, FIT)
    text = written.store.get("sources.csv").decode()
    found = {row["fact"]: row for row in csv.DictReader(text.splitlines()) if row["entry"] == CALIBRATION}
    assert set(priors()) <= set(found)
    fitted, prior = found["optimizer_bytes"], found["norm_bytes"]
    assert (float(fitted["value"]), fitted["unit"], fitted["date"]) == (60.0, "byte", "2026-11")
    assert "1,234 published runs" in fitted["source"]
    assert fitted["confidence"] == "derived"
    assert (float(prior["value"]), prior["confidence"]) == (priors()["norm_bytes"].value, "assumption")


def test_explain_names_the_calibration_and_the_origin_of_each_coefficient(tmp_path):
    study, catalogue = opened(tmp_path, FIT)
    listed = [each for each in explain(study, catalogue, 0).inputs if f"calibration {CALIBRATION}" in each.group]
    assert listed[0].value == "A calibration of mine"
    found = {each.name: each for each in listed[1:]}
    assert {name: each.value for name, each in found.items()} == asdict(catalogue.coefficients())
    assert found["step_overhead"].kind == "calibration"
    assert found["step_overhead"].where.endswith(f"{CALIBRATION}.yaml:13")
    assert found["step_overhead"].unit == "s"
    assert found["norm_bytes"].kind == "prior"


def test_an_input_with_the_name_of_a_coefficient_still_moves(tmp_path):
    study, catalogue = opened(tmp_path, FIT)
    changed = explain(study, catalogue, 0, ["mixture_dispatch=alltoall"])
    inputs, _ = moved(explain(study, catalogue, 0), changed)
    assert [(move.name, move.before, move.after) for move in inputs] == [("mixture_dispatch", "fused", "alltoall")]


def test_serving_has_no_coefficients_of_training(tmp_path):
    text = "study: serving\nworkload: {serve: llama-3-8b, precision: bf16}\nlevers: {system: dgx-h100}\n"
    (tmp_path / "serving.yaml").write_text(text)
    inputs = explain(*open_study(tmp_path / "serving.yaml"), 0).inputs
    assert not [each for each in inputs if "coefficients" in each.group]


def test_show_lists_every_coefficient(tmp_path):
    folder_of(tmp_path, FIT)
    arguments = ["show", "calibration", CALIBRATION, "--catalogue", str(tmp_path)]
    text = CliRunner().invoke(cli, arguments).stdout
    assert "fitted to 1,234 published runs" in text
    assert "mean 8.1 %, median 5.0 %, bias -0.2 %" in text
    for name, prior in priors().items():
        line = next(line for line in text.splitlines() if line.startswith(f"{name} ") and prior.description in line)
        origin = "fitted" if name in {"optimizer_bytes", "step_overhead"} else "prior"
        assert line.removesuffix(prior.description).split()[-1] == origin
    data = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)
    assert data["training"] == {
        "date": "2026-11", "digest": DIGEST, "rows": 1234, "residuals": {"mean": 0.081, "median": 0.05, "bias": -0.002},
    }  # fmt: skip
    assert data["coefficients"]["step_overhead"]["value"] == 0.25
    assert data["coefficients"]["step_overhead"]["prior"]["maximum"] == 0.4
