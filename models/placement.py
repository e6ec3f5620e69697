"""Where the groups of a mapping lie: how many fit a domain, and which of their ranks share one.

Tensor-parallel ranks come first, then context-parallel ones, then either data-parallel replicas or pipeline stages
(``placement``). Groups of tensor x context ranks are packed whole into domains, ``floor(domain / group)`` each; what
is left over idles. A group larger than a domain takes whole domains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.collectives import DISPATCH, LIBRARY, Group, Library, group_of, up_share
from models.inputs import Array

DATA, PIPELINE = 0.0, 1.0
PLACEMENTS = ("data", "pipeline")


@dataclass(frozen=True, slots=True)
class Packing:
    """Groups of tensor x context ranks in domains; all counts of whole things.

    ``tensor_inside`` and ``context_inside``: ranks of one group that share a domain. ``per_domain``: groups in one
    domain, 0 for a group larger than a domain. ``domains_per_group``: domains that one group takes, at least 1.
    """

    tensor_inside: Array
    context_inside: Array
    per_domain: Array
    domains_per_group: Array


def pack(tensor: Array, context: Array, domain: float) -> Packing:
    """Pack groups of ``tensor x context`` ranks into domains of ``domain`` chips."""
    units = np.floor(domain / tensor)
    tensor_inside = np.minimum(tensor, domain)
    context_inside = np.minimum(context, np.maximum(units, 1.0))
    return Packing(
        tensor_inside=tensor_inside,
        context_inside=context_inside,
        per_domain=np.floor(units / context),
        domains_per_group=np.ceil(tensor / domain) * np.ceil(context / context_inside),
    )


def groups_available(packing: Packing, domains: Array) -> Array:
    """Return the groups of tensor x context ranks that ``domains`` domains hold."""
    return np.where(
        packing.per_domain > 0.0, domains * packing.per_domain, np.floor(domains / packing.domains_per_group)
    )


@dataclass(frozen=True, slots=True)
class Groups:
    """The communication groups of a mapping.

    ``replicas``: ranks that hold the same dense weights (data x context). ``shards``: those of them that share one
    sharded copy, ``mirrors``: the copies. ``expert_replicas``: ranks that hold the same experts, ``expert_shards``:
    those of them in one sharded copy. ``spill``: tokens of a stage over those of its whole expert groups; ranks beyond
    them hold no experts, and their tokens are work of the others. ``hops_inside`` and ``hops_between``: neighbours of
    the pipeline in one domain, and not.
    """

    tensor: Group
    context: Group
    replicas: Group
    shards: Group
    mirrors: Group
    expert: Group
    expert_replicas: Group
    expert_shards: Group
    spill: Array
    hops_inside: Array
    hops_between: Array
    neighbour_share: Array


def place(
    tensor: Array,
    context: Array,
    pipeline: Array,
    data: Array,
    expert: Array,
    placement: Array,
    domain: float,
    topology: str,
    sharding_group: Array | float = 0.0,
    *,
    fused_dispatch: bool = True,
) -> Groups:
    """Describe the groups of mappings; the arguments up to ``placement``, and ``sharding_group``, are columns.

    ``sharding_group``: ranks over which sharded weights are cut (hybrid sharding), 0 for all replicas; ranks of data x
    context, each of which is a whole group of tensor-parallel chips.
    ``fused_dispatch``: experts exchange tokens by kernels of their own instead of the collective library.
    """
    packing = pack(tensor, context, domain)
    slots = np.maximum(packing.per_domain, 1.0)
    beside_data = np.minimum(data, slots)
    beside_pipeline = np.minimum(data, np.maximum(np.floor(slots / pipeline), 1.0))
    data_inside = np.where(placement == DATA, beside_data, beside_pipeline)
    run = np.where(placement == DATA, np.maximum(np.floor(slots / data), 1.0), np.minimum(pipeline, slots))
    between = np.ceil(pipeline / run) - 1.0
    stage = packing.tensor_inside * packing.context_inside * data_inside
    ranks = tensor * context * data
    replicas = np.maximum(np.floor(ranks / expert), 1.0)
    inside = packing.context_inside * data_inside
    shards = np.minimum(context * data, np.where(np.asarray(sharding_group) > 0.0, sharding_group, np.inf))

    def make(size: Array, inside: Array, library: Library = LIBRARY) -> Group:
        spread = np.minimum(inside, size)
        return group_of(size, inside, up_share(topology, spread, domain), library)

    return Groups(
        tensor=make(tensor, packing.tensor_inside),
        context=make(context, packing.context_inside),
        replicas=make(context * data, inside),
        shards=make(shards, inside),
        mirrors=make(np.ceil(context * data / shards), np.maximum(np.floor(inside / shards), 1.0)),
        expert=make(expert, stage, DISPATCH if fused_dispatch else LIBRARY),
        expert_replicas=make(replicas, np.maximum(np.floor(stage / expert), 1.0)),
        expert_shards=make(
            np.clip(np.floor(tensor * shards / expert), 1.0, replicas), np.maximum(np.floor(stage / expert), 1.0)
        ),
        spill=ranks / (replicas * expert),
        hops_inside=pipeline - 1.0 - between,
        hops_between=between,
        neighbour_share=up_share(topology, np.full_like(pipeline, 2.0), domain),
    )
