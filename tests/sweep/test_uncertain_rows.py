"""Rows of studies with uncertain inputs: quantile columns, rows per draw, the mapping, the same numbers anywhere."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from study_files import catalogue, load_text
from uncertain_studies import HEAD, STUDY, price_only, with_twin

from sweep.dataset.columns import arrow_schema
from sweep.engine import evaluate_chunk
from sweep.engine.columns import study_columns
from sweep.errors import StudyError
from sweep.explain import explain
from sweep.plan import plan
from sweep.space import Chunks
from sweep.uncertain.statistics import Statistic, summarised

PRICE = stats.triang(0.25, 0.04, 0.08)
"""The triangular price of 0.04, 0.06 and 0.12 USD/kWh."""

QUANTILES = [Statistic("p05", 0.05), Statistic("p50", 0.5), Statistic("p95", 0.95), Statistic("mean", None)]


def rows_of(study, known=None, rows_per_chunk=10_000):
    """Every row of a study in the order of its ids, computed chunk by chunk from the last to the first."""
    columns = study_columns(study)
    schema = arrow_schema(columns, study.float_type, {})
    chunks = Chunks(study.space, rows_per_chunk)
    found = [
        evaluate_chunk(study, known or catalogue(), chunks[number], columns, schema).table.to_pylist()
        for number in reversed(range(chunks.count))
    ]
    return [row for part in reversed(found) for row in part]


def column(rows, name, **wanted):
    kept = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return np.array([row[name] for row in kept], dtype=np.float64)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The study with its rows, by design and by draw."""
    folder = tmp_path_factory.mktemp("drawn")
    study, raw = load_text(folder, STUDY), load_text(folder, STUDY + "keep: draws\n")
    return study, rows_of(study), raw, rows_of(raw)


def test_an_affine_cost_has_the_quantiles_of_its_price(tmp_path):
    """cost = a + b price: its quantile is a + b times that of the price, within four standard errors."""
    draws = 4000
    study = load_text(tmp_path, price_only(draws).replace("domains: [40, 66]", "domains: [66]"))
    cheap, dear = (
        explain(study, catalogue(), 0, [f"power_price={price} USD/kWh"]).outputs["cost_to_train"].value
        for price in (0.05, 0.10)
    )
    slope = (dear - cheap) / 0.05
    row = rows_of(study)[0]
    for share in (0.05, 0.5, 0.95):
        price = PRICE.ppf(share)
        error = 4 * math.sqrt(share * (1 - share) / draws) / PRICE.pdf(price)
        expected = cheap + slope * (price - 0.05)
        assert row[f"cost_to_train_p{100 * share:02.0f}"] == pytest.approx(expected, abs=slope * error)
    mean_error = 4 * PRICE.std() / math.sqrt(draws)
    assert row["cost_to_train_mean"] == pytest.approx(cheap + slope * (PRICE.mean() - 0.05), abs=slope * mean_error)
    assert row["cost_to_train"] == pytest.approx(cheap + slope * 0.01, rel=1e-12)  # at the mode, 0.06


def test_quantile_columns_are_those_of_the_rows_of_draws(drawn):
    _, rows, raw, draws = drawn
    names = ("cost_to_train", "step_time", "facility_power", "time_to_train")
    for number, row in enumerate(rows):
        here = draws[number * 300 : (number + 1) * 300]
        assert [each["draw"] for each in here] == list(range(300))
        for name in names:
            values = column(here, name)
            for share, suffix in ((0.05, "p05"), (0.5, "p50"), (0.95, "p95")):
                assert row[f"{name}_{suffix}"] == pytest.approx(np.quantile(values, share), rel=1e-12)
            assert row[f"{name}_mean"] == pytest.approx(values.mean(), rel=1e-12)
    assert raw.uncertain.rows == "draws"


def test_rows_of_draws_say_what_was_drawn(drawn):
    study, _, _, draws = drawn
    values = study.uncertain.drawn(0, 300)
    here = [row for row in draws if row["system"] == "cloudmatrix384"][:300]
    assert column(here, "power_price") == pytest.approx(values["power_price"], rel=1e-15)
    assert column(here, "system_power") == pytest.approx(values["cloudmatrix384.system_power"], rel=1e-15)


def test_what_no_input_moves_has_one_value_in_every_draw(drawn):
    _, rows, _, _ = drawn
    row = next(row for row in rows if row["system"] == "gb200-nvl72")
    assert {row[f"facility_power_{name}"] for name in ("mean", "p05", "p50", "p95")} == {row["facility_power"]}


def test_power_of_the_system_reaches_the_power_of_the_facility(drawn):
    """The host power is what the published total leaves: facility power follows the total in proportion."""
    _, _, _, draws = drawn
    here = [row for row in draws if row["system"] == "cloudmatrix384"][:300]
    power, total = column(here, "facility_power"), column(here, "system_power")
    slope = np.diff(np.unique(power)) / np.diff(np.unique(total))
    assert slope == pytest.approx(np.full(slope.shape, slope[0]), rel=1e-9)
    assert slope[0] > 0


@pytest.mark.parametrize("per_chunk", [1, 7, 100])
def test_rows_do_not_depend_on_the_chunks(drawn, per_chunk):
    study, rows, raw, draws = drawn
    assert rows_of(study, rows_per_chunk=per_chunk) == rows
    if per_chunk == 100:
        assert rows_of(raw, rows_per_chunk=per_chunk) == draws


def test_a_worker_draws_the_same(drawn):
    study, rows, _, _ = drawn
    assert rows_of(pickle.loads(pickle.dumps(study))) == rows


def test_identical_systems_differ_by_exactly_nothing(tmp_path):
    text = STUDY.replace(
        "    cloudmatrix384:\n", "    staff_cost: {uniform: [0.5, 2], times: true}\n    cloudmatrix384:\n"
    )
    text = text.split("    cloudmatrix384:\n")[0] + "keep: draws\n"
    study, known = with_twin(tmp_path, text.replace("region: [own, us-texas]", "power_usage_effectiveness: [1.2]"))
    rows = rows_of(study, known)
    twin, other = (column(rows, "cost_to_train", system=name) for name in ("twin", "gb200-nvl72"))
    assert np.unique(twin).size > 100
    assert np.array_equal(twin, other)


def test_prices_do_not_move_the_mapping(tmp_path):
    nominal = rows_of(load_text(tmp_path, price_only(50)))
    each = rows_of(load_text(tmp_path, price_only(50, "  mapping: each\n")))
    assert nominal == each


SPEEDS = """\
    scale_out_efficiency: {uniform: [0.2, 1], times: true}
    hbm_capacity: {uniform: [0.7, 1], times: true}
"""


def test_the_mapping_stays_the_nominal_one_or_is_the_best_of_each_draw(tmp_path):
    text = price_only(60).replace("[40, 66]", "[8, 66]") + SPEEDS + "keep: draws\n"
    fixed = rows_of(load_text(tmp_path, text))
    free = rows_of(load_text(tmp_path, text.replace("model_error: false", "model_error: false\n  mapping: each")))
    assert {row["mapping"] for row in free} > {row["mapping"] for row in fixed if row["mapping"]}
    by_design = [fixed[start : start + 60] for start in range(0, len(fixed), 60)]
    for rows in by_design:
        assert len({row["mapping"] for row in rows if row["status"] == "ok"}) <= 1
    both = [(a, b) for a, b in zip(fixed, free, strict=True) if a["status"] == "ok"]
    assert all(b["step_time"] <= a["step_time"] * (1 + 1e-12) for a, b in both)
    assert any(b["step_time"] < 0.99 * a["step_time"] for a, b in both)
    lost = [b for a, b in zip(fixed, free, strict=True) if a["status"] != "ok"]
    assert any(row["status"] == "ok" for row in lost)  # memory that the nominal mapping lacks, another does not need


def test_a_requirement_holds_in_a_share_of_the_draws(tmp_path):
    text = STUDY + "require: facility_power <= 45 MW\n"
    rows = rows_of(load_text(tmp_path, text))
    draws = rows_of(load_text(tmp_path, text + "keep: draws\n"))
    shares = set()
    for number, row in enumerate(rows):
        ok = [each["status"] == "ok" for each in draws[number * 300 : (number + 1) * 300]]
        assert row["probability_feasible"] == pytest.approx(np.mean(ok), abs=1e-15)
        shares.add(row["probability_feasible"])
        costs = [each["cost_to_train"] for each in draws[number * 300 : (number + 1) * 300] if each["status"] == "ok"]
        expected = np.quantile(costs, 0.5) if costs else None
        assert row["cost_to_train_p50"] == (None if expected is None else pytest.approx(expected, rel=1e-12))
    assert any(0 < share < 1 for share in shares)


def test_explaining_a_draw_gives_the_row_of_that_draw(drawn):
    study, _, _, draws = drawn
    found = explain(study, catalogue(), 1, draw=7)
    row = draws[300 + 7]
    assert found.outputs["cost_to_train"].value == pytest.approx(row["cost_to_train"], rel=1e-15)
    assert found.outputs["mapping"].value == row["mapping"]
    drawn_inputs = {each.name: each for each in found.inputs if each.kind == "uncertain"}
    assert set(drawn_inputs) == {"power_price", "chip_price", "system_power", "step_time_factor"}
    assert drawn_inputs["power_price"].value == pytest.approx(row["power_price"], rel=1e-15)


def test_explaining_without_a_draw_gives_the_row_at_nominal_values(drawn):
    study, rows, _, _ = drawn
    explained = explain(study, catalogue(), 1).outputs["cost_to_train"].value
    assert explained == pytest.approx(rows[1]["cost_to_train"], rel=1e-14)  # powers of scalars and of arrays


def test_a_draw_that_does_not_exist_is_an_error(drawn, tmp_path):
    with pytest.raises(StudyError, match="draws run from 0 to 299"):
        explain(drawn[0], catalogue(), 0, draw=300)
    with pytest.raises(StudyError, match="needs a study with uncertain inputs"):
        explain(load_text(tmp_path, HEAD), catalogue(), 0, draw=0)


def test_columns_say_which_statistic_they_are_of(drawn):
    study = drawn[0]
    schema = arrow_schema(study_columns(study), study.float_type, {})
    about = schema.field("cost_to_train_p05").metadata
    assert (about[b"unit"], about[b"statistic"], about[b"of"]) == (b"MUSD", b"0.05", b"cost_to_train")
    assert schema.field("cost_to_train_mean").metadata[b"statistic"] == b"mean"
    assert schema.field("probability_feasible").metadata[b"statistic"] == b"feasible"


def test_plan_counts_designs_not_draws(drawn):
    found = plan(drawn[0], catalogue())
    assert (found.designs, found.rows.rows) == (8, 8)
    assert plan(drawn[2], catalogue()).designs == 8 * 300


@given(st.data())
def test_statistics_are_those_of_the_draws_that_count(data):
    shape = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 9)))
    numbers = st.floats(-1e6, 1e6) | st.just(math.nan)
    size = shape[0] * shape[1]
    values = np.array(data.draw(st.lists(numbers, min_size=size, max_size=size))).reshape(shape)
    feasible = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))).reshape(shape)
    found = summarised(values, feasible, QUANTILES)
    for row in range(shape[0]):
        kept = values[row][feasible[row] & np.isfinite(values[row])]
        for each in QUANTILES:
            value = found[each.suffix][row]
            if not kept.size:
                assert math.isnan(value)
            else:
                expected = kept.mean() if each.share is None else np.quantile(kept, each.share)
                assert value == pytest.approx(expected, rel=1e-9, abs=1e-6)
        assert not found["p05"][row] > found["p50"][row]


INPUTS = "inputs: what follows from an input lies outside its bounds, such as a chip or a host below zero"


def test_a_swept_price_that_leaves_less_than_nothing_for_a_chip_is_infeasible_with_its_reason(tmp_path):
    """1 MUSD for 384 chips is less than their share of the fabric, 4,672 USD each."""
    text = HEAD.replace("scenarios:", "scenarios:\n  cloudmatrix384: {system_price: {values: [1, 8], unit: MUSD}}")
    study = load_text(tmp_path, text.replace("[step_time,", "[chip_price, step_time,"))
    rows = [row for row in rows_of(study) if row["system"] == "cloudmatrix384"]
    for row in rows:
        low = row["system_price"] == 1e6
        assert (row["status"], row["reason"]) == (("infeasible", INPUTS) if low else ("ok", None))
        assert (row["chip_price"] < 0) == low
        assert (row["cost_to_train"] is None) == low
    assert {row["system_price"] for row in rows} == {1e6, 8e6}
    told = explain(study, catalogue(), rows[0]["design"]).outputs
    assert (told["status"].value, told["reason"].value) == ("infeasible", INPUTS)


def test_draws_that_leave_less_than_nothing_are_no_feasible_draws(tmp_path):
    price = "cloudmatrix384: {system_price: {choice: [1 MUSD, 8200 kUSD], weights: [0.25, 0.75]}}"
    study = load_text(tmp_path, HEAD + f"uncertain:\n  draws: 2000\n  model_error: false\n  inputs:\n    {price}\n")
    for row in rows_of(study):
        if row["system"] == "cloudmatrix384":
            assert row["probability_feasible"] == pytest.approx(0.75, abs=4 * math.sqrt(0.25 * 0.75 / 2000))
            assert row["cost_to_train_p05"] == pytest.approx(row["cost_to_train"], rel=1e-9)
        else:
            assert row["probability_feasible"] == 1
