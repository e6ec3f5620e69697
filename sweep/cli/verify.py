"""``supernode verify``: whether every byte of a run is what was written."""

from __future__ import annotations

import click

from sweep.cli.find import read_run, run_argument
from sweep.cli.output import answer, answer_json
from sweep.cli.settings import common_options, json_option, talk


@click.command()
@run_argument
@json_option
@common_options
def verify(*, run: str | None, as_json: bool) -> None:
    """Check the files of a run against its manifest: presence, row counts, digests.

    RUN is a folder, or the name of a study for its latest sweep, or else search. Exit code 1 when anything
    differs.
    """
    from sweep.dataset import open_run  # noqa: PLC0415
    from sweep.dataset import verify as find_faults  # noqa: PLC0415

    folder = read_run(run)
    opened = open_run(folder)
    faults = [str(fault) for fault in find_faults(opened)]
    manifest = opened.manifest
    if as_json:
        digest = manifest.digests.get("dataset", "")
        answer_json({"run": folder, "ok": not faults, "faults": faults, "digest": digest, "simd": manifest.simd})
    elif faults:
        answer("\n".join(faults))
        if manifest.state == "complete":
            talk("To mend it, delete what differs, or the whole folder, and run the study again: the bytes come back.")
    else:
        answer(f"{folder}: {len(manifest.parts):,} parts, {manifest.rows:,} rows, all as written")
        answer(f"dataset digest {manifest.digests['dataset']} ({', '.join(manifest.simd)})")
    if faults:
        raise click.exceptions.Exit(1)
