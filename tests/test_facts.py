"""The catalogue's numbers against what the sources print: totals, counts, sums of parts, and a source for each."""

from __future__ import annotations

import re

import numpy as np
import pytest

from models.chip_cost import negative_binomial_yield
from models.quantities import quantities
from models.transformer import active_parameters, parameters
from sweep.assembly import fact_formula
from sweep.catalogue import KINDS, Catalogue
from sweep.units import convert, factor

CATALOGUE = Catalogue.load()
ENTRIES = [CATALOGUE.entry(kind, name) for kind in KINDS for name in CATALOGUE.names(kind)]
SYSTEMS = CATALOGUE.names("systems")
WORKLOADS = [entry for entry in ENTRIES if entry.kind == "workloads"]
SHAPED = [entry for entry in WORKLOADS if entry.shape]


def named(entry):
    return f"{entry.kind}/{entry.name}"


def facts_of(kind):
    """Every fact of a kind, with where it stands."""
    for entry in ENTRIES:
        if entry.kind == kind:
            for part in (entry.facts, entry.published, *entry.sections.values()):
                yield from ((f"{fact.where} {name}", fact) for name, fact in part.items())


def si(system, name):
    return CATALOGUE.facts(system)[name].value


def published(system, name, unit):
    fact = CATALOGUE.entry("systems", system).published[name]
    return convert(fact.value, unit, fact.unit)


def test_no_file_of_the_catalogue_has_a_fault():
    assert CATALOGUE.problems() == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_has_source_date_and_confidence(kind):
    for where, fact in facts_of(kind):
        if fact.value is None:
            assert fact.note or fact.formula, where
            continue
        assert fact.source, where
        assert re.fullmatch(r"\d{4}(-\d\d){0,2}", fact.date), where
        assert fact.confidence not in ("", "not_found"), where
        for other in fact.alternatives:
            assert other.source, where
            assert other.confidence, where


@pytest.mark.parametrize("kind", KINDS)
def test_derived_and_assumed_values_say_how(kind):
    for where, fact in facts_of(kind):
        if fact.value is not None and fact.confidence in ("derived", "assumption"):
            assert fact.note or len(fact.source) > len("data sheet"), where


@pytest.mark.parametrize("kind", KINDS)
def test_alternatives_are_not_repeated(kind):
    for where, fact in facts_of(kind):
        seen = [(other.value, other.unit, other.source, other.note) for other in fact.alternatives]
        assert len(seen) == len(set(seen)), where


# --- totals of the systems --------------------------------------------------------------------------------------


def test_cloudmatrix_384_totals():
    """Pang et al. (arXiv 2506.12708) and SemiAnalysis: 49.15 TB, 1,229 TB/s; 384 x 707.8 TFLOP/s."""
    chips = si("cloudmatrix384", "scale_up_size")
    assert chips * si("cloudmatrix384", "peak_bf16") == pytest.approx(271.8e15, rel=5e-4)
    assert chips * si("cloudmatrix384", "hbm_capacity") == pytest.approx(49.15e12, rel=5e-4)
    assert chips * si("cloudmatrix384", "hbm_bandwidth") == pytest.approx(1229e12, rel=5e-4)


def test_gb200_nvl72_totals():
    """Nvidia's data sheet of the rack: 180 PFLOP/s dense bf16, 13.4 TB, 576 TB/s."""
    chips = si("gb200-nvl72", "scale_up_size")
    assert chips * si("gb200-nvl72", "peak_bf16") == pytest.approx(180e15)
    assert chips * si("gb200-nvl72", "hbm_capacity") == pytest.approx(13.4e12, rel=2e-3)
    assert chips * si("gb200-nvl72", "hbm_bandwidth") == pytest.approx(576e12)


TOTALS = {"peak_bf16": "FLOP/s", "peak_fp8": "FLOP/s", "hbm_capacity": "byte", "hbm_bandwidth": "byte/s"}
OTHER_BASIS = {
    ("gb300-nvl72", "hbm_capacity"): "20 TB counts the memory that software sees, the chip's 288 GB all of it",
    ("vera-rubin-nvl72", "peak_fp8"): "announced in March 2025, before the chip's figure",
    ("atlas-950-superpod", "peak_fp8"): "the keynote counts 1 PFLOP/s per chip, the product page 919 TFLOP/s",
    ("atlas-950-superpod", "hbm_capacity"): "the keynote's 1,152 TB is below 8,192 x 144 GB",
    ("atlas-960-superpod", "peak_fp8"): "the keynote rounds 15,488 x 2 PFLOP/s down to 30 EFLOP/s",
    ("atlas-950-supercluster", "peak_fp8"): "the total is of 64 SuperPoDs",
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_chips_add_up_to_the_published_total(system):
    entry = CATALOGUE.entry("systems", system)
    size = si(system, "scale_up_size")
    for name, unit in TOTALS.items():
        if entry.published.get(name) is None or (system, name) in OTHER_BASIS:
            continue
        assert size * si(system, name) == pytest.approx(published(system, name, unit), rel=0.01), name


@pytest.mark.parametrize(("system", "name"), OTHER_BASIS)
def test_a_total_on_another_basis_really_differs(system, name):
    total = si(system, "scale_up_size") * si(system, name)
    assert total != pytest.approx(published(system, name, TOTALS[name]), rel=0.01)


def test_scale_up_bandwidths_add_up_to_the_published_totals():
    """SemiAnalysis: 64.8 TB/s for NVL72; the paper's 392 GB/s makes 150.5 TB/s for CloudMatrix, 2.32 times as much."""
    total = {name: si(name, "scale_up_size") * si(name, "scale_up_bandwidth") for name in SYSTEMS}
    assert total["gb200-nvl72"] == pytest.approx(64.8e12)
    assert total["cloudmatrix384"] == pytest.approx(150.5e12, rel=1e-3)
    assert total["cloudmatrix384"] / total["gb200-nvl72"] == pytest.approx(2.32, abs=0.005)


@pytest.mark.parametrize("system", SYSTEMS)
def test_links_of_a_chip_carry_its_bandwidth(system):
    facts = CATALOGUE.facts(system)
    links, rate = facts.get("scale_up_links"), facts.get("scale_up_link_rate")
    if links and rate and links.value and rate.value:
        assert links.value * rate.value == pytest.approx(facts["scale_up_bandwidth"].value, rel=0.01)


def test_ratios_of_the_two_systems_as_published():
    """SemiAnalysis (April 2025): 5.3 times the chips, 3.9 the power; 780 TFLOP/s per 910C make 1.7 times the FLOPs."""

    def ratio(name):
        return si("cloudmatrix384", name) / si("gb200-nvl72", name)

    assert ratio("scale_up_size") == pytest.approx(5.3, abs=0.05)
    assert ratio("system_power") == pytest.approx(3.9, abs=0.05)
    peak = CATALOGUE.entry("chips", "ascend-910c").facts["peak_bf16"]
    analyst = next(other.si for other in peak.alternatives if other.value == 780)
    assert 384 * analyst / (72 * si("gb200-nvl72", "peak_bf16")) == pytest.approx(1.67, abs=0.01)
    assert 384 * peak.si / (72 * si("gb200-nvl72", "peak_bf16")) == pytest.approx(1.51, abs=0.01)


# --- parts of price and power -----------------------------------------------------------------------------------


@pytest.mark.parametrize("efficiency", [1.0, 0.95])
@pytest.mark.parametrize("system", SYSTEMS)
def test_parts_add_up_to_the_published_price_and_power(system, efficiency):
    """At the catalogue's own bandwidth: the number in the formula must be the bandwidth of the fabric.

    With losses of conversion counted apart, the parts draw that much less and the system the same.

    What the formula takes off for the scale-out network is left out here and tested where it is added again.
    """
    facts = CATALOGUE.facts(system)
    known = {
        name: np.asarray(float(found.value)) for name, found in facts.items() if isinstance(found.value, int | float)
    }
    known |= dict.fromkeys(("nic_price", "nic_power", "transceiver_power", "scale_out_switch_power"), np.asarray(0.0))
    known |= {"power_conversion_efficiency": np.asarray(efficiency), "fan_power": np.asarray(20.0)}
    size, bandwidth = known["scale_up_size"], known["scale_up_bandwidth"]
    for total, part, fabric, rest, share in (
        ("system_price", "chip_price", "scale_up_price_per_bandwidth", (), 1.0),
        ("system_power", "host_power", "scale_up_power_per_bandwidth", ("chip_power", "fan_power"), efficiency),
    ):
        if total not in known or not (facts[part].formula or "").startswith(total):
            continue
        known.setdefault(fabric, np.asarray(0.0))
        if not set(rest) <= set(known):
            continue
        own = fact_formula(facts[part].formula, facts[part].where).evaluate(known)
        parts = own + known[fabric] * bandwidth + sum(known[name] for name in rest)
        assert size * parts == pytest.approx(share * known[total]), part
        assert own > 0, part


@pytest.mark.parametrize("system", SYSTEMS)
def test_formulas_have_the_unit_of_their_quantity(system):
    for found in CATALOGUE.facts(system).values():
        if found.formula:
            unit = fact_formula(found.formula, found.where).si_unit
            assert factor(unit, quantities()[found.name].si_unit) == 1, found.where


def test_scale_up_network_of_one_chip_as_published():
    """SemiAnalysis: 4,672 USD and 159 W per NPU, 4,075 USD and 75 W per GPU."""
    for system, price, power in (("cloudmatrix384", 4672, 159), ("gb200-nvl72", 4075, 75)):
        bandwidth = si(system, "scale_up_bandwidth")
        assert si(system, "scale_up_price_per_bandwidth") * bandwidth == pytest.approx(price, rel=1e-4)
        assert si(system, "scale_up_power_per_bandwidth") * bandwidth == pytest.approx(power, rel=1e-4)


def test_network_of_an_h200_server_adds_up():
    """SemiAnalysis: 76,155 USD of network per 8 GPUs; 4 modules, 1 NIC and 3 of 64 switch ports per GPU."""
    parts = {name: CATALOGUE.entry("prices", "parts").facts[name].si for name in ("nic_price", "transceiver_price")}
    switch = CATALOGUE.entry("prices", "parts").facts["scale_out_switch_price"].si
    per_gpu = parts["nic_price"] + 4 * parts["transceiver_price"] + switch * 3 / 64
    assert 8 * per_gpu == pytest.approx(76155, rel=1e-3)


def test_exchange_rate_agrees_with_the_report_of_the_price():
    """Financial Times, 2025-04-29: about 60 million yuan, 8.2 million dollars."""
    price = CATALOGUE.entry("systems", "cloudmatrix384").facts["system_price"]
    yuan = next(other for other in price.alternatives if other.value == 60e6)
    assert yuan.si == pytest.approx(price.si, rel=0.03)


def test_failure_rates_reproduce_the_run_they_come_from():
    """Llama 3 405B (arXiv 2407.21783): 419 unexpected interruptions, 16,384 H100 in 2,048 nodes, 54 days."""
    names = ("chip_failure_rate", "host_failure_rate", "nic_failure_rate", "transceiver_failure_rate")
    rates = {name: CATALOGUE.entry("defaults", "scenario").facts[name].si for name in names}
    failures = (
        16384 * rates["chip_failure_rate"]
        + 2048 * rates["host_failure_rate"]
        + 16384 * rates["nic_failure_rate"]
        + 4 * 16384 * rates["transceiver_failure_rate"]
    )
    assert failures * 54 * 86400 == pytest.approx(419, rel=2e-3)


def test_defect_density_of_the_910c_is_that_of_its_reported_yield():
    """DIGITIMES and Financial Times, February 2025: 40 %; 50 % for the 910B, 20 % a year before."""
    facts = CATALOGUE.entry("chips", "ascend-910c").facts
    die = facts["die_area"].si / facts["dies"].si
    shape = quantities()["yield_shape"].default
    densities = [facts["defect_density"].si, *(other.si for other in facts["defect_density"].alternatives[:2])]
    for density, reported in zip(densities, (0.4, 0.5, 0.2), strict=True):
        assert negative_binomial_yield(np.asarray(die * density), np.asarray(shape)) == pytest.approx(
            reported, abs=2e-3
        )


# --- models -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", [entry for entry in SHAPED if entry.verified], ids=named)
def test_verified_shape_counts_to_the_published_size(entry):
    assert parameters(entry.shape) == pytest.approx(entry.published["parameters"].value, rel=0.01)


@pytest.mark.parametrize("entry", [entry for entry in WORKLOADS if not entry.shape or not entry.verified], ids=named)
def test_unverified_shape_says_why(entry):
    assert entry.notes
    total = entry.published.get("parameters")
    if entry.shape and total and total.value is not None:
        assert parameters(entry.shape) != pytest.approx(total.value, rel=0.01)


ACTIVE = ["deepseek-v3", "mixtral-8x7b", "mixtral-8x22b", "qwen3-235b-a22b", "kimi-k2"]


@pytest.mark.parametrize("name", ACTIVE)
def test_active_parameters_as_published(name):
    """Published active counts are rounded to one or two digits, and differ in whether they count the embedding."""
    entry = CATALOGUE.entry("workloads", name)
    assert active_parameters(entry.shape) == pytest.approx(entry.published["active_parameters"].value, rel=0.03)


def test_llama_3_1_405b_to_the_last_parameter():
    """405,853,388,800 parameters (12 bytes each make its checkpoint of 4.87 TB)."""
    assert parameters(CATALOGUE.entry("workloads", "llama-3.1-405b").shape) == 405_853_388_800


# --- calibration, places, coverage ------------------------------------------------------------------------------


def test_calibrated_chips_exist():
    fitted = CATALOGUE.entry("calibration", "kernels").sections
    assert set(fitted) <= set(CATALOGUE.names("chips"))
    assert {"ascend-910c", "ascend-910b", "gb200", "h100-sxm", "a100-sxm-80gb"} <= set(fitted)


def test_a_chip_without_measurement_takes_the_median_of_its_vendor():
    fitted = CATALOGUE.entry("calibration", "kernels").sections
    vendor = {name: CATALOGUE.entry("chips", name).labels["vendor"] for name in fitted}
    for chip, facts in fitted.items():
        for name, fact in facts.items():
            if "transfer rule of this catalogue" not in fact.source:
                continue
            measured = sorted(
                other[name].value
                for peer, other in fitted.items()
                if vendor[peer] == vendor[chip] and name in other and other[name].confidence != "derived"
            )
            middle = len(measured) // 2
            median = (measured[middle] + measured[~middle]) / 2
            assert fact.value == pytest.approx(median, abs=5e-4), (chip, name)


def test_fabrics_are_of_the_tier_they_are_used_for():
    for system in SYSTEMS:
        links = CATALOGUE.entry("systems", system).links
        assert CATALOGUE.entry("fabrics", links["scale_up"]).labels["tier"] == "scale_up"
        assert CATALOGUE.entry("fabrics", links["scale_out"]).labels["tier"] == "scale_out"


NEEDED = (
    "hbm_capacity", "hbm_bandwidth", "scale_up_size", "chips_per_node", "scale_up_bandwidth", "scale_up_latency",
    "scale_up_efficiency", "scale_out_bandwidth", "scale_out_latency", "scale_out_efficiency", "hbm_efficiency",
    "attention_efficiency", "kernel_launch_time", "scale_out_switch_radix", "scale_out_link_rate",
)  # fmt: skip
NO_FIGURES = ("kyber-nvl576",)


@pytest.mark.parametrize("system", [name for name in SYSTEMS if name not in NO_FIGURES])
def test_every_system_has_what_the_physics_needs(system):
    facts = CATALOGUE.facts(system)
    for name in NEEDED:
        assert facts[name].value is not None, name
    peaks = [facts[name].value for name in ("peak_bf16", "peak_fp8") if name in facts]
    assert any(peaks)


def test_systems_of_the_articles_and_their_rivals_are_there():
    wanted = {"cloudmatrix384", "ascend-910b-384", "gb200-nvl72", "hgx-h20", "dgx-h100", "dgx-gh200", "dgx-a100"}
    assert wanted <= set(SYSTEMS)
    assert len(CATALOGUE.names("regions")) >= 12


def test_corrections_of_the_audit_are_in_with_the_old_value_beside():
    facts = CATALOGUE.entry("chips", "b300-sxm").facts
    for name, new, old in (("chip_power", 1100, 1000), ("hbm_bandwidth", 7700, 8000)):
        assert facts[name].value == new
        assert old in [other.value for other in facts[name].alternatives]
