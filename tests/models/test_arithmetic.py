"""Division, rounding and counts pass unknown values on, and the stages run on the little that a notebook gives them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arithmetic import number_or, ratio, round_up, whole
from models.economics import economics_stage
from models.export_control import rules_stage
from models.fabric import fabric_stage
from models.power import power_stage
from models.reliability import reliability_stage


def test_ratio_is_unknown_where_nothing_is_made() -> None:
    quotient = ratio(np.asarray([6.0, 6.0, 6.0, np.nan]), np.asarray([2.0, 0.0, np.nan, 2.0]))
    assert quotient[0] == 3
    assert np.isnan(quotient[1:]).all()


@given(ports=st.integers(1, 10**6), rate=st.floats(1e6, 1e12))
def test_round_up_forgives_the_last_bit(ports: int, rate: float) -> None:
    assert round_up(np.asarray(ports * rate / rate * (1 + 1e-12))) == ports
    assert round_up(np.asarray(ports + 0.5)) == ports + 1


def test_counts_are_integers_unless_one_is_unknown() -> None:
    assert whole(np.asarray([1.0, 2.0])).dtype == np.int64
    assert whole(np.asarray([1.0, np.nan])).dtype == np.float64


def test_absent_and_null_are_neutral() -> None:
    assert number_or({}, "import_tariff", 0.0) == number_or({"import_tariff": None}, "import_tariff", 0.0) == 0
    assert number_or({"import_tariff": 0.25}, "import_tariff", 0.0) == 0.25


NEUTRAL = {"nic_failures", "switch_failures", "fans_power", "storage_cost"}
"""Parts that are in other ones, and so zero, unless a study sets their rate, power or price."""


@pytest.mark.parametrize("phase", ["train", "serve"])
def test_stages_run_on_counts_alone_and_claim_nothing(phase: str) -> None:
    known = {"phase": phase, "precision": "fp8", "domains": 4, "scale_up_size": 72, "chips_used": 256}
    known |= rules_stage(known)
    known |= fabric_stage(known)
    for stage in (reliability_stage, power_stage, economics_stage):
        outputs = stage(known)
        assert all((outputs[name] == 0).all() for name in NEUTRAL & set(outputs)), stage
        claims = {name: value for name, value in outputs.items() if name not in NEUTRAL | {"status", "reason"}}
        assert all(np.isnan(value).all() for value in claims.values()), stage
        known |= outputs
    assert known["chips"] == 288
    assert np.isnan(known["scale_up_switch_chips"])
