"""The real model on the published runs: the page in docs, every row accounted for, a user's file read the same way."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sweep.accuracy.assess import assess
from sweep.accuracy.figures import errors
from sweep.accuracy.page import PAGE, accuracy_page
from sweep.accuracy.rows import training_table
from sweep.catalogue import Catalogue
from sweep.cli.app import cli

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def found():
    return assess(Catalogue.load())


@pytest.fixture(scope="module")
def published():
    with training_table().open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_in_docs_is_up_to_date(found):
    written = (DOCS / PAGE).read_text(encoding="utf-8")
    assert written == accuracy_page(found), "run: python -m sweep.accuracy.page (docs/accuracy.md is out of date)"


def test_every_published_row_is_predicted_or_left_out_with_a_reason(found, published):
    names = [row["id"] for row in published]
    for predictions in found.splits.values():
        accounted = [each.case.name for each in predictions] + [each.name for each in found.left_out]
        assert sorted(accounted) == sorted(names)
    assert all(each.reason for each in found.left_out)


def test_every_prediction_is_a_range_of_finite_times_with_its_parts(found):
    for predictions in found.splits.values():
        assert all(0 < each.low <= each.high < float("inf") for each in predictions)
        assert all(each.low == each.high for each in predictions if each.case.stated)
        assert all(each.parts and min(each.parts.values()) >= 0 for each in predictions)


def test_a_run_left_out_of_the_fit_is_predicted_by_other_constants(found):
    fitted, without = (found.splits[split] for split in ("in-sample", "left-out-source"))
    assert abs(errors(fitted)).mean() < abs(errors(without)).mean()


def test_a_file_with_published_rows_gives_their_predictions(found, published, tmp_path):
    own = tmp_path / "own.csv"
    rows = [row for row in published if row["id"].startswith("korthikanti22-0")]
    with own.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(published[0]))
        writer.writeheader()
        writer.writerows(rows)
    done = CliRunner().invoke(cli, ["accuracy", "--file", str(own), "--rows", "--json"])
    assert done.exit_code == 0, done.stderr
    shown = {row["name"]: (row["low"], row["high"]) for row in json.loads(done.stdout)["rows"]}
    assert len(shown) == len(rows) == 9
    for each in found.splits["in-sample"]:
        if each.case.name in shown:
            assert shown[each.case.name] == pytest.approx((each.low, each.high), rel=1e-9)
