"""Catalogue entries as tables and as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.quantities import quantities
from sweep.catalogue import Alternative, Entry, Fact
from sweep.catalogue.training import taken
from sweep.text import Table, number, with_unit
from sweep.units import factor

KEY_FACTS: Mapping[str, Sequence[str]] = {
    "chips": ("peak_bf16", "peak_fp8", "hbm_capacity", "hbm_bandwidth", "chip_power", "dies"),
    "systems": ("scale_up_size", "system_power", "system_price"),
    "fabrics": ("scale_up_bandwidth", "scale_out_bandwidth"),
    "regions": ("power_price", "carbon_intensity", "power_usage_effectiveness", "shell_price_per_power"),
}
"""What the list of a kind shows of each entry; the other kinds show how many facts they hold."""

KEY_LABELS: Mapping[str, Sequence[str]] = {
    "chips": ("status",),
    "systems": ("status",),
    "fabrics": ("tier",),
    "regions": ("country",),
}
SHAPE_KEYS = ("layers", "hidden", "heads", "kv_heads", "experts", "experts_per_token", "vocabulary")
FACT_COLUMNS = ("quantity", "value>", "confidence", "date", "source", "note")
COEFFICIENT_COLUMNS = ("coefficient", "value>", "unit", "prior>", "range", "origin", "meaning")


def human(name: str, si: float | str | None) -> float | str | None:
    """Return a value in the model's unit as one in the unit of the quantity table."""
    row = quantities().get(name)
    if row is None or si is None or isinstance(si, str) or row.unit == row.si_unit:
        return si
    return si * factor(row.si_unit, row.unit)


def unit(name: str) -> str:
    """Return the unit of the quantity table, empty for names that are not in it."""
    row = quantities().get(name)
    return row.unit if row else ""


def overview(kind: str, entries: Sequence[Entry]) -> Table:
    """Return the list of one kind."""
    if kind == "workloads":
        cells = [(entry.name, *_shape_cells(entry)) for entry in entries]  # the title repeats the name
        return Table("", ("name", *(f"{key}>" for key in SHAPE_KEYS)), [*cells], _next(kind))
    facts, labels = KEY_FACTS.get(kind), KEY_LABELS.get(kind, ())
    columns = ["name", "title", *labels]
    columns += [f"{fact} [{unit(fact)}]>" if unit(fact) else f"{fact}>" for fact in facts] if facts else ["facts>"]
    table = Table("", columns, note=_next(kind))
    for entry in entries:
        shown = [_key_cell(entry, fact) for fact in facts] if facts else [str(_count(entry))]
        told = [entry.title, *(entry.labels.get(label, "") for label in labels)]
        table.rows.append((entry.name, *(map(_short, told) if kind in {"chips", "systems"} else told), *shown))
    return table


def _short(text: str) -> str:
    """Return what a title or status says first; the rest stands on the page of the entry."""
    return re.split(r"\s*[;,(]", text, maxsplit=1)[0]


def _next(kind: str) -> str:
    return f"Sources and alternatives: supernode show {kind} NAME"


def _count(entry: Entry) -> int:
    return len(entry.facts) + len(entry.published) + sum(len(section) for section in entry.sections.values())


def _key_cell(entry: Entry, name: str) -> str:
    fact = entry.facts.get(name)
    if fact is None:
        return "-"
    return "formula" if fact.formula else number(human(name, fact.si))


def _shape_cells(entry: Entry) -> list[str]:
    return [str(getattr(entry.shape, key)) if entry.shape else "-" for key in SHAPE_KEYS]


def heading(entry: Entry) -> list[str]:
    """Return title, file, links and notes of an entry as lines."""
    lines = [f"{entry.title} ({entry.name})", f"file: {entry.file}"]
    lines += [f"{key}: {value}" for key, value in (*entry.labels.items(), *entry.links.items())]
    if entry.shape:
        lines.append("shape: " + ", ".join(f"{key} {value}" for key, value in asdict(entry.shape).items() if value))
    if not entry.verified:
        lines.append("NOT VERIFIED: the shape does not add up to the published size")
    if entry.kind == "calibration":
        lines.append(f"training model: {_fit(entry)}")
    return lines + ([f"notes: {' '.join(entry.notes.split())}"] if entry.notes else [])


def _fit(entry: Entry) -> str:
    """Say what the coefficients of a calibration were fitted to, and what the fit leaves."""
    fit = entry.training
    if fit is None:
        return "nothing fitted; every coefficient is its prior"
    left = ", ".join(f"{name} {100 * value:.1f} %" for name, value in fit.residuals.items())
    return f"{fit.source}, {fit.date}; residuals of step times: {left or 'not stated'}"


def tables(entry: Entry) -> list[Table]:
    """Return the facts of an entry: what the model takes, then what is published besides, then its sections."""
    parts = [("facts", entry.facts), ("published, not taken by the model", entry.published), *entry.sections.items()]
    found = [_fact_table(title, facts) for title, facts in parts if facts]
    return [*found, _coefficient_table(entry)] if entry.kind == "calibration" else found


def _coefficient_table(entry: Entry) -> Table:
    table = Table("coefficients of the training model", COEFFICIENT_COLUMNS)
    for each in taken(entry.training):
        prior = each.prior
        bounds = f"{number(prior.minimum)} to {number(prior.maximum)}"
        origin = "fitted" if each.fitted else "prior"
        cells = (number(each.value), prior.unit, number(prior.value), bounds, origin, prior.description)
        table.rows.append((each.name, *cells))
    return table


def _fact_table(title: str, facts: Mapping[str, Fact]) -> Table:
    table = Table(title, FACT_COLUMNS)
    for name, fact in facts.items():
        table.rows.append((name, _value(fact), _words(fact.confidence), fact.date, fact.source, _note(fact)))
        for other in fact.alternatives:
            value = with_unit(other.value, other.unit)
            confidence, note = _words(other.confidence), "; ".join(_alternative_words(other))
            table.rows.append(
                ("  same" if other.restates else "  or", value, confidence, other.date, other.source, note)
            )
    return table


def _value(fact: Fact) -> str:
    if fact.formula is not None:
        return "computed"
    year = f" of {fact.currency_year}" if fact.currency_year is not None else ""
    return "unknown" if fact.value is None else with_unit(fact.value, fact.unit) + year


def _note(fact: Fact) -> str:
    formula = [f"= {_one_line(fact.formula)}"] if fact.formula is not None else []
    return "; ".join([*formula, *([_one_line(fact.note)] if fact.note else [])])


def _alternative_words(other: Alternative) -> Iterator[str]:
    """Yield the note of an alternative, and the facts that it takes the place of."""
    if other.note:
        yield _one_line(other.note)
    if other.displaced:
        yield "with " + ", ".join(f"{_words(each.name)} {with_unit(each.value, each.unit)}" for each in other.displaced)


def _words(text: str) -> str:
    return text.replace("_", " ")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def as_data(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON knows it, nothing left out; ``si`` is the value in the model's unit."""

    def facts(part: Mapping[str, Fact]) -> dict[str, Any]:
        return {name: asdict(fact) | {"si_unit": _si_unit(name)} for name, fact in part.items()}

    return {
        "kind": entry.kind,
        "name": entry.name,
        "title": entry.title,
        "file": entry.file,
        "labels": dict(entry.labels),
        "links": dict(entry.links),
        "facts": facts(entry.facts),
        "published": facts(entry.published),
        "sections": {name: facts(section) for name, section in entry.sections.items()},
        "shape": asdict(entry.shape) if entry.shape else None,
        "verified": entry.verified,
        "notes": entry.notes,
    } | (_training_data(entry) if entry.kind == "calibration" else {})


def _training_data(entry: Entry) -> dict[str, Any]:
    """Return the fit of a calibration (None without one), and every coefficient of the training model under it."""
    fit = entry.training
    about = fit and {"date": fit.date, "digest": fit.digest, "rows": fit.rows, "residuals": dict(fit.residuals)}
    coefficients = {each.name: asdict(each) for each in taken(entry.training)}
    return {"training": about, "coefficients": coefficients}


def _si_unit(name: str) -> str | None:
    row = quantities().get(name)
    return row.si_unit if row else None
