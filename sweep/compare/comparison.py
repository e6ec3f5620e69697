"""Two or more systems side by side: what the comparison of ``supernode compare`` finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.quantities import quantities
from sweep.answer.errors import ModelError, joint, model_error
from sweep.catalogue import Catalogue
from sweep.compare.absent import why_none
from sweep.compare.alternatives import Alternatives, alternatives_of
from sweep.compare.basis import COST, Basis
from sweep.compare.counts import counts_for
from sweep.compare.deciding import Deciding, deciding_inputs
from sweep.compare.design import Design, design_of
from sweep.compare.inputs import BreakEven, break_evens
from sweep.compare.machine import Machine
from sweep.compare.request import Opened, Request
from sweep.compare.side import Side
from sweep.compare.text import JOB, heading
from sweep.compare.verdict import Verdict, judged
from sweep.units import factor

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Pair:
    """The first system against another: ``verdict`` on cost per token, break-evens, and which inputs decide."""

    verdict: Verdict
    break_evens: tuple[BreakEven, ...]
    deciding: tuple[Deciding, ...]
    alternatives: Alternatives | None


@dataclass(frozen=True)
class Case:
    """One workload on one basis in one place (``own``: each system at home).

    ``job`` is what the workload is besides its model, by quantity [unit of the table]. ``precisions`` and ``designs``
    are in the order of the systems, a design None where a system has none; ``absent`` says why it has none, and is
    empty where it has one. ``pairs`` compare the first with each other.
    """

    workload: str
    phase: str
    job: Mapping[str, float]
    basis: Basis
    place: str
    systems: tuple[str, ...]
    precisions: tuple[str, ...]
    designs: tuple[Design | None, ...]
    absent: tuple[str, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Comparison:
    """What was compared, and every case: workloads x bases x places; ``errors`` are the model's by phase and system."""

    opened: Opened
    errors: Mapping[str, Mapping[str, ModelError]]
    cases: tuple[Case, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems in the order given."""
        return self.opened.systems

    @property
    def catalogue(self) -> Catalogue:
        """Where the facts are from."""
        return self.opened.catalogue


def compare(
    systems: Sequence[str],
    workload: Mapping[str, Any] | None = None,
    basis: Mapping[str, Any] | None = None,
    *,
    regions: Sequence[str] = (),
    study: Path | None = None,
    overrides: Sequence[str] = (),
    alternatives: bool = False,
    catalogue_dirs: Sequence[Path] = (),
) -> Comparison:
    """Compare systems on a workload as equals.

    Parameters
    ----------
    systems
        Names in the catalogue; the first is what the others are compared with.
    workload
        As in a study: ``{"train": "llama-3.1-405b", "tokens": 15.6e12, "precision": "bf16"}``. Without a precision each
        system has the best its chip supports.
    basis
        Limits as in a study, ``{"deadline": "90 d"}``, or ``{"domains": 1}`` for a given number of domains of each
        (a list: one for each system). Several keys are several cases.
    regions
        ``own`` (each system at home) or names; without any: own, then all where the first is at home.
    study
        A study file for workload, basis, facts and single-valued scenarios, where the arguments say nothing.
    overrides
        ``path=value`` each: ``gb200-nvl72.chip_price=60000 USD``, ``wacc=0.08``.
    alternatives
        Whether to run over the published conflicts as well.

    Raises
    ------
    StudyError
        When something named does not exist or does not fit, with every fault found.
    """
    request = Request(systems, workload, basis, regions, study, overrides, catalogue_dirs)
    return compared(request.open(), alternatives=alternatives)


def compared(opened: Opened, *, alternatives: bool, progress: Progress | None = None) -> Comparison:
    """Return the comparison of a checked request; ``progress`` is told of every step."""
    tell = progress or (lambda _: None)
    workloads = _machines(opened)
    errors = {
        phase: {system: model_error(opened.catalogue, system, phase) for system in opened.systems}
        for phase in dict.fromkeys(phase for _, phase in workloads)
    }
    cases = [
        _case(opened, machines, basis, place, errors[phase], tell, alternatives=alternatives)
        for machines, phase in workloads
        for basis in _bases(opened, phase)
        for place in opened.regions
    ]
    return Comparison(opened, errors, tuple(cases))


def designs(opened: Opened) -> tuple[Design | None, ...]:
    """Return the designs of the first case of a checked request, in the order of the systems, and nothing else."""
    machines, phase = _machines(opened)[0]
    basis, place = _bases(opened, phase)[0], opened.regions[0]
    sides = [Side(each, place, counts_for(each, place, basis, number), basis) for number, each in enumerate(machines)]
    return tuple(design_of(side) for side in sides)


def _machines(opened: Opened) -> list[tuple[list[Machine], str]]:
    """Return the machines of each workload, in the order of the systems."""
    space = opened.study.space
    designs = [space.design(number) for number in range(space.size)]
    found: dict[tuple[str, str], dict[str, Machine]] = {}
    for choices in designs:
        key = (str(choices["workload"]), str(choices["phase"]))
        rest = {name: value for name, value in choices.items() if name not in {"region", "domains"}}
        known = found.setdefault(key, {})
        if str(choices["system"]) not in known:
            known[str(choices["system"])] = Machine(opened.study, opened.catalogue, rest)
    return [([known[system] for system in opened.systems], phase) for (_, phase), known in found.items()]


def _bases(opened: Opened, phase: str) -> list[Basis]:
    found = [Basis.of(equal, phase) for equal in opened.study.basis if phase in equal.goals]
    if opened.domains:
        same = len(set(opened.domains)) == 1
        text = ", ".join(f"{count:,}" for count in opened.domains[: 1 if same else None])
        found.append(Basis("domains", text, COST, domains=opened.domains))
    return found


def _case(
    opened: Opened,
    machines: Sequence[Machine],
    basis: Basis,
    place: str,
    errors: Mapping[str, ModelError],
    tell: Progress,
    *,
    alternatives: bool,
) -> Case:
    title = heading(
        str(machines[0].choices["workload"]), str(machines[0].choices["phase"]), basis.name, basis.text, place
    )
    sides = []
    for number, machine in enumerate(machines):
        tell(f"{title}: designs of {machine.system}")
        sides.append(Side(machine, place, counts_for(machine, place, basis, number), basis))
    pairs = []
    for other in sides[1:]:
        tell(f"{title}: {sides[0].system} against {other.system}")
        pair = (sides[0], other)
        error = joint(errors[pair[0].system], errors[other.system])
        both = all(side.chosen is not None for side in pair)
        conflicts = alternatives_of(pair) if alternatives and both else None
        verdict = judged(pair, error, conflicts)
        solved = break_evens(pair, error) if both else ()
        pairs.append(Pair(verdict, solved, deciding_inputs(pair) if both else (), conflicts))
    first = machines[0].choices
    return Case(
        workload=str(first["workload"]),
        phase=str(first["phase"]),
        job=_job(machines[0], place),
        basis=basis,
        place=place,
        systems=opened.systems,
        precisions=tuple(str(machine.inputs(place).values["precision"]) for machine in machines),
        designs=tuple(design_of(side) for side in sides),
        absent=tuple("" if side.chosen is not None else why_none(side) for side in sides),
        pairs=tuple(pairs),
    )


def _job(machine: Machine, place: str) -> dict[str, float]:
    inputs, rows = machine.inputs(place).values, quantities()
    names = JOB["serve" if machine.serves else "train"]
    return {name: float(inputs[name]) * factor(rows[name].si_unit, rows[name].unit) for name in names if name in inputs}
