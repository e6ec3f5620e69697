"""Tables and plain data of a small made-up set of runs, the page, and the picture."""

import json
import sys
from xml.etree import ElementTree as ET

import pytest
from measured_runs import prediction

from sweep.accuracy import report
from sweep.accuracy.choices import BY
from sweep.accuracy.plot import parity_plot
from sweep.accuracy.rows import LeftOut
from sweep.accuracy.targets import Figure
from sweep.accuracy.tiers import Tiers
from sweep.catalogue import Catalogue
from sweep.cli.output import plain
from sweep.errors import StudyError, SweepError
from sweep.text import Table, aligned

RUNS = [
    prediction(11.0, name="a-1"),
    prediction(9.5, name="b-1", system="dgx-a100"),
    prediction(9.0, 12.0, name="b-2", stated=False),
    prediction(0.015, name="c-1", seconds=0.01, microbenchmark=True),
    prediction(143.0, name="d-1", seconds=100.0, system="atlas-800t-a2", model="pangu-38b"),
]
TIERS = Tiers.of([each.case for each in RUNS], Catalogue.load(), measured=[each.case for each in RUNS])
LEFT_OUT = [LeftOut("x-1", "batch not stated"), LeftOut("x-2", "misprint"), LeftOut("x-3", "batch not stated")]


def text(table):
    return "\n".join([table.title, *aligned(table)])


def test_figures_to_reach():
    shown = report.figures_table([
        Figure("tier 1: mean error", "left-out-source", 1234, "at most", 0.075, 0.0931, source_mean=0.1),
        Figure("bias", "left-out-source", 9, "within", 0.08, -0.021),
        Figure("rank correlation", "", 9, "at least", 0.85, 0.851, unit=""),
        Figure("noise floor", "", 0, "none", float("nan"), float("nan")),
    ])  # fmt: skip
    assert text(shown) == (
        "figures to reach\n"
        "figure              split             rows    target  reached  mean of sources  met\n"
        "tier 1: mean error  left-out-source  1,234  <= 7.5 %    9.3 %           10.0 %  no\n"
        "bias                left-out-source      9  +- 8.0 %   -2.1 %                -  yes\n"
        "rank correlation    -                    9   >= 0.85     0.85                -  yes\n"
        "noise floor         -                    0         -        -                -  -"
    )


def test_statistics_by_tier():
    table = report.statistics_table(RUNS, TIERS, "tier", "in-sample")
    assert table.title == "error by tier, in-sample"
    narrow = Table("", table.columns[:8], [row[:8] for row in table.rows])
    assert aligned(narrow) == [
        "tier                     rows  mean [%]  median [%]  90th [%]  bias [%]  within 10 %  within 20 %",
        "1, covered                  2       7.5         7.5       9.5      +2.5        100 %        100 %",
        "1, otherwise                1      43.0        43.0      43.0     +43.0          0 %          0 %",
        "2                           1       0.0         0.0       0.0      +0.0        100 %        100 %",
        "3 (also in 1 or 2)          1      43.0        43.0      43.0     +43.0          0 %          0 %",
        "microbenchmark              1      50.0        50.0      50.0     +50.0          0 %          0 %",
        "all but microbenchmarks     4      14.5         7.5      33.1     +12.0         75 %         75 %",
    ]
    assert table.columns[8:] == ("sources>", "mean of sources [%]>", "ranges>", "width [%]>")
    assert table.rows[-1][8:] == ("3", "18.5", "1", "30.0")
    assert table.rows[0][8:] == ("2", "7.5", "0", "-")


def test_rows_with_their_breakdown():
    assert text(report.rows_table(RUNS[1:3], TIERS, "runs")) == (
        "runs\n"
        "run  chip           precision  tier        measured [s]  low [s]  high [s]  error [%]  breakdown\n"
        "b-1  a100-sxm-80gb  bf16       1, covered            10      9.5       9.5       -5.0"
        "  compute 75 %, bubble 25 %\n"
        "b-2  a100-sxm-80gb  bf16       2                     10        9        12       +0.0"
        "  compute 75 %, bubble 25 %"
    )


def test_the_worst_rows_leave_microbenchmarks_apart():
    names = [row[0] for row in report.worst_table(RUNS, TIERS, "in-sample").rows]
    assert names == ["d-1", "a-1", "b-1", "b-2"]


def test_reasons_with_counts_the_commonest_first():
    assert text(report.left_out_table(LEFT_OUT)) == (
        "rows left out\nreason            rows\nbatch not stated     2\nmisprint             1"
    )
    assert report.left_out_table([]).title == "rows left out: none"
    assert report.left_out_data(LEFT_OUT)[0] == {"reason": "batch not stated", "rows": 2, "names": ["x-1", "x-3"]}


@pytest.mark.parametrize("by", BY)
def test_every_grouping_covers_every_run(by):
    data = report.group_data(RUNS, TIERS, by)
    counted = sum(each["rows"] for group, each in data["groups"].items() if not group.startswith("3"))
    assert counted == len(RUNS)
    assert data["all_but_microbenchmarks"]["rows"] == 4


def test_plain_data_keep_seconds_and_fractions():
    (row,) = json.loads(json.dumps(plain(report.row_data(RUNS[4:], TIERS))))
    assert row["error"] == pytest.approx(0.43)
    assert (row["measured"], row["low"], row["high"]) == (100.0, 143.0, 143.0)
    assert row["tiers"] == ["1, otherwise", "3 (also in 1 or 2)"]
    assert (row["chip"], row["workload"], row["source"]) == ("ascend-910b", "pangu-38b", "d")
    assert row["parts"]["compute_time"] == 3.0
    (figure,) = report.figure_data([Figure("x", "", 1, "at least", 0.9, 0.95)])
    assert figure["met"] is True


def test_the_picture_is_svg_with_every_vendor_and_always_the_same(tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for file in (first, second):
        parity_plot(RUNS, TIERS, "Step times", file)
    assert first.read_bytes() == second.read_bytes()
    drawn = "".join(ET.parse(first).getroot().itertext())
    assert "Nvidia (4)" in drawn
    assert "Huawei (1)" in drawn
    assert "predicted step time [s]" in drawn


def test_the_picture_is_png_where_the_name_says_so(tmp_path):
    parity_plot(RUNS, TIERS, "Step times", tmp_path / "parity.PNG")
    assert (tmp_path / "parity.PNG").read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_nothing_is_empty_axes(tmp_path):
    parity_plot([], TIERS, "Step times", tmp_path / "empty.svg")
    assert (tmp_path / "empty.svg").is_file()


def test_a_picture_needs_a_known_suffix_a_folder_and_matplotlib(tmp_path, monkeypatch):
    with pytest.raises(StudyError, match=r"parity\.pdf: name the picture with one of the suffixes \.png, \.svg"):
        parity_plot(RUNS, TIERS, "", tmp_path / "parity.pdf")
    with pytest.raises(SweepError, match=r"parity\.png: the picture cannot be written: No such file"):
        parity_plot(RUNS, TIERS, "", tmp_path / "missing" / "parity.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SweepError, match=r"pip install 'supernode-sweep\[plots\]'"):
        parity_plot(RUNS, TIERS, "", tmp_path / "parity.png")
