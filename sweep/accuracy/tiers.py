"""How much is known about a run, and about its chip from others: the tiers that accuracy is reported by.

Tier 1: mapping and recomputation are stated, and the prediction is one number; *covered* where another family of
sources has the same chip and number format. Tier 2: something is not stated, and the prediction is a range. Tier 3: a
chip whose die no other family covers, whatever is stated about the run. Runs on one node made to profile are apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sweep.accuracy.case import Case
from sweep.accuracy.dies import die_of
from sweep.catalogue import Catalogue

COVERED, OTHERWISE, RANGE, BLIND, MICROBENCHMARK = (
    "1, covered", "1, otherwise", "2", "3 (also in 1 or 2)", "microbenchmark",
)  # fmt: skip
"""Names of the tiers in tables."""

SAME_CLASS: Final = {"fp16": "bf16"}
"""Number formats that run at the speed of another one."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """Chips of the runs, and which families of sources measured on them.

    ``chips`` and ``vendors`` are by system; ``families`` holds who measured a chip in a number format.
    """

    chips: Mapping[str, str]
    vendors: Mapping[str, str]
    families: Mapping[tuple[str, str], frozenset[str]]

    @classmethod
    def of(cls, cases: Iterable[Case], catalogue: Catalogue, measured: Iterable[Case]) -> Tiers:
        """Return the tiers of cases, ``measured`` being the runs that the constants are fitted to."""
        known = [*measured]
        systems = {case.system for case in (*cases, *known)}
        chips = {system: catalogue.entry("systems", system).links["chip"] for system in sorted(systems)}
        vendors = {system: catalogue.entry("chips", chip).labels.get("vendor", "") for system, chip in chips.items()}
        families: dict[tuple[str, str], set[str]] = {}
        for case in known:
            families.setdefault((chips[case.system], precision_class(case)), set()).add(case.family)
        return cls(chips, vendors, {key: frozenset(found) for key, found in families.items()})

    def covered(self, case: Case) -> bool:
        """Whether another family has the same chip and class of number format."""
        return bool(self.families.get((self.chips[case.system], precision_class(case)), frozenset()) - {case.family})

    def blind(self, case: Case) -> bool:
        """Whether no other family has the chip's die, in any number format."""
        die = die_of(self.chips[case.system])
        return not any(found - {case.family} for (name, _), found in self.families.items() if die_of(name) == die)

    def of_case(self, case: Case) -> tuple[str, ...]:
        """Return the tiers of a run; one on a chip that no other family covers is in tier 3 as well."""
        if case.microbenchmark:
            return (MICROBENCHMARK,)
        own = RANGE if not case.stated else COVERED if self.covered(case) else OTHERWISE
        return (own, BLIND) if self.blind(case) else (own,)

    def groups(self, by: str) -> Callable[[Case], tuple[str, ...]]:
        """Return the function that says which groups a run is in, for one of ``choices.BY``."""
        return {
            "chip": lambda case: (self.chips[case.system],),
            "workload": lambda case: (case.model,),
            "precision": lambda case: (case.precision,),
            "source": lambda case: (case.source,),
            "tier": self.of_case,
            "kind": lambda case: ("mixture of experts" if case.moe else "dense",),
        }[by]


def precision_class(case: Case) -> str:
    """Return the number format of a run, or the one that runs at the same speed."""
    return SAME_CLASS.get(case.precision, case.precision)
