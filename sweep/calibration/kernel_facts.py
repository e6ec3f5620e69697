"""Fitted kernel curves as facts of the catalogue, and as the tables of ``docs/kernels.md``.

``python -m sweep.calibration.kernel_facts FOLDER FILE`` fits the tables in FOLDER, writes the calibration entry FILE
and prints the tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from sweep.calibration.kernel_tables import read_gemm
from sweep.calibration.kernel_transfer import (
    LARGEST_PRODUCT,
    LARGEST_SOURCE,
    LeftOut,
    from_largest_product,
    largest_product_factors,
    left_out,
)
from sweep.calibration.kernels import Fit, KernelFits, Residual, fit_kernels, small_products
from sweep.catalogue import Catalogue

SOURCE: Final = "fitted in this project: kernels of aiconfigurator-core 0.12.0 (Apache-2.0, Python registry)"
RULE: Final = "transfer rule of docs/kernels.md"
DATE: Final = "2026-11"

PREFIX: Final = {
    "gemm": "gemm",
    "attention": "attention",
    "latent_attention": "latent_attention",
    "grouped": "grouped",
}
"""Operator → first word of its quantities; matrix and expert products add the family, as in ``gemm_wave_bf16``."""

UNIT: Final = {"launch": "us", "quantise": "byte", "permute": "byte", "combine": "byte", "start": "token"}
SAME_DIE: Final = {"a100-sxm-40gb": "a100-sxm-80gb", "h800-sxm": "h100-sxm", "gh200": "h200-sxm"}
"""Chip without tables → chip with the same die."""

NEWER: Final = {"rubin": "gb300", "rubin-ultra": "gb300"}
"""Chip without tables → chip of the generation before it, for constants of shape."""

Text = dict[str, Any]


def facts_of(fits: KernelFits) -> Text:
    """Return the calibration entry that holds the curves, as text of the catalogue."""
    chips: dict[str, Text] = {}
    for operator, word in PREFIX.items():
        for fit in getattr(fits, operator):
            for chip in fit.residual:
                chips.setdefault(chip, {}).update(_measured(word, fit, chip))
    default = _default(fits)
    for relatives, shape_only in ((SAME_DIE, False), (NEWER, True)):
        for chip, other in relatives.items():
            if other in chips:
                note = f"{other}: {'the generation before' if shape_only else 'the same die'}"
                chips[chip] = _taken(chips[other], note, shape_only=shape_only)
    for chip, largest in LARGEST_PRODUCT.items():
        if chip not in chips:
            chips[chip] = _published(fits, largest)
    return {
        "title": "Efficiency curves of matrix products, attention and expert layers, from measured kernels",
        "notes": "Written by sweep.calibration.kernel_facts; docs/kernels.md says what each constant is. A chip that "
        "is not listed takes the constants of Hopper (4 bits: Blackwell).",
        "facts": default,
        "chips": dict(sorted(chips.items())),
    }


def _name(word: str, constant: str, family: str) -> str:
    return f"{word}_{constant}" + (f"_{family}" if word in {"gemm", "grouped"} else "")


def _fact(constant: str, value: float, source: str, confidence: str, note: str) -> Text:
    """Return one fact, rounded to four digits; times are written in microseconds."""
    shown = float(f"{value * (1e6 if constant == 'launch' else 1.0):.4g}")
    unit = {"unit": UNIT[constant]} if constant in UNIT else {}
    return {"value": shown, **unit, "source": source, "date": DATE, "confidence": confidence, "note": note}


def _measured(word: str, fit: Fit, chip: str) -> Text:
    """Return the facts that one fit gives to one of its chips."""
    residual = fit.residual[chip]
    errors = f"{residual.count} kernels, error median {residual.median:.1%}, mean {residual.mean:.1%}"
    shared = f"shared by {fit.architecture}"
    values = {name: (value, shared) for name, value in fit.constants.items() if _fitted(word, name, fit)}
    if chip in fit.efficiency:
        values = {"efficiency": (fit.efficiency[chip], errors), **values}
    else:
        values = {name: (value, f"{note}; {errors}") for name, (value, note) in values.items()}
    return {
        _name(word, name, fit.family): _fact(name, value, SOURCE, "measured", note)
        for name, (value, note) in values.items()
    }


def _fitted(word: str, constant: str, fit: Fit) -> bool:
    """Whether the tables say anything about a constant: not about 16-bit casts or the only head width."""
    if constant == "quantise":
        return fit.family != "bf16"
    return not (constant == "softmax" and (word == "latent_attention" or fit.architecture == "Ampere"))


def _default(fits: KernelFits) -> Text:
    """Return what a chip without tables takes: shape of Hopper or else Blackwell, median efficiency of all chips."""
    default: Text = {}
    for operator, word in PREFIX.items():
        known = {(fit.architecture, fit.family): fit for fit in getattr(fits, operator)}
        for family in dict.fromkeys(family for _, family in known):
            order = [("Hopper", family), ("Blackwell", family), *(pair for pair in known if pair[1] == family)]
            donor = next(known[pair] for pair in order if pair in known)
            note = f"{donor.architecture}"
            for name, value in donor.constants.items():
                if _fitted(word, name, donor):
                    default[_name(word, name, family)] = _fact(name, value, RULE, "derived", note)
            each = [value for fit in known.values() if fit.family == family for value in fit.efficiency.values()]
            if each:
                middle, count = float(np.median(each)), f"median of {len(each)} measured chips"
                default[_name(word, "efficiency", family)] = _fact("efficiency", middle, RULE, "derived", count)
    return default


def _taken(facts: Mapping[str, Text], note: str, *, shape_only: bool) -> Text:
    """Return the facts of another chip as derived ones."""
    return {
        name: {**fact, "confidence": "derived", "source": RULE, "note": note}
        for name, fact in facts.items()
        if not (shape_only and "efficiency" in name)
    }


def _published(fits: KernelFits, largest: Mapping[str, float]) -> Text:
    """Return the efficiencies of a chip from the largest product published for it."""
    facts: Text = {}
    compared = {family for _, family in largest_product_factors(fits)}
    for family, fraction in largest.items():
        if family not in compared:
            continue
        factor, spread = from_largest_product(fits, family)
        note = (
            f"{factor:.2f} of the largest published product, {fraction:.3f} of peak; measured chips within {spread:.0%}"
        )
        source = f"{RULE}, from {LARGEST_SOURCE}"
        facts[f"gemm_efficiency_{family}"] = _fact("efficiency", factor * fraction, source, "derived", note)
    return facts


def write_facts(fits: KernelFits, file: Path) -> None:
    """Write the calibration entry."""
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML()
    yaml.width = 200
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(facts_of(fits), stream)


def markdown(fits: KernelFits, small: Mapping[tuple[str, str], Residual], others: Iterable[LeftOut]) -> str:
    """Return constants, residuals and errors of the transfer rule as Markdown tables."""
    parts = []
    for operator in PREFIX:
        found: tuple[Fit, ...] = getattr(fits, operator)
        names = list(dict.fromkeys(name for fit in found for name in fit.constants))
        rows = [
            [fit.architecture, fit.family, *(_shown(name, fit.constants.get(name, 0.0)) for name in names)]
            for fit in found
        ]
        parts.append(_table(["architecture", "family", *names], rows))
        rows = [
            [
                chip,
                fit.family,
                f"{fit.efficiency[chip]:.3f}" if chip in fit.efficiency else "shared",
                *_errors(residual),
            ]
            for fit in found
            for chip, residual in fit.residual.items()
        ]
        parts.append(_table(["chip", "family", "efficiency", "kernels", "median %", "mean %"], rows))
    rows = [
        [
            one.operator,
            one.chip,
            one.family,
            one.donor,
            *_errors(one.shape)[1:],
            *_errors(one.blind)[1:],
            f"{100 * one.bias:+.1f}",
        ]
        for one in others
    ]
    head = ["operator", "chip", "family", "from", "shape median %", "mean %", "blind median %", "mean %", "bias %"]
    below = [[chip, family, *_errors(residual)] for (chip, family), residual in small.items()]
    few = _table(["chip", "family", "kernels of fewer rows", "median %", "mean %"], below)
    return "\n\n".join([*parts, few, _table(head, rows)])


def _shown(constant: str, value: float) -> str:
    return f"{value * (1e6 if constant == 'launch' else 1.0):,.4g}" if value < 1e4 else f"{value:,.0f}"


def _errors(residual: Residual) -> list[str]:
    return [str(residual.count), f"{100 * residual.median:.1f}", f"{100 * residual.mean:.1f}"]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _main(folder: Path, file: Path) -> None:
    catalogue = Catalogue.load()
    fits = fit_kernels(folder, catalogue)
    write_facts(fits, file)
    small = small_products(read_gemm(folder), fits.gemm, catalogue)
    sys.stdout.write(markdown(fits, small, left_out(folder, fits, catalogue)) + "\n")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
