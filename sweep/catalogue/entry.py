"""The value objects of the catalogue: a fact, where it came from, and the entry that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.transformer import Transformer
from sweep.catalogue.training import Training

KINDS = ("chips", "systems", "fabrics", "workloads", "regions", "prices", "calibration", "defaults")
"""Folders of the catalogue, in the order in which ``show`` lists them."""

Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class Displaced:
    """A fact that holds ``value`` [``unit``] together with an alternative that counts what the fact counts, too.

    ``si`` is the same in the model's unit.
    """

    name: str
    value: float
    unit: str
    si: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another published value of the same fact; ``si`` is in the model's unit (None when the fact is no quantity).

    ``restates`` marks the same report in another unit or currency: it is shown, but is no other value of the fact.
    ``displaced`` are the facts that must be set with it, or something would be counted twice: a rate of failures of all
    causes leaves none for single parts.
    """

    value: float | int | str
    unit: str
    source: str
    date: str
    confidence: str
    note: str
    si: Value = None
    restates: bool = False
    displaced: tuple[Displaced, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One published number or text, or a formula over other facts.

    ``value`` is in ``unit``, as the source prints it; ``si`` is the same in the model's unit, foreign currency turned
    into USD with ``exchange_rate`` [USD per unit of the currency]. None means unknown, and ``note`` says why.
    ``where`` is file and line.
    """

    value: Value
    unit: str
    source: str
    date: str
    confidence: str
    note: str
    where: str
    currency_year: int | None = None
    alternatives: tuple[Alternative, ...] = ()
    formula: str | None = None
    si: Value = None
    exchange_rate: float | None = None

    @property
    def others(self) -> tuple[Alternative, ...]:
        """Other published values: the alternatives that do not only restate the fact's own report."""
        return tuple(each for each in self.alternatives if not each.restates)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the catalogue.

    ``facts`` are quantities of the model by their table names. ``published`` are facts the model does not take but that
    it is checked against or shown with. ``links`` name other entries: a system's ``chip``, ``scale_up``, ``scale_out``
    and ``home_region``. ``labels`` are plain words about it: vendor, status, country. ``sections`` hold facts for one
    part only: per chip in a calibration, per currency under ``exchange`` in a price list, those for ``domestic`` chips
    in a region. ``training`` is the fit of a
    calibration. ``verified`` is False where a model's shape does not add up to its published size; ``notes`` then say
    why.
    """

    kind: str
    name: str
    title: str
    file: str
    facts: Mapping[str, Fact]
    published: Mapping[str, Fact]
    links: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, Fact]] = field(default_factory=dict)
    shape: Transformer | None = None
    training: Training | None = None
    verified: bool = True
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a design takes for one quantity: the fact that wins, and the entry it stands in.

    ``value`` is in the model's unit (text for text quantities); None when unknown or when ``formula`` gives it.
    """

    name: str
    value: Value
    formula: str | None
    fact: Fact
    kind: str
    entry: str
    where: str
