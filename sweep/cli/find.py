"""From what a user types to a study file or a run folder, and the completion of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from sweep.cli.settings import talk
from sweep.errors import StudyError, nearest

RESULTS = Path("results")
MANIFEST = "manifest.json"


def shipped_studies() -> dict[str, Path]:
    """Return the studies that come with the package, by name."""
    from sweep.paths import configs_dir  # noqa: PLC0415 - not for --help

    return {path.stem: path for path in sorted((configs_dir() / "studies").glob("*.yaml"))}


def find_study(study: str | Path) -> Path:
    """Return the file of a study given by path or by the name of a shipped one. Raises ``StudyError``."""
    path, text = Path(study), str(study)
    if path.is_file():
        return path
    studies = shipped_studies()
    if text in studies:
        return studies[text]
    if path.is_dir():
        raise StudyError.at("is a folder; name the study file inside it", text)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        siblings = [str(near) for near in path.parent.glob("*.y*ml")]
        hint = nearest(text, siblings) if siblings else ""
        raise StudyError.at(f"there is no such file{hint}", text)
    if (beside := path.with_name(f"{text}.yaml")).is_file():
        raise StudyError.at(f"no shipped study has this name; for the file here write {beside}", text)
    raise StudyError.at(f"no file and no shipped study has this name{nearest(text, studies)}", text)


def find_run(text: str | None) -> str:
    """Return the folder of a run: by path or address, by study name, or that of the only study.

    A name means the latest sweep, or else the latest search; ``STUDY/latest-search`` is the search where it has both.

    Raises ``StudyError``.
    """
    from sweep.dataset.layout import resolve  # noqa: PLC0415 - Arrow

    if text is None:
        text = _only_study()
    if "://" in text:
        return resolve(text)
    folders = [folder for folder in (Path(text), RESULTS / text, RESULTS / Path(text).stem) if folder.is_dir()]
    runs = [folder for folder in folders if _holds_runs(folder) or (folder / MANIFEST).is_file()]
    if runs:
        return resolve(runs[0])
    if Path(text).is_dir():
        raise StudyError.at(f"holds no run: there is no {MANIFEST} in it", text)
    names = run_names()
    hint = nearest(text, names) if names else f"; {RESULTS}/ holds no runs yet, make one with: supernode run STUDY"
    raise StudyError.at(f"no run has this name or path{hint}", text)


def read_run(text: str | None) -> str:
    """Return the same for a verb that reads a run, and say on stderr which one a name means and what a search lacks."""
    from sweep.dataset.manifest import read_manifest  # noqa: PLC0415 - Arrow
    from sweep.dataset.store import open_store  # noqa: PLC0415

    folder = find_run(text)
    manifest = read_manifest(open_store(folder))
    if manifest is not None and manifest.search is not None:
        talk(f"reading {folder}, a search: it holds the designs that were tried, not all of the study")
    elif text is None or not ("://" in text or Path(text).is_dir()):
        talk(f"reading {folder}")
    return folder


def _only_study() -> str:
    names = run_names()
    if not names:
        raise StudyError.at("holds no runs yet; make one with: supernode run STUDY", f"{RESULTS}/")
    if len(names) > 1:
        raise StudyError.at(f"there are runs of several studies; name one: {', '.join(names)}", f"{RESULTS}/")
    return names[0]


def _holds_runs(folder: Path) -> bool:
    return any(folder.glob(f"*/{MANIFEST}"))


def run_names() -> list[str]:
    """Return the studies that have runs in the results folder."""
    return sorted(folder.name for folder in RESULTS.glob("*") if folder.is_dir() and _holds_runs(folder))


def complete_study(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete a study: shipped names, then files."""
    names = [CompletionItem(name) for name in shipped_studies() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete a run: names of studies that have one, then folders."""
    names = [CompletionItem(name) for name in run_names() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="dir")]


def complete_entry(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete the name of a catalogue entry of the kind already typed; reads file names only."""
    kind: Any = ctx.params.get("kind")
    if kind == "studies":
        names = list(shipped_studies())
    elif kind == "quantities":
        from models.quantities import quantities  # noqa: PLC0415 - not for --help

        names = list(quantities())
    else:
        from sweep.paths import configs_dir  # noqa: PLC0415

        names = sorted(path.stem for path in (configs_dir() / str(kind)).glob("*.yaml"))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


study_argument = click.argument("study", shell_complete=complete_study)
run_argument = click.argument("run", required=False, shell_complete=complete_run)
