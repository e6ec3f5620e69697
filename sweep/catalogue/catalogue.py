"""The catalogue as a whole: which entries there are, and what a design takes from which of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from models.coefficients import Coefficients
from sweep.catalogue import fast_yaml
from sweep.catalogue.entry import KINDS, Entry, Fact, Resolved
from sweep.catalogue.reading import read_entry
from sweep.catalogue.training import taken
from sweep.errors import Problem, StudyError, nearest
from sweep.paths import configs_dir

PRICES = "parts"
CALIBRATION = "2026-11"
DEFAULTS = "scenario"
LINKED = {"chip": "chips", "scale_up": "fabrics", "scale_out": "fabrics", "home_region": "regions"}


class Catalogue:
    """Entries by kind and name. Files are found at once and parsed when asked for; each is parsed once.

    Parameters
    ----------
    files
        Kind → name → file.
    folders
        The user's folders among them, absolute.
    """

    def __init__(self, files: Mapping[str, Mapping[str, Path]], folders: Sequence[str] = ()) -> None:
        self.folders = tuple(folders)
        self._files = files
        self._entries: dict[tuple[str, str], Entry] = {}

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> Catalogue:
        """Return the program's catalogue with the user's folders on top.

        A folder of the user has the same layout: ``chips/my-chip.yaml`` adds a chip. A file with the name of an
        existing entry must say ``replaces: true``. Entries of the user are checked at once, those of the program when
        they are used. Raises ``StudyError`` with every fault found.
        """
        files = {kind: dict(_files(configs_dir(), kind)) for kind in KINDS}
        problems: list[Problem] = []
        for folder in extra:
            problems += _add(files, Path(folder))
        catalogue = cls(files, [str(Path(folder).resolve()) for folder in extra])
        added = {(kind, name) for folder in extra for kind in KINDS for name, _ in _files(Path(folder), kind)}
        for kind, name in sorted(added):
            problems += catalogue.faults(kind, name)
        if problems:
            raise StudyError(problems)
        return catalogue

    def names(self, kind: str) -> list[str]:
        """Return the names of all entries of a kind, sorted."""
        return sorted(self._of_kind(kind))

    def entry(self, kind: str, name: str) -> Entry:
        """Return one entry. Raises ``StudyError`` when there is none or its file is wrong."""
        known = (kind, name)
        if known not in self._entries:
            files = self._of_kind(kind)
            if name not in files:
                raise StudyError.at(f"{name!r} is not in the catalogue of {kind}" + nearest(name, files))
            rates = None if kind == "prices" else self.exchange_rate
            self._entries[known] = read_entry(kind, files[name], rates)
        return self._entries[known]

    def exchange_rate(self, currency: str) -> float:
        """Return what one unit of a currency is worth [USD] in the price list, NaN when it does not say."""
        fact = self.entry("prices", PRICES).sections.get("exchange", {}).get(currency)
        return float(fact.value) if fact is not None and isinstance(fact.value, (int, float)) else math.nan

    def problems(self) -> list[Problem]:
        """Return every fault in every file of the catalogue, links to missing entries included."""
        return [problem for kind in KINDS for name in self.names(kind) for problem in self.faults(kind, name)]

    def facts(
        self,
        system: str,
        workload: str | None = None,
        region: str | None = None,
        *,
        prices: str = PRICES,
        calibration: str = CALIBRATION,
        defaults: str = DEFAULTS,
    ) -> dict[str, Resolved]:
        """Return what a design takes from the catalogue, by quantity.

        Later entries win over earlier ones: defaults, prices, calibration for any chip, chip, scale-up fabric,
        scale-out fabric, system, calibration of the chip, workload, region, what the region states for chips of its
        own country's makers. A later entry that does not know a fact
        (null) leaves the earlier one in place. ``own`` (or None) as region is the system's home.
        """
        taken = self.entry("systems", system)
        fitted = self.entry("calibration", calibration)
        links = taken.links
        place = links["home_region"] if region in (None, "own") else region
        chip = self.entry("chips", links["chip"])
        entries = [
            self.entry("defaults", defaults),
            self.entry("prices", prices),
            fitted,
            chip,
            self.entry("fabrics", links["scale_up"]),
            self.entry("fabrics", links["scale_out"]),
            taken,
        ]
        resolved: dict[str, Resolved] = {}
        for entry in entries:
            _merge(resolved, entry, entry.facts)
        _merge(resolved, fitted, fitted.sections.get(links["chip"], {}))
        if workload is not None:
            _merge(resolved, shape := self.entry("workloads", workload), shape.facts)
        located = self.entry("regions", str(place))
        _merge(resolved, located, located.facts)
        if chip.labels.get("country") == located.labels["country"]:
            _merge(resolved, located, located.sections.get("domestic", {}))
        return resolved

    def coefficients(self, calibration: str = CALIBRATION) -> Coefficients:
        """Return the coefficients of the training model: those that a calibration fits, priors for the others."""
        found = taken(self.entry("calibration", calibration).training)
        return Coefficients(**{each.name: each.value for each in found})

    def digest(self) -> str:
        """Return a fingerprint of every file of the catalogue: equal digests mean equal facts."""
        total = hashlib.sha256()
        for kind in KINDS:
            for name in self.names(kind):
                content = hashlib.sha256(self._files[kind][name].read_bytes()).hexdigest()
                total.update(f"{kind}/{name} {content}\n".encode())
        return total.hexdigest()

    def _of_kind(self, kind: str) -> Mapping[str, Path]:
        if kind not in self._files:
            raise StudyError.at(f"{kind!r} is no kind of catalogue entry" + nearest(kind, KINDS))
        return self._files[kind]

    def faults(self, kind: str, name: str) -> list[Problem]:
        """Return what is wrong with one entry, links to missing entries included."""
        try:
            entry = self.entry(kind, name)
        except StudyError as error:
            return list(error.problems)
        return [
            Problem(f"{to!r} is not in the catalogue of {LINKED[link]}" + nearest(to, options), entry.file, link)
            for link, to in entry.links.items()
            if to not in (options := self._files[LINKED[link]])
        ]


def _files(folder: Path, kind: str) -> Iterator[tuple[str, Path]]:
    return ((path.stem, path) for path in sorted((folder / kind).glob("*.yaml")))


def _add(files: dict[str, dict[str, Path]], folder: Path) -> list[Problem]:
    """Put a user's files on top of those known; return what is wrong with the folder."""
    if not folder.is_dir():
        return [Problem("is no folder; a catalogue is a folder with chips/, systems/ and so on in it", str(folder))]
    problems = [
        Problem("is no kind of catalogue entry" + nearest(path.name, KINDS), str(path))
        for path in sorted(folder.iterdir())
        if path.is_dir() and path.name not in (*KINDS, "studies")
    ]
    found = [(kind, name, path) for kind in KINDS for name, path in _files(folder, kind)]
    if not found and not problems:
        problems.append(Problem("holds no entries; a chip belongs in chips/NAME.yaml below it", str(folder)))
    for kind, name, path in found:
        problems += _clash(files[kind].get(name), path)
        files[kind][name] = path
    return problems


def _clash(existing: Path | None, path: Path) -> list[Problem]:
    """Return what is wrong with a user's file beside an entry of the same name, or without one."""
    try:
        replaces = fast_yaml.read(path).data.get("replaces") is True
    except StudyError:
        return []  # the faults of a broken file are reported when it is read
    if existing and not replaces:
        choice = "choose another name, or say 'replaces: true' to take its place"
        return [Problem(f"{path.stem} is already in {existing}; {choice}", str(path))]
    if replaces and not existing:
        return [Problem(f"says 'replaces: true', but there is no {path.stem} to replace", str(path))]
    return []


def _merge(resolved: dict[str, Resolved], entry: Entry, facts: Mapping[str, Fact]) -> None:
    for name, fact in facts.items():
        unknown = fact.si is None and fact.formula is None
        if not (unknown and name in resolved):
            resolved[name] = Resolved(name, fact.si, fact.formula, fact, entry.kind, entry.name, fact.where)
