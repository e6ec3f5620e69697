"""The typed grammar of a study file: what may be written where, before any meaning is given to it.

The JSON Schema that editors use is generated from these classes (``sweep.schema``), and the first check of a study is
against them. What needs the quantity table or the catalogue (names, units, bounds) is checked afterwards.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

SCALAR_SCHEMA = {"type": ["number", "string"], "description": "A number, a word, or a number with a unit: 60 MW"}


def _scalar(value: Any) -> int | float | str:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("scalar", "needs one number, a number with a unit such as 60 MW, or a word")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Scalar = Annotated[int | float | str, PlainValidator(_scalar), WithJsonSchema(SCALAR_SCHEMA)]
Values = Annotated[list[Scalar], Field(min_length=1)]
Steps = Annotated[int, Field(strict=True, ge=2, le=1_000_000_000)]
Texts = Annotated[
    list[str],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


def _formula(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Formula = Annotated[str, BeforeValidator(_formula), WithJsonSchema({"type": ["string", "number"]})]


class Strict(BaseModel):
    """A mapping that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ValueList(Strict):
    """Listed values in a stated unit."""

    values: Values
    unit: str = ""


class Linear(Strict):
    """Values at equal distances; with ``times: true`` they multiply each system's own figure."""

    linspace: Annotated[list[Scalar], Field(min_length=2, max_length=2)]
    steps: Steps
    unit: str = ""
    times: bool = False


class Logarithmic(Strict):
    """Values at equal ratios; with ``times: true`` they multiply each system's own figure."""

    log: Annotated[list[Scalar], Field(min_length=2, max_length=2)]
    steps: Steps
    unit: str = ""
    times: bool = False


class FromTo(Strict):
    """The same as ``linspace`` or ``log``, written out."""

    from_: Scalar = Field(alias="from")
    to: Scalar
    steps: Steps
    scale: Literal["linear", "log"] = "linear"
    unit: str = ""
    times: bool = False


class Times(Strict):
    """Multipliers of each system's own figure."""

    times: Values


NO_KIND = "has none of the keys values, linspace, log, times, or from and to"
KINDS = {"linspace": "~linear", "log": "~log", "from": "~from", "to": "~from", "values": "~values", "times": "~times"}
"""Branches of an entry by the key that tells them; the tilde keeps them apart from keys in error locations."""


TAGS: dict[type[Any], str] = {
    ValueList: "~values",
    Linear: "~linear",
    Logarithmic: "~log",
    FromTo: "~from",
    Times: "~times",
}


def _axis_kind(value: Any) -> str | None:
    if isinstance(value, list):
        return "~groups" if value and all(isinstance(item, dict) for item in value) else "~list"
    if isinstance(value, dict):
        found = [kind for key, kind in KINDS.items() if key in value]
        helpers = {"unit", "steps", "scale"} & set(value)
        return found[0] if found else None if helpers else "~group"
    return TAGS.get(type(value), "~scalar")


Axis: TypeAlias = Annotated[
    Annotated[Scalar, Tag("~scalar")]
    | Annotated[Values, Tag("~list")]
    | Annotated[ValueList, Tag("~values")]
    | Annotated[Linear, Tag("~linear")]
    | Annotated[Logarithmic, Tag("~log")]
    | Annotated[FromTo, Tag("~from")]
    | Annotated[Times, Tag("~times")],
    Discriminator(_axis_kind, custom_error_type="axis", custom_error_message=NO_KIND),
]
Group = dict[str, Axis]
Entry: TypeAlias = Annotated[
    Annotated[Scalar, Tag("~scalar")]
    | Annotated[Values, Tag("~list")]
    | Annotated[ValueList, Tag("~values")]
    | Annotated[Linear, Tag("~linear")]
    | Annotated[Logarithmic, Tag("~log")]
    | Annotated[FromTo, Tag("~from")]
    | Annotated[Times, Tag("~times")]
    | Annotated[Group, Tag("~group")]
    | Annotated[list[Group], Tag("~groups")],
    Discriminator(_axis_kind, custom_error_type="axis", custom_error_message=NO_KIND),
]
Section = dict[str, Entry]


class Workload(Strict):
    """One model to train or to serve; every further key is a quantity of the workload."""

    model_config = ConfigDict(extra="allow", frozen=True)

    train: str | None = None
    serve: str | None = None
    tokens: Scalar | None = None
    sequence: Scalar | None = None
    precision: str | dict[str, str] | None = None


class SubSweep(Strict):
    """One of several sub-sweeps: what it names replaces what the study says above."""

    levers: Section = {}
    scenarios: Section = {}


class Interval(Strict):
    """The range of one sampled quantity; with ``times: true`` it multiplies each system's own figure."""

    from_: Scalar = Field(alias="from")
    to: Scalar
    scale: Literal["linear", "log"] = "linear"
    unit: str = ""
    times: bool = False


class Sample(Strict):
    """Points sampled jointly from several ranges: one shared axis."""

    method: Literal["sobol", "lhs", "random"] = "sobol"
    points: Annotated[int, Field(strict=True, ge=1, le=2**30)]
    over: Annotated[dict[str, Interval], Field(min_length=1)]


class Drawn(Strict):
    """What every distribution may say: the unit of its numbers, or that they multiply each system's own figure."""

    unit: str = ""
    times: bool = False


class TriangularDraw(Drawn):
    """Smallest, most likely and largest value."""

    triangular: Annotated[list[Scalar], Field(min_length=3, max_length=3)]


class UniformDraw(Drawn):
    """Smallest and largest value, all between equally likely."""

    uniform: Annotated[list[Scalar], Field(min_length=2, max_length=2)]


class NormalParameters(Strict):
    """Mean and standard deviation."""

    mean: Scalar
    sd: Scalar


class NormalDraw(Drawn):
    """A normal distribution, cut off at the bounds of the quantity."""

    normal: NormalParameters


class LognormalParameters(Strict):
    """Median, and the standard deviation of the natural logarithm: 0.1 is about 10 %."""

    median: Scalar
    sigma: Annotated[float, Field(strict=True)]


class LognormalDraw(Drawn):
    """A lognormal distribution, cut off at the bounds of the quantity."""

    lognormal: LognormalParameters


class ChoiceDraw(Drawn):
    """One of the listed values, or of the values that the catalogue has for a system: its own, then alternatives."""

    choice: Literal["alternatives"] | Annotated[list[Scalar], Field(min_length=1)]
    weights: list[Annotated[float, Field(ge=0)]] = []


DRAWS = {
    "triangular": "~triangular",
    "uniform": "~uniform",
    "normal": "~normal",
    "lognormal": "~lognormal",
    "choice": "~choice",
}
"""Branches of an uncertain input by the key that tells them."""

DRAW_TAGS: dict[type[Any], str] = {
    TriangularDraw: "~triangular",
    UniformDraw: "~uniform",
    NormalDraw: "~normal",
    LognormalDraw: "~lognormal",
    ChoiceDraw: "~choice",
}


def _draw_kind(value: Any) -> str | None:
    if isinstance(value, dict):
        found = [kind for key, kind in DRAWS.items() if key in value]
        groups = bool(value) and all(isinstance(each, (dict, Drawn)) for each in value.values())
        return found[0] if found else "~system" if groups else None
    return DRAW_TAGS.get(type(value))


NO_DRAW = f"needs one of the keys {', '.join(DRAWS)}"
Draw: TypeAlias = Annotated[
    Annotated[TriangularDraw, Tag("~triangular")]
    | Annotated[UniformDraw, Tag("~uniform")]
    | Annotated[NormalDraw, Tag("~normal")]
    | Annotated[LognormalDraw, Tag("~lognormal")]
    | Annotated[ChoiceDraw, Tag("~choice")],
    Discriminator(_draw_kind, custom_error_type="draw", custom_error_message=NO_DRAW),
]
DrawEntry: TypeAlias = Annotated[
    Annotated[TriangularDraw, Tag("~triangular")]
    | Annotated[UniformDraw, Tag("~uniform")]
    | Annotated[NormalDraw, Tag("~normal")]
    | Annotated[LognormalDraw, Tag("~lognormal")]
    | Annotated[ChoiceDraw, Tag("~choice")]
    | Annotated[dict[str, Draw], Tag("~system")],
    Discriminator(_draw_kind, custom_error_type="draw", custom_error_message=NO_DRAW),
]

MOST_DRAWS = 100_000
"""Quantiles of more draws are no better known than the distributions, and a design's draws are in memory at once."""


class Uncertain(Strict):
    """Inputs that nobody knows, drawn at random: the same draws for every design and every system."""

    draws: Annotated[int, Field(strict=True, ge=2, le=MOST_DRAWS)] = 1000
    mapping: Literal["nominal", "each"] = "nominal"
    model_error: Annotated[bool, Field(strict=True)] = True
    inputs: dict[str, DrawEntry] = {}
    correlations: list[tuple[str, str, Annotated[float, Field(strict=True, gt=-1, lt=1)]]] = []
    quantiles: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)] = [0.05, 0.5, 0.95]


class Basis(Strict):
    """At what the systems are compared as equals."""

    deadline: Scalar | None = None
    budget: Scalar | None = None
    power: Scalar | None = None
    chips: Scalar | None = None


class Objective(Strict):
    """What is best: the smallest or the largest value of one metric."""

    minimize: str | None = None
    maximize: str | None = None


COLUMNS = (
    "Results in each row, in place of the usual ones; such as [step_time, step_time_low, step_time_high] for the range"
    " that the error of the model leaves"
)


class StudyFile(Strict):
    """A study: what is swept, in which workloads, under which conditions, and what is kept."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100)]
    question: str = ""
    workload: Annotated[
        list[Workload],
        BeforeValidator(_listed),
        Field(min_length=1),
    ]
    basis: Basis = Basis()
    levers: Section
    scenarios: Section = {}
    blocks: list[SubSweep] = []
    sample: Sample | None = None
    facts: dict[str, Scalar | dict[str, Scalar]] = {}
    uncertain: Uncertain | None = None
    derive: dict[str, Formula] = {}
    where: Texts = []
    require: Texts = []
    metrics: dict[str, Formula] = {}
    objective: Objective | None = None
    keep: str = "all"
    columns: Annotated[list[str], Field(description=COLUMNS)] = []
    partition: list[str] = ["system"]
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    float_: Literal["float32", "float64"] = Field(default="float64", alias="float")
    rows_per_part: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)] = 1_000_000
    catalogue: list[str] = []
