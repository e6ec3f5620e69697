"""What ``supernode optimize`` says besides its best designs: the proof, near-optimal designs, prices of limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from sweep.cli.best import unit_of
from sweep.cli.output import answer, answer_table
from sweep.cli.settings import talk
from sweep.text import Table, duration, number

if TYPE_CHECKING:
    from sweep.search import Checks, Found, SearchResult
    from sweep.search.enumeration import Proof
    from sweep.search.prices import Price
    from sweep.study import Objective

MakeTable = Callable[[str, "SearchResult", "tuple[Found, ...]"], Table]


class Percent(click.ParamType[float]):
    """A share written as ``5%`` or ``5``, both five per cent; from above 0 to 100."""

    name = "PERCENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share as a fraction."""
        if isinstance(value, float):
            return value
        try:
            share = float(str(value).strip().removesuffix("%")) / 100
        except ValueError:
            self.fail(f"{value!r} is no percentage; write one such as 5%", param, ctx)
        if not 0 < share <= 1:
            self.fail(f"{value!r} must be above 0% and at most 100%", param, ctx)
        return share


OPTIONS = (
    click.option("--verify", is_flag=True,
                 help="Also solve every combination of levers that bounds cannot rule out, and print the regret."),
    click.option("--verify-seconds", type=click.FloatRange(min=0, min_open=True), default=600.0, show_default=True,
                 metavar="SECONDS", help="Time for it; after that, a bound on the optimum and the gap to it."),
    click.option("--within", type=Percent(), metavar="PERCENT",
                 help="Also list designs at most so much worse than the best, as different as possible (one goal)."),
    click.option("--prices", is_flag=True,
                 help="Also say how much better the best design becomes when a limit gives way by 10 % (one goal)."),
    click.option("--curve", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                 help="Draw the regret by trial as .svg or .png; needs --verify."),
)  # fmt: skip


def proof_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of this module to a command, in order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def checks_of(*, verify: bool, verify_seconds: float, within: float | None, prices: bool, curve: Path | None) -> Checks:
    """Return what is asked for; raises a usage error for what cannot be drawn."""
    from sweep.search import Checks  # noqa: PLC0415 - NumPy, Arrow

    if curve is not None:
        from sweep.accuracy.plot import check_format  # noqa: PLC0415 - NumPy

        if not verify:
            raise click.UsageError("--curve draws the distance from the exact optimum; give --verify as well")
        check_format(curve)
    return Checks(verify, verify_seconds, within, prices)


def print_checks(result: SearchResult, make_table: MakeTable) -> None:
    """Print what was asked for."""
    checked = result.checked
    if checked.proof is not None:
        _print_proof(result, checked.proof, make_table)
    if checked.near:
        answer()
        _print_near(result, make_table)
    if checked.prices:
        answer()
        answer_table(_price_table(checked.prices, result))
    if checked.unpriced:
        answer()
        answer(f"Not priced, as no number in it could give way: {'; '.join(checked.unpriced)}.")
    elif checked.unpriced is not None and not checked.prices:
        answer()
        answer(
            "No price of a limit: the study has none under require." if result.best else "No price without a design."
        )


def _print_proof(result: SearchResult, proof: Proof, make_table: MakeTable) -> None:
    found = {each.point for each in result.best}
    missed = tuple(each for each in proof.best if each.point not in found)
    if missed and result.regret != 0 and (proof.complete or _betters(result, proof)):
        answer()
        answer_table(make_table(f"Not found, from {proof.designs:,} combinations of levers", result, missed))
    answer()
    answer(_verdict(result, proof))
    answer(
        f"{proof.designs:,} combinations in {proof.cells:,} structural cells: {proof.solved:,} solved, "
        f"{proof.skipped:,} ruled out by bounds, {proof.cells - proof.solved - proof.skipped:,} left, "
        f"in {duration(proof.seconds)}"
    )
    _print_pace(result)


def _betters(result: SearchResult, proof: Proof) -> bool:
    """Whether an enumeration that was cut short found something better than the search."""
    from sweep.search.exact import front  # noqa: PLC0415 - NumPy

    return bool(proof.best) and front([*result.best, *proof.best], result.goals) != result.best


def _verdict(result: SearchResult, proof: Proof) -> str:
    every = f"all {proof.designs:,} combinations of levers"
    if not proof.complete:
        return _gap(result, proof)
    if not proof.best:
        return f"No design is feasible: {every} were solved or ruled out."
    if not result.best:
        return f"The search found nothing feasible; the best of {every} is above."
    if result.regret == 0:
        return f"Regret: 0 %; none of {every} is better."
    if result.regret is not None:
        return f"Regret: {100 * result.regret:.3g} % of the optimum of {every}."
    return f"Hypervolume: {100 * (result.hypervolume_ratio or 0):.4g} % of that of the front of {every}."


def _gap(result: SearchResult, proof: Proof) -> str:
    """Say how far the best known designs can be from the exact ones, where time ran out."""
    gaps = gaps_of(result, proof)
    if not gaps:
        return "Time ran out before the space was bounded: nothing is known of the optimum; raise --verify-seconds."
    lines = []
    for gap in gaps:
        side = "at least" if gap.goal.direction == "minimize" else "at most"
        share = "" if gap.share is None else f", gap {100 * gap.share:.3g} %"
        lines.append(f"{gap.goal.name}: {side} {number(gap.bound, 5)}, found {number(gap.found, 5)}{share}.")
    covered = result.hypervolume_at_least
    if covered is not None:
        lines.append(
            f"Hypervolume: at least {_floored(covered)} % of that of the exact front, both from the nadir of the "
            "designs found, a tenth of their span further out."
        )
    return "\n".join(lines)


def _floored(share: float) -> str:
    """Return a share in per cent with one digit behind the point, never rounded up."""
    return f"{math.floor(1000 * share) / 10:g}"


class Gap(NamedTuple):
    """A goal with the limit that no design passes, the best known value, and the largest regret that it can have."""

    goal: Objective
    bound: float
    found: float
    share: float | None


def gaps_of(result: SearchResult, proof: Proof) -> list[Gap]:
    """Return for each goal how far the best known design can be from the best of all; none when that is not known."""
    from sweep.search.exact import front  # noqa: PLC0415 - NumPy

    gaps = []
    for goal, bound in zip(result.goals, proof.bounds(result.goals), strict=False):
        best = front([*result.best, *proof.best], result.goals)
        values = [each.score.values[result.goals.index(goal)] for each in best]
        if values:
            found = min(values) if goal.direction == "minimize" else max(values)
            gaps.append(Gap(goal, bound, found, abs(found - bound) / abs(found) if found else None))
    return gaps


def _print_pace(result: SearchResult) -> None:
    """Say when the search came within 1 % for the first time."""
    if not result.curve:
        return
    from sweep.search.curves import first_within  # noqa: PLC0415 - NumPy

    step = first_within(result.curve)
    what = "of the optimum" if len(result.goals) == 1 else "of the hypervolume of the front"
    if step is None:
        answer(f"Not within 1 % {what} in {result.trials:,} trials.")
    else:
        answer(f"Within 1 % {what} after {step.trials:,} trials and {duration(step.seconds)} of search.")


def _print_near(result: SearchResult, make_table: MakeTable) -> None:
    checked = result.checked
    from sweep.search.near import CANDIDATES  # noqa: PLC0415 - NumPy

    among = "all combinations" if checked.proof is not None and checked.proof.complete else "the designs tried"
    count = f"{'' if checked.near_counted else 'at least '}{checked.near_designs:,}"
    count = f"the best {CANDIDATES:,} of {count}" if checked.near_designs > CANDIDATES else count
    title = f"Near-optimal designs, as different as possible: from {count} among {among}"
    table = make_table(title, result, tuple(near.found for near in checked.near))
    table.columns = (*table.columns, "difference>")
    table.rows = [(*row, f"{near.distance:.2f}") for row, near in zip(table.rows, checked.near, strict=True)]
    meaning = "difference: mean over levers from the nearest design above, 0 equal to 1 opposite"
    table.note = "\n".join(filter(None, (table.note, meaning)))
    answer_table(table)


def _price_table(prices: tuple[Price, ...], result: SearchResult) -> Table:
    goal = result.goals[0].name
    unit = unit_of(result, goal)
    columns = (
        "limit",
        "gives way to>",
        f"{goal} now{f' [{unit}]' if unit else ''}>",
        f"then{f' [{unit}]' if unit else ''}>",
        "better by>",
        "per unit>",
        "how",
    )
    table = Table("What each limit costs", columns)
    for price in prices:
        limit = price.requirement
        per = f"{number(price.per_unit, 3)} {unit}/{limit.unit}".strip(" /") if price.saving else "0"
        table.rows.append(
            (
                limit.text,
                f"{number(limit.relaxed, 5)} {limit.unit}".strip(),
                number(price.now.score.values[0], 5),
                number(price.best.score.values[0], 5),
                f"{100 * price.share:.3g} %",
                per,
                price.how,
            )
        )
    if any(price.how == "estimate" for price in prices):
        table.note = "estimate: the difference of two local optima, each refined from the best design; --verify proves"
    return table


def draw_curve(result: SearchResult, path: Path | None) -> None:
    """Draw the regret by trial where that is asked for and known."""
    if path is None:
        return
    if not result.curve:
        talk(f"no curve drawn to {path}: the optimum is not known, or nothing feasible was found")
        return
    from sweep.search.curves import draw  # noqa: PLC0415 - Matplotlib

    draw(result.curve, result.trials, result.run.manifest.study, path)


def checks_data(result: SearchResult) -> dict[str, Any]:
    """Return the same as data, in the units of the columns."""
    checked, proof = result.checked, result.checked.proof
    return {
        "proof": None if proof is None else _proof_data(result, proof),
        "curve": [{"trials": at.trials, "seconds": at.seconds, "missing": at.missing} for at in result.curve],
        "near_designs": checked.near_designs,
        "near_designs_are_all": checked.near_counted,
        "near": [
            {
                "trial": near.found.trial,
                "levers": result.levers.values(near.found.point),
                "goal": near.found.score.values[0],
                "difference": near.distance,
            }
            for near in checked.near
        ],
        "prices": [_price_data(price, result) for price in checked.prices],
        "not_priced": list(checked.unpriced or ()),
    }


def _proof_data(result: SearchResult, proof: Proof) -> dict[str, Any]:
    gaps = [] if proof.complete else gaps_of(result, proof)
    return {
        "complete": proof.complete,
        "combinations": proof.designs,
        "cells": proof.cells,
        "solved": proof.solved,
        "ruled_out": proof.skipped,
        "bound": proof.bound,
        "gap": gaps[0].share if len(gaps) == 1 else None,
        "bounds": {gap.goal.name: gap.bound for gap in gaps},
        "hypervolume_at_least": result.hypervolume_at_least,
        "seconds": proof.seconds,
    }


def _price_data(price: Price, result: SearchResult) -> dict[str, Any]:
    limit = price.requirement
    return {
        "limit": limit.text,
        "value": limit.limit,
        "relaxed": limit.relaxed,
        "unit": limit.unit,
        "goal_now": price.now.score.values[0],
        "goal": price.best.score.values[0],
        "saving": price.saving,
        "saving_share": price.share,
        "saving_per_unit": price.per_unit,
        "how": price.how,
        "levers": result.levers.values(price.best.point),
    }
