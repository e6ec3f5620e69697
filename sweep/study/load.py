"""From a file to a checked study: read, override, check everything, build the space."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.errors import StudyError
from sweep.space import Block, Method, Range, SampleAxis, Space, sample_axis
from sweep.study import grammar
from sweep.study.axes import Reader, Spaced
from sweep.study.conditions import read_conditions
from sweep.study.constants import read_facts
from sweep.study.faults import Faults, add_pydantic, without
from sweep.study.layout import Layout, SectionReader, groups_in, split_by_system, systems_of
from sweep.study.outputs import Names, read_basis, read_columns, read_keep, read_objective, read_partition
from sweep.study.overrides import apply_overrides
from sweep.study.spaces import build_block
from sweep.study.study import Constant, Role, Study
from sweep.study.uncertain import Known, UncertainReader, uncertain_names
from sweep.study.values import vocabulary_of
from sweep.study.workloads import Job, model_facts, read_jobs, workload_axis
from sweep.uncertain import DRAW, Uncertain
from sweep.uncertain.statistics import bases, statistic_names
from sweep.yaml_source import Path_, Source, read_yaml

GRAMMAR_ROUNDS = 3
EVERY_DRAW = "draws"
"""What ``keep`` says when each draw of the uncertain inputs is to have a row of its own."""
DRAWS_PER_PART = 16_000_000
"""Evaluations of one part where a row stands for all draws of a design: some ten seconds of one core."""
SERVED_PER_PART = 250_000
"""The same where the study serves, with a search in each draw if speeds are drawn: a minute of one core."""
METHODS: Mapping[str, Method] = {"sobol": "sobol", "lhs": "latin_hypercube", "random": "random"}


def open_study(
    path: Path | str, overrides: Sequence[str] = (), catalogue_dirs: Sequence[Path] = ()
) -> tuple[Study, Catalogue]:
    """Return a study with the catalogue it asks for: the program's, the user's folders, and those the study names."""
    file, faults = _read(Path(path), overrides)
    catalogue = Catalogue.load([*catalogue_dirs, *_folders(file, Path(path))])
    return _Loading(Path(path), file, catalogue, faults).study(), catalogue


def load_study(path: Path | str, catalogue: Catalogue, overrides: Sequence[str] = ()) -> Study:
    """Return a checked study.

    Parameters
    ----------
    path
        The YAML file.
    catalogue
        Where systems, models and regions are looked up. ``open_study`` also loads the folders that the study names.
    overrides
        ``dotted.path=value`` each, as after ``--set``.

    Raises
    ------
    StudyError
        With every fault found, each with its file and line (or its option), path, and what is allowed.
    """
    file, faults = _read(Path(path), overrides)
    return _Loading(Path(path), file, catalogue, faults).study()


def build_study(source: Source, options: Mapping[Path_, str], catalogue: Catalogue) -> Study:
    """Return a checked study that was put together in memory.

    Parameters
    ----------
    source
        The keys of a study file as plain data.
    options
        What set each path, for messages: ``--deadline 90 d``.
    catalogue
        Where systems, models and regions are looked up.

    Raises
    ------
    StudyError
        With every fault found.
    """
    faults = Faults(source, options)
    return _Loading(Path(source.file), _parsed(faults), catalogue, faults).study()


def _read(path: Path, overrides: Sequence[str]) -> tuple[grammar.StudyFile, Faults]:
    source, options = apply_overrides(read_yaml(path), overrides)
    faults = Faults(source, options)
    return _parsed(faults), faults


def _parsed(faults: Faults) -> grammar.StudyFile:
    """Return the file as typed data, without the parts that break the grammar; those are noted as faults.

    Raises ``StudyError`` when too little is left to look further.
    """
    data = faults.source.data
    for _ in range(GRAMMAR_ROUNDS):
        try:
            return grammar.StudyFile.model_validate(data)
        except ValidationError as error:
            data = without(data, add_pydantic(faults, error, grammar.StudyFile))
    faults.stop_if_any()
    raise AssertionError("the grammar refused a study without a fault")


def _folders(file: grammar.StudyFile, path: Path) -> list[Path]:
    return [(path.parent / folder).resolve() for folder in file.catalogue]


@dataclass(slots=True)
class _Loading:
    """One study being loaded: what all steps share."""

    path: Path
    file: grammar.StudyFile
    catalogue: Catalogue
    faults: Faults

    def study(self) -> Study:
        """Return the checked study or raise with every fault."""
        file, faults = self.file, self.faults
        vocabulary = vocabulary_of(self.catalogue)
        reader = Reader(faults, vocabulary)
        single = isinstance(faults.source.data["workload"], dict)
        jobs = read_jobs(file.workload, single=single, faults=faults, vocabulary=vocabulary)
        layouts = self._layouts(reader, jobs)
        roles, places = _roles(layouts, jobs, file.sample)
        facts = read_facts(file.facts, roles, faults, vocabulary)
        conditions = read_conditions(file, roles, faults, self.catalogue.exchange_rate)
        phases = {str(job.values.get("phase")) for job in jobs}
        uncertain = self._uncertain(layouts, phases, roles, facts)
        names = Names(
            roles,
            tuple(conditions.metrics),
            tuple(conditions.derive),
            statistic_names(uncertain, tuple(conditions.metrics)),
        )
        objective = read_objective(file.objective, names, faults)
        keep = read_keep("all" if file.keep.strip() == EVERY_DRAW else file.keep, objective, names, faults)
        basis = read_basis(file.basis, phases, faults, vocabulary)
        goals = (objective, *keep.goals) if objective is not None else keep.goals
        columns = bases(read_columns(file.columns, phases, goals, basis, names, faults), uncertain)
        partition = read_partition(file.partition, names, faults)
        sample = self._sample(reader)
        faults.stop_if_any()
        blocks = self._blocks(layouts, jobs, [*_listed(sample), *_draw_axes(uncertain)], partition)
        faults.stop_if_any()
        study = Study(
            name=file.study,
            question=file.question,
            space=Space.of(blocks),
            roles=roles,
            places={name: faults.where(path) for name, path in places.items()}
            | {name: faults.where(("derive", name)) for name in conditions.derive}
            | {"where": faults.where(("where",))}
            | dict(uncertain_names(uncertain)),
            times=frozenset(name for block in blocks for axis in block.axes for name in axis.times),
            own=_own(layouts),
            facts=facts,
            uncertain=uncertain,
            derive=conditions.derive,
            where=conditions.where,
            require=conditions.require,
            metrics=conditions.metrics,
            objective=objective,
            keep=keep,
            columns=columns,
            partition=partition,
            basis=basis,
            seed=file.seed,
            float_type=file.float_,
            rows_per_part=_rows_per_part(file, uncertain, phases),
            catalogue_dirs=tuple(str(folder) for folder in _folders(file, self.path)),
            file=str(self.path),
            text=_text(self.path, faults, file),
            digest=_digest(file, self.catalogue),
            exchanges=tuple(dict.fromkeys(faults.exchanges)),
        )
        return self._possible(study)

    def _possible(self, study: Study) -> Study:
        """Return the study unless something impossible follows from its constants. Raises ``StudyError`` then."""
        from sweep.impossible import impossible_constants  # noqa: PLC0415 - it assembles inputs, which takes a study

        problems = impossible_constants(study, self.catalogue)
        if problems:
            raise StudyError(problems)
        return study

    def _layouts(self, reader: Reader, jobs: Sequence[Job]) -> list[Layout]:
        """Return the layout of every sub-sweep; without ``blocks`` there is one."""
        workload_names = list(dict.fromkeys(name for job in jobs for name in job.values))
        if any(job.precision for job in jobs):
            workload_names.append("precision")
        sections = SectionReader(reader, workload_names)
        base = sections.read(self.file.levers, self.file.scenarios)
        layouts = [
            base.replaced_by(sections.read(block.levers, block.scenarios, ("blocks", index)))
            for index, block in enumerate(self.file.blocks)
        ] or [base]
        for layout in layouts:
            self._check_systems(layout, jobs)
        return layouts

    def _check_systems(self, layout: Layout, jobs: Sequence[Job]) -> None:
        systems = systems_of(layout.shared)
        if not systems and not self._names_a_system():
            self.faults.add(("levers",), "needs a system, such as system: [cloudmatrix384, gb200-nvl72]")
        for name in layout.own:
            if systems and name not in systems:
                section = next(key for key in ("levers", "scenarios") if name in self._given(key))
                self.faults.add((section, name), f"is not among the systems of this study: {', '.join(systems)}")
        for index, job in enumerate(jobs):
            missing = [system for system in systems if job.precision and system not in job.precision]
            if missing:
                at = ("workload", index) if isinstance(self.faults.source.data["workload"], list) else ("workload",)
                self.faults.add((*at, "precision"), f"has no entry for {', '.join(missing)}; name every system")

    def _names_a_system(self) -> bool:
        """Whether the file tries to say which systems it is about, rightly or wrongly."""
        sections = [self._given("levers"), self._given("scenarios")]
        groups = [group for section in sections for group, _ in groups_in(section.get("zip"), ())]
        return any("system" in part for part in (*sections, *groups))

    def _given(self, section: str) -> dict[str, Any]:
        """Return everything that any part of the file says under one section."""
        data = self.faults.source.data
        parts = [data, *data.get("blocks", [])]
        return {key: value for part in parts for key, value in (part.get(section) or {}).items()}

    def _sample(self, reader: Reader) -> SampleAxis | None:
        given = self.file.sample
        if given is None:
            return None
        ranges = {name: reader.interval(name, item, ("sample", "over", name)) for name, item in given.over.items()}
        found = {name: item for name, item in ranges.items() if item is not None}
        times = [name for name, item in found.items() if item.times]
        if len(found) < len(ranges):
            return None
        marginals = {name: _range(item) for name, item in found.items()}
        return sample_axis(marginals, given.points, METHODS[given.method], self.file.seed, times=times)

    def _uncertain(
        self, layouts: Sequence[Layout], phases: Collection[str], roles: Mapping[str, Role], facts: Sequence[Constant]
    ) -> Uncertain | None:
        """Return what the study draws at random, None when it draws nothing."""
        section, raw = self.file.uncertain, self.file.keep.strip() == EVERY_DRAW
        if section is None:
            if raw:
                self.faults.add(("keep",), "'draws' needs uncertain inputs; see docs/uncertainty.md")
            return None
        systems = tuple(dict.fromkeys(system for layout in layouts for system in systems_of(layout.shared)))
        known = Known(tuple(roles), tuple(self.file.derive), facts, systems, phases)
        reader = UncertainReader(self.faults, vocabulary_of(self.catalogue), self.catalogue, known)
        return reader.read(section, self.file.seed, "draws" if raw else "quantiles")

    def _blocks(
        self, layouts: Sequence[Layout], jobs: Sequence[Job], samples: Sequence[SampleAxis], partition: Sequence[str]
    ) -> list[Block]:
        models = {str(job.values["workload"]) for job in jobs}
        sampled = {name for axis in samples for name in axis.names}
        blocks = []
        for layout in layouts:
            for systems, axes in split_by_system(layout, jobs):
                facts = model_facts(self.catalogue, models)
                every = (workload_axis(jobs, systems[0], facts), *axes)
                kept = [tuple(grid for grid in grids if grid.name not in sampled) for grids in every]
                block = build_block([grids for grids in kept if grids], samples, partition, self.faults)
                blocks += [block] if block is not None else []
        return blocks


def _listed(sample: SampleAxis | None) -> list[SampleAxis]:
    return [] if sample is None else [sample]


def _draw_axes(uncertain: Uncertain | None) -> list[SampleAxis]:
    """Return the axis that numbers the draws, where each draw has a row of its own; its values are looked up later."""
    if uncertain is None or uncertain.rows != "draws":
        return []
    return [SampleAxis((DRAW,), (), uncertain.draws, "random", uncertain.seed)]


def _rows_per_part(file: grammar.StudyFile, uncertain: Uncertain | None, phases: Collection[str]) -> int:
    """Return the rows of one part at most; where each stands for many draws, so many that a part takes seconds."""
    if uncertain is None or uncertain.rows == "draws" or "rows_per_part" in file.model_fields_set:
        return file.rows_per_part
    most = SERVED_PER_PART if "serve" in phases else DRAWS_PER_PART
    return max(1, min(file.rows_per_part, most // uncertain.draws))


def _range(item: Spaced) -> Range:
    whole = quantities()[item.name].dtype == "int" and not item.times
    return Range(item.start, item.stop, item.spacing, whole)


def _roles(layouts: Sequence[Layout], jobs: Sequence[Job], sample: grammar.Sample | None) -> tuple[Any, Any]:
    """Return lever or scenario of every quantity in study order, and the path where each is set."""
    roles: dict[str, Role] = {}
    places: dict[str, tuple[str | int, ...]] = {}
    for job in jobs:
        for name in (*job.values, *(["precision"] if job.precision else [])):
            roles[name] = "lever" if quantities()[name].role == "lever" else "scenario"
            places[name] = ("workload",)
    for layout in layouts:
        roles |= layout.roles
        places |= layout.places
    for name in sample.over if sample is not None else ():
        if name in quantities():
            roles[name] = "lever" if quantities()[name].role == "lever" else "scenario"
            places[name] = ("sample", "over", name)
    return roles, places


def _own(layouts: Sequence[Layout]) -> dict[str, frozenset[str]]:
    """Return the quantities in the sections of single systems."""
    found: dict[str, frozenset[str]] = {}
    for layout in layouts:
        for system, axes in layout.own.items():
            names = frozenset(grid.name for grids in axes for grid in grids)
            found[system] = found.get(system, frozenset()) | names
    return found


def _text(path: Path, faults: Faults, file: grammar.StudyFile) -> str:
    """Return the study as run: the file itself, or written anew when options or relative folders changed it."""
    if not faults.options and not file.catalogue:
        return path.read_text(encoding="utf-8")
    data = dict(faults.source.data)
    if file.catalogue:
        data["catalogue"] = [str(folder) for folder in _folders(file, path)]
    stream = io.StringIO()
    yaml = YAML(pure=True)
    yaml.dump(data, stream)
    return (
        "".join(f"# {' '.join(option.split())}\n" for option in dict.fromkeys(faults.options.values()))
        + stream.getvalue()
    )


def _digest(file: grammar.StudyFile, catalogue: Catalogue) -> str:
    """Return the fingerprint of what decides the results: not the question, nor where folders lie."""
    content = file.model_dump(mode="json", by_alias=True, exclude={"question", "catalogue"})
    text = json.dumps([content, catalogue.digest()], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
