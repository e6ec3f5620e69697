"""What a file of the catalogue may say, key by key, and the sentences that explain what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from models.transformer import Transformer
from sweep.errors import Problem, nearest
from sweep.yaml_source import Source, dotted

Confidence = Literal[
    "vendor_datasheet",
    "vendor_doc",
    "standard",
    "statistics",
    "paper",
    "measured",
    "analyst_estimate",
    "press",
    "community",
    "derived",
    "assumption",
    "unverified",
    "not_found",
]

Number = Annotated[float, Field(strict=True)]

SHAPE_FIELDS = tuple(field.name for field in fields(Transformer))


class Strict(BaseModel):
    """Unknown keys are errors; numbers such as the year 2025 may stand for text."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class AlternativeText(Strict):
    """Another published value of a fact, as written.

    ``restates``: it is the fact's own report in another unit; ``with`` are other facts that it takes the place of.
    """

    value: Any
    unit: str = ""
    source: str
    date: str = ""
    confidence: Confidence
    note: str = ""
    restates: bool = False
    displaced: Mapping[str, Number | str] = Field(default_factory=dict, alias="with")


class FactText(Strict):
    """A fact as written: a value with unit and source, a formula, or null with a note."""

    value: Any = None
    unit: str = ""
    source: str = ""
    date: str = ""
    confidence: Confidence
    note: str = ""
    currency_year: int | None = None
    formula: str | None = None
    alternatives: tuple[AlternativeText, ...] = ()


class EntryText(Strict):
    """What every entry has; ``replaces`` lets a user's file take the place of a catalogue entry of the same name."""

    title: str
    notes: str = ""
    replaces: bool = False
    facts: Mapping[str, FactText] = Field(default_factory=dict)
    published: Mapping[str, FactText] = Field(default_factory=dict)


class ChipText(EntryText):
    """A chip: one package, all of its dies; ``country`` is the ISO code of its maker's, for what is domestic."""

    vendor: str
    status: str = ""
    country: str = ""


class SystemText(EntryText):
    """A system: a chip with its host and scale-up domain, and the networks and the place it comes with."""

    vendor: str
    status: str = ""
    chip: str
    scale_up: str
    scale_out: str
    home_region: str


class FabricText(EntryText):
    """A scale-up or scale-out network."""

    tier: Literal["scale_up", "scale_out"]


class WorkloadText(EntryText):
    """A model shape; ``shape`` is null for a model that cannot be described by one, and ``notes`` say why."""

    shape: dict[str, int | bool] | None
    shape_source: str = ""
    verified: bool = True


class RegionText(EntryText):
    """A place: prices of power and land, the grid's carbon; ``country`` is the ISO code for the export rules.

    ``domestic`` facts hold in place of those of the same name for chips whose maker is of that country: subsidies.
    """

    country: str
    domestic: Mapping[str, FactText] = Field(default_factory=dict)


class PricesText(EntryText):
    """Prices of parts, and exchange rates: ``exchange`` maps a currency to a fact in USD per unit of it."""

    exchange: Mapping[str, FactText] = Field(default_factory=dict)


class TrainingText(Strict):
    """The fit of the training model: its data, what it leaves of them, and the coefficients it gave."""

    date: str
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rows: Annotated[int, Field(strict=True, ge=1)]
    residuals: Mapping[str, Number]
    coefficients: Mapping[str, Number]


class CalibrationText(EntryText):
    """Measured efficiencies: ``facts`` for a chip that is not listed, ``chips`` for those that are."""

    chips: Mapping[str, Mapping[str, FactText]] = Field(default_factory=dict)
    training: TrainingText | None = None


SCHEMAS: Mapping[str, type[EntryText]] = {
    "chips": ChipText,
    "systems": SystemText,
    "fabrics": FabricText,
    "workloads": WorkloadText,
    "regions": RegionText,
    "prices": PricesText,
    "calibration": CalibrationText,
    "defaults": EntryText,
}


def check(kind: str, source: Source) -> tuple[EntryText | None, list[Problem]]:
    """Return the file as a typed object, or None and a sentence for every fault."""
    try:
        return SCHEMAS[kind].model_validate(source.data), []
    except ValidationError as error:
        return None, [_problem(kind, source, details) for details in error.errors()]


def _problem(kind: str, source: Source, details: ErrorDetails) -> Problem:
    path = details["loc"]
    kept = tuple(part for part in path if part != "[key]")
    return Problem(_sentence(kind, kept, details), source.where(kept), dotted(kept))


def _sentence(kind: str, path: tuple[str | int, ...], details: ErrorDetails) -> str:
    fault = details["type"]
    if fault == "extra_forbidden":
        return "is no key of this file" + nearest(str(path[-1]), _allowed(kind, path))
    if fault == "missing":
        return "is missing; every entry must state it"
    if fault == "literal_error":
        return f"is {details['input']!r}" + nearest(str(details["input"]), _literals(path))
    return f"is {details['input']!r}; {details['msg'][0].lower()}{details['msg'][1:]}"


def _allowed(kind: str, path: tuple[str | int, ...]) -> Iterable[str]:
    if "alternatives" in path:
        return (each.alias or name for name, each in AlternativeText.model_fields.items())
    if path[0] == "training":
        return TrainingText.model_fields
    return SCHEMAS[kind].model_fields if len(path) == 1 else FactText.model_fields


def _literals(path: tuple[str | int, ...]) -> tuple[str, ...]:
    return get_args(Confidence) if path[-1] == "confidence" else ("scale_up", "scale_out")
