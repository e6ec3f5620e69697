"""The ``uncertain`` section of a study, checked: distributions in table units, correlations, the error of the model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from models.quantities import Quantity, quantities
from sweep.catalogue import Catalogue, Resolved
from sweep.errors import nearest
from sweep.money import is_money
from sweep.space import Marginal, Range, Triangular
from sweep.study import grammar
from sweep.study.faults import Faults
from sweep.study.study import Constant
from sweep.study.values import Scalar, Vocabulary, checked, input_quantity, price
from sweep.text import number
from sweep.uncertain import Uncertain, UncertainInput
from sweep.uncertain.correlation import is_valid, largest_share, lower, nearest_valid
from sweep.uncertain.distributions import WEIGHTS_ERROR, Gaussian, Weighted, sigma_of_error
from sweep.units import UnitError, convert, factor
from sweep.yaml_source import Path_

SECTION: Path_ = ("uncertain",)
MODEL_ERROR = "model_error"
FACTOR = "step_time_factor"
ALTERNATIVES = "alternatives"


@dataclass(frozen=True, slots=True)
class Known:
    """What the rest of the study says, as far as uncertain inputs must fit to it.

    ``axes`` and ``derived`` are the quantities that the study sweeps or derives, ``systems`` those it compares,
    ``phases`` train, serve or both.
    """

    axes: Collection[str]
    derived: Collection[str]
    facts: Sequence[Constant]
    systems: Sequence[str]
    phases: Collection[str]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One distribution in the unit of the table, its nominal value, and how people write it."""

    marginal: Marginal
    nominal: float
    text: str
    displaced: tuple[tuple[float, tuple[tuple[str, float], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class UncertainReader:
    """Reads the section; what is wrong goes to ``faults``."""

    faults: Faults
    vocabulary: Vocabulary
    catalogue: Catalogue
    known: Known

    def read(self, section: grammar.Uncertain, seed: int, rows: Literal["quantiles", "draws"]) -> Uncertain | None:
        """Return the uncertain inputs of a study, None when something is wrong with them."""
        inputs = self._inputs(section)
        if section.model_error and FACTOR not in {each.name for each in inputs if not each.systems}:
            inputs += self._model_errors({system for each in inputs if each.name == FACTOR for system in each.systems})
        if not inputs:
            self.faults.add((*SECTION, "inputs"), "names nothing that is uncertain; see docs/uncertainty.md")
            return None
        triangle = self._correlations(section, [each.label for each in inputs])
        quantiles = tuple(sorted(set(section.quantiles)))
        return Uncertain(tuple(inputs), section.draws, section.mapping, quantiles, triangle, seed, rows)

    def _inputs(self, section: grammar.Uncertain) -> list[UncertainInput]:
        found: list[UncertainInput | None] = []
        for key, entry in section.inputs.items():
            path = (*SECTION, "inputs", key)
            if not isinstance(entry, dict):
                found.append(self._input(key, entry, "", path))
            elif key in self.known.systems:
                found += [self._input(name, draw, key, (*path, name)) for name, draw in entry.items()]
            elif self.vocabulary.is_quantity(key):
                self.faults.add(path, grammar.NO_DRAW)
            else:
                self.faults.add(path, f"is no system of this study{nearest(key, self.known.systems)}")
        return [each for each in found if each is not None]

    def _input(self, name: str, entry: grammar.Drawn, system: str, path: Path_) -> UncertainInput | None:
        if name in self.known.systems and not system:
            self.faults.add(path, "names a system; write the quantities of that system below it")
            return None
        quantity = input_quantity(name, path, self.faults)
        if quantity is None:
            return None
        fault = self._unfit(quantity, system, times=entry.times)
        if fault:
            self.faults.add(path, fault)
            return None
        drawn = _DistributionReader(self, quantity, system, entry.unit, path, times=entry.times).read(entry)
        if drawn is None:
            return None
        label = f"{system}.{name}" if system else name
        systems = (system,) if system else ()
        where = self.faults.where(path)
        return UncertainInput(
            name, label, drawn.marginal, drawn.nominal, entry.times, systems, where, drawn.text, drawn.displaced
        )

    def _unfit(self, quantity: Quantity, system: str, *, times: bool) -> str:
        """Return why a quantity cannot be uncertain in this study, or nothing."""
        name = quantity.name
        if quantity.structural:
            return f"{name} decides which mappings are legal: a choice, not a chance; list its values under levers"
        if quantity.dtype == "text":
            return f"{name} is a word; list its values under scenarios"
        if quantity.dtype == "int":
            return f"{name} counts parts and is known; list its values under levers or scenarios"
        if name in self.known.axes:
            return "is a lever or scenario of this study as well; keep one"
        if name in self.known.derived:
            return "is derived by this study as well; keep one"
        fixed = any(each.name == name and each.system in {"", system} for each in self.known.facts)
        return "is set under facts as well; keep one, or multiply it with times: true" if fixed and not times else ""

    def _model_errors(self, stated: Collection[str]) -> list[UncertainInput]:
        """Return one factor on times per chip: what published runs and measurements say of the error of the model.

        Systems of one chip share their factor: its error is mostly that of the chip's kernels and libraries. A study
        that trains and serves has one factor for both, with the larger error.
        """
        from sweep.answer.errors import model_error  # noqa: PLC0415 - the answer imports studies

        by_chip: dict[str, list[str]] = {}
        for system in self.known.systems:
            if system not in stated:
                by_chip.setdefault(self.catalogue.entry("systems", system).links["chip"], []).append(system)
        found = []
        for chip, systems in by_chip.items():
            errors = [model_error(self.catalogue, systems[0], phase) for phase in sorted(self.known.phases)]
            error = max(errors, key=lambda each: each.value)
            if not math.isfinite(error.value) or error.value == 0:
                continue
            source = "published runs of the chip" if error.known else "other chips; too little of this one is published"
            found.append(
                UncertainInput(
                    FACTOR,
                    f"{MODEL_ERROR}.{chip}",
                    Gaussian(1.0, sigma_of_error(error.value), log=True),
                    1.0,
                    systems=tuple(systems),
                    where=self.faults.where((*SECTION, MODEL_ERROR)),
                    text=f"lognormal with median 1, off by {100 * error.value:.1f} % on average ({source})",
                )
            )
        return found

    def _correlations(self, section: grammar.Uncertain, labels: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        """Return the lower triangle of the correlations; those that are wrong are noted and left out."""
        pairs: dict[tuple[int, int], float] = {}
        lines: dict[tuple[int, int], Path_] = {}
        for index, (first, second, rank) in enumerate(section.correlations):
            path = (*SECTION, "correlations", index)
            unknown = [label for label in (first, second) if label not in labels]
            if unknown:
                self.faults.add(
                    path, f"{unknown[0]!r} is no uncertain input of this study{nearest(unknown[0], labels)}"
                )
                continue
            low, high = sorted((labels.index(first), labels.index(second)))
            if low == high:
                self.faults.add(path, f"{first} is correlated with itself; name two inputs")
            elif (low, high) in pairs:
                self.faults.add(path, f"the correlation of {first} and {second} is given twice; keep one")
            else:
                pairs[low, high], lines[low, high] = rank, path
        if is_valid(len(labels), pairs):
            return lower(len(labels), pairs)
        nearest_pair = nearest_valid(len(labels), pairs)
        if nearest_pair is None:
            share = largest_share(len(labels), pairs)
            message = f"no inputs can have these correlations at once; multiply them all by {share:g} or less"
            self.faults.add((*SECTION, "correlations"), message)
        else:
            pair, rank = nearest_pair
            first, second = (labels[place] for place in pair)
            message = (
                f"{first} and {second} cannot have a rank correlation of {pairs[pair]:g} beside the others;"
                f" the nearest that they can have is {rank:g}"
            )
            self.faults.add(lines[pair], message)
        return lower(len(labels), {})


@dataclass(frozen=True, slots=True)
class _DistributionReader:
    """Reads the distribution of one quantity [unit of the table, or a multiplier with ``times``]."""

    reader: UncertainReader
    quantity: Quantity
    system: str
    unit: str
    path: Path_
    times: bool

    def read(self, entry: grammar.Drawn) -> _Drawn | None:
        """Return the distribution of an entry, or note what is wrong with it."""
        match entry:
            case grammar.TriangularDraw(triangular=values):
                return self._triangular(values)
            case grammar.UniformDraw(uniform=values):
                return self._uniform(values)
            case grammar.NormalDraw(normal=parameters):
                return self._normal(parameters)
            case grammar.LognormalDraw(lognormal=parameters):
                return self._lognormal(parameters)
            case grammar.ChoiceDraw(choice=options, weights=weights):
                return self._alternatives(weights) if options == ALTERNATIVES else self._choice(list(options), weights)
        raise AssertionError(f"no reader for {type(entry).__name__}")

    def _triangular(self, values: Sequence[Scalar]) -> _Drawn | None:
        path = (*self.path, "triangular")
        ends = self._numbers(values, path)
        if ends is None:
            return None
        low, mode, high = ends
        if not low <= mode <= high or low == high:
            self._note(path, f"needs the smallest, the most likely and the largest value in this order, not {values}")
            return None
        return _Drawn(Triangular(low, mode, high), mode, f"triangular {low:g}, {mode:g}, {high:g}{self._shown_unit}")

    def _uniform(self, values: Sequence[Scalar]) -> _Drawn | None:
        path = (*self.path, "uniform")
        ends = self._numbers(values, path)
        if ends is None:
            return None
        low, high = ends
        if not low < high:
            self._note(path, f"the range must rise: {high:g} is not above {low:g}")
            return None
        return _Drawn(Range(low, high), (low + high) / 2, f"uniform {low:g} to {high:g}{self._shown_unit}")

    def _normal(self, given: grammar.NormalParameters) -> _Drawn | None:
        path = (*self.path, "normal")
        mean, spread = self._number(given.mean, (*path, "mean")), self._spread(given.sd, (*path, "sd"))
        if mean is None or spread is None:
            return None
        low, high = self._bounds
        return _Drawn(
            Gaussian(mean, spread, low=low, high=high), mean, f"normal {mean:g} ± {spread:g}{self._shown_unit}"
        )

    def _lognormal(self, given: grammar.LognormalParameters) -> _Drawn | None:
        path = (*self.path, "lognormal")
        median = self._number(given.median, (*path, "median"))
        sigma = self._positive(given.sigma, (*path, "sigma"))
        if median is not None and median <= 0:
            self._note((*path, "median"), f"the median must be above 0, not {median:g}")
            return None
        if median is None or sigma is None:
            return None
        low, high = self._bounds
        drawn = Gaussian(median, sigma, log=True, low=low, high=high)
        return _Drawn(drawn, median, f"lognormal with median {median:g}{self._shown_unit}, sigma {sigma:g}")

    def _choice(self, values: Sequence[Scalar], weights: Sequence[float]) -> _Drawn | None:
        options = self._numbers(values, (*self.path, "choice"))
        return None if options is None else self._weighted(options, weights, None)

    def _alternatives(self, weights: Sequence[float]) -> _Drawn | None:
        path, name = (*self.path, "choice"), self.quantity.name
        if not self.system:
            self._note(path, "alternatives belong to one system; write the quantity below its name")
            return None
        if self.times:
            self._note(path, "alternatives are absolute; leave out times: true, or list the multipliers")
            return None
        facts = self.reader.catalogue.facts(self.system)
        fact = facts.get(name)
        options = _published(fact) if fact is not None else []
        if fact is None or len(options) < 2:
            having = [other for other, found in facts.items() if other in quantities() and len(_published(found)) > 1]
            why = f"the catalogue has no alternatives for {name} of {self.system}"
            self._note(path, f"{why}{nearest(name, having)}")
            return None
        scale = factor(self.quantity.si_unit, self.quantity.unit)
        values = [value * scale for value in options]
        drawn = self._weighted(values, weights, values[0])
        return None if drawn is None else self._with_displaced(drawn, fact, scale)

    def _with_displaced(self, drawn: _Drawn, fact: Resolved, scale: float) -> _Drawn | None:
        """Return a choice among alternatives with the facts that some of them take the place of."""
        found = [
            (float(each.si) * scale, tuple((other.name, other.value) for other in each.displaced))
            for each in fact.fact.others
            if each.displaced and isinstance(each.si, int | float)
        ]
        known = self.reader.known
        stated = {each.name for each in known.facts if each.system in {"", self.system}}
        for name in dict.fromkeys(name for _, others in found for name, _ in others):
            if name in stated or name in known.axes or name in known.derived:
                message = f"an alternative of {self.quantity.name} takes the place of {name}, which this study sets too"
                self._note((*self.path, "choice"), f"{message}; list the numbers instead")
                return None
        return replace(drawn, displaced=tuple(found))

    def _weighted(self, values: Sequence[float], weights: Sequence[float], nominal: float | None) -> _Drawn | None:
        path = (*self.path, "weights")
        if weights and len(weights) != len(values):
            shown = ", ".join(f"{value:g}" for value in values)
            self._note(
                path, f"needs one weight for each of {shown}{self._shown_unit}: {len(values)}, not {len(weights)}"
            )
            return None
        if weights and abs(math.fsum(weights) - 1) > WEIGHTS_ERROR:
            self._note(path, f"add up to {math.fsum(weights):g}; they must add up to 1")
            return None
        shares: dict[float, float] = {}
        for value, weight in zip(values, weights or itertools.repeat(1 / len(values)), strict=False):
            shares[value] = shares.get(value, 0.0) + weight
        options = tuple(sorted(shares))
        likeliest = max(shares, key=lambda value: shares[value])
        shown = ", ".join(f"{number(value, 4)} ({100 * shares[value]:.0f} %)" for value in options)
        drawn = Weighted(options, tuple(shares[value] for value in options))
        return _Drawn(drawn, likeliest if nominal is None else nominal, f"one of {shown}{self._shown_unit}")

    @property
    def _shown_unit(self) -> str:
        if self.times:
            return " times its own figure"
        return f" {self.quantity.unit}" if self.quantity.unit else ""

    @property
    def _bounds(self) -> tuple[float, float]:
        """The bounds of the table, or the next number inside; those of a multiplier are 0 and none."""
        if self.times:
            return 0.0, math.inf
        row = self.quantity
        low = -math.inf if row.minimum is None else row.minimum
        high = math.inf if row.maximum is None else row.maximum
        return (
            math.nextafter(low, math.inf) if row.minimum_excluded else low,
            math.nextafter(high, -math.inf) if row.maximum_excluded else high,
        )

    def _numbers(self, values: Sequence[Scalar], path: Path_) -> list[float] | None:
        found = [self._number(value, (*path, index)) for index, value in enumerate(values)]
        kept = [value for value in found if value is not None]
        return kept if len(kept) == len(found) else None

    def _number(self, value: Scalar, path: Path_) -> float | None:
        if not self.times:
            found = checked(self.quantity, value, self.unit, path, self.reader.faults, self.reader.vocabulary)
            return None if found is None else float(found)
        if isinstance(value, str) or self.unit or not (math.isfinite(value) and value >= 0):
            self._note(path, f"{value!r} is no multiplier; write a number of at least 0 without a unit")
            return None
        return float(value)

    def _spread(self, value: Scalar, path: Path_) -> float | None:
        """Return a standard deviation, which has no bounds but 0."""
        if self.times:
            number = self._number(value, path)
            return None if number is None else self._positive(number, path)
        row, reader = self.quantity, self.reader
        if is_money(row.unit):
            number = price(row.name, row.unit, (value, self.unit), path, reader.faults, reader.vocabulary)
            return None if number is None else self._positive(number, path)
        try:
            return self._positive(convert(value, row.unit, self.unit or None), path)
        except UnitError as error:
            self._note(path, f"{value!r} does not fit {self.quantity.name}: {error}")
            return None

    def _positive(self, value: float, path: Path_) -> float | None:
        if not 0 < value < math.inf:
            self._note(path, f"a standard deviation must be above 0, not {value:g}")
            return None
        return value

    def _note(self, path: Path_, message: str) -> None:
        self.reader.faults.add(path, message)


def _published(fact: Resolved) -> list[float]:
    """Return the numbers that are published for a fact [SI], the one that the catalogue takes first, each once."""
    values = [fact.value, *(each.si for each in fact.fact.others)]
    return list(dict.fromkeys(float(value) for value in values if isinstance(value, (int, float))))


def uncertain_names(uncertain: Uncertain | None) -> Mapping[str, str]:
    """Return ``file:line`` of every uncertain quantity."""
    return {each.name: each.where for each in uncertain.inputs} if uncertain is not None else {}
