"""From what a planner names to a checked study: systems, workload, basis, regions, and facts to replace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.errors import Problem, StudyError, nearest
from sweep.study import Study, build_study
from sweep.study.faults import Faults
from sweep.study.overrides import apply_overrides
from sweep.study.values import checked, vocabulary_of
from sweep.yaml_source import Path_, Source, parse_yaml, read_yaml

WORKLOAD = "llama-3.1-405b"
LIMITS: Mapping[str, Mapping[str, str]] = {"train": {"deadline": "90 d"}, "serve": {"power": "20 MW"}}
"""The basis when none is given."""

PRECISIONS = {"train": ("fp8", "bf16", "fp16"), "serve": ("fp8", "int8", "bf16", "fp16")}
"""Number formats from the best on, as far as models are trained and served in them."""

KEPT = ("workload", "basis", "facts", "catalogue")
"""What is taken over from a study; what it sweeps stands at each system's own figures."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be compared, as named by the user; see ``sweep.compare.compare``."""

    systems: Sequence[str]
    workload: Mapping[str, Any] | None = None
    basis: Mapping[str, Any] | None = None
    regions: Sequence[str] = ()
    study: Path | None = None
    overrides: Sequence[str] = ()
    catalogue_dirs: Sequence[Path] = ()
    options: Mapping[Path_, str] = field(default_factory=dict)

    def open(self) -> Opened:
        """Return the request checked. Raises ``StudyError`` with every fault."""
        base = read_yaml(self.study) if self.study else Source("compare", {}, {})
        kept = {key: base.data[key] for key in KEPT if key in base.data}
        folders = [(self.study.parent / name).resolve() for name in kept.pop("catalogue", [])] if self.study else []
        catalogue = Catalogue.load([*self.catalogue_dirs, *folders])
        return _Opening(self, base, kept, catalogue).opened()


@dataclass(frozen=True, slots=True)
class Opened:
    """A checked request: ``domains`` are the counts of domains where they are given instead of a limit."""

    study: Study
    catalogue: Catalogue
    systems: tuple[str, ...]
    regions: tuple[str, ...]
    domains: tuple[int, ...]
    best_precision: bool


@dataclass(slots=True)
class _Opening:
    """A request on its way into a study."""

    request: Request
    base: Source
    kept: dict[str, Any]
    catalogue: Catalogue

    def opened(self) -> Opened:
        """Return the checked request."""
        request = self.request
        systems = tuple(request.systems)
        if len(systems) < 2:
            raise StudyError.at("name two systems or more, such as cloudmatrix384 gb200-nvl72", "SYSTEM")
        jobs = self._jobs(systems)
        named = any(text.removeprefix("workload.").startswith("precision") for text in request.overrides)
        best = not named and any("precision" not in job for job in jobs)
        jobs = [self._with_precision(job, systems) for job in jobs]
        limits, counts = self._limits(jobs)
        data: dict[str, Any] = {
            "study": "compare",
            **self.kept,
            "workload": jobs if len(jobs) > 1 else jobs[0],
            "basis": limits,
            "levers": {"system": list(dict.fromkeys(systems)), "domains": 1},
            "scenarios": {"region": self._regions(systems)} | self._fixed(),
        }
        source = Source(self.base.file, data, self.base.lines)
        source, said = apply_overrides(source, [self._placed(text) for text in request.overrides])
        options = {**self._places(data), **request.options, **said}
        study = self._built(source, options)
        domains = self._domains(counts, len(systems), Faults(source, options))
        regions = tuple(dict.fromkeys(map(str, _listed(source.data["scenarios"]["region"]))))
        return Opened(study, self.catalogue, systems, regions, domains, best)

    def _built(self, source: Source, options: Mapping[Path_, str]) -> Study:
        """Return the study; faults in what an option gave name the option, not the path that it stands at."""
        try:
            return build_study(source, options, self.catalogue)
        except StudyError as error:
            said = {*options.values()}
            raise StudyError(
                replace(problem, path="") if problem.where in said else problem for problem in error.problems
            ) from error

    def _jobs(self, systems: Sequence[str]) -> list[dict[str, Any]]:
        """Return the workloads: those of the study with what is given put over them, or what is given alone."""
        given = dict(self.request.workload or {})
        known = [dict(job) for job in _listed(self.kept.get("workload", [])) if isinstance(job, dict)]
        if {"train", "serve"} & set(given) or not known:
            return [given if {"train", "serve"} & set(given) else {"train": WORKLOAD, **given}]
        jobs = [{**job, **given} for job in known]
        for job in jobs:
            if isinstance(job.get("precision"), dict):
                own = {name: word for name, word in job["precision"].items() if name in systems}
                job["precision"] = {**self._best(job, systems), **own}
        return jobs

    def _with_precision(self, job: dict[str, Any], systems: Sequence[str]) -> dict[str, Any]:
        found = {} if "precision" in job else self._best(job, systems)
        return {**job, "precision": found} if found else job

    def _best(self, job: Mapping[str, Any], systems: Sequence[str]) -> dict[str, str]:
        """Return the best number format that each system's chip has a peak for."""
        formats = PRECISIONS["serve" if "serve" in job else "train"]
        found = {}
        for system in set(systems) & set(self.catalogue.names("systems")):
            facts = self.catalogue.facts(system)
            having = [name for name in formats if (fact := facts.get(f"peak_{name}")) and fact.value is not None]
            found[system] = having[0] if having else "bf16"
        return found

    def _limits(self, jobs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], Any]:
        """Return the limits, and the counts of domains if they are given."""
        given = dict(self.request.basis or {})
        counts = given.pop("domains", None)
        if given or counts is not None:
            return given, counts
        known = dict(self.kept.get("basis") or {})
        if known:
            return known, None
        phases = {"serve" if "serve" in job else "train" for job in jobs}
        return {name: limit for phase in sorted(phases, reverse=True) for name, limit in LIMITS[phase].items()}, None

    def _regions(self, systems: Sequence[str]) -> list[str]:
        """Return the places: as given, or each system at home and then all where the first is at home."""
        if self.request.regions:
            return list(self.request.regions)
        known = self.catalogue.names("systems")
        homes = [self.catalogue.entry("systems", name).links["home_region"] for name in systems if name in known]
        return ["own", homes[0]] if len(set(homes)) > 1 else ["own"]

    def _fixed(self) -> dict[str, Any]:
        """Return the scenarios to which the study gives one value only."""
        table = quantities()
        given = self.base.data.get("scenarios") or {}
        single = {key: value for key, value in given.items() if isinstance(value, int | float | str) and key in table}
        single.pop("region", None)
        return single

    def _domains(self, counts: Any, systems: int, faults: Faults) -> tuple[int, ...]:
        """Return one count of domains for each system."""
        if counts is None:
            return ()
        row, words = quantities()["domains"], vocabulary_of(self.catalogue)
        listed = _listed(counts)
        found = [checked(row, value, "", ("basis", "domains"), faults, words) for value in listed]
        if len(listed) not in {1, systems}:
            faults.add(("basis", "domains"), f"gives {len(listed)} counts for {systems} systems; give one, or one each")
        faults.stop_if_any()
        whole = tuple(int(value) for value in found if value is not None)
        return whole * systems if len(whole) == 1 else whole

    def _placed(self, text: str) -> str:
        """Return an override with the short forms written out: a quantity, or a system and its quantity, is a fact."""
        head = text.partition("=")[0].split(".")[0].strip().partition("[")[0]
        single = len(_listed(self.kept.get("workload", {}))) < 2
        if head in {"system", "region", "domains", "workload", "levers", "scenarios", "basis", "facts", "seed"}:
            return text
        quantity = quantities().get(head)
        if head == "precision" or (quantity is not None and quantity.group == "workload" and single):
            return f"workload.{text}"
        if quantity is not None or head in self.catalogue.names("systems"):
            return f"facts.{text}"
        allowed = [row.name for row in quantities().values() if row.is_input] + [*self.request.systems]
        raise StudyError([Problem(f"{head!r} is no quantity and no system{nearest(head, allowed)}", f"--set {text}")])

    def _places(self, data: Mapping[str, Any]) -> dict[Path_, str]:
        """Return how messages name what the user gave without a file."""
        if self.request.study is None:
            places: dict[Path_, str] = {(key,): key for key in data}
        else:
            places = {}
        return places | {("levers",): "SYSTEM", ("scenarios", "region"): "--region", ("basis", "domains"): "--domains"}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def value_of(text: str) -> Any:
    """Return a value as YAML reads it: a number, or a text."""
    return parse_yaml(f"value: {text}", text).data["value"]
