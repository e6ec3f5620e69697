"""A comparison as plain data, for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.quantities import quantities
from sweep.compare.comparison import Case, Comparison, Pair
from sweep.compare.design import Design
from sweep.compare.inputs import BreakEven
from sweep.compare.text import verdict_sentence


def plain_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data; the units of all quantities stand beside it under ``units``."""
    names = {name for case in comparison.cases for design in case.designs if design for name in design.values}
    return {
        "systems": list(comparison.systems),
        "model_error": {
            phase: {name: asdict(error) for name, error in errors.items()}
            for phase, errors in comparison.errors.items()
        },
        "cases": [_case(case) for case in comparison.cases],
        "units": {name: row.unit for name, row in quantities().items() if name in names},
    }


def _case(case: Case) -> dict[str, Any]:
    basis = case.basis
    return {
        "workload": case.workload,
        "phase": case.phase,
        "job": dict(case.job),
        "basis": {"name": basis.name, "limit": basis.text},
        "place": case.place,
        "designs": [None if design is None else _design(design) for design in case.designs],
        "absent": [reason or None for reason in case.absent],
        "pairs": [_pair(pair, case.phase) for pair in case.pairs],
    }


def _design(design: Design) -> dict[str, Any]:
    return {
        "system": design.system,
        "region": design.region,
        "precision": design.precision,
        "peak_petaflops": design.peak,
        "values": dict(design.values),
        "capital_parts": {"unit": quantities()["capital_cost"].unit, **design.capital},
        "annual_parts": {"unit": quantities()["annual_cost"].unit, **design.annual},
    }


def _pair(pair: Pair, phase: str) -> dict[str, Any]:
    verdict = pair.verdict
    conflicts = pair.alternatives
    return {
        **asdict(verdict),
        "cannot_tell": verdict.open,
        "sentence": verdict_sentence(verdict, phase),
        "break_evens": [_break_even(each, (verdict.first, verdict.other)) for each in pair.break_evens],
        "deciding": [{**asdict(each), "change": each.change} for each in pair.deciding],
        "alternatives": None if conflicts is None else asdict(conflicts),
    }


def _break_even(found: BreakEven, systems: tuple[str, str]) -> dict[str, Any]:
    solved = found.solved
    return {
        "input": found.name,
        "of": found.of,
        "unit": found.unit,
        "now": list(found.now),
        "crossings": [
            {
                "kind": each.kind,
                "low": each.low,
                "high": each.high,
                "cheaper_below": systems[each.below],
                "cheaper_above": systems[each.above],
                "relative_gap": each.gap,
            }
            for each in solved.crossings
        ],
        "never": found.never or None,
        "equal_everywhere": solved.equal,
        "cheaper_throughout": None if solved.cheaper is None else systems[solved.cheaper],
        "cannot_tell": [_ends(each) for each in solved.undecided],
    }


def _ends(stretch: tuple[float, float]) -> Mapping[str, float]:
    """Return a stretch; an end at infinity becomes null."""
    return {"low": stretch[0], "high": stretch[1]}
