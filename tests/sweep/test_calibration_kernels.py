"""Fits of kernel curves: constants that made the tables come back, and what is written can be read."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from models.curves import AttentionCurve, GemmCurve, GroupedCurve, attention_time, gemm_time, grouped_time
from sweep.calibration.kernel_facts import facts_of, markdown, write_facts
from sweep.calibration.kernel_transfer import donor_of, from_largest_product, largest_product_factors, left_out
from sweep.calibration.kernels import fit_kernels
from sweep.catalogue import Catalogue
from sweep.errors import StudyError

CATALOGUE = Catalogue.load()
MACHINES = {
    # machine: bf16 peak [FLOP/s], streaming bandwidth [byte/s] (bandwidth x hbm_efficiency of the catalogue), true
    # efficiencies of product and attention
    "a100_sxm": (312e12, 2039e9 * 0.85, 0.80, 0.50),
    "h100_sxm": (989e12, 3350e9 * 0.926, 0.70, 0.60),
    "h200_sxm": (989e12, 4800e9 * 0.9, 0.76, 0.64),
}
WAVE, DEPTH, TRAFFIC, LAUNCH = 2.4e5, 130.0, 1.2, 4e-6
START, FILL, SOFTMAX = 900.0, 15e3, 70.0
RANDOM = np.random.default_rng(7)


def products():
    m, n, k = (RANDOM.choice([256, 512, 1024, 2048, 4096, 8192], 240).astype(float) for _ in range(3))
    columns = {"system": [], "gemm_dtype": [], "m": [], "n": [], "k": [], "latency": []}
    for machine, (peak, stream, efficiency, _) in MACHINES.items():
        curve = GemmCurve(efficiency, WAVE, DEPTH, TRAFFIC, 0.0, LAUNCH)
        add(columns, machine, "gemm_dtype", {"m": m, "n": n, "k": k}, gemm_time(m, n, k, 2.0, peak, stream, curve))
    return columns


def attention(latent):
    batch, heads, tokens = (RANDOM.choice(v, 120) for v in ([1, 2, 4, 8], [8, 16, 32], [1024, 2048, 4096, 8192]))
    width = np.full(120, 160) if latent else RANDOM.choice([64, 128], 120)
    names = {"batch_size": batch, "num_heads": heads, "isl": tokens}
    dtype = "mla_dtype" if latent else "attn_dtype"
    if not latent:
        names |= {"head_dim": width, "window_size": np.zeros(120)}
    columns = {name: [] for name in ("system", dtype, "latency", *names)}
    for machine, (peak, _, _, efficiency) in MACHINES.items():
        curve = AttentionCurve(efficiency, START, FILL, 0.0 if latent else SOFTMAX, 2e-6)
        add(columns, machine, dtype, names, attention_time(batch, heads, tokens, width, peak, curve))
    columns["kv_cache_dtype"] = ["bfloat16"] * len(columns["system"])
    columns["table"] = ["context_mla_perf" if latent else "context_attention_perf"] * len(columns["system"])
    return columns


def expert_layers():
    tokens = RANDOM.choice([2048, 4096, 8192, 16384], 60)
    ranks = RANDOM.choice([1, 2, 4], 60)
    counts = {"num_tokens": tokens, "hidden_size": 4096, "inter_size": 1536, "topk": 8, "num_experts": 64}
    counts |= {"moe_tp_size": 1, "moe_ep_size": ranks}
    counts = {name: np.broadcast_to(value, 60) for name, value in counts.items()}
    columns = {name: [] for name in ("system", "moe_dtype", "latency", *counts)}
    grouped = GroupedCurve(0.9, 12.0, 3.0, 40e-6)
    for machine, (peak, stream, efficiency, _) in MACHINES.items():
        dense = GemmCurve(efficiency, WAVE, DEPTH, TRAFFIC, 0.0, LAUNCH)
        seconds = grouped_time(64 / ranks, tokens / 8, 4096.0, 1536.0, 2.0, peak, stream, dense, grouped,
                               copies=8 / ranks, gates=2.0)  # fmt: skip
        add(columns, machine, "moe_dtype", counts, seconds)
    for name, value in (("table", "moe_perf"), ("distribution", "balanced"), ("kernel_source", "grouped")):
        columns[name] = [value] * len(columns["system"])
    return columns


def add(columns, machine, dtype, sides, seconds):
    columns["system"] += [machine] * len(seconds)
    columns[dtype] += ["bfloat16"] * len(seconds)
    columns["latency"] += (seconds * 1e3).tolist()
    for name, side in sides.items():
        columns[name] += np.asarray(side).tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("kernels")
    tables = {"gemm": products(), "attention": attention(False), "mla": attention(True), "moe": expert_layers()}
    for name, columns in tables.items():
        parquet.write_table(pa.table(columns), where / f"{name}.parquet")
    return where


@pytest.fixture(scope="module")
def fits(folder):
    return fit_kernels(folder, CATALOGUE)


def test_products_come_back(fits):
    for fit in fits.gemm:
        assert fit.constants["wave"] == pytest.approx(WAVE, rel=0.02)
        assert fit.constants["depth"] == pytest.approx(DEPTH, rel=0.02)
        assert fit.constants["traffic"] == pytest.approx(TRAFFIC, rel=0.02)
        assert fit.constants["launch"] == pytest.approx(LAUNCH, rel=0.02)
    found = {chip: value for fit in fits.gemm for chip, value in fit.efficiency.items()}
    assert found == pytest.approx({"a100-sxm-80gb": 0.80, "h100-sxm": 0.70, "h200-sxm": 0.76}, rel=0.01)


def test_small_products_are_not_fitted(fits, folder):
    table = parquet.read_table(folder / "gemm.parquet")
    large = np.sum((table["m"].to_numpy() >= 512) & (table["system"].to_numpy() == "a100_sxm"))
    assert fits.gemm[0].residual["a100-sxm-80gb"].count == large < 240


def test_attention_comes_back(fits):
    for fit in (*fits.attention, *fits.latent_attention):
        assert fit.constants["start"] == pytest.approx(START, rel=0.02)
        assert fit.constants["fill"] == pytest.approx(FILL, rel=0.02)
    assert {fit.constants["softmax"] for fit in fits.latent_attention} == {0.0}
    assert fits.attention[0].constants["softmax"] == pytest.approx(SOFTMAX, rel=0.02)
    assert fits.attention[1].efficiency == pytest.approx({"h100-sxm": 0.60, "h200-sxm": 0.64}, rel=0.01)


def test_expert_layers_come_back(fits):
    for fit in fits.grouped:
        assert fit.constants["efficiency"] == pytest.approx(0.9, rel=0.03)
        assert fit.constants["permute"] == pytest.approx(12.0, rel=0.1)
        assert not fit.efficiency


def test_a_stalled_kernel_does_not_bend_the_curve(folder, fits, tmp_path):
    for name in ("attention", "mla", "moe"):
        (tmp_path / f"{name}.parquet").write_bytes((folder / f"{name}.parquet").read_bytes())
    table = parquet.read_table(folder / "gemm.parquet").to_pydict()
    table["latency"][::25] = [8.0 * value for value in table["latency"][::25]]
    parquet.write_table(pa.table(table), tmp_path / "gemm.parquet")
    for clean, bent in zip(fits.gemm, fit_kernels(tmp_path, CATALOGUE).gemm, strict=True):
        assert bent.efficiency == pytest.approx(clean.efficiency, rel=0.03)


def test_left_out_chip_with_the_shape_of_its_neighbour_is_predicted(folder, fits):
    found = {(one.operator, one.chip): one for one in left_out(folder, fits, CATALOGUE)}
    ampere = found["matrix product", "a100-sxm-80gb"]
    assert ampere.donor == "Hopper"
    assert ampere.shape.median < 0.005  # the constants are the same, the efficiency its own
    assert ampere.bias == pytest.approx(0.80 / 0.73 - 1.0, abs=0.02)  # blind: the median of 0.70 and 0.76


def test_donor_has_the_number_format(fits):
    blackwell = {("Blackwell", "fp4"): fits.gemm[0]}
    assert donor_of("Blackwell Ultra", "fp4", blackwell) is fits.gemm[0]


def test_largest_product_rule_uses_chips_with_both_figures(fits):
    factors = largest_product_factors(fits)
    assert factors[("a100-sxm-80gb", "bf16")] == pytest.approx(0.80 / 0.869, rel=0.01)
    middle, spread = from_largest_product(fits, "bf16")
    assert middle == pytest.approx((0.80 / 0.869 + 0.70 / 0.803) / 2.0, rel=0.01)
    assert 0.0 < spread < 0.1


def test_facts_say_where_they_come_from(fits, tmp_path):
    facts = facts_of(fits)
    measured = facts["chips"]["h100-sxm"]["gemm_efficiency_bf16"]
    assert (measured["value"], measured["confidence"]) == (pytest.approx(0.70, abs=0.01), "measured")
    assert facts["chips"]["h100-sxm"]["gemm_launch_bf16"]["unit"] == "us"
    assert facts["chips"]["h100-sxm"]["gemm_launch_bf16"]["value"] == pytest.approx(4.0, rel=0.02)
    assert facts["chips"]["h800-sxm"]["gemm_wave_bf16"]["confidence"] == "derived"
    assert "latent_attention_softmax" not in facts["chips"]["h100-sxm"]  # one width says nothing about it
    write_facts(fits, tmp_path / "kernels.yaml")
    assert "gemm_wave_bf16" in (tmp_path / "kernels.yaml").read_text(encoding="utf-8")


def test_tables_show_every_fit(fits, folder):
    text = markdown(fits, {}, left_out(folder, fits, CATALOGUE))
    assert "| h200-sxm | bf16 | 0.76" in text
    assert "| matrix product | a100-sxm-80gb | bf16 | Hopper |" in text


def test_missing_table_and_column_are_named(folder, tmp_path):
    with pytest.raises(StudyError, match=r"there is no gemm\.parquet"):
        fit_kernels(tmp_path, CATALOGUE)
    table = parquet.read_table(folder / "gemm.parquet")
    parquet.write_table(table.drop_columns(["k"]), tmp_path / "gemm.parquet")
    with pytest.raises(StudyError, match="has no column k"):
        fit_kernels(tmp_path, CATALOGUE)
