"""``supernode optimize``: search a study's levers with Optuna and print the best designs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sweep.cli.best import best_data, next_command, print_best, scenario_data
from sweep.cli.find import RESULTS, find_run, find_study, study_argument
from sweep.cli.lever_table import columns_of
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.progress import Meter, State
from sweep.cli.proof import checks_data, checks_of, draw_curve, print_checks, proof_options
from sweep.cli.search_options import closest, constraints_data, idle, spread_of, start_options
from sweep.cli.settings import common_options, json_option, opened, set_option, settings, talk
from sweep.text import Table, duration, number

if TYPE_CHECKING:
    from pathlib import Path

    from sweep.search import Found, SearchResult


@click.command()
@study_argument
@set_option
@click.option("--trials", type=click.IntRange(min=1), default=256, show_default=True, metavar="N",
              help="Trials in all, besides the designs of --from; a search that has fewer goes on.")  # fmt: skip
@click.option("--sampler", default="auto", show_default=True, metavar="NAME",
              help="tpe, nsgaii, nsgaiii, cmaes, gp, qmc, random, or "
                   "auto: tpe for one goal, nsgaii for several.")  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", help="Seed of the sampler; the study's when not given."
)
@click.option("--over", default="expected", show_default=True, metavar="WHAT",
              help="What counts over the scenarios: expected (their mean), worst, regret (the largest, against the "
                   "best design of each), nominal, or one such as power_price=0.08,region=us-texas.")  # fmt: skip
@start_options
@proof_options
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
    verify_seconds: float,
    within: float | None,
    prices: bool,
    curve: Path | None,
    output: str,
    as_json: bool,
    start: str | None,
    storage: str | None,
    workers: int | None,
    address: str | None,
    in_process: bool,
) -> None:
    """Search the levers of a study for its best designs.

    STUDY is a file or the name of a shipped study with an objective, or with keep: pareto [...] for several goals. A
    trial fixes the levers; the model solves mapping and every scenario behind it. A search that was interrupted goes on
    where it was, and asking for more trials extends it.
    """
    from sweep.search import Options, search  # noqa: PLC0415 - NumPy, Arrow

    checks = checks_of(verify=verify, verify_seconds=verify_seconds, within=within, prices=prices, curve=curve)
    loaded, catalogue = opened(find_study(study), overrides)
    given = loaded.seed if seed is None else seed
    options = Options(sampler, given, over=over, start=find_run(start) if start is not None else "")
    spread = spread_of(workers=workers, address=address, in_process=in_process)
    with Meter(quiet=settings().verbosity < 0) as meter:
        result = search(
            loaded, catalogue, output, trials, options, checks=checks, storage=storage, spread=spread,
            progress=lambda done, total: meter(State(done, total, done, what="trials")),
            proving=lambda done, total: meter(State(done, total, done, what="combinations of levers")),
        )  # fmt: skip
    begun = f", and before them {result.given:,} designs of {options.start}" if result.given else ""
    talk(
        f"{result.trials - result.given:,} trials{begun}: {result.tried:,} designs in all "
        f"({result.feasible:,} trials feasible) in {duration(result.seconds)}: {result.run.location}"
    )
    if address is not None and spread is not None and not spread.used:
        talk(f"--address {address} was not used: {idle(spread)}")
    draw_curve(result, curve)
    follow_up = next_command(result, study, changed=bool(overrides))
    if as_json:
        answer_json(_data(result, over) | {"next": follow_up})
    else:
        _print(result, over, follow_up)


def _print(result: SearchResult, over: str, follow_up: str | None) -> None:
    if not result.best:
        answer(closest(result))
        print_checks(result, _table)
        return
    title = "Best design" if len(result.goals) == 1 else "Designs that no other one beats in every goal"
    answer_table(_table(f"{title}: {_measure(result, over)}", result, result.best))
    print_best(result)
    print_checks(result, _table)
    answer()
    answer(f"Next: {follow_up}")


def _measure(result: SearchResult, over: str) -> str:
    fewest, most = min(result.scenarios), max(result.scenarios)
    if result.task.scenario is not None:
        return f"in the scenario {result.task.scenario.text}"
    if most == 1:
        return "in the only scenario"
    counts = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    words = {"worst": "worst of", "regret": "largest regret in"}
    return f"{words.get(over, 'mean over')} {counts} scenarios"


def _table(title: str, result: SearchResult, found: tuple[Found, ...]) -> Table:
    rows = [result.levers.values(each.point) for each in found]
    names, note = columns_of(result.levers, rows)
    goals = [_headed(goal.name, result) for goal in result.goals]
    table = Table(title, (*goals, *(_headed(name, result) for name in names), "design>", "trial>"), note=note)
    for each, row, design in zip(found, rows, result.design_ids(found), strict=True):
        values = (number(value, 5) for value in each.score.values)
        levers = (number(row.get(name)) for name in names)
        table.rows.append((*values, *levers, str(design), "" if each.trial is None else str(each.trial)))
    return table


def _headed(name: str, result: SearchResult) -> str:
    """Return the head of a column: its name with the unit, or with ``x`` for a multiplier; numbers to the right."""
    from sweep.dataset.columns import TIMES  # noqa: PLC0415 - Arrow
    from sweep.search.reference import REGRET  # noqa: PLC0415 - NumPy

    if name.endswith(TIMES):
        return f"{name.removesuffix(TIMES)} x>"
    column = result.column(name)
    if column is None:
        return f"{name} [fraction]>" if name.endswith(REGRET) else name
    head = f"{name} [{column.unit}]" if column.unit else name
    return head if column.kind == "text" else f"{head}>"


def _data(result: SearchResult, over: str) -> dict[str, Any]:
    return {
        "study": result.run.manifest.study,
        "run": result.run.location,
        "trials": result.trials - result.given,
        "given": result.given,
        "designs": result.tried,
        "feasible": result.feasible,
        "combinations": result.combinations,
        "sampler": result.task.kind.name,
        "seed": result.task.options.seed,
        "over": over,
        "scenarios": max(result.scenarios),
        "scenario": scenario_data(result),
        "constraints": constraints_data(result),
        "best": _listed(result.best, result),
        "detail": best_data(result),
        "exact": None if result.exact is None else _listed(result.exact, result),
        "regret": result.regret,
        "hypervolume_ratio": result.hypervolume_ratio,
        "seconds": result.seconds,
    } | checks_data(result)


def _listed(found: tuple[Found, ...], result: SearchResult) -> list[dict[str, Any]]:
    names = [goal.name for goal in result.goals]
    return [
        {
            "trial": each.trial,
            "design": design,
            "levers": result.levers.values(each.point),
            "goals": dict(zip(names, each.score.values, strict=True)),
        }
        for each, design in zip(found, result.design_ids(found), strict=True)
    ]
