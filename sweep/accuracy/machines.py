"""The machine of a measured run: its entry in the catalogue, its domains and its links."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sweep.accuracy.table import LeftOutError, Row
from sweep.catalogue import Catalogue

SYSTEMS: Final = {
    "a100-80gb": "dgx-a100",
    "a800-80gb": "dgx-a100",
    "a100-40gb": "dgx-a100-40gb",
    "h100-sxm": "dgx-h100",
    "h800": "hgx-h800",
    "h20": "hgx-h20",
    "h200-sxm": "dgx-h200",
    "gh200": "dgx-gh200",
    "b200": "dgx-b200",
    "b300": "dgx-b300",
    "gb200": "gb200-nvl72",
    "gb300": "gb300-nvl72",
    "mi250x": "mi250x-node",
    "mi300x": "mi300x-node",
    "mi325x": "mi325x-node",
    "mi355x": "mi355x-node",
    "gaudi2": "gaudi2-node",
    "gaudi3": "gaudi3-node",
    "ascend 910b (atlas 900 a2 podc)": "atlas-800t-a2",
    "ascend 910b-class npu": "atlas-800t-a2",
    "ascend 910b": "atlas-800t-a2",
    "ascend 910c": "cloudmatrix384",
    "trainium1": "trn1-instance",
    "trainium2": "trn2-ultraserver",
    "tpu-v4": "tpu-v4-pod",
    "tpu-v5e": "tpu-v5e-pod",
    "tpu-v5p": "tpu-v5p-pod",
    "tpu-v6e": "tpu-v6e-pod",
    "tpu-v7x (ironwood)": "tpu-v7-pod",
    "tpu-v7x": "tpu-v7-pod",
}
"""The system of the catalogue that a chip is sold in, by the spelling of the chip. The names of the catalogue's own
systems and chips are understood as well."""

LINKS: Final = {"a800-80gb": {"scale_up_bandwidth": 200e9}}
"""Where a chip differs from its catalogue system only in its links: A800 has 400 GB/s of NVLink in both directions
(Nvidia A800 data sheet), A100 has 600."""

KERNELS: Final = "kernels"
"""The calibration entry that knows kernels alone: what a fit to training steps starts from."""

DEVICES: Final = {"trn1-instance": 2, "tpu-v7-pod": 2}
"""Ranks of one package that the catalogue counts as one: Neuron software places tensor-parallel ranks on NeuronCores,
two to a Trainium1 chip (awsdocs-neuron, trn1 architecture); JAX sees two devices on a TPU7x chip
(docs.cloud.google.com/tpu/docs/tpu7x)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run took place: catalogue system, its facts as inputs of the model [SI], chips and their domains.

    ``domain``: chips of one scale-up domain that the run uses. ``ranks``: what the mapping counts.
    """

    system: str
    facts: Mapping[str, Any]
    chips: int
    domain: int
    ranks: int

    @property
    def inputs(self) -> dict[str, Any]:
        """Inputs of the model: the facts, and as many domains as hold the chips."""
        return {**self.facts, "domains": math.ceil(self.chips / self.domain), "scale_up_size": self.domain}

    def peak(self, precision: str) -> float:
        """Dense peak of one chip in a number format [FLOP/s]; 0 where the chip does not have it."""
        return float(self.facts.get(f"peak_{precision}") or 0.0)


class Machines:
    """The machines of a table; facts of a system are read from the catalogue once, before any fit to training steps."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._calibration = KERNELS
        self._facts: dict[str, dict[str, Any]] = {}
        chips = {catalogue.entry("systems", name).links["chip"]: name for name in catalogue.names("systems")[::-1]}
        self._names = {**chips, **{name: name for name in catalogue.names("systems")}, **SYSTEMS}

    def of(self, row: Row) -> Machine:
        """Return the machine of a row; raises ``LeftOutError`` when the catalogue does not have it."""
        chip = row.text("chip").lower()
        if chip not in self._names:
            near = difflib.get_close_matches(chip, self._names, n=1, cutoff=0.8)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise LeftOutError(f"chip {row.text('chip')} is not in the catalogue{hint}")
        system = self._names[chip]
        facts = dict(self._facts_of(system)) | LINKS.get(chip, {})
        chips = row.need("n_chips", "number of chips")
        node = row.count("chips_per_node") or int(facts["chips_per_node"])
        if network := row.number("node_network_GBps"):
            facts["scale_out_bandwidth"] = network * 1e9 / node
        domain = _domain(row.count("scale_up_domain"), int(facts["scale_up_size"]), facts, chips)
        return Machine(system, facts, chips, domain, chips * int(facts.get("devices_per_chip") or 1))

    def _facts_of(self, system: str) -> Mapping[str, Any]:
        if system not in self._facts:
            found = self._catalogue.facts(system, calibration=self._calibration)
            known = {name: fact.value for name, fact in found.items() if fact.value is not None and not fact.formula}
            known |= {"devices_per_chip": DEVICES[system]} if system in DEVICES else {}
            self._facts[system] = known
        return self._facts[system]


def _domain(stated: int | None, largest: int, facts: Mapping[str, Any], chips: int) -> int:
    """Chips of one domain that a run uses.

    A torus takes the whole slice: a stated domain of one host (at most ``chips_per_node``) is not the reach of its
    links. A run that does not fill its domains spreads evenly over them: 256 chips in racks of 72 are four times 64,
    the largest equal parts that leave less than half of a domain idle.
    """
    domain = stated or largest
    if facts.get("scale_up_topology") == "torus" and domain <= int(facts["chips_per_node"]):
        domain = largest
    if chips <= domain:
        return chips
    even = (size for size in range(domain, domain // 2, -1) if chips % size == 0)
    return next(even, domain)
