"""The files of the claims: what they may say, and the claims read from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from sweep.catalogue.schema import Confidence, Strict
from sweep.claims.choices import Verdict
from sweep.errors import Problem, StudyError, nearest
from sweep.paths import configs_dir
from sweep.yaml_source import Source, dotted, read_yaml

FOLDER = "claims"
VALUES, RATIOS = "values", "ratios"
"""Files of the folder that hold no claims."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Text = TypeVar("Text", bound=Strict)


class Claimed(Strict):
    """What a number is claimed to be, in the unit of the part: a value with what it may be off, or a bound."""

    value: Number | None = None
    at_least: Number | None = None
    at_most: Number | None = None
    within: Annotated[float, Field(ge=0)] = 0.0

    def limits(self) -> tuple[float, float]:
        """Return the lowest and the highest number that bear the claim out."""
        low, high = self.at_least, self.at_most
        if self.value is not None:
            low = high = self.value
        return (
            -float("inf") if low is None else low - self.within,
            float("inf") if high is None else high + self.within,
        )

    @property
    def target(self) -> float:
        """The number that a solution must reach."""
        for number in (self.value, self.at_least, self.at_most):
            if number is not None:
                return number
        raise ValueError("a claimed number needs one of value, at_least and at_most")


class Needs(Strict):
    """Which value of the formula would have to be another for the claim to hold, and how people call it."""

    change: str
    say: str
    unit: str = ""
    whole: bool = False


class Part(Strict):
    """A part of a claim that is a number: a formula over values, what is claimed of it, and the published bases.

    A basis names for some values which of their published alternatives it takes (a number as printed), or another value
    by its name. Without ``claimed`` the number is only shown; a formula that is a condition claims to be true.
    """

    says: str
    formula: str
    unit: str = ""
    claimed: Claimed | None = None
    bases: Mapping[str, Mapping[str, float | str]] = Field(default_factory=dict)
    needs: Needs | None = None


class Claim(Strict):
    """One claim: its words, what the sources say of it, and what can be computed.

    ``compiled`` is the verdict of whoever read the sources. ``holds_if`` says in words what would have to be true where
    no number says it, ``reason`` why no model can judge it, ``difference`` why numbers lead to another verdict.
    """

    id: str
    claim: str
    kind: Literal["quantitative", "qualitative"]
    compiled: Verdict
    finding: str
    sources: tuple[str, ...] = ()
    confidence: Confidence | None = None
    parts: tuple[Part, ...] = ()
    holds_if: str = ""
    reason: str = ""
    difference: str = ""


class Article(Strict):
    """One article and its claims."""

    name: str
    short: str
    title: str
    date: str
    note: str = ""
    claims: tuple[Claim, ...]


class Row(Strict):
    """One row of the published ratio table: both inputs as printed, the ratio as printed, and ours as a formula.

    ``bound`` marks inputs that are printed as "more than": the ratio of the inputs is then a lower bound.
    """

    row: str
    first: Number
    second: Number
    unit: str
    printed: Number | None
    decimals: Annotated[int, Field(ge=0, le=3)] = 1
    bound: bool = False
    source: str
    ours: str | None = None
    note: str = ""


class _ValuesText(Strict):
    values: Mapping[str, str]


class _RatiosText(Strict):
    title: str
    rows: tuple[Row, ...]


def claims_folder() -> Path:
    """Return the folder that holds the claims."""
    return configs_dir() / FOLDER


def read_articles() -> tuple[Article, ...]:
    """Return the articles in the order of their files. Raises ``StudyError`` with every fault."""
    files = sorted(path for path in claims_folder().glob("*.yaml") if path.stem not in (VALUES, RATIOS))
    return tuple(_checked(Article, read_yaml(path)) for path in files)


def read_claims() -> dict[str, Claim]:
    """Return every claim by its id."""
    return {claim.id: claim for article in read_articles() for claim in article.claims}


def chosen(names: tuple[str, ...]) -> dict[str, Claim]:
    """Return the claims of these ids, or all when none is named. Raises ``StudyError`` for an unknown id."""
    claims = read_claims()
    unknown = [name for name in names if name.upper() not in claims]
    if unknown:
        raise StudyError(Problem(f"{name!r} is no claim{nearest(name.upper(), claims)}") for name in unknown)
    return {name.upper(): claims[name.upper()] for name in names} if names else claims


def read_names() -> tuple[dict[str, str], str]:
    """Return what the names in formulas stand for, as written, and the file that says so."""
    source = read_yaml(claims_folder() / f"{VALUES}.yaml")
    return dict(_checked(_ValuesText, source).values), source.file


def read_ratios() -> tuple[Row, ...]:
    """Return the rows of the published ratio table."""
    return _checked(_RatiosText, read_yaml(claims_folder() / f"{RATIOS}.yaml")).rows


def _checked(kind: type[Text], source: Source) -> Text:
    try:
        return kind.model_validate(source.data)
    except ValidationError as error:
        problems = []
        for fault in error.errors():
            path = tuple(part for part in fault["loc"] if part != "[key]")
            message = f"{fault['msg'][0].lower()}{fault['msg'][1:]}"
            problems.append(Problem(message, source.where(path), dotted(path)))
        raise StudyError(problems) from error
