"""Ask the shipped search studies their questions and write the answers into docs/search.md, between their markers.

    python docs/search_answers.py                     # a few minutes on one core
    python docs/search_answers.py own-supernode

Every answer is the exact optimum: after the trials, all combinations of levers are solved or ruled out by bounds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.catalogue import Catalogue
from sweep.cli.find import find_study
from sweep.engine.prepare import first_manifest
from sweep.search import Checks, Options, SearchResult, search
from sweep.search.batch import Evaluator
from sweep.search.goals import goals_of, score
from sweep.search.points import LeverSpace
from sweep.study import Study, open_study
from sweep.text import number

PAGE = Path(__file__).with_name("search.md")
TRIALS = 64
PLACES = ("us-texas", "china-west", "eu-germany")
RULES = {
    "United States": "scenarios.buyer_country=US",
    "China": "scenarios.buyer_country=CN",
    "no rule": "require=[time_to_train <= 90 d, facility_power <= 50 MW]",
}
SOLD = {
    "CloudMatrix 384": ("cloudmatrix384", 384, 56.0),
    "GB200 NVL72": ("gb200-nvl72", 72, 0.0),
}


def asked(name: str, folder: str, *overrides: str) -> tuple[SearchResult, Study, Catalogue]:
    """Search a shipped study and prove the answer."""
    sys.stderr.write(f"{name} {' '.join(overrides)}\n")
    study, catalogue = open_study(find_study(name), overrides)
    options = Options("auto", study.seed)
    checks = Checks(verify=True, within=0.05)
    return search(study, catalogue, folder, TRIALS, options, checks=checks), study, catalogue


def best_of(result: SearchResult) -> tuple[float, Mapping[str, Any]] | None:
    """Return the optimum with its levers, None when nothing is feasible."""
    assert result.exact is not None
    if not result.exact:
        return None
    return result.exact[0].score.values[0], result.levers.values(result.exact[0].point)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def levers_in_words(levers: Mapping[str, Any], *names: str) -> list[str]:
    """Return some levers as cells of a table."""
    return [number(levers.get(name)) for name in names]


def llama(folder: str) -> str:
    """Return the answers of cheapest-llama-405b, by place and rules."""
    rows = []
    for place in PLACES:
        for rule, override in RULES.items():
            result, *_ = asked("cheapest-llama-405b", folder, f"scenarios.region={place}", override)
            best = best_of(result)
            if best is None:
                rows.append([place, rule, "nothing feasible", "", "", "", ""])
                continue
            cells = levers_in_words(best[1], "system", "domains", "scale_out_bandwidth_times", "oversubscription")
            rows.append([place, rule, number(best[0], 4), *cells])
    head = ("place", "buyer, rules of 2026-01-15", "MUSD", "system", "domains", "NIC speed x", "oversubscription")
    return table(head, rows)


def deepseek(folder: str) -> str:
    """Return the answer of cheapest-deepseek-r1-50ms, for all systems and for each alone."""
    systems = ("gb300-nvl72", "gb200-nvl72", "dgx-b200", "dgx-h200", "dgx-h100", "cloudmatrix384", "hgx-h20")
    rows = []
    for system in systems:
        result, *_ = asked("cheapest-deepseek-r1-50ms", folder, f"where=system == '{system}'")
        best = best_of(result)
        names = ("domains", "speculative_tokens", "scale_up_bandwidth_times", "scale_out_bandwidth_times")
        if best is None:
            rows.append([system, "nothing feasible", "", "", "", ""])
        else:
            rows.append([system, number(best[0], 3), *levers_in_words(best[1], *names)])
    rows.sort(key=lambda row: (row[1][0].isalpha(), row[1]))
    return table(("system", "USD/Mtoken", "domains", "draft tokens", "link speed x", "NIC speed x"), rows)


def supernode(folder: str) -> str:
    """Return the answer of own-supernode beside the two systems as sold."""
    result, study, catalogue = asked("own-supernode", folder)
    best = best_of(result)
    assert best is not None
    rows = []
    for name, (system, size, module) in SOLD.items():
        wanted = {
            "system": system, "scale_up_size": size, "scale_up_port_rate_per_module": module, "oversubscription": 1,
            "scale_up_bandwidth_times": 1, "scale_out_bandwidth_times": 1, "hbm_capacity_times": 1,
        }  # fmt: skip
        rows.append(_own_row(f"{name} as sold", as_sold(study, catalogue, wanted), wanted))
    near = [(each.found.score.values[0], result.levers.values(each.found.point)) for each in result.checked.near]
    rows += [_own_row("best" if not place else "near, and different", *each) for place, each in enumerate(near)]
    head = ("design", "USD/Mtoken", "chip", "chips per domain", "links", "link speed x", "NIC speed x",
            "oversubscription", "HBM x")  # fmt: skip
    return table(head, rows)


def _own_row(name: str, value: float, levers: Mapping[str, Any]) -> list[str]:
    optics = "optics" if levers["scale_up_port_rate_per_module"] else "copper"
    chip = {"cloudmatrix384": "910C", "gb200-nvl72": "GB200"}[str(levers["system"])]
    names = ("scale_up_bandwidth_times", "scale_out_bandwidth_times", "oversubscription", "hbm_capacity_times")
    return [name, number(value, 3), chip, number(levers["scale_up_size"]), optics, *levers_in_words(levers, *names)]


def as_sold(study: Study, catalogue: Catalogue, wanted: Mapping[str, Any]) -> float:
    """Return the goal of the design with some levers."""
    levers = LeverSpace(study)
    manifest, _ = first_manifest(study, catalogue, tempfile.gettempdir(), None)
    evaluator = Evaluator(study, catalogue, levers, manifest.columns, manifest.schema)
    for point in levers.points(0, levers.size):
        values = levers.values(point)
        if all(values[name] == value for name, value in wanted.items()):
            ((_, rows),) = evaluator.rows([point])
            return score(rows, goals_of(study), "expected").values[0]
    raise LookupError(wanted)


PARTS = {
    "cheapest-llama-405b": ("**Llama-3.1-405B in 90 days under 50 MW**, cost of the run", llama),
    "cheapest-deepseek-r1-50ms": ("**DeepSeek-R1 under 50 ms per token**, in Texas, at best on each system", deepseek),
    "own-supernode": ("**A supernode of one's own**: DeepSeek-V3 in bf16 on 2,304 chips, in Texas", supernode),
}


def main() -> None:
    """Write the answers of the studies that are named, or of all."""
    for name in sys.argv[1:] or PARTS:
        title, answer = PARTS[name]
        start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        with tempfile.TemporaryDirectory() as folder:
            text = answer(folder)
        before, rest = PAGE.read_text(encoding="utf-8").split(start)
        after = rest.split(end)[1]
        PAGE.write_text(f"{before}{start}\n{title} (`{name}`).\n\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
