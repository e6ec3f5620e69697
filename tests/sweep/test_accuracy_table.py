"""The table of measured runs as a file: columns, cells, and the errors of a user's own."""

import pytest

from sweep.accuracy.rows import read_cases, training_table
from sweep.accuracy.table import COLUMNS
from sweep.catalogue import Catalogue
from sweep.errors import StudyError

ROW = {
    "id": "lab-1",
    "date": "2025-03",
    "model": "llama3-70b",
    "chip": "H100-SXM",
    "n_chips": "64",
    "seq_len": "8192",
    "global_batch_sequences": "128",
    "tp": "4",
    "pp": "4",
    "recompute": "none",
    "measured_step_time_s": "500",
}


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


class TestFile:
    def fail(self, tmp_path, catalogue, text):
        file = tmp_path / "runs.csv"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(StudyError) as error:
            read_cases(file, catalogue)
        return [str(problem).replace(str(file), "runs.csv") for problem in error.value.problems]

    def table(self, **changes):
        row = ROW | changes
        return ",".join(row) + "\n" + ",".join(row.values()) + "\n"

    def test_least_table(self, tmp_path, catalogue):
        file = tmp_path / "runs.csv"
        file.write_text(
            "\ufeff" + self.table() + "\n", encoding="utf-8"
        )  # a mark at the start, a blank line at the end
        cases, left_out = read_cases(file, catalogue)
        assert ([case.name for case in cases], left_out) == (["lab-1"], [])

    def test_unknown_column(self, tmp_path, catalogue):
        lines = self.fail(tmp_path, catalogue, self.table(recompte="full"))
        assert lines[0].startswith("runs.csv:1: 'recompte' is no column of a table of runs; did you mean recompute?")

    def test_missing_and_double_columns(self, tmp_path, catalogue):
        lines = self.fail(tmp_path, catalogue, "id,id,date,model,chip,n_chips,seq_len\n")
        assert lines == [
            "runs.csv:1: has the column id twice",
            "runs.csv:1: lacks the column global_batch_sequences",
        ]

    def test_bad_cells_are_all_named(self, tmp_path, catalogue):
        text = self.table(n_chips="many", tp="0", measured_step_time_s="-1", recompute="some", date="June")
        lines = self.fail(tmp_path, catalogue, text)
        assert lines[0] == "runs.csv:2: date: 'June' is no date; write YYYY or YYYY-MM"
        assert (
            "runs.csv:2: n_chips: 'many' is no whole number above zero; leave it blank when it is not stated" in lines
        )
        assert any(line.startswith("runs.csv:2: tp: '0'") for line in lines)
        assert any(line.startswith("runs.csv:2: measured_step_time_s: '-1' is no number above zero") for line in lines)
        assert any(
            line.startswith("runs.csv:2: recompute: 'some' is not allowed; allowed: full, none") for line in lines
        )

    def test_names_are_unique(self, tmp_path, catalogue):
        text = self.table()
        lines = self.fail(tmp_path, catalogue, text + text.splitlines()[1] + "\n")
        assert lines == ["runs.csv:3: id: 'lab-1' is the name of the row at runs.csv:2; every row needs its own"]

    def test_ragged_row(self, tmp_path, catalogue):
        lines = self.fail(tmp_path, catalogue, self.table() + "x,y\n")
        assert lines == [f"runs.csv:3: has 2 cells, the header has {len(ROW)}"]

    def test_line_numbers_count_lines_inside_cells(self, tmp_path, catalogue):
        row = ROW | {"note": '"two\nlines"'}
        text = ",".join(row) + "\n" + ",".join(row.values()) + "\n" + ",".join(row.values()) + "\n"
        assert self.fail(tmp_path, catalogue, text)[0].startswith("runs.csv:4: id: 'lab-1'")

    def test_no_such_file(self, tmp_path, catalogue):
        with pytest.raises(StudyError, match="cannot be read as a table"):
            read_cases(tmp_path / "none.csv", catalogue)

    def test_every_column_of_the_published_table_is_documented(self):
        text = (training_table().parent / "README.md").read_text(encoding="utf-8")
        assert [name for name in COLUMNS if f"`{name}`" not in text] == []
