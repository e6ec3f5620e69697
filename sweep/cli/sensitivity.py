"""``supernode sensitivity``: which inputs of a study decide a metric."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.cli.find import find_study, study_argument
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.progress import Meter, State
from sweep.cli.settings import common_options, json_option, opened, set_option, settings, talk
from sweep.errors import StudyError
from sweep.text import duration, with_unit

if TYPE_CHECKING:
    from sweep.sensitivity import Decided, Sensitivity
    from sweep.study import Study

BEST = "best"


@click.command()
@study_argument
@click.option("--metric", "metrics", multiple=True, metavar="NAME",
              help="Result to explain, the model's or the study's; repeatable. The objective otherwise.")  # fmt: skip
@click.option("--method", type=click.Choice(["sobol", "morris"]), default="sobol", show_default=True,
              help="sobol: shares of the variance. morris: mean changes, from far fewer designs.")  # fmt: skip
@click.option("--samples", type=click.IntRange(min=2), metavar="N",
              help="Samples of inputs + 2 designs each (1024), or trajectories of morris (64).")  # fmt: skip
@click.option("--second-order", is_flag=True, help="Also the pairs of inputs that matter together; twice the designs.")
@click.option("--at", default=BEST, show_default=True, metavar="DESIGN",
              help="Design to look around from, by id; best: best objective where scenarios are nominal.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed; the study's when not given.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the bars as a picture as well: FILE.svg or FILE.png.")  # fmt: skip
@set_option
@json_option
@common_options
def sensitivity(
    *,
    study: str,
    metrics: tuple[str, ...],
    method: str,
    samples: int | None,
    second_order: bool,
    at: str,
    seed: int | None,
    plot: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say which inputs of a study decide a result, and by how much.

    STUDY is a file or the name of a shipped study. Everything it sweeps is drawn evenly and independently: ranges
    (linspace, log, from and to) between their ends, lists as their values. The mapping is solved anew for each design.
    The tornado then changes one input at a time around one design.
    """
    from sweep.sensitivity import Options  # noqa: PLC0415 - NumPy, Arrow
    from sweep.sensitivity import sensitivity as analysed  # noqa: PLC0415
    from sweep.sensitivity.analysis import power_of_two  # noqa: PLC0415

    if plot is not None:
        from sweep.accuracy.plot import check_format  # noqa: PLC0415

        check_format(plot)
    loaded, catalogue = opened(find_study(study), overrides)
    if method == "sobol" and samples is not None and power_of_two(samples) != samples:
        talk(
            f"--samples: {samples:,} is no power of two, which a Sobol sequence needs; {power_of_two(samples):,} taken"
        )
    options = Options(
        "morris" if method == "morris" else "sobol", samples, loaded.seed if seed is None else seed,
        second_order=second_order, at=_design(at),
    )  # fmt: skip
    with Meter(quiet=settings().verbosity < 0) as meter:
        found = analysed(
            loaded, catalogue, _asked(loaded, metrics), options,
            progress=lambda done, total, what: meter(State(done, total, done, what=what)),
        )  # fmt: skip
    talk(f"{found.evaluations:,} designs of {found.samples:,} samples in {duration(found.seconds)}")
    _answer(found, as_json=as_json)
    if plot is not None:
        from sweep.sensitivity.plot import sensitivity_plot  # noqa: PLC0415

        sensitivity_plot(found, plot)
        talk(f"wrote {plot}")


def _design(at: str) -> int | None:
    if at == BEST:
        return None
    if not at.isdecimal():
        raise StudyError.at(f"{at!r} is no design; write the id of one, or {BEST}", "--at")
    return int(at)


def _asked(study: Study, metrics: tuple[str, ...]) -> tuple[str, ...]:
    if metrics:
        return tuple(dict.fromkeys(metrics))
    if study.objective is None:
        raise StudyError.at("the study has no objective; name a metric, such as --metric cost_per_token", "--metric")
    return (study.objective.name,)


def _answer(found: Sensitivity, *, as_json: bool) -> None:
    from sweep.sensitivity import tables, words  # noqa: PLC0415

    if as_json:
        answer_json(tables.answer_data(found))
        return
    for column, decided in zip(found.metrics, found.decided, strict=True):
        answer(words.verdict(column, decided))
    for line in filter(None, (words.feasibility(found), *_warnings(found))):
        answer(line)
    for place, (column, decided) in enumerate(zip(found.metrics, found.decided, strict=True)):
        if decided.kind != "constant":
            numbers = [with_unit(value, column.unit) for value in _rounded(decided)]
            title = "{}: mean {}, standard deviation {}, from {} to {}".format(column.name, *numbers)
            answer()
            answer_table(tables.decided_table(found, title, decided))
            if text := words.interaction(decided):
                answer(text)
        if decided.pairs:
            answer()
            answer_table(tables.pairs_table(decided, f"{column.name}: pairs of inputs beyond each alone"))
        if found.around is not None:
            answer()
            answer_table(tables.tornado_table(found, found.around, place))
    if found.feasibility is not None:
        answer()
        title = f"Whether a design is feasible ({words.percent(1 - found.infeasible)} are)"
        answer_table(tables.decided_table(found, title, found.feasibility, least=words.SMALL))


def _rounded(found: Decided) -> list[float]:
    return [float(f"{value:.4g}") for value in (found.mean, found.deviation, found.low, found.high)]


def _warnings(found: Sensitivity) -> list[str]:
    from sweep.sensitivity import words  # noqa: PLC0415

    lines = [words.warning(found, decided) for decided in found.decided]
    for column, unknown in zip(found.metrics, found.unknown, strict=True):
        if unknown:
            lines.append(f"{column.name} is not known for {words.percent(unknown)} of the designs, which are left out.")
    return list(dict.fromkeys(lines))
