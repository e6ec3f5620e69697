"""A study that has been checked: everything a run, a plan or a search needs to know about what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sweep.expressions import Expression
from sweep.money import Exchange
from sweep.space import Space
from sweep.uncertain import Uncertain

Direction = Literal["minimize", "maximize"]
Role = Literal["lever", "scenario"]


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric by which a design is best, and in which direction."""

    name: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class Keep:
    """Which rows the dataset holds.

    ``number`` is N of ``top N`` and the fraction of ``sample F``; ``goals`` are the metrics of ``pareto``, each with
    its direction. ``best``, ``pareto`` and ``top`` work over levers within each scenario.
    """

    kind: Literal["all", "best", "pareto", "top", "sample"]
    number: float = 0.0
    goals: tuple[Objective, ...] = ()


@dataclass(frozen=True, slots=True)
class Equal:
    """One equal-basis comparison: ``metric`` at most ``limit`` [SI]; ``text`` is as the study writes it.

    ``goals`` says what is best under it in each phase (train, serve) that it can compare.
    """

    name: Literal["deadline", "budget", "power", "chips"]
    metric: str
    limit: float
    text: str
    goals: Mapping[str, Objective] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A fact that the study replaces, for every system or for one (``system``); ``value`` in the quantity's unit."""

    name: str
    value: float | int | str
    system: str
    where: str


@dataclass(frozen=True, slots=True)
class Study:
    """A checked study; frozen and picklable.

    Attributes
    ----------
    name, question
        As written.
    space
        All designs: blocks of axes with values in the units of the quantity table.
    roles
        Lever or scenario, for every quantity of the space, in study order.
    places
        ``file:line`` (or the command-line option) of every quantity of the space, of every derived one, and of
        ``where``.
    times
        Quantities whose values in the space are multipliers, wholly or in some block.
    own
        Quantities that a system has in a section of its own, by system: they vary without those of other systems.
    facts
        Catalogue facts that the study replaces.
    uncertain
        What is drawn at random, the same for every design; None without such inputs.
    derive
        Inputs from other inputs, in an order in which each needs earlier ones only.
    where, require
        Conditions on inputs (drop a design) and on outputs (keep it, with the reason).
    metrics
        Further output columns from other outputs, in an order that can be computed.
    objective, keep, columns, partition
        What is best, which rows and which columns are kept, and how files are divided. ``columns`` holds inputs,
        metrics of the model and ``metrics`` besides those that identify a row.
    basis
        The equal-basis comparisons of the answer.
    catalogue_dirs
        Folders of the user's own catalogue entries, absolute.
    file, text
        Where the study was read from, and the YAML as run (after ``--set``).
    digest
        Fingerprint of the resolved study and the catalogue: equal digests mean equal results of one model version.
    exchanges
        Prices that the study states in another currency than USD, with the rate of each.
    """

    name: str
    question: str
    space: Space
    roles: Mapping[str, Role]
    places: Mapping[str, str]
    times: frozenset[str]
    own: Mapping[str, frozenset[str]]
    facts: tuple[Constant, ...]
    uncertain: Uncertain | None
    derive: Mapping[str, Expression]
    where: tuple[Expression, ...]
    require: tuple[Expression, ...]
    metrics: Mapping[str, Expression]
    objective: Objective | None
    keep: Keep
    columns: tuple[str, ...]
    partition: tuple[str, ...]
    basis: tuple[Equal, ...]
    seed: int
    float_type: Literal["float32", "float64"]
    rows_per_part: int
    catalogue_dirs: tuple[str, ...]
    file: str
    text: str
    digest: str
    exchanges: tuple[Exchange, ...] = ()

    @property
    def input_names(self) -> tuple[str, ...]:
        """Quantities of the space: they identify a row, together with the multipliers of those in ``times``."""
        return tuple(self.roles)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Columns of a row besides its inputs, ``status`` and ``reason`` first."""
        return ("status", "reason", *self.columns)

    @property
    def levers(self) -> tuple[str, ...]:
        """Quantities that a planner chooses."""
        return tuple(name for name, role in self.roles.items() if role == "lever")

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Quantities that the world decides."""
        return tuple(name for name, role in self.roles.items() if role == "scenario")
