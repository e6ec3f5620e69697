"""``supernode run``: run a study, or finish it, and print the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sweep.cli.answers import print_answer
from sweep.cli.find import RESULTS, find_study, study_argument
from sweep.cli.output import answer_json
from sweep.cli.progress import Meter, State
from sweep.cli.settings import common_options, json_option, opened, set_option, settings, talk
from sweep.text import duration, size

if TYPE_CHECKING:
    from sweep.engine import Progress, RunResult


@click.command()
@study_argument
@set_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N designs, to try a study.")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Ray workers on this machine; one per core by default."
)
@click.option("--address", metavar="ADDRESS", help="Ray cluster to use instead of this machine, such as auto.")
@click.option("--in-process", is_flag=True, help="Compute in this process, without Ray; the rows are the same.")
@click.option(
    "-o", "--output", default=str(RESULTS), show_default=True, metavar="FOLDER",
    help="Folder or address (s3://...) of results; the run gets STUDY/ID/ in it.",
)  # fmt: skip
@json_option
@common_options
def run(
    *,
    study: str,
    overrides: tuple[str, ...],
    limit: int | None,
    workers: int | None,
    address: str | None,
    in_process: bool,
    output: str,
    as_json: bool,
) -> None:
    """Run a study, or finish it, and print its answer.

    STUDY is a file or the name of a shipped study. Parts that are there already are kept; a finished run is left alone,
    so that running it again only prints the answer. An interrupted run goes on where it was.
    """
    if in_process and (workers is not None or address is not None):
        raise click.UsageError("--in-process uses no workers: leave out --workers and --address")
    if workers is not None and address is not None:
        raise click.UsageError("a cluster brings its own workers: leave out --workers or --address")
    from sweep.counting import require_designs  # noqa: PLC0415
    from sweep.engine import run as run_study  # noqa: PLC0415 - NumPy, Arrow

    path = find_study(study)
    loaded, catalogue = opened(path, overrides)
    require_designs(loaded, catalogue)  # an empty study fails before anything is written
    with Meter(quiet=settings().verbosity < 0) as meter:
        result = run_study(
            loaded,
            catalogue,
            output,
            workers=workers,
            in_process=in_process,
            limit=limit,
            address=address,
            progress=lambda progress: meter(_state(progress)),
        )
    _talk_about(result)
    from sweep.answer import answer as answer_of  # noqa: PLC0415

    said = answer_of(result.run, loaded, catalogue)
    if as_json:
        answer_json({**_data(result), "answer": said.data})
    else:
        print_answer(said)


def _state(progress: Progress) -> State:
    done, total = progress.chunks_done, progress.chunks
    return State(done, total, progress.rows, progress.bytes, progress.rows - progress.ok)


def _talk_about(result: RunResult) -> None:
    manifest = result.run.manifest
    rows = f"{manifest.rows:,} rows ({manifest.rows - manifest.ok:,} infeasible), {size(manifest.bytes)}"
    if result.computed:
        talk(f"{rows} in {duration(result.seconds)}: {result.run.location}")
    else:
        talk(f"nothing to do, the run is complete: {rows}: {result.run.location}")
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in manifest.shares.items())
    talk(f"dataset digest {manifest.digests['dataset']}; workers' time: {shares or 'not recorded'}", level=1)


def _data(result: RunResult) -> dict[str, object]:
    manifest = result.run.manifest
    return {
        "study": manifest.study,
        "run": result.run.location,
        "state": manifest.state,
        "designs": manifest.designs,
        "pruned": manifest.pruned,
        "rows": manifest.rows,
        "infeasible": manifest.rows - manifest.ok,
        "bytes": manifest.bytes,
        "digest": manifest.digests.get("dataset"),
        "chunks_computed": result.computed,
        "seconds": result.seconds,
    }
