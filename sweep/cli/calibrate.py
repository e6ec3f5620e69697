"""``supernode calibrate``: fit the constants of the training model to measured runs."""

from __future__ import annotations

from pathlib import Path

import click

from sweep.cli.output import answer, answer_json
from sweep.cli.settings import common_options, json_option, settings, talk


@click.command()
@click.option(
    "--file", "own", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="CSV",
    help="Fit to these runs, in the columns of configs/measurements/training.csv, instead of the published ones.",
)  # fmt: skip
@click.option("--name", default=None, metavar="NAME", help="Name of the entry; the year and month when not given.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("configs/calibration"),
    show_default=True, metavar="FOLDER", help="Folder that takes NAME.yaml and NAME-folds.csv.",
)  # fmt: skip
@click.option(
    "--kernels", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
    help="Fit the kernel curves to the tables in FOLDER (docs/kernels.md says which) and write kernels.yaml instead.",
)  # fmt: skip
@json_option
@common_options
def calibrate(*, own: Path | None, name: str | None, output: Path, kernels: Path | None, as_json: bool) -> None:
    """Fit the named constants of the training model, with every source and every chip left out in turn.

    Writes a calibration entry of the catalogue (constants, date, data digest, residuals) and the table of the fits with
    something left out, which supernode accuracy reads.
    """
    from sweep.calibration.write import calibrate_kernels, calibrate_steps  # noqa: PLC0415 - NumPy, SciPy

    catalogue = settings().load_catalogue()
    if kernels is not None:
        written = [calibrate_kernels(catalogue, kernels, output)]
    else:
        written = calibrate_steps(catalogue, own, name, output, talk)
    if as_json:
        answer_json({"written": written})
    else:
        answer("\n".join(f"wrote {path}" for path in written))
