"""What draws power in which phase, and the laws that hold at any numbers.

Published budgets are in test_worked_examples_machine.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from money_cases import DRAWING

from models.power import YEAR, power_stage


def test_every_part_adds_to_the_peak() -> None:
    metrics = power_stage(DRAWING)
    network = 72 * 100 + 72 * 25 + 5 * 747 + 288 * 9.5
    assert metrics["network_power"] == pytest.approx(network)
    assert metrics["it_power_peak"] == pytest.approx(72 * 1600 + network)
    assert metrics["facility_power"] == pytest.approx(1.35 * (72 * 1600 + network))


def test_idle_chips_draw_idle_power() -> None:
    used, bought = power_stage(DRAWING | {"chips_used": 64}), power_stage(DRAWING)
    assert bought["it_power"] - used["it_power"] == pytest.approx(8 * 0.9 * 1200)
    assert bought["it_power_peak"] == used["it_power_peak"]


def test_idle_time_stops_chips_and_nothing_else() -> None:
    """72 chips at 120 W, their hosts at 0.76 of 400 W as at work, fans of 50 W, fabrics at full power; losses and PUE.

    Chips 8,640 W, hosts 21,888 W, fans 3,600 W, fabrics 7,200 + 1,800 + 3,735 + 2,736 W: 49,599 W of 106,623 W at work.
    """
    known = DRAWING | {"train_power_fraction": 0.76, "fan_power": 50.0, "power_conversion_efficiency": 0.95}
    idle = power_stage(known | {"utilisation": 0.0})
    assert idle["annual_energy"] == pytest.approx(1.35 * YEAR * 49_599 / 0.95)
    work = 72 * 0.76 * 1200 - 72 * 120 + 49_599
    half = power_stage(known | {"utilisation": 0.5})
    assert half["annual_energy"] == pytest.approx(1.35 * YEAR * (0.5 * work + 0.5 * 49_599) / 0.95)


def test_a_cap_below_the_idle_draw_holds_for_idle_time_too() -> None:
    caps = {"power_cap": np.asarray([1.0, 0.4, 0.2]), "idle_power_fraction": 0.3, "utilisation": 0.0}
    metrics = power_stage(DRAWING | caps)
    rest = 72 * 400 + 7200 + 1800 + 3735 + 2736
    assert metrics["annual_energy"] == pytest.approx(1.35 * YEAR * (72 * 1200 * np.asarray([0.3, 0.3, 0.2]) + rest))


def test_a_machine_without_work_is_one_whose_chips_all_idle() -> None:
    known = DRAWING | {"train_power_fraction": 0.76}
    all_idle = power_stage(known | {"chips_used": 0})
    idle = power_stage(known | {"chips_used": 64, "utilisation": 0.0})
    assert idle["annual_energy"] == pytest.approx(1.35 * YEAR * all_idle["it_power"])


def test_a_faster_scale_up_fabric_draws_more_in_proportion() -> None:
    metrics = power_stage(DRAWING | {"scale_up_bandwidth": 900e9 * np.asarray([0.0, 1.0, 2.0])})
    assert np.diff(metrics["network_power"]) == pytest.approx([7200, 7200])


def test_serving_weighs_prefill_and_decode_by_their_chips() -> None:
    split = power_stage(DRAWING | {"phase": "serve", "prefill_chips": 18, "decode_chips": 54})
    assert split["chip_power_mean"] == pytest.approx(1200 * (0.25 * 0.9 + 0.75 * 0.5))
    assert "energy_to_train" not in split


def test_hosts_follow_their_chips_in_training_and_prefill_but_not_in_decode() -> None:
    """The fractions of training and prefill are of whole servers (8.4 of 10.2 kW), that of decode is of the chip."""
    network = power_stage(DRAWING)["network_power"]
    training = power_stage(DRAWING | {"train_power_fraction": 0.76})
    assert training["it_power"] == pytest.approx(72 * 0.76 * 1600 + network)
    split = power_stage(DRAWING | {"phase": "serve", "prefill_chips": 18, "decode_chips": 54})
    assert split["it_power"] == pytest.approx(18 * 0.9 * 1600 + 54 * (0.5 * 1200 + 400) + network)
    decode = power_stage(DRAWING | {"phase": "serve"})
    assert decode["it_power"] == pytest.approx(72 * (0.5 * 1200 + 400) + network)


def test_serving_without_a_split_draws_decode_power() -> None:
    assert power_stage(DRAWING | {"phase": "serve"})["chip_power_mean"] == 600


def test_no_tokens_have_no_energy_each() -> None:
    assert np.isnan(power_stage(DRAWING | {"goodput": 0.0})["energy_per_token"])


def test_unknown_chip_power_leaves_the_network_known() -> None:
    metrics = power_stage({name: value for name, value in DRAWING.items() if name != "chip_power"})
    assert np.isnan(metrics["facility_power"])
    assert metrics["network_power"] > 0


@given(
    used=st.integers(0, 72),
    pue=st.floats(1, 3),
    goodput=st.floats(0.01, 1),
    fraction=st.floats(0, 1),
    utilisation=st.floats(0, 1),
)
def test_facility_takes_at_least_the_it_energy(
    used: int, pue: float, goodput: float, fraction: float, utilisation: float
) -> None:
    known = DRAWING | {"chips_used": used, "power_usage_effectiveness": pue, "goodput": goodput}
    metrics = power_stage(known | {"train_power_fraction": fraction, "utilisation": utilisation})
    assert metrics["energy_per_token"] >= metrics["it_power"] / known["tokens_per_second"]
    assert metrics["energy_to_train"] >= metrics["it_power"] * known["time_to_train"]
    assert metrics["facility_power"] >= metrics["it_power_peak"] >= metrics["it_power"] * (1 - 1e-12)
    assert metrics["annual_energy"] <= metrics["facility_power"] * YEAR * (1 + 1e-12)


PARTS = ("compute", "hosts", "fans", "scale_up", "scale_out", "optics")


@given(
    phase=st.sampled_from(["train", "serve"]),
    efficiency=st.floats(0.5, 1),
    fan=st.floats(0, 200),
    cap=st.floats(0.2, 1),
    used=st.integers(1, 72),
)
def test_parts_add_to_the_mean_power_and_no_part_exceeds_the_peak(
    phase: str, efficiency: float, fan: float, cap: float, used: int
) -> None:
    known = DRAWING | {"phase": phase, "prefill_chips": 0.25 * used, "decode_chips": 0.75 * used, "chips_used": used}
    known |= {"power_conversion_efficiency": efficiency, "fan_power": fan, "power_cap": cap}
    metrics = power_stage(known)
    parts = sum(metrics[f"{part}_power"] for part in PARTS)
    assert parts + metrics["conversion_loss"] == pytest.approx(metrics["it_power"])
    assert parts == pytest.approx(efficiency * metrics["it_power"])
    assert metrics["it_power"] <= metrics["it_power_peak"] * (1 + 1e-12)
    assert metrics["network_power"] == pytest.approx(sum(metrics[f"{part}_power"] for part in PARTS[3:]))


def test_fans_and_conversion_are_added_to_every_other_part() -> None:
    """``(chips + hosts + network + fans) / efficiency``, as in the budget of a system."""
    plain = power_stage(DRAWING)
    whole = power_stage(DRAWING | {"fan_power": 50.0, "power_conversion_efficiency": 0.95})
    assert whole["it_power_peak"] == pytest.approx((plain["it_power_peak"] + 72 * 50) / 0.95)
    assert whole["it_power"] == pytest.approx((plain["it_power"] + 72 * 50) / 0.95)


def test_a_cap_clips_compute_bound_power_and_decode_only_below_its_draw() -> None:
    """Decode draws 137-300 of the 700 W of an H200, and a cap above that never triggers (arXiv:2605.11999).

    In training matrix units run 0.66 / 0.9 of the time; with clocks in proportion to the cap that is 11/12 and 11/6.
    """
    caps = {"power_cap": np.asarray([1.0, 0.8, 0.4])}
    training = power_stage(DRAWING | caps | {"train_power_fraction": 0.76})
    part = 0.66 / 0.9
    clipped = [(part + (1 - part) * 0.1) / (part / cap + 1 - part) for cap in (0.8, 0.4)]
    assert training["chip_power_mean"] == pytest.approx(1200 * np.asarray([0.76, *clipped]))
    assert np.diff(training["it_power_peak"]) == pytest.approx(72 * 1200 * np.diff(caps["power_cap"]))
    assert training["hosts_power"] == pytest.approx(72 * 400 * 0.76)
    decode = power_stage(DRAWING | caps | {"phase": "serve"})
    assert decode["chip_power_mean"] == pytest.approx([600, 600, 480])


@given(prefill=st.integers(1, 71), cap=st.floats(0.2, 1), efficiency=st.floats(0.5, 1), used=st.sampled_from([64, 72]))
def test_energy_of_input_and_output_tokens_is_the_whole_energy(
    prefill: int, cap: float, efficiency: float, used: int
) -> None:
    known = DRAWING | {"phase": "serve", "prefill_chips": prefill, "decode_chips": 72 - prefill, "power_cap": cap}
    known |= {"input_tokens_per_second": 4e5, "goodput": 0.9, "power_conversion_efficiency": efficiency}
    metrics = power_stage(known | {"chips_used": used})
    spent = 4e5 * metrics["energy_per_input_token"] + 1e5 * metrics["energy_per_output_token"]
    assert 0.9 * spent == pytest.approx(1.35 * metrics["it_power"])


def test_chips_that_do_both_have_no_split_of_energy() -> None:
    metrics = power_stage(DRAWING | {"phase": "serve", "input_tokens_per_second": 4e5})
    assert np.isnan(metrics["energy_per_input_token"])
    assert metrics["energy_per_token"] > 0
