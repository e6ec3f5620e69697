"""``supernode optimize``: search a study's levers with Optuna and print the best designs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sweep.cli.find import RESULTS, find_study, study_argument
from sweep.cli.output import Table, answer, answer_json, answer_table, duration, number
from sweep.cli.progress import Meter, State
from sweep.cli.settings import common_options, json_option, set_option, settings, talk

if TYPE_CHECKING:
    from sweep.search import Found, SearchResult
    from sweep.study import Study


@click.command()
@study_argument
@set_option
@click.option("--trials", type=click.IntRange(min=1), default=256, show_default=True, metavar="N",
              help="Trials in all; a search that has fewer goes on.")  # fmt: skip
@click.option("--sampler", default="auto", show_default=True, metavar="NAME",
              help="tpe, nsgaii, random, or auto: tpe for one goal, nsgaii for several.")  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", help="Seed of the sampler; the study's when not given."
)
@click.option("--over", type=click.Choice(["expected", "worst"]), default="expected", show_default=True,
              help="What counts over the scenarios: their mean, or the worst of them.")  # fmt: skip
@click.option("--verify", is_flag=True, help="Also evaluate every combination of levers, and print the regret.")
@click.option("-o", "--output", default=str(RESULTS), show_default=True, metavar="FOLDER",
              help="Folder of results; the search gets STUDY/search-ID/ in it.")  # fmt: skip
@json_option
@common_options
def optimize(
    *,
    study: str,
    overrides: tuple[str, ...],
    trials: int,
    sampler: str,
    seed: int | None,
    over: str,
    verify: bool,
    output: str,
    as_json: bool,
) -> None:
    """Search the levers of a study for its best designs.

    STUDY is a file or the name of a shipped study with an objective, or with keep: pareto [...] for several goals. A
    trial fixes the levers; the model solves mapping and every scenario behind it. A search that was interrupted goes on
    where it was, and asking for more trials extends it.
    """
    from sweep.search import Options, search  # noqa: PLC0415 - NumPy, Arrow
    from sweep.study import open_study  # noqa: PLC0415 - pydantic, pint

    loaded, catalogue = open_study(find_study(study), overrides, settings().catalogue)
    options = Options(sampler, loaded.seed if seed is None else seed, over="worst" if over == "worst" else "expected")
    with Meter(quiet=settings().verbosity < 0) as meter:
        result = search(
            loaded, catalogue, output, trials, options, verify=verify,
            progress=lambda done, total: meter(State(done, total, done, 0, 0)),
        )  # fmt: skip
    talk(
        f"{result.trials:,} trials ({result.feasible:,} feasible) in {duration(result.seconds)}: {result.run.location}"
    )
    if as_json:
        answer_json(_data(result, loaded))
    else:
        _print(result, loaded)


def _print(result: SearchResult, study: Study) -> None:
    if not result.best:
        answer("No trial is feasible in every scenario; `supernode query` shows the reasons.")
        return
    answer_table(_table("Best designs found", result, result.best, study))
    if result.exact is not None:
        answer_table(_table(f"Best of all {result.combinations:,} combinations", result, result.exact, study))
        answer(_proof(result))


def _table(title: str, result: SearchResult, found: tuple[Found, ...], study: Study) -> Table:
    from sweep.search.points import LeverSpace  # noqa: PLC0415

    levers = LeverSpace(study)
    rows = [levers.values(each.point) for each in found]
    names = list(dict.fromkeys(name for row in rows for name in row))
    goals = [f"{goal.name}{f' [{_unit(goal.name)}]' if _unit(goal.name) else ''}>" for goal in result.goals]
    table = Table(title, (*goals, *(f"{name}{' x' if name in study.times else ''}>" for name in names), "trial>"))
    for each, row in zip(found, rows, strict=True):
        values = (number(value, 5) for value in each.score.values)
        levers_text = (number(row.get(name)) for name in names)
        table.rows.append((*values, *levers_text, "" if each.trial is None else str(each.trial)))
    return table


def _proof(result: SearchResult) -> str:
    from sweep.search import hypervolume_ratio, regret  # noqa: PLC0415

    missed = regret(result.best, result.exact or (), result.goals)
    if missed is not None:
        return f"Regret: {100 * missed:.3g} % of the optimum after {result.trials:,} trials."
    ratio = hypervolume_ratio(result.best, result.exact or (), result.goals)
    return f"Hypervolume: {100 * (ratio or 0):.4g} % of that of the exact front after {result.trials:,} trials."


def _unit(name: str) -> str:
    from models.quantities import quantities  # noqa: PLC0415

    return quantities()[name].unit if name in quantities() else ""


def _listed(found: tuple[Found, ...], result: SearchResult, study: Study) -> list[dict[str, Any]]:
    from sweep.search.points import LeverSpace  # noqa: PLC0415

    levers = LeverSpace(study)
    names = [goal.name for goal in result.goals]
    return [
        {
            "trial": each.trial,
            "levers": levers.values(each.point),
            "goals": dict(zip(names, each.score.values, strict=True)),
        }
        for each in found
    ]


def _data(result: SearchResult, study: Study) -> dict[str, Any]:
    from sweep.search import hypervolume_ratio, regret  # noqa: PLC0415

    exact = result.exact
    return {
        "study": study.name,
        "run": result.run.location,
        "trials": result.trials,
        "feasible": result.feasible,
        "combinations": result.combinations,
        "best": _listed(result.best, result, study),
        "exact": None if exact is None else _listed(exact, result, study),
        "regret": None if exact is None else regret(result.best, exact, result.goals),
        "hypervolume_ratio": None if exact is None else hypervolume_ratio(result.best, exact, result.goals),
        "seconds": result.seconds,
    }
