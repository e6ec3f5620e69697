"""A training run over several sites: what a site works on, and what the exchange between the sites costs.

Every site trains whole replicas of the model on its share of the batch, so only gradients leave it. Reduction is
hierarchical: inside a site as everywhere, over the site's own fabric; then the sites sum what each of them has reduced,
over wide-area links; weights are gathered inside again. Shards of weights and optimizer state never cross a site.

The exchange of ``volume`` V bytes over S sites with bandwidth B per site and direction and latency l between two sites
is the faster of a ring, ``2 (S-1) l + 2 (S-1)/S V/B``, and a tree, ``2 (log2(S) l + V/B)``, log2 rounded up: as inside
(``models.collectives.all_reduce``), without what a collective library adds (microseconds beside milliseconds).

It reaches the efficiency of the scale-out fabric (no source has one for collectives over such links) and no more than
the interfaces of the site's chips carry. With one outer step the exchange happens every step and hides behind the last
backward pass, after the reduction inside the site, as far as that does. With H outer steps (local SGD: Stich,
arXiv:1805.09767; DiLoCo: arXiv:2311.08105) the sites exchange the sum of their updates every H steps; nothing hides it,
since no site goes on before the outer update, as in plain DiLoCo (arXiv:2502.12996 hides it with stale updates:
pessimistic here). What H does to the tokens needed for a loss is not modelled: optimistic. 8 replicas and H = 500 reach
the loss of synchronous training on C4 at 150 M parameters (DiLoCo).

A run over several sites is never faster than in one place, which can be laid out as if it were several, over links that
are no slower. Where the model has no such layout, and where its rings over many ranks take longer than a tree between
sites, the difference counts as exchange; so does what outer steps save, since one place could take them, too.

Not modelled: sites of different size or kind, compression of the gradients (pessimistic); links shared with others,
loss of a link, price and power of the wide-area links (optimistic; no source prices them for this use).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.collectives import depth
from models.inputs import Array, Known, ModelInputError, integer, number
from models.transformer import Transformer, parameters

GRADIENT_BYTES: Final = 4.0
"""Bytes of a gradient, or of an outer update, on the wire: fp32, as inside a site."""

BACKWARD: Final = 2.0 / 3.0
"""Part of a micro-batch that is its backward pass, behind which gradients can move."""


@dataclass(frozen=True, slots=True)
class WideArea:
    """The exchange between sites [s], and the optimizer steps between two of them; the mapping axis is last."""

    exchange: Array
    outer_steps: Array


def exchange_time(volume: Array | float, sites: int, bandwidth: Array, latency: Array) -> Array:
    """Time after which all sites hold the sum of ``volume`` bytes [s]; exactly 0 for one site.

    ``bandwidth`` [byte/s]: of one site to all others, one direction; ``latency`` [s] between two sites.
    """
    if sites == 1:
        return np.zeros(np.broadcast_shapes(bandwidth.shape, latency.shape))
    transfer = 2.0 * volume / bandwidth
    ring = 2.0 * (sites - 1.0) * latency + transfer * ((sites - 1.0) / sites)
    tree = 2.0 * depth(np.asarray(float(sites))) * latency + transfer
    return np.minimum(ring, tree)


def exposed_time(wide: WideArea, reduced: Array, window: Array, hideable: Array) -> Array:
    """Exchange per optimizer step that computation does not hide [s].

    ``reduced`` [s]: the reduction inside the site that goes before, on the same interfaces. ``window`` [s]: the last
    backward pass, behind which both hide together. ``hideable``: part of what moves behind it that does hide, as of a
    reduction in one place. ``exchange - hideable (min(reduced + exchange, window) - min(reduced, window))`` at one
    outer step; ``exchange / H`` at H > 1.
    """
    hidden = np.minimum(reduced + wide.exchange, window) - np.minimum(reduced, window)
    return np.where(wide.outer_steps > 1.0, wide.exchange / wide.outer_steps, wide.exchange - hideable * hidden)


def site_count(known: Known) -> int:
    """Return over how many sites a run is spread; one where nothing is said."""
    return integer(known, "sites") if "sites" in known else 1


def wide_area_of(known: Known) -> WideArea:
    """Return the exchange between the sites of a run.

    Raises ``ModelInputError`` when bandwidth or latency is not known, or an outer step is less than one.
    """
    shape = known.get("shape")
    if not isinstance(shape, Transformer):
        raise ModelInputError("workload", "the shape of the workload is not known for this design")
    bandwidth, latency = number(known, "site_bandwidth"), number(known, "site_latency")
    if not (bandwidth > 0).all():
        raise ModelInputError("site_bandwidth", "site_bandwidth must be known and above zero in every design")
    chips = integer(known, "domains") // site_count(known) * integer(known, "scale_up_size")
    interfaces = chips * number(known, "scale_out_bandwidth") / np.asarray(known.get("oversubscription", 1.0))
    bandwidth = np.minimum(bandwidth, interfaces) * number(known, "scale_out_efficiency")
    outer = np.asarray(known.get("outer_steps", 1.0), dtype=np.float64)
    if not (outer >= 1).all():
        raise ModelInputError("outer_steps", "outer_steps must be at least 1")
    trained = 0.0 if known.get("trained_weights") == "adapters" else float(parameters(shape))
    exchange = exchange_time(GRADIENT_BYTES * trained, site_count(known), bandwidth, latency)
    return WideArea(exchange[..., None], outer[..., None])


def site_of(known: Known) -> dict[str, Any]:
    """Return the inputs of the fullest site: its domains, its part of the batch, and the exchange with the others.

    Domains that do not divide by the sites idle; a fixed number of replicas must divide. Spares stay out per site.
    """
    sites = site_count(known)
    inputs = {
        **known,
        "sites": 1,
        "domains": integer(known, "domains") // sites,
        "global_batch": -(-integer(known, "global_batch") // sites),
        "wide_area": wide_area_of(known),
    }
    if known.get("data_parallel"):
        replicas = integer(known, "data_parallel")
        if replicas % sites:
            raise ModelInputError("data_parallel", f"data_parallel is {replicas}; it must divide by {sites} sites")
        inputs["data_parallel"] = replicas // sites
    return inputs


def of_all_sites(known: Known, site: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of the run from those of its fullest site.

    Times and memory are the site's; chips, replicas and tokens are those of all sites. Where the batch does not divide,
    the other sites wait for the fullest.
    """
    sites, batch = site_count(known), integer(known, "global_batch")
    used = site["chips_used"] * sites
    tokens = batch * integer(known, "sequence_length") / site["step_time"]
    share = batch / (sites * -(-batch // sites))
    words = np.asarray(site["mapping"])
    return site | {
        "chips_used": used,
        "data_parallel": site["data_parallel"] * sites,
        "mapping": np.where(words == "", words, np.strings.add(words, f".sites{sites}")),
        "tokens_per_second": tokens,
        "tokens_per_second_per_chip": tokens / used,
        "model_flops_utilisation": site["model_flops_utilisation"] * share,
        "hardware_flops_utilisation": site["hardware_flops_utilisation"] * share,
    }


def fabric_of_sites(known: Known, stage: Callable[[Known], dict[str, Any]]) -> dict[str, Any]:
    """Return the bill of materials of all sites: ``stage`` counts that of one, which has a tree of its own.

    Domains are spread as evenly as whole ones can be. The worst even cut of the cluster lies between sites:
    ``floor(S/2)`` of their links carry it.
    """
    sites, domains = site_count(known), integer(known, "domains")
    few, more = divmod(domains, sites)
    kinds = [(count, size) for count, size in ((sites - more, few), (more, few + 1)) if count and size]
    counted = [(count, stage({**known, "sites": 1, "domains": size})) for count, size in kinds]
    total: dict[str, Any] = {name: sum(count * each[name] for count, each in counted) for name in counted[0][1]}
    total["scale_out_layers"] = np.maximum(counted[0][1]["scale_out_layers"], counted[-1][1]["scale_out_layers"])
    total["bisection_bandwidth"] = (sites // 2) * number(known, "site_bandwidth")
    return total
