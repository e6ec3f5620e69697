"""``supernode compare``: systems side by side as equals, with the break-evens between them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from sweep.cli.find import complete_study, find_study
from sweep.cli.output import answer, answer_json, answer_table
from sweep.cli.settings import common_options, json_option, settings, talk, talk_exchanges

if TYPE_CHECKING:
    from sweep.compare import Case, Comparison, Pair
    from sweep.text import Table
    from sweep.yaml_source import Path_

LIMITS = {
    "deadline": ("TIME", "Equal deadline, such as '90 d': the cheapest run of each that meets it."),
    "budget": ("MONEY", "Equal capital, such as '500 MUSD': the fastest design of each that it buys."),
    "power": ("POWER", "Equal facility power, such as '20 MW': the fastest design of each within it."),
    "chips": ("N", "Equal number of chips: the fastest design of each with at most so many."),
    "domains": ("N[,N...]", "So many domains (supernodes) of each system; one number, or one for each."),
}
WORKLOAD = ("tokens", "global_batch", "sequence", "precision")


def _complete(kind: str) -> Any:
    """Return the completion of names of one kind of catalogue entry; reads file names only."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
        from sweep.paths import configs_dir  # noqa: PLC0415

        names = sorted(path.stem for path in (configs_dir() / kind).glob("*.yaml"))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return complete


def _limits(command: Any) -> Any:
    for name, (metavar, text) in reversed(LIMITS.items()):
        command = click.option(f"--{name}", metavar=metavar, help=text)(command)
    return command


@click.command()
@click.argument("systems", nargs=-1, required=True, metavar="SYSTEM...", shell_complete=_complete("systems"))
@click.option("--workload", metavar="MODEL", shell_complete=_complete("workloads"),
              help="Model to train; llama-3.1-405b when nothing else is said.")  # fmt: skip
@click.option("--serve", metavar="MODEL", shell_complete=_complete("workloads"), help="Model to serve instead.")
@click.option("--study", metavar="STUDY", shell_complete=complete_study,
              help="Take workload, basis and facts from a study, by file or name.")  # fmt: skip
@click.option("--tokens", metavar="N", help="Tokens to train on; those of the model's maker when not given.")
@click.option("--global-batch", metavar="N", help="Sequences per optimizer step.")
@click.option("--sequence", metavar="N", help="Tokens per training sequence.")
@click.option(
    "--precision", metavar="WORD", help="Number format for all, such as bf16; the best of each chip if not given."
)
@click.option("--tpot", metavar="TIME", help="Serving: longest time per output token, such as '50 ms'.")
@_limits
@click.option("--region", "regions", multiple=True, metavar="NAME", shell_complete=_complete("regions"),
              help="own (each at home) or one for all; repeatable. Own and the first's home if not given.")  # fmt: skip
@click.option("--alternatives", is_flag=True, help="Also run over the published conflicts of the facts.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE",
              help="Another value: wacc=0.08, gb200-nvl72.chip_price=60000USD; repeatable.")  # fmt: skip
@json_option
@common_options
def compare(
    *,
    systems: tuple[str, ...],
    workload: str | None,
    serve: str | None,
    study: str | None,
    tpot: str | None,
    regions: tuple[str, ...],
    alternatives: bool,
    overrides: tuple[str, ...],
    as_json: bool,
    **given: str | None,
) -> None:
    """Compare systems on a workload as equals, at home and all in one place.

    SYSTEMS are names in the catalogue; the first is compared with each other. The answer has designs, performance,
    power, capital, costs of a year and of a token, failures and export status side by side; then at which price of
    power or chips, staffing, utilisation or duty both cost the same (solved over all that these may be), what decides,
    and whether the model can tell. Limits may be combined: each is a comparison of its own. Without one it is
    --deadline '90 d', or --power '20 MW' in serving.
    """
    if workload and serve:
        raise click.UsageError("--workload trains a model and --serve serves one; give one of them")
    from sweep.compare.comparison import compared  # noqa: PLC0415 - NumPy, pydantic, pint
    from sweep.compare.data import plain_comparison  # noqa: PLC0415
    from sweep.compare.request import Request, value_of  # noqa: PLC0415

    job: dict[str, Any] = {
        name: value_of(text) for name, text in given.items() if text is not None and name in WORKLOAD
    }
    job |= {"train": workload} if workload else {"serve": serve} if serve else {}
    job |= {"time_per_output_token_limit": tpot} if tpot else {}
    basis = {name: value_of(text) for name, text in given.items() if text is not None and name in LIMITS}
    if given["domains"] is not None:
        basis["domains"] = [value_of(part) for part in given["domains"].split(",")]
    options = _options(given, {"train": workload, "serve": serve, "time_per_output_token_limit": tpot})
    path = None if study is None else find_study(study)
    request = Request(systems, job, basis, regions, path, overrides, settings().catalogue, options)
    opened = request.open()
    talk_exchanges(opened.study)
    found = compared(opened, alternatives=alternatives, progress=_Progress())
    if as_json:
        answer_json(plain_comparison(found))
    else:
        _print(found, alternatives=alternatives)


class _Progress:
    """Says on stderr what is being done, once a second at most, and nothing when all is done within the first."""

    def __init__(self) -> None:
        self.said = time.monotonic()

    def __call__(self, step: str) -> None:
        if time.monotonic() - self.said >= 1:
            talk(f"{step} ...")
            self.said = time.monotonic()


def _options(given: dict[str, str | None], named: dict[str, str | None]) -> dict[Path_, str]:
    """Return how messages name what came from an option, by the path it sets."""
    flags = {"train": "--workload", "serve": "--serve", "time_per_output_token_limit": "--tpot"}
    found: dict[Path_, str] = {}
    for name, value in given.items():
        if value is not None:
            path: Path_ = ("basis", name) if name in LIMITS else ("workload", name)
            found[path] = f"--{name.replace('_', '-')} {value}"
    found |= {("workload", name): f"{flags[name]} {value}" for name, value in named.items() if value is not None}
    return found


def _print(found: Comparison, *, alternatives: bool) -> None:
    from sweep.compare import text  # noqa: PLC0415

    phases = []
    for place, case in enumerate(found.cases):
        if place:
            answer()
        if (case.workload, case.phase) not in phases:
            phases.append((case.workload, case.phase))
            formats = dict(zip(case.systems, case.precisions, strict=True))
            best = found.opened.best_precision
            answer(text.wrapped(text.job_sentence(case.workload, case.phase, case.job, formats, best=best)))
            answer()
        _case(case, found)
    answer()
    for phase, errors in found.errors.items():
        answer(text.wrapped(text.error_sentence(errors, phase, alternatives=alternatives)))
    for phase in dict.fromkeys(phase for _, phase in phases):
        answer(text.wrapped(text.reading_sentences(phase)))


def _case(case: Case, found: Comparison) -> None:
    from sweep.compare import tables, text  # noqa: PLC0415

    title = text.heading(case.workload, case.phase, case.basis.name, case.basis.text, case.place)
    answer(f"{title[0].upper()}{title[1:]}")
    for pair, other in zip(case.pairs, case.designs[1:], strict=True):
        said = [text.verdict_sentence(pair.verdict, case.phase)]
        if case.designs[0] and other and not case.basis.cheapest:
            said.append(text.speed_sentence(case.designs[0], other, case.phase))
        answer(text.wrapped(" ".join(said)))
    for sentence in text.absent_sentences(case.systems, case.absent):
        answer(text.wrapped(sentence))
    designs = {design.system: design for design in case.designs if design}
    countries = {
        name: found.catalogue.entry("regions", each.region).labels["country"] for name, each in designs.items()
    }
    for sentence in text.export_sentences(designs, countries):
        answer(text.wrapped(sentence))
    if designs:
        answer()
        answer_table(tables.design_table(case))
    for pair in case.pairs:
        _pair(pair, several=len(case.pairs) > 1)


def _pair(pair: Pair, *, several: bool) -> None:
    from sweep.compare import tables, text  # noqa: PLC0415

    if several:
        answer()
        answer(f"{pair.verdict.first} against {pair.verdict.other}")
    _shown(tables.break_even_table(pair))
    for line in tables.never_lines(pair):
        answer(line)
    _shown(tables.deciding_table(pair))
    if pair.alternatives is not None:
        _shown(tables.alternatives_table(pair, pair.alternatives))
        answer(text.wrapped(text.conflicts_sentence(pair.verdict, pair.alternatives)))


def _shown(table: Table | None) -> None:
    if table is not None:
        answer()
        answer_table(table)
