"""Bill of materials of the two fabrics, from topology and chip count, for the chips bought.

The scale-up fabric is made of ports of one line rate, so a faster link is more ports: a chip has
``scale_up_bandwidth / scale_up_link_rate`` ports rounded up, and switch chips, cables and optical modules follow from
the ports. At the bandwidth of the catalogue the counts are the published ones. Price and power of the scale-up fabric
do not come from these counts (no source prices a switch chip) but grow in proportion to the bandwidth. Not counted:
ports of host processors, management networks, and the optical circuit switches of a torus.

The scale-out fabric is a fat tree with as many layers as its network interfaces need. Its NICs, switches and modules
carry price and power. A single domain keeps its NICs and its tree, as the published count for CloudMatrix 384 does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.arithmetic import number_or, round_up, whole
from models.fleet import fabric_of_sites, site_count
from models.inputs import Array, Known, ModelInputError, number, number_or_nan

LAYERS = 4  # the deepest fat tree counted; 64-port switches reach two million ports with it


def down_ports(radix: Array, oversubscription: Array) -> Array:
    """Return the ports of a leaf switch that face chips: ``floor(k s / (1 + s))``, at least 1.

    ``radix`` k: ports of the switch. ``oversubscription`` s: bandwidth towards chips over bandwidth towards the core.
    At s = 1 it is half of the ports.
    """
    return np.maximum(np.floor(radix * oversubscription / (1 + oversubscription) * (1 + 1e-12)), 1)


def fat_tree_reach(radix: Array, layers: int, oversubscription: Array | float = 1.0) -> Array:
    """Return the most ports a fat tree of ``layers`` layers can connect.

    ``k`` for one layer, else ``d k (k/2)^(layers - 2)`` with d ports down per leaf. Without oversubscription that is
    ``2 (k/2)^layers`` (Al-Fares et al. 2008, doi:10.1145/1402958.1402967).
    """
    if layers == 1:
        return np.asarray(radix, dtype=np.float64)
    down = down_ports(radix, np.asarray(oversubscription, dtype=np.float64))
    return np.asarray(down * radix * np.floor(radix / 2) ** (layers - 2), dtype=np.float64)


def fat_tree(ports: Array, radix: Array, oversubscription: Array) -> dict[str, Array]:
    """Return ``layers``, ``switches``, ``links`` and ``transceivers`` of the smallest fat tree for ``ports`` ports.

    ``ports``: network interfaces to connect. ``radix``: ports of a switch at their line rate. Only the leaves are
    oversubscribed, and uplinks are populated as needed: ``ceil(ports / oversubscription)`` links between any two
    neighbouring layers. Every link is optical with a module at both ends. A tree beyond four layers is counted as
    four. All results are whole numbers as float64, zero for zero ports.

    CloudMatrix 384: 384 ports of 400 Gbit/s, two layers, 768 links, 1,536 modules.
    """
    reach = [fat_tree_reach(radix, layers, oversubscription) for layers in range(1, LAYERS)]
    layers = (1.0 + (ports > reach[0]) + (ports > reach[1]) + (ports > reach[2])) * (ports > 0)
    layers = np.where(np.isnan(ports * reach[1]), np.nan, layers)
    uplinks = round_up(ports / oversubscription)
    leaves = round_up(ports / down_ports(radix, oversubscription))
    middle = np.maximum(layers - 2, 0) * round_up(uplinks / np.floor(radix / 2))
    top = round_up(uplinks / radix)
    switches = np.where(layers > 1, leaves + middle + top, layers)
    links = ports + np.maximum(layers - 1, 0) * uplinks
    return {"layers": layers, "switches": switches, "links": links, "transceivers": 2 * links}


def network_interfaces(known: Known) -> Array:
    """Return the scale-out network interfaces of all chips bought: per node, ``ceil(chips x bandwidth / line rate)``.

    A node shares its interfaces among its chips, so half the bandwidth is half the interfaces down to one per node.
    """
    node = number_or_nan(known, "chips_per_node")
    nodes = round_up(chips_bought(known) / node)
    rate = number_or_nan(known, "scale_out_link_rate")
    return nodes * round_up(node * number_or_nan(known, "scale_out_bandwidth") / rate)


def chips_bought(known: Known) -> Array:
    """Return the chips bought: domains times chips per domain."""
    return number(known, "domains") * number(known, "scale_up_size")


def ports_per_chip(known: Known) -> Array:
    """Return the scale-up ports of one chip: bandwidth over line rate, rounded up; without a rate, its links."""
    lines = number_or_nan(known, "scale_up_bandwidth") / number_or_nan(known, "scale_up_link_rate")
    return np.where(np.isnan(lines), number_or_nan(known, "scale_up_links"), round_up(lines))


def single_tier(known: Known) -> dict[str, Array]:
    """Count one domain whose chips all meet in every switch chip: ``planes x ceil(ports per plane / switch ports)``.

    GB200 NVL72: 72 x 18 ports over 18 planes of 72-port chips make 18 chips; 4 wire pairs per port make 5,184 cables.
    A domain larger than a switch chip has ports cannot be wired so: its counts are unknown (NaN).
    """
    size, ports = number(known, "scale_up_size"), ports_per_chip(known)
    radix = number_or_nan(known, "scale_up_switch_ports")
    planes = np.minimum(number_or_nan(known, "scale_up_planes"), ports)
    chips = planes * round_up(size * ports / planes / radix)
    return {
        "switches": np.where(size > radix, np.nan, chips),
        "spines": np.zeros(()),
        "wires": size * ports,
        "far_wires": size * ports,
    }


def two_tier(known: Known) -> dict[str, Array]:
    """Count one domain of two tiers without blocking: first-tier chips in the nodes, planes of second-tier chips.

    ``scale_up_switch_ports`` of a first-tier chip serve chips and second tier in halves; those of host processors
    are not counted. Only the wires between the tiers leave a node.

    CloudMatrix 384: 8 chips x 14 ports of 28 GB/s in a node over 7 planes of 16 + 16 ports: 7 first-tier chips in each
    of 48 nodes (336), 768 uplinks per plane on 48-port chips (112).
    """
    node, ports = number_or_nan(known, "chips_per_node"), ports_per_chip(known)
    nodes = round_up(number(known, "scale_up_size") / node)
    half = np.floor(number_or_nan(known, "scale_up_switch_ports") / 2)
    planes = np.minimum(number_or_nan(known, "scale_up_planes"), round_up(node * ports / half))
    first = nodes * planes * round_up(node * ports / planes / half)
    uplinks = nodes * node * ports
    second = planes * round_up(uplinks / planes / number_or_nan(known, "scale_up_spine_ports"))
    return {"switches": first, "spines": second, "wires": 2 * uplinks, "far_wires": uplinks}


def direct(known: Known) -> dict[str, Array]:
    """Count one domain without switches (torus, mesh): a wire joins two ports."""
    wires = number(known, "scale_up_size") * number_or_nan(known, "scale_up_links") / 2
    return {"switches": np.zeros(()), "spines": np.zeros(()), "wires": wires, "far_wires": wires}


TOPOLOGIES: dict[str, Callable[[Known], dict[str, Array]]] = {
    "single_tier": single_tier,
    "two_tier_ub": two_tier,
    "torus": direct,
    "mesh": direct,
}


def topology_of(known: Known) -> str:
    """Return the kind of the scale-up fabric, a single tier when nothing is said of it."""
    topology = str(known.get("scale_up_topology") or "single_tier")
    if topology not in TOPOLOGIES:
        raise ModelInputError(
            "scale_up_topology", f"scale_up_topology {topology!r} is not one of {', '.join(TOPOLOGIES)}"
        )
    return topology


def scale_up_materials(known: Known) -> dict[str, Array]:
    """Return switch chips, spine chips, cables and optical modules of one scale-up domain, as float64.

    With optics, a module carries ``scale_up_port_rate_per_module`` and a link has two: CloudMatrix 384 has 5,376
    ports of 28 GB/s between its tiers, two of them in a 400 Gbit/s module, so 2,688 links and 5,376 modules. A module
    rate of zero means copper: ``scale_up_cables_per_port`` cables for every port (zero on a printed board).
    """
    count = TOPOLOGIES[topology_of(known)](known)
    module_rate = number_or(known, "scale_up_port_rate_per_module", 0.0)
    optical = module_rate > 0
    wires_per_module = module_rate / number_or_nan(known, "scale_up_link_rate")
    links = round_up(count["far_wires"] / np.where(optical, wires_per_module, 1))
    copper = count["wires"] * number_or(known, "scale_up_cables_per_port", 1.0)
    return {
        "scale_up_switch_chips": count["switches"],
        "scale_up_spine_chips": count["spines"],
        "scale_up_cables": np.where(optical, links, copper),
        "scale_up_transceivers": np.where(optical, 2 * links, 0 * module_rate),
    }


def domain_bisection(known: Known) -> Array:
    """Return the bandwidth across the even cut of one domain [byte/s], one direction.

    Switched: ``n b / 2`` for n chips of bandwidth b. Torus of d equal sides: ``2 n^(1 - 1/d)`` links of ``b / (2 d)``
    (a TPU v5e pod, 16 x 16 at 4 x 50 GB/s: 1.6 TB/s). Mesh, every pair joined: ``floor(n/2) ceil(n/2)`` links of
    ``b / (n - 1)``.
    """
    size, bandwidth = number(known, "scale_up_size"), number_or_nan(known, "scale_up_bandwidth")
    topology = topology_of(known)
    if topology == "torus":
        links = number_or_nan(known, "scale_up_links")
        return np.asarray(2 * size ** (1 - 2 / links) * bandwidth / links)
    if topology == "mesh":
        return np.asarray(np.floor(size / 2) * np.ceil(size / 2) * bandwidth / np.maximum(size - 1, 1))
    return np.asarray(size / 2 * bandwidth)


def fabric_stage(known: Known) -> dict[str, Any]:
    """Return the bill of materials of both fabrics and the bisection bandwidth, for the chips bought.

    Counts are int64, or float64 with NaN where a fact is unknown. The bisection of several domains is that of the
    scale-out tree, ``chips x scale_out_bandwidth / 2 / oversubscription``; of one domain, that of its scale-up fabric.
    Every site of several has a tree of its own (``models.fleet``).
    """
    if site_count(known) > 1:
        return fabric_of_sites(known, fabric_stage)
    domains, chips = number(known, "domains"), chips_bought(known)
    nics = network_interfaces(known)
    oversubscription = number_or(known, "oversubscription", 1.0)
    tree = fat_tree(nics, number_or_nan(known, "scale_out_switch_radix"), oversubscription)
    blocking = np.where(tree["layers"] > 1, oversubscription, 1.0)
    across_domains = chips / 2 * number_or_nan(known, "scale_out_bandwidth") / blocking
    counts = {name: domains * value for name, value in scale_up_materials(known).items()} | {
        "chips": chips,
        "nics": nics,
        "scale_out_layers": tree["layers"],
        "scale_out_switches": tree["switches"],
        "scale_out_cables": tree["links"],
        "scale_out_transceivers": tree["transceivers"],
    }
    return {name: whole(value) for name, value in counts.items()} | {
        "bisection_bandwidth": np.where(domains > 1, across_domains, domain_bisection(known))
    }
