"""``supernode claims``: the claims of the two articles, recomputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sweep.claims.choices import RULE, VERDICTS
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.settings import common_options, json_option, settings

if TYPE_CHECKING:
    from sweep.claims.values import Values


@click.command()
@click.argument("ids", nargs=-1, metavar="[IDS]...")
@click.option(
    "--verdict", type=click.Choice(VERDICTS), multiple=True, help="Show only claims with this verdict; repeatable."
)
@click.option("--ratios", is_flag=True, help="Show the published ratio table, row by row, instead of the claims.")
@click.option("--rule", is_flag=True, help="Say by which rule numbers lead to a verdict.")
@json_option
@common_options
def claims(*, ids: tuple[str, ...], verdict: tuple[str, ...], ratios: bool, rule: bool, as_json: bool) -> None:
    """Judge every claim of the two articles on CloudMatrix 384.

    Each claim that is a number is computed anew from catalogue and model, on every published basis, and compared with
    what was claimed; then what would have to be true for it to hold. With IDS, such as S0-10 S3-26, those claims in
    full: formulas, values and sources.
    """
    if rule:
        answer(RULE)
        return
    if ratios and (ids or verdict):
        raise click.UsageError("--ratios shows one table; leave IDS and --verdict away")
    from sweep.claims.questions import Questions  # noqa: PLC0415
    from sweep.claims.values import Values  # noqa: PLC0415 - NumPy, pydantic, pint

    values = Values(settings().load_catalogue(), Questions(settings().catalogue))
    if ratios:
        _ratios(values, as_json=as_json)
    else:
        _claims(values, ids, verdict, as_json=as_json)


def _ratios(values: Values, *, as_json: bool) -> None:
    from sweep.claims import text  # noqa: PLC0415
    from sweep.claims.ratios import ratios  # noqa: PLC0415

    found = ratios(values)
    if as_json:
        answer_json(text.ratio_data(found))
    else:
        answer_table(text.ratio_table(found))


def _claims(values: Values, ids: tuple[str, ...], verdicts: tuple[str, ...], *, as_json: bool) -> None:
    from sweep.claims import text  # noqa: PLC0415
    from sweep.claims.judge import judge  # noqa: PLC0415
    from sweep.claims.read import chosen  # noqa: PLC0415

    found = [judge(claim, values) for claim in chosen(ids).values()]
    kept = [each for each in found if not verdicts or each.verdict in verdicts]
    if as_json:
        answer_json([text.data(each) for each in kept])
        return
    if not ids:
        answer_table(text.overview(kept))
        return
    for each in kept:
        lines, tables = text.detail(each)
        for line in lines:
            answer(line)
        for table in tables:
            answer()
            answer_table(table)
        answer()
