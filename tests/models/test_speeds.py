"""Speeds of a rank from the facts of a chip and its fabric, and what calibration makes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_facts import CLOUDMATRIX, DEEPSEEK_V3, DGX_H100, HAND, KERNELS, LLAMA_8B, NVL72

from models.coefficients import prior_coefficients
from models.inputs import ModelInputError
from models.speeds import (
    HOST_BANDWIDTH,
    MATRIX_FORMATS,
    calibrated,
    coefficients_of,
    curves_of,
    machine_of,
    software_age,
    speeds_of,
)

H100 = NVL72 | {"coefficients": HAND}


def test_oversubscription_divides_the_interfaces():
    plain, thin = (machine_of(NVL72 | {"oversubscription": factor}, "bf16").fabric for factor in (1.0, 4.0))
    assert thin.out_rate.item() == plain.out_rate.item() / 4
    assert thin.up_rate.item() == plain.up_rate.item()


def test_scores_and_head_run_in_the_wide_format():
    machine = machine_of(H100, "fp8")
    assert machine.matrix_peak.item() == 5000e12
    assert machine.matrix_rate.item() == pytest.approx(5000e12 * 0.55 * HAND.narrow_rate)
    assert machine.head_rate.item() == pytest.approx(2500e12 * 0.63 * HAND.product_rate)
    assert machine.score_rate.item() == pytest.approx(2500e12 * 0.62 * HAND.score_rate)
    wide = machine_of(H100, "bf16")
    assert wide.matrix_rate.item() == pytest.approx(2500e12 * 0.63 * HAND.product_rate)


@pytest.mark.parametrize(("precision", "peak", "efficiency"), [("bf16", 2500e12, 0.95), ("fp8", 5000e12, 0.9)])
def test_no_product_beats_the_peak_of_its_format(precision, peak, efficiency):
    fast = replace(HAND, product_rate=1.1, narrow_rate=1.2)
    known = NVL72 | {f"gemm_efficiency_{precision}": efficiency, "coefficients": fast}
    assert machine_of(known, precision).matrix_rate.item() == peak
    known |= {f"gemm_efficiency_{precision}": 0.5}
    inside = fast.product_rate if precision == "bf16" else fast.narrow_rate
    assert machine_of(known, precision).matrix_rate.item() == pytest.approx(peak * 0.5 * inside)


def test_a_chip_without_bf16_computes_scores_in_fp16():
    machine = machine_of({name: value for name, value in H100.items() if name != "peak_bf16"}, "fp8")
    assert machine.score_rate.item() == pytest.approx(2500e12 * 0.62 * HAND.score_rate)


def test_a_format_that_the_chip_lacks_has_no_rate():
    assert np.isnan(machine_of(H100, "fp4").matrix_rate.item())


def test_a_device_of_a_package_has_its_share_of_everything_but_time():
    whole = speeds_of(CLOUDMATRIX | {"host_bandwidth": 32e9}, "bf16")
    half = speeds_of(CLOUDMATRIX | {"host_bandwidth": 32e9, "devices_per_chip": 2}, "bf16")
    for name in ("matrix_peak", "matrix_rate", "head_rate", "score_rate", "memory_rate", "host_rate"):
        assert getattr(half, name).item() == getattr(whole, name).item() / 2, name
    assert half.fabric.up_rate.item() == whole.fabric.up_rate.item() / 2
    assert half.fabric.out_rate.item() == whole.fabric.out_rate.item() / 2
    assert half.launch.item() == whole.launch.item()
    assert half.fabric.up_latency.item() == whole.fabric.up_latency.item()


def test_the_link_to_the_host_is_that_of_the_chip_or_the_usual_one():
    assert speeds_of(NVL72, "bf16").host_rate.item() == HOST_BANDWIDTH
    assert speeds_of(NVL72 | {"host_bandwidth": 450e9}, "bf16").host_rate.item() == 450e9


def test_latent_attention_has_an_efficiency_of_its_own_where_it_is_known():
    def rate(**facts: object) -> float:
        return speeds_of(NVL72 | facts, "bf16").score_rate.item()

    assert rate(shape=DEEPSEEK_V3, latent_attention_efficiency=0.5) == pytest.approx(2500e12 * 0.5)
    assert rate(shape=LLAMA_8B, latent_attention_efficiency=0.5) == pytest.approx(2500e12 * 0.62)
    assert rate(shape=DEEPSEEK_V3) == pytest.approx(2500e12 * 0.62)


def test_software_ages_in_half_years_and_is_never_younger_than_new():
    ages = software_age({"software_date": np.asarray([2024.0, 2026.0, 2026.5, 2030.0])})
    assert ages.tolist() == [5.0, 1.0, 0.0, 0.0]
    assert software_age({}).item() == 0.0
    machine = machine_of(H100 | {"software_date": 2024.0}, "bf16")
    assert machine.mixture_age.item() == pytest.approx(1 + 5 * HAND.mixture_drift)


def test_captured_graphs_save_their_part_of_the_host():
    for share, left in ((0.0, 1.0), (0.5, 1 - HAND.graph_saving / 2), (1.0, 1 - HAND.graph_saving)):
        assert machine_of(H100 | {"captured_graphs": share}, "bf16").eager.item() == pytest.approx(left)


def test_speeds_are_calibrated_by_what_is_given_and_by_priors_where_nothing_is():
    assert coefficients_of(H100) is HAND
    assert coefficients_of(NVL72) == prior_coefficients()
    speeds = speeds_of(NVL72, "bf16")
    slow, fast = (calibrated(speeds, replace(HAND, product_rate=rate)) for rate in (0.5, 1.0))
    assert fast.matrix_rate.item() == 2 * slow.matrix_rate.item() == speeds.matrix_rate.item()
    assert fast.memory_rate.item() == slow.memory_rate.item()
    assert fast.coefficients.product_rate == 1.0


def test_curves_are_those_of_the_format_and_of_the_kind_of_attention():
    plain, latent = (curves_of(KERNELS, "fp8", latent=kind) for kind in (False, True))
    assert (plain.product.wave, plain.product.depth) == (KERNELS["gemm_wave_fp8"], KERNELS["gemm_depth_fp8"])
    assert (plain.head.wave, plain.head.launch) == (KERNELS["gemm_wave_bf16"], KERNELS["gemm_launch_bf16"])
    assert (plain.attention.start, plain.attention.softmax) == (1000.0, 64.0)
    assert (latent.attention.start, latent.attention.fill, latent.attention.softmax) == (700.0, 17000.0, 0.0)
    for narrow in (name for name in MATRIX_FORMATS if name not in ("fp8", "fp4", "int8")):
        assert curves_of(KERNELS, narrow, latent=False).product == plain.head


def test_a_curve_must_be_one_for_the_block():
    with pytest.raises(ModelInputError, match="gemm_wave_bf16") as fault:
        curves_of(KERNELS | {"gemm_wave_bf16": np.asarray([1e5, 2e5])}, "bf16", latent=False)
    assert fault.value.quantity == "gemm_wave_bf16"


@pytest.mark.parametrize(
    ("name", "value"),
    [("overlap_tensor", 1.5), ("overlap_experts", -0.1), ("captured_graphs", 2.0), ("expert_imbalance", 0.9)],
)
def test_an_assumption_out_of_its_bounds_is_an_error_that_names_it(name, value):
    with pytest.raises(ModelInputError, match=name) as fault:
        machine_of(DGX_H100 | {name: value}, "bf16")
    assert fault.value.quantity == name
