"""What the names in the formulas of the claims stand for: facts of the catalogue, and results of single designs.

A name is a fact, ``systems.gb200-nvl72.peak_fp8`` (kind, entry, fact, or kind, entry, section, fact; ``as W`` or ``as
count`` behind it where the fact counts in words such as W/GPU), a link of an entry, ``systems.cloudmatrix384.chip``, or
a result: ``run one-gb200-nvl72 it_power`` is of a study of one design in ``configs/claims/runs``, which ``supernode
explain`` takes apart, ``compare training-bf16 gb200-nvl72 cost_to_train`` of the design that stands for a system in a
comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models.quantities import quantities
from sweep.catalogue import KINDS, Alternative, Catalogue, Entry, Fact
from sweep.claims.questions import QUESTIONS, Questions
from sweep.claims.read import claims_folder, read_names
from sweep.dimensions import dimension_of
from sweep.errors import StudyError, nearest
from sweep.expressions.expression import TEXT
from sweep.money import foreign, in_dollars
from sweep.text import with_unit
from sweep.units import UnitError, factor

if TYPE_CHECKING:
    from sweep.explain import Explanation

COUNT = "count"
"""Unit of a fact that counts things in words of its own."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value: SI (or a word), its unit, how it is printed, and where it comes from.

    ``alternatives`` are the other published values of the fact, by the number that is printed.
    """

    name: str
    si: float | str
    si_unit: str
    printed: str
    source: str
    where: str
    confidence: str = ""
    alternatives: Mapping[float, Value] = field(default_factory=dict)


class Values:
    """The values of all names, each looked up, or computed, when a formula asks for it.

    Parameters
    ----------
    catalogue
        Where facts are from.
    questions
        Comparisons that are computed once for whoever asks, of the same catalogue.
    """

    def __init__(self, catalogue: Catalogue, questions: Questions | None = None) -> None:
        self.catalogue = catalogue
        self._questions = questions or Questions()
        self._written, self._file = read_names()
        self._known: dict[str, Value] = {}
        self._runs: dict[str, Explanation] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a formula may use."""
        return tuple(self._written)

    def value(self, name: str) -> Value:
        """Return the value of a name. Raises ``StudyError`` when there is none."""
        if name not in self._known:
            if name not in self._written:
                raise StudyError.at(f"{name!r} is no value{nearest(name, self._written)}", self._file)
            self._known[name] = self._looked_up(name, self._written[name])
        return self._known[name]

    def unit(self, name: str) -> str:
        """Return the SI unit of a name; ``TEXT`` for words."""
        return self.value(name).si_unit

    def _looked_up(self, name: str, text: str) -> Value:
        words = text.split()
        if words[0] == "run" and len(words) == 3:
            return self._result(name, words[1], words[2])
        if words[0] == "compare" and len(words) == 4:
            return self._compared(name, *words[1:])
        kind, _, rest = words[0].partition(".")
        entry, _, fact = rest.rpartition(".")
        if kind not in KINDS or not entry or len(words) not in (1, 3):
            raise StudyError.at(
                f"{text!r} is no value; write systems.NAME.FACT, run NAME METRIC or compare NAME SYSTEM METRIC",
                self._file,
                name,
            )
        unit = words[2].removesuffix(COUNT) if len(words) == 3 and words[1] == "as" else None
        return self._fact(name, kind, entry, fact, unit)

    def _fact(self, name: str, kind: str, entry: str, fact: str, unit: str | None) -> Value:
        base, _, section = entry.rpartition(".") if entry not in self.catalogue.names(kind) else (entry, "", "")
        found = self.catalogue.entry(kind, base or entry)
        if base and section:
            return self._of_section(name, found, section, fact, unit)
        if fact in found.links:
            return Value(name, found.links[fact], TEXT, found.links[fact], found.title, found.file)
        facts = dict(found.facts) | {key: each for key, each in found.published.items() if key not in found.facts}
        if fact not in facts:
            raise StudyError.at(f"{kind} {entry} has no {fact}{nearest(fact, facts)}", self._file, name)
        return self._of_fact(name, fact, facts[fact], unit)

    def _of_section(self, name: str, entry: Entry, section: str, key: str, unit: str | None) -> Value:
        facts = entry.sections.get(section, {})
        if key not in facts:
            known = [f"{part}.{each}" for part, found in entry.sections.items() for each in found]
            there = f"{section}.{key}"
            raise StudyError.at(f"{entry.kind} {entry.name} has no {there}{nearest(there, known)}", self._file, name)
        return self._of_fact(name, key, facts[key], unit)

    def _of_fact(self, name: str, key: str, fact: Fact, unit: str | None) -> Value:
        alternatives: dict[float, Value] = {}
        published: tuple[Fact | Alternative, ...] = (fact, *fact.alternatives)
        for other in published:
            if isinstance(other.value, int | float):
                read_as = other.unit if unit is None else unit
                si, si_unit = self._number(key, float(other.value), read_as)
                printed = with_unit(float(other.value), read_as)
                found = Value(name, si, si_unit, printed, other.source, fact.where, other.confidence)
                alternatives.setdefault(float(other.value), found)
        if isinstance(fact.value, str):
            return Value(name, fact.value, TEXT, fact.value, fact.source, fact.where, fact.confidence)
        if fact.value is None:
            raise StudyError.at(f"{key} is not known: {fact.note}", fact.where)
        main = alternatives[float(fact.value)]
        return Value(name, main.si, main.si_unit, main.printed, main.source, main.where, main.confidence, alternatives)

    def _number(self, key: str, value: float, unit: str) -> tuple[float, str]:
        """Return a published number in SI with the unit; foreign money becomes dollars as the catalogue does it."""
        currency, unit = foreign(unit), in_dollars(unit)
        rate = self.catalogue.exchange_rate(currency) if currency else 1.0
        known = quantities().get(key)
        try:
            si_unit = known.si_unit if known is not None else dimension_of(unit).si_unit
            return value * rate * (factor(unit, si_unit) if unit else 1.0), si_unit
        except UnitError as error:
            raise StudyError.at(f"{key}: {error}; write the unit to read it in: {key} as W", self._file) from error

    def _compared(self, name: str, question: str, system: str, metric: str) -> Value:
        design = self._questions.design(question, system)
        if metric not in design.values:
            raise StudyError.at(f"{question} has no result {metric}{nearest(metric, design.values)}", self._file, name)
        number, row = design.number(metric), quantities()[metric]
        if number is None:
            raise StudyError.at(f"{metric} is not known", QUESTIONS[question].command)
        si, printed = number * factor(row.unit, row.si_unit), with_unit(number, row.unit)
        return Value(name, si, row.si_unit, printed, "the model", QUESTIONS[question].command, "derived")

    def _result(self, name: str, run: str, metric: str) -> Value:
        chain = self._chain(run)
        outputs = chain.outputs
        if metric not in outputs:
            raise StudyError.at(f"{run} has no result {metric}{nearest(metric, outputs)}", self._file, name)
        output, where = outputs[metric], f"{claims_folder().name}/runs/{run}.yaml"
        if outputs["status"].value != "ok":
            raise StudyError.at(f"its design is infeasible: {outputs['reason'].value}", where)
        if isinstance(output.value, str):
            return Value(name, output.value, TEXT, output.value, "the model", where, "derived")
        if output.value is None:
            raise StudyError.at(f"{metric} is not known", where)
        si_unit = quantities()[metric].si_unit
        si = float(output.value) * (factor(output.unit, si_unit) if output.unit else 1.0)
        return Value(name, si, si_unit, with_unit(output.value, output.unit), "the model", where, "derived")

    def _chain(self, run: str) -> Explanation:
        if run not in self._runs:
            from sweep.explain import explain  # noqa: PLC0415 - runs the model
            from sweep.study import load_study  # noqa: PLC0415

            file = claims_folder() / "runs" / f"{run}.yaml"
            if not file.is_file():
                options = [path.stem for path in file.parent.glob("*.yaml")]
                raise StudyError.at(f"there is no run {run}{nearest(run, options)}", self._file)
            self._runs[run] = explain(load_study(file, self.catalogue), self.catalogue, 0)
        return self._runs[run]
