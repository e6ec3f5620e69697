"""``sources.csv``: every fact a run can use, with where it comes from."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator

from models.quantities import quantities
from sweep.catalogue import CALIBRATION, Catalogue
from sweep.catalogue.entry import Resolved
from sweep.catalogue.training import Taken, taken
from sweep.study import Study

HEADER = (
    "fact", "value", "unit", "formula", "source", "date", "confidence", "kind", "entry", "note",
    "currency_year", "exchange_rate",
)  # fmt: skip
"""Columns; ``exchange_rate`` is what one unit of the fact's currency was counted for [USD], empty for USD itself."""


def used_facts(study: Study, catalogue: Catalogue) -> list[Resolved]:
    """Return every fact that some design of the study takes from the catalogue, each once.

    It reads all entries the study needs, so that a worker on another machine finds them in memory.
    """
    found: dict[tuple[str, str, str, str], Resolved] = {}
    for block in study.space.blocks:
        workloads, regions = ((*block.words(name),) or (None,) for name in ("workload", "region"))
        for system, workload, region in itertools.product(block.words("system"), workloads, regions):
            for fact in catalogue.facts(system, workload, region).values():
                found.setdefault((fact.kind, fact.entry, fact.name, fact.where), fact)
    return [found[key] for key in sorted(found)]


def _coefficients(study: Study, catalogue: Catalogue) -> tuple[Taken, ...]:
    """Return the coefficients of the training model where some design of the study trains."""
    trains = any("train" in block.words("phase") for block in study.space.blocks)
    return taken(catalogue.entry("calibration", CALIBRATION).training) if trains else ()


def sources_csv(study: Study, catalogue: Catalogue) -> bytes:
    """Return the table of sources: the catalogue's facts and coefficients, then what the study puts in their place."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(_rows(study, catalogue))
    return text.getvalue().encode()


def _rows(study: Study, catalogue: Catalogue) -> Iterator[tuple[object, ...]]:
    for each in used_facts(study, catalogue):
        fact = each.fact
        yield (
            each.name, fact.value, fact.unit, fact.formula, fact.source, fact.date, fact.confidence, each.kind,
            each.entry, fact.note, fact.currency_year, fact.exchange_rate,
        )  # fmt: skip
    for coefficient in _coefficients(study, catalogue):
        yield (
            coefficient.name, coefficient.value, coefficient.prior.unit, "", coefficient.source, coefficient.date,
            coefficient.confidence, "calibration", CALIBRATION, coefficient.prior.description, "", "",
        )  # fmt: skip
    foreign = {(each.name, each.where) for each in study.exchanges}
    for constant in study.facts:
        if (constant.name, constant.where) not in foreign:
            unit = quantities()[constant.name].unit
            yield _stated(study, constant.name, constant.value, unit, constant.system)
    for price in study.exchanges:
        yield _stated(study, price.name, price.value, price.unit, price.where, price.rate)
    for drawn in study.uncertain.inputs if study.uncertain is not None else ():
        yield (drawn.label, drawn.text, "", "", "the study", "", "", "uncertain", study.name, "", "", "")


def _stated(
    study: Study, name: str, value: float | str, unit: str, note: str, rate: float | None = None
) -> tuple[object, ...]:
    """Return the row of what the study states itself; ``rate`` [USD] is that of a currency that is not USD."""
    return (name, value, unit, "", "the study", "", "", "study", study.name, note, "", rate)
