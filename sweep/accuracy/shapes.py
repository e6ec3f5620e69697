"""The shape of the model of a measured run: the catalogue's, with what the row itself says on top."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from models.transformer import Transformer
from sweep.accuracy.table import LeftOutError, Row
from sweep.catalogue import Catalogue

HYBRIDS: Final = {
    "nemotron3": "state-space layers",
    "nemotron-h": "state-space layers",
    "jamba": "state-space layers",
    "falcon-h1": "state-space layers",
    "mamba": "state-space layers",
    "qwen3-next": "linear attention",
    "qwen3.5": "linear attention",
    "deepseek-v4": "compressed sparse attention and hyper-connections",
    "gemma4-e": "per-layer embeddings and shared key-value layers",
}
"""Beginnings of the names of models with layers that are no transformer layers, and what these are."""

FIELDS: Final = {
    "n_layers": "layers",
    "hidden": "hidden",
    "ffn_hidden": "ffn_hidden",
    "n_heads": "heads",
    "n_kv_heads": "kv_heads",
    "moe_experts": "experts",
    "moe_topk": "experts_per_token",
    "moe_ffn_hidden": "expert_ffn_hidden",
    "shared_experts": "shared_experts",
}
"""Columns that state a part of the shape, and its name there. The vocabulary is not among them: frameworks pad it."""

SPELLINGS: Final = ("llama2-", "llama3-", "llama3.1-", "llama4-")
"""Names that the catalogue writes with a hyphen after the family: llama-2-70b."""


def workload_of(name: str) -> str:
    """Name of a model in the catalogue."""
    name = name.lower()
    return name.replace("llama", "llama-", 1) if name.startswith(SPELLINGS) else name


def shape_of(row: Row, catalogue: Catalogue) -> Transformer:
    """Return the shape of the model of a row; raises ``LeftOutError`` when it has none or nobody states it.

    The catalogue knows what no column holds (latent attention, windows, gates). Where the row states another number
    than the catalogue, the run was made with that of the row. "w/o MTP" takes the multi-token prediction away, and so
    does MaxText, which has none unless told (``mtp_num_layers`` 0).
    """
    model = workload_of(row.text("model"))
    for beginning, layers in HYBRIDS.items():
        if model.startswith(beginning):
            raise LeftOutError(f"layers that are no transformer layers: {layers}")
    known = catalogue.entry("workloads", model).shape if model in catalogue.names("workloads") else None
    shape = _with_row(known, row) if known is not None else _from_row(row)
    if re.search(r"w/o mtp|without mtp|maxtext", row.features):
        shape = replace(shape, mtp_layers=0)
    if max(shape.layers, shape.hidden, shape.heads, shape.head_dim) < 1 or shape.experts_per_token > shape.experts:
        raise LeftOutError("the shape of the model is not possible as stated")
    return shape


def _with_row(shape: Transformer, row: Row) -> Transformer:
    """Return the catalogue's shape with the numbers of the row where they differ."""
    stated: dict[str, Any] = {}
    for column, field in FIELDS.items():
        value = row.count(column)
        if value is not None and value != getattr(shape, field):
            stated[field] = value
    if stated and shape.head_dim * shape.heads == shape.hidden and not shape.latent_attention:
        stated["head_dim"] = stated.get("hidden", shape.hidden) // stated.get("heads", shape.heads)
    return replace(shape, **stated)


def _from_row(row: Row) -> Transformer:
    """Return a shape from the columns alone.

    A plain feed-forward part is four times as wide as the model (GPT, arXiv:2005.14165, section 2.1); any other width
    says that it is gated. Tables of mixtures rarely have a shared embedding; plain models have.
    """
    missing = [name for name in ("n_layers", "hidden", "n_heads", "vocab") if row.count(name) is None]
    experts = row.count("moe_experts") or 0
    if row.count("moe_ffn_hidden" if experts else "ffn_hidden") is None:
        missing.append("moe_ffn_hidden" if experts else "ffn_hidden")
    if missing or (experts and not row.count("moe_topk")):
        raise LeftOutError("shape of the model is not in the catalogue, and the row does not state it")
    hidden, heads = row.need("hidden", ""), row.need("n_heads", "")
    width = row.count("ffn_hidden") or 0
    plain = not experts and width == 4 * hidden
    return Transformer(
        layers=row.need("n_layers", ""),
        hidden=hidden,
        ffn_hidden=width,
        heads=heads,
        kv_heads=row.count("n_kv_heads") or heads,
        head_dim=hidden // heads,
        vocabulary=row.need("vocab", ""),
        gated_mlp=not plain,
        tied_embeddings=plain,
        experts=experts,
        experts_per_token=row.count("moe_topk") or 0,
        expert_ffn_hidden=row.count("moe_ffn_hidden") or 0,
        shared_experts=row.count("shared_experts") or 0,
    )
