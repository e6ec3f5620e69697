"""United States export control of accelerators: what a buyer in a country may buy at a date.

Facts of the published rules, not legal advice. The rule sets, by the day from which they bind:

* 2022-10-07: 3A090 of the first rule (87 FR 62186): performance and interconnect bandwidth together.
* 2023-11-17: 3A090.a and .b of the second rule (88 FR 73458): total processing performance (TPP) and performance
  density (PD); the "regions" below.
* 2025-04-09: letter to Nvidia (form 8-K of 2025-04-15): licence for whatever reaches the H20's memory or interconnect
  bandwidth "or combination thereof". The numbers are the H20's own; the combination has none, and is left out.
* 2026-01-15: review case by case for China and Macau below limits of TPP and memory bandwidth (federalregister.gov
  document 2026-00789).

Not modelled: the entity list, end use and end user, headquarters abroad, chips not designed for data centres, foreign
direct product rules, General Prohibition 10 on using some Ascend chips (guidance of 2025-05-13), rules other than the
United States'. A chip whose ``export_regime`` is ``none`` is free here. No peak at FP6 is in the catalogue, so none
counts: a chip that runs FP6 at the rate of its FP4, as the MI355X is said to, has 1.5 times the TPP that its FP4 gives
here. The status of no chip of the catalogue depends on it (a test).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inputs import Array, Known, ModelInputError, number_or_nan

Texts = NDArray[np.str_]

BITS: Mapping[str, int] = MappingProxyType(
    {"fp32": 32, "tf32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "fp4": 4, "int8": 8}
)
"""Bit length of an operation by precision. TF32 counts with the 32 bits it is stored in."""

RULE_2022, RULE_2023, LETTER_2025, TARIFF_2026, RULE_2026 = (
    "2022-10-07",
    "2023-11-17",
    "2025-04-09",
    "2026-01-14",
    "2026-01-15",
)

EARLIEST = "2022-01-01"
"""First date the model speaks of: nothing is controlled until October 2022, and older rules are not in."""

CHINA = frozenset({"CN", "HK", "MO"})
ARMS_EMBARGO = CHINA.union(
    "AF BY MM KH CF CD CU ER HT IR IQ KP LB LY NI RU SO SS SD SY VE ZW".split()  # noqa: SIM905  # codes read as a list
)
"""Macau and Country Group D:5 without Cyprus (which is in A:6): Supplement No. 1 to part 740 of the EAR as of 2024.

Later changes, such as Cambodia's leaving the group in November 2025, are not followed.
"""
CONCERN = frozenset(
    "AM AZ BH EG GE JO KZ KW KG LA MD MN OM PK QA SA TJ TM AE UZ VN YE".split()  # noqa: SIM905  # as above
)
"""Country Groups D:1 and D:4 without D:5, A:5 and A:6: same source."""

GIGABYTE, SQUARE_MILLIMETRE, TERA = 1e9, 1e-6, 1e12


def total_processing_performance(known: Known) -> Array:
    """Return the largest over precisions of dense peak [TFLOP/s] times bit length, for one chip; NaN if none is known.

    ``2 x MacTOPS x bit length``, summed over the dies of a package (88 FR 73458).
    """
    largest: Array = np.asarray(np.nan)
    for precision, bits in BITS.items():
        largest = np.fmax(largest, number_or_nan(known, f"peak_{precision}") / TERA * bits)
    return largest


def region_2023(performance: Array, density: Array) -> Texts:
    """Return the paragraph of 3A090 that a data-centre chip falls under: a.1 a.2 b.1 b.2 free; empty when unknown.

    ``performance``: TPP; ``density``: TPP per mm^2 of non-planar logic die. a.1: TPP >= 4800. a.2: TPP >= 1600 and
    PD >= 5.92. b.1: 2400 <= TPP < 4800 and 1.6 <= PD < 5.92. b.2: TPP >= 1600 and 3.2 <= PD < 5.92. In this order.
    """
    conditions = [
        performance >= 4800,
        (performance >= 1600) & (density >= 5.92),
        (performance >= 2400) & (density >= 1.6),
        (performance >= 1600) & (density >= 3.2),
        (performance < 1600) | ((performance < 4800) & (density < 5.92)),
    ]
    return np.select(np.broadcast_arrays(*conditions), ["a.1", "a.2", "b.1", "b.2", "free"], default="")


def import_duty_2026(performance: Array, memory_bandwidth: Array) -> Array:
    """Return the duty of the proclamation of 2026-01-14 on a chip entering the United States, 0.25 or 0.

    It falls on two bands of TPP and memory bandwidth [byte/s], around the H200 and the MI325X (github.com/s-w-kelly/
    chip-export-controls at d813a66). NaN when a fact is missing.
    """
    bandwidth = memory_bandwidth / GIGABYTE
    first = (performance > 14000) & (performance < 17500) & (bandwidth > 4500) & (bandwidth < 5000)
    second = (performance > 20800) & (performance < 21100) & (bandwidth > 5800) & (bandwidth < 6200)
    return np.where(np.isnan(performance + bandwidth), np.nan, np.where(first | second, 0.25, 0.0))


def status_2022(performance: Array, interconnect: Array, countries: Texts) -> Texts:
    """Return the status under the rule of October 2022: controlled for China, with Hong Kong and Macau.

    ``interconnect``: bandwidth to other chips [byte/s], both directions together. Controlled when TPP >= 4800 and
    interconnect >= 600 GB/s.
    """
    fast, wide = performance >= 4800, interconnect >= 600 * GIGABYTE
    known_free = (performance < 4800) | (interconnect < 600 * GIGABYTE)
    controlled = np.select([fast & wide, known_free], ["denied", "free"], default="")
    return np.where(lies_in(countries, CHINA), controlled, "free")


def status_2023(region: Texts, countries: Texts) -> Texts:
    """Return the status under the rule of October 2023, by paragraph of the chip and country of the buyer.

    Embargoed countries: region a denied, region b by licence (or after notification, exception NAC). Countries of
    concern: region a by licence, region b free (exception ACA). Elsewhere free. A chip in no region is free everywhere.
    """
    embargo, concern = lies_in(countries, ARMS_EMBARGO), lies_in(countries, CONCERN)
    elsewhere = ~(embargo | concern)
    a, b = (region == "a.1") | (region == "a.2"), (region == "b.1") | (region == "b.2")
    conditions = [elsewhere | (region == "free"), a & embargo, (a & concern) | (b & embargo), b & concern]
    return np.select(np.broadcast_arrays(*conditions), ["free", "denied", "licence", "free"], default="")


def status_2025(status: Texts, known: Known, countries: Texts) -> Texts:
    """Return the status after the letter of April 2025: what was free in embargoed countries may need a licence.

    That is when memory bandwidth reaches 4,000 GB/s or interconnect bandwidth 900 GB/s in both directions together.
    """
    memory = number_or_nan(known, "hbm_bandwidth") >= 4000 * GIGABYTE
    interconnect = interconnect_bandwidth(known) >= 900 * GIGABYTE
    caught = lies_in(countries, ARMS_EMBARGO) & (memory | interconnect)
    return np.where((status == "free") & caught, "licence", status)


def status_2026(status: Texts, performance: Array, memory: Array, countries: Texts) -> Texts:
    """Return the status after January 2026: for China, denied chips below the limits are reviewed case by case.

    The limits are TPP < 21,000 and memory bandwidth < 6,500 GB/s [byte/s].
    """
    below = (performance < 21000) & (memory < 6500 * GIGABYTE)
    unknown = np.isnan(memory) & (performance < 21000)
    reviewed = np.where(below, "case_by_case", np.where(unknown, "", status))
    return np.where((status == "denied") & lies_in(countries, CHINA), reviewed, status)


def interconnect_bandwidth(known: Known) -> Array:
    """Return the scale-up bandwidth of a chip in both directions together [byte/s]."""
    return 2 * number_or_nan(known, "scale_up_bandwidth")


def lies_in(countries: Texts, group: frozenset[str]) -> NDArray[np.bool_]:
    """Return which ISO codes belong to a group of countries; the shape is that of ``countries``."""
    return np.isin(countries, sorted(group))


def rule_dates(known: Known) -> Texts:
    """Return the dates whose rules apply; texts of the form YYYY-MM-DD, which sort as dates do.

    Raises ``ModelInputError`` for a date before 2022, whose rules the model does not know.
    """
    dates = np.asarray(known.get("rule_date", RULE_2026), dtype=np.str_)
    if (dates < EARLIEST).any():
        early = str(dates[dates < EARLIEST].ravel()[0])
        raise ModelInputError("rule_date", f"rule_date {early} lies before {EARLIEST}, the first date with known rules")
    return dates


def export_status(known: Known, performance: Array, region: Texts) -> Texts:
    """Return free, licence, case_by_case or denied for the buyer at the date; empty where a fact is missing.

    ``buyer_country`` and ``rule_date`` may vary over the mesh: the result has the shape of both and of the facts.
    """
    dates, countries = rule_dates(known), np.asarray(known["buyer_country"], dtype=np.str_)
    first = status_2022(performance, interconnect_bandwidth(known), countries)
    second = status_2023(region, countries)
    third = status_2025(second, known, countries)
    fourth = status_2026(third, performance, number_or_nan(known, "hbm_bandwidth"), countries)
    uncontrolled = (dates < RULE_2022) | (known["export_regime"] == "none")
    conditions = [uncontrolled, countries == "", dates < RULE_2023, dates < LETTER_2025, dates < RULE_2026]
    return np.select(conditions, [np.asarray("free"), np.asarray(""), first, second, third], default=fourth)


def rules_stage(known: Known) -> dict[str, Any]:
    """Return TPP, performance density [1/m^2], region of the 2023 rule and, for a named buyer, the export status.

    Without ``buyer_country`` or ``export_regime`` the question is not asked, and there is no ``export_status``. Texts
    are NumPy strings that broadcast like numbers; the empty text stands for unknown.
    """
    performance = total_processing_performance(known)
    density = performance / number_or_nan(known, "die_area")
    region = region_2023(performance, density * SQUARE_MILLIMETRE)
    duty = import_duty_2026(performance, number_or_nan(known, "hbm_bandwidth"))
    metrics = {
        "total_processing_performance": performance,
        "performance_density": density,
        "export_region": region,
        "us_import_duty": np.where(rule_dates(known) >= TARIFF_2026, duty, 0 * duty),
    }
    regime = known.get("export_regime")
    if known.get("buyer_country") is None or regime is None:
        return metrics
    if regime not in {"us", "none"}:
        raise ModelInputError("export_regime", f"export_regime {regime!r} is neither us nor none")
    return metrics | {"export_status": export_status(known, performance, region)}
