"""What the catalogue and the model together say of whole clusters, against totals that the sources print."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from models.economics import economics_stage
from models.fabric import fabric_stage
from models.power import YEAR, power_stage
from models.quantities import quantities
from models.reliability import reliability_stage
from sweep.assembly import fact_formula
from sweep.catalogue import Catalogue

RUN = {"phase": "train", "precision": "bf16", "tokens_per_second": 1e6, "training_tokens": 1e12}
CATALOGUE = Catalogue.load()


@cache
def facts(system: str, region: str) -> dict[str, Any]:
    """Return the facts of a system in a region, SI, formulas computed; neutral values where nothing is said."""
    resolved = CATALOGUE.facts(system, None, region)
    neutral = {name: row.default for name, row in quantities().items() if row.is_input and row.default in (0, 1)}
    known = neutral | {name: fact.value for name, fact in resolved.items() if fact.value is not None}
    numbers = {name: np.asarray(float(value)) for name, value in known.items() if isinstance(value, int | float)}
    for name, fact in resolved.items():
        if fact.formula:
            numbers[name] = np.asarray(fact_formula(fact.formula, fact.where).evaluate(numbers))
    return known | numbers


def cluster(system: str, domains: int, region: str = "own", **others: Any) -> dict[str, Any]:
    """Return inputs and metrics of a cluster that trains with all its chips; no performance model is involved."""
    known = facts(system, region) | RUN | {"domains": np.asarray(float(domains))} | others
    for stage in (fabric_stage, reliability_stage, power_stage, economics_stage):
        known = known | {"chips_used": known.get("chips", np.nan)}
        known = known | stage(known)
    return known


@pytest.mark.parametrize(
    ("system", "domains", "power"),
    [("cloudmatrix384", 1, 559.378e3), ("cloudmatrix384", 16, 559.378e3), ("gb200-nvl72", 16, 145e3)],
)
def test_all_in_power_counts_the_scale_out_network_once(system: str, domains: int, power: float) -> None:
    """SemiAnalysis, 2025-04-16: 559,378 and 145,000 W all-in, with NICs, modules and switches of two full layers."""
    assert cluster(system, domains)["it_power_peak"] / domains == pytest.approx(power, rel=1e-3)


def test_a_third_layer_of_switches_comes_on_top_of_the_all_in_power() -> None:
    """2,304 GPUs need a third layer of 64-port switches. SemiAnalysis has 2.1 kW per GB200, network included."""
    per_chip = cluster("gb200-nvl72", 32)["it_power_peak"] / 2304
    assert 145e3 / 72 < per_chip == pytest.approx(2.1e3, rel=0.03)


def test_dgx_h100_with_its_share_of_the_network_draws_what_is_published() -> None:
    """Rated 10.2 kW with its NICs; 10.93 kW with a share of the network (SemiAnalysis, the H200 server)."""
    known = cluster("dgx-h100", 256)
    switches = known["scale_out_switches"] * known["scale_out_switch_power"]
    modules = known["scale_out_transceivers"] * known["transceiver_power"]
    assert (known["it_power_peak"] - switches - modules) / 256 == pytest.approx(10.2e3)
    assert known["it_power_peak"] / 256 == pytest.approx(10.93e3, rel=0.03)


def test_dgx_h100_trains_at_the_measured_share_of_its_rating() -> None:
    """0.76 of 10.2 kW on average (arXiv:2506.14551); at no time did a node draw more than 8.4 kW (arXiv:2412.08602)."""
    known = cluster("dgx-h100", 1)
    host = known["host_power"] + known["nic_power"]
    node = 8 * (known["train_power_fraction"] * (known["chip_power"] + host))
    assert node == pytest.approx(0.76 * 10.2e3)
    outside = known["scale_out_switches"] * known["scale_out_switch_power"]
    outside = outside + known["scale_out_transceivers"] * known["transceiver_power"]
    assert node * 0.99 < known["it_power"] - outside < 8.4e3


def test_nvl72_with_network_storage_and_the_rest_costs_what_is_published() -> None:
    """SemiAnalysis, 2025-08-20: 3.1 M USD for the rack, 3.9 M all-in."""
    known = cluster("gb200-nvl72", 16)
    rack = 72 * (known["chip_price"] + known["scale_up_price_per_bandwidth"] * known["scale_up_bandwidth"])
    assert rack == pytest.approx(3.1e6)
    assert known["equipment_cost"] / 16 == pytest.approx(3.9e6, rel=0.05)


def test_cloudmatrix_costs_its_price_with_scale_out_storage_and_installation() -> None:
    """8.2 M USD, 1,536 modules of 100, 9 switches of 51.2 Tbit/s, storage and 4.44 % of installation on all of it."""
    parts = 8.2e6 + 1536 * 100 + 9 * 81_200 + 384 * 1466.5
    assert cluster("cloudmatrix384", 1)["equipment_cost"] == pytest.approx(1.0444 * parts)


def outside(known: dict[str, Any]) -> Any:
    """Return the power of what stands between the nodes: switches and optical modules [W]."""
    switches = known["scale_out_switches"] * known["scale_out_switch_power"]
    return switches + known["scale_out_transceivers"] * known["transceiver_power"]


@pytest.mark.parametrize(
    ("system", "power"),
    [
        ("dgx-a100", 6.5e3),
        ("dgx-a100-40gb", 6.5e3),
        ("dgx-h200", 10.2e3),
        ("hgx-h800", 10.2e3),
        ("hgx-h20", 10.2e3 - 8 * 300),  # the H100 node with chips of 400 W
        ("dgx-b200", 14.3e3),
        ("dgx-superpod-b200", 14.3e3),
        ("dgx-b300", 14.5e3),
        ("gb300-nvl72", 135e3),
        ("vera-rubin-nvl72", 210e3),
        ("mi300x-node", 8 * 1.8 * 750),  # Epoch: servers draw 1.8 times their chips
        ("tpu-v4-pod", 4096 * 1.56 * 340),  # Epoch, TPU v4: power of the chip by Google
        ("atlas-800t-a2", 8 * 1.8 * 400),
    ],
)
@pytest.mark.parametrize("domains", [1, 64])
def test_a_node_with_its_interfaces_draws_its_rating(system: str, power: float, domains: int) -> None:
    """A rating is of the whole node, and the bill of materials adds its interfaces: they must not count twice."""
    known = cluster(system, domains)
    assert (known["it_power_peak"] - outside(known)) / domains == pytest.approx(power)
    assert known["host_power"] > 0


@pytest.mark.parametrize(
    ("system", "price"),
    [
        ("dgx-a100", 199e3),
        ("dgx-a100-40gb", 199e3),
        ("dgx-b200", 515e3),
        ("dgx-superpod-b200", 515e3),
        ("dgx-b300", 8 * 1.64 * 45e3),  # Epoch: a server costs 1.64 times its chips
        ("hgx-h800", 8 * 1.64 * 38e3),
        ("mi300x-node", 8 * 1.64 * 15e3),
        ("gb300-nvl72", 3.75e6),
        ("vera-rubin-nvl72", 7803148),
    ],
)
def test_a_machine_sold_with_its_interfaces_costs_its_price(system: str, price: float) -> None:
    known = cluster(system, 1)
    chips = known["chips"] * known["chip_price"]
    scale_up = known["chips"] * known.get("scale_up_price_per_bandwidth", 0.0) * known["scale_up_bandwidth"]
    assert chips + scale_up + known["nics"] * known["nic_price"] == pytest.approx(price)


OWN_SWITCH_PRICE = {"infiniband-xdr"}  # from the published share of the network, tested below
OWN_MODULE_PRICE = {"infiniband-xdr"}
HUAWEI = {name for name in CATALOGUE.names("systems") if CATALOGUE.entry("systems", name).labels["vendor"] == "Huawei"}


@pytest.mark.parametrize("system", CATALOGUE.names("systems"))
def test_one_price_per_bandwidth_of_the_scale_out_network(system: str) -> None:
    """No vendor gets its second 25.6 Tbit/s for nothing, and half a line costs half."""
    known = facts(system, "own")
    fabric = CATALOGUE.entry("systems", system).links["scale_out"]
    port = known["scale_out_link_rate"]
    if fabric not in OWN_SWITCH_PRICE:
        per_capacity = known["scale_out_switch_price"] / (known["scale_out_switch_radix"] * port)
        assert per_capacity == pytest.approx(40_600 / 3.2e12)
    if fabric not in OWN_MODULE_PRICE:
        module = 100 if system in HUAWEI else 1428  # a market price in China; the vendor's own optics elsewhere
        assert known["transceiver_price"] / port == pytest.approx(module / 50e9)
    on_chip = known["nic_price"] == 0
    assert on_chip == (known["nic_power"] == 0) == (system in HUAWEI or system.startswith("gaudi"))
    assert on_chip or known["nic_price"] / port == pytest.approx(1904 / 50e9)


@pytest.mark.parametrize(("racks", "layers", "share", "error"), [(256, 3, 0.15, 0.01), (10_400, 4, 0.18, 0.10)])
def test_network_of_a_gb300_cluster_is_the_published_share_of_its_cost(
    racks: int, layers: int, share: float, error: float
) -> None:
    """SemiAnalysis on co-packaged optics: 15 % with three layers, 18 % with four; optics are 60 % of it."""
    known = cluster("gb300-nvl72", racks)
    assert known["scale_out_layers"] == layers
    optics = known["scale_out_transceivers"] * known["transceiver_price"]
    network = optics + known["scale_out_switches"] * known["scale_out_switch_price"]
    whole = racks * 3.75e6 + known["chips"] * known["storage_price_per_chip"] + network
    assert network / whole == pytest.approx(share, rel=error)
    assert optics / network == pytest.approx(0.6, rel=0.03)


@pytest.mark.parametrize(("region", "per_watt"), [("china-west", 7.11), ("us-texas", 9.3), ("us-average", 11.7)])
def test_shell_is_priced_per_critical_watt(region: str, per_watt: float) -> None:
    """Cushman & Wakefield, 2025: million USD per MW of critical load; cooling is in it, so PUE does not multiply it."""
    for pue in (1.0, 1.5):
        known = cluster("gb200-nvl72", 16, region, power_usage_effectiveness=np.asarray(pue))
        assert known["shell_cost"] == pytest.approx(per_watt * known["it_power_peak"])


def test_interruptions_of_the_run_the_rates_come_from() -> None:
    """Llama 3 405B: 419 in 54 days on 16,384 H100. Three layers of modules here, so a few more: 6 a chip, not 4."""
    run = cluster("dgx-h100", 2048)
    assert run["failures_per_day"] * 54 * 86400 == pytest.approx(419, rel=0.05)
    assert run["goodput"] > 0.9  # the paper states a higher effective training time


def test_optics_of_a_supernode_fail_less_often_than_its_chips() -> None:
    """6,912 modules at 0.0036 a year interrupt 25 times a year, 384 chips at 0.1106 42 times."""
    whole = cluster("cloudmatrix384", 1)["failures_per_day"]
    optics = whole - cluster("cloudmatrix384", 1, transceiver_failure_rate=np.asarray(0.0))["failures_per_day"]
    chips = whole - cluster("cloudmatrix384", 1, chip_failure_rate=np.asarray(0.0))["failures_per_day"]
    assert optics * YEAR == pytest.approx(6912 * 0.0036)
    assert chips * YEAR == pytest.approx(384 * 0.1106)


def test_cost_of_a_gb200_hour_lies_between_published_ones() -> None:
    """SemiAnalysis (InferenceX): 2.21 USD per GPU-hour for a hyperscaler, 2.75 for a neocloud, paid the whole year."""
    whole_year = cluster("gb200-nvl72", 16, utilisation=np.asarray(1.0))
    assert 2.21 < whole_year["cost_per_chip_hour"] * 3600 < 2.75
