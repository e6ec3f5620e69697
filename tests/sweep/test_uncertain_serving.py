"""Serving with uncertain speeds: the layouts stay, the operating point follows."""

from __future__ import annotations

import numpy as np
from study_files import load_text
from test_uncertain_rows import rows_of

SERVING = """\
study: serving-uncertain
workload: {serve: llama-3-70b, precision: fp8, input_tokens: 2048, output_tokens: 512}
levers: {system: [gb200-nvl72], domains: [1]}
scenarios: {time_per_output_token_limit: [20 ms, 100 ms]}
objective: {minimize: cost_per_token}
columns: [tokens_per_second, time_per_output_token, cost_per_token, mapping]
keep: draws
uncertain:
  draws: 40
  mapping: MAPPING
  inputs:
    hbm_bandwidth: {uniform: [0.5, 1], times: true}
    step_time_factor: {lognormal: {median: 1, sigma: 0.3}}
"""


def test_layouts_stay_those_of_the_nominal_values_and_are_never_faster(tmp_path):
    fixed = rows_of(load_text(tmp_path, SERVING.replace("MAPPING", "nominal")))
    free = rows_of(load_text(tmp_path, SERVING.replace("MAPPING", "each")))
    for start in (0, 40):
        assert len({row["mapping"] for row in fixed[start : start + 40] if row["status"] == "ok"}) == 1
    assert len({row["mapping"] for row in free}) > 2
    pairs = [(a, b) for a, b in zip(fixed, free, strict=True) if a["status"] == "ok"]
    assert all(b["tokens_per_second"] >= a["tokens_per_second"] * (1 - 1e-12) for a, b in pairs)


def test_slower_passes_serve_fewer_tokens(tmp_path):
    text = SERVING.replace("MAPPING", "each").replace("    hbm_bandwidth: {uniform: [0.5, 1], times: true}\n", "")
    rows = [row for row in rows_of(load_text(tmp_path, text))[:40] if row["status"] == "ok"]
    order = np.argsort([row["step_time_factor"] for row in rows])
    rates = np.array([rows[place]["tokens_per_second"] for place in order])
    assert (np.diff(rates) <= rates[:-1] * 1e-9).all()
    assert rates[0] > 1.5 * rates[-1]
