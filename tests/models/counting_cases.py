"""One mapping, counted: what the tests of amounts and of work look at."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from models.amounts import Amounts, Sides, count
from models.mapping import Cell, Fixed, mappings
from models.transformer import Transformer

PLAIN = Fixed(1, 1, 1, 1, 1, 1, 1, "none", 1, "data")
"""One rank, one sequence per micro-batch, nothing recomputed."""

CELL_FIELDS = {field.name for field in fields(Cell)}


def counted(shape: Transformer, sequence: int = 2048, precision: str = "bf16", **changes: Any) -> Amounts:
    """Amounts of the one mapping that ``changes`` of ``PLAIN`` describe; those of the cell are changed, too."""
    cell_changes = {name: value for name, value in changes.items() if name in CELL_FIELDS}
    fixed = replace(PLAIN, **{name: value for name, value in changes.items() if name not in CELL_FIELDS})
    default = {"domains": 64, "domain": 64, "topology": "single_tier", "sequence_parallel": True}
    batch = fixed.data * fixed.micro_batch * fixed.pipeline
    cell = Cell(shape, sequence, batch, **default | {"fused_attention": True, "fixed": fixed} | cell_changes)
    table = mappings(cell, 1e18, 1e18)
    assert len(table) == 1
    return count(cell, table, precision)


def multiplied(sides: tuple[Sides, ...]) -> float:
    """FLOPs of products, one pass forward."""
    return sum(float((2.0 * part.count * part.rows * part.columns * part.depth).item()) for part in sides)
