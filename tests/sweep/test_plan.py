import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from study_files import SMALL, catalogue, changed, load_text

from models.quantities import quantities
from sweep.counting import count_rows, require_designs
from sweep.engine.cells import cells
from sweep.engine.columns import study_columns
from sweep.errors import StudyError
from sweep.inputs import inputs_with_origins
from sweep.plan import kept_rows, plan
from sweep.space import Chunks
from sweep.study import Study

HUGE = """\
study: huge
workload: {train: llama-3.1-405b, tokens: 15.6e12, global_batch: 2048, sequence: 8192, precision: bf16}
levers:
  system: [cloudmatrix384, gb200-nvl72]
  domains: {from: 1, to: 200, steps: 200}
scenarios:
  power_price: {linspace: [0.02, 0.20], steps: 5000, unit: USD/kWh}
  wacc: {linspace: [0.02, 0.20], steps: 1000}
  utilisation: {linspace: [0.1, 0.9], steps: 250}
  chip_price: {linspace: [0.5, 2], steps: 4, times: true}
"""
SCRIPT = """
import json, sys, tracemalloc
from pathlib import Path
from sweep.plan import plan
from sweep.study import open_study
tracemalloc.start()
study, catalogue = open_study(Path(sys.argv[1]))
found = plan(study, catalogue)
heavy = [name for name in ("ray", "scipy.stats", "optuna", "duckdb", "pandas", "rich") if name in sys.modules]
print(json.dumps({"designs": found.designs, "peak": tracemalloc.get_traced_memory()[1], "heavy": heavy}))
"""


def listed(study: Study) -> int:
    """Count by looking at every design."""
    found = 0
    for number in range(study.space.size):
        design = study.space.design(number)
        block, _ = study.space.locate(number)
        times = {name for axis in block.axes for name in axis.times}
        values = inputs_with_origins(study, catalogue(), design, {}, times).values
        found += all(bool(condition.evaluate(values)) for condition in study.where)
    return found


@pytest.mark.parametrize(
    "where",
    [
        "domains >= 11",
        "system == 'gb200-nvl72' or domains < 5",
        "domains * scale_up_size <= 3500",
        "power_price > 0.1 USD/kWh and wacc < 0.08",
        "power_price * wacc < 0.005 USD/kWh",
        "scale_up_bandwidth >= 400 GB/s",
        "chip_price * power_usage_effectiveness > 30000 USD",
        "region == 'us-texas' and power_price < 0.1 USD/kWh and domains != 11",
        "staff_multiplier < 2",
        "domains > 0",
    ],
)
def test_counting_is_exact_for_any_condition_on_a_small_study(tmp_path: Path, where: str) -> None:
    study = load_text(tmp_path, SMALL + f'where: "{where}"\n')
    count = count_rows(study, catalogue())
    assert count.exact
    assert count.rows == listed(study)


def test_conditions_on_different_axes_are_counted_exactly_in_a_huge_study(tmp_path: Path) -> None:
    where = 'where: ["domains <= 50", "wacc < 0.1101", "utilisation > 0.5"]\n'
    study = load_text(tmp_path, HUGE + where)
    count = count_rows(study, catalogue())
    wacc = sum(0.02 + 0.18 * step / 999 < 0.1101 for step in range(1000))
    assert count.exact
    assert count.rows == 2 * 50 * 5000 * wacc * 125 * 4


def test_a_condition_that_ties_large_axes_is_sampled_and_says_so(tmp_path: Path) -> None:
    # power_price and wacc run over the same numbers: wacc is the smaller in half of all pairs, ties apart
    study = load_text(tmp_path, HUGE + 'where: ["power_price / 1 USD/kWh > wacc"]\n')
    count = count_rows(study, catalogue())
    assert not count.exact
    assert count.low < count.rows < count.high
    assert count.rows == pytest.approx(study.space.size / 2, rel=0.02)
    assert (count.high - count.low) / study.space.size < 0.02
    assert count_rows(study, catalogue()) == count


def test_a_huge_study_that_nothing_passes_in_a_sample_still_has_an_upper_bound(tmp_path: Path) -> None:
    study = load_text(tmp_path, HUGE + 'where: ["power_price / 1 USD/kWh * wacc * utilisation > 0.0359"]\n')
    count = count_rows(study, catalogue())
    assert count.rows == 0
    assert 0 < count.high < study.space.size / 10


def test_an_empty_study_is_an_error_that_names_the_condition(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL + "where: domains > 100\n")
    with pytest.raises(StudyError) as caught:
        require_designs(study, catalogue())
    problem = caught.value.problems[0]
    assert problem.where == f"{tmp_path / 'study.yaml'}:15"
    assert "leaves none of 576 designs; loosen domains > 100" in problem.message


def test_plan_of_a_small_study(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL + "where: domains > 3\nrows_per_part: 100\n")
    found = plan(study, catalogue())
    cell_count = sum(1 for chunk in Chunks(study.space, 10**6) for _ in cells(chunk))
    assert (found.designs, found.rows.rows, found.kept) == (576, 384, 384)
    assert found.cells == cell_count == 6
    assert found.chunks == len(Chunks(study.space, 100))
    assert found.columns == len(study_columns(study))
    assert found.core_seconds > 0
    assert found.bytes > 384
    assert found.seconds(2) == pytest.approx(found.core_seconds / 2)
    json.dumps(found.as_dict())


def test_first_rows_are_designs_that_pass_where_with_their_own_ids(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL + "where: domains > 3 and power_price > 0.05 USD/kWh\n")
    rows = plan(study, catalogue()).first_rows.to_pylist()
    assert rows
    for row in rows:
        design = study.space.design(row["design"])
        assert row["domains"] == design["domains"] > 3
        assert row["power_price"] == design["power_price"]
        assert row["status"] == "ok"


def test_facts_that_keep_columns_empty_are_named(tmp_path: Path) -> None:
    assert plan(load_text(tmp_path, SMALL), catalogue()).unknown == {}
    text = changed("[cloudmatrix384, gb200-nvl72]", "[trn1-instance, gb200-nvl72]")
    text = text.replace("  cloudmatrix384: {staff_multiplier: [1, 3, 5]}\n", "")
    (system,), (lacking,) = zip(*plan(load_text(tmp_path, text), catalogue()).unknown.items(), strict=True)
    assert system == "trn1-instance"  # no power and no price of it is published
    assert {"chip_power", "chip_price"} <= set(lacking)
    known = ", ".join(f"{name}: 1 {quantities()[name].unit}" for name in lacking)
    study = load_text(tmp_path, text + f"facts: {{{system}: {{{known}}}}}\n")
    assert plan(study, catalogue()).unknown == {}


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("all", 576),
        ("best", 4 * 2 * 2 * 3 + 4 * 2 * 2),
        ("top 3", 3 * (4 * 2 * 2 * 3 + 4 * 2 * 2)),
        ("sample 0.1", math.ceil(576 * 0.1)),
        ("pareto [cost_per_token, time_to_train]", None),
    ],
)
def test_kept_rows(tmp_path: Path, keep: str, expected: int | None) -> None:
    assert kept_rows(load_text(tmp_path, SMALL + f"keep: {keep}\n"), 576) == expected


def test_no_kept_rows_beyond_those_there_are(tmp_path: Path) -> None:
    assert kept_rows(load_text(tmp_path, changed("domains: [3, 11, 45]", "domains: 3") + "keep: top 99\n"), 384) == 384


def test_a_trillion_designs_take_little_memory_and_no_ray(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(HUGE + 'derive: {chips: domains * scale_up_size}\nwhere: ["chips <= 16384"]\n')
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["designs"] == 2_000_000_000_000
    assert found["peak"] < 150e6  # one piece of 131,072 designs with its columns, whatever the size of the study
    assert found["heavy"] == []
