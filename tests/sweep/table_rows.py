"""Tables of measured runs made up for tests: rows as changes of one base row."""

import csv

from sweep.accuracy.rows import read_cases

BASE = {
    "id": "lab-1",
    "date": "2025-03",
    "model": "llama3-70b",
    "chip": "H100-SXM",
    "n_chips": "64",
    "scale_up_domain": "8",
    "seq_len": "8192",
    "global_batch_sequences": "128",
    "tp": "4",
    "pp": "4",
    "cp": "1",
    "vpp": "5",
    "micro_batch": "1",
    "precision": "BF16",
    "recompute": "none",
    "measured_step_time_s": "500",
}


def read_rows(file, catalogue, *changes):
    """Write rows given as changes of the base row, and read them as cases; blank cells are left out."""
    rows = [BASE | {"id": f"lab-{number}"} | change for number, change in enumerate(changes, 1)]
    names = sorted({name for row in rows for name in row})
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return read_cases(file, catalogue)


def read_one(file, catalogue, **changes):
    """Read one row, which must be a case."""
    (case,), left_out = read_rows(file, catalogue, changes)
    assert not left_out
    return case
