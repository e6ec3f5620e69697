"""Sections of an answer: one comparison each, with its sentence, its tables and the same figures as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sweep.answer.chance_text import chance_data, chance_sentence, decisive_table
from sweep.answer.chances import Chance
from sweep.text import Table
from sweep.uncertain import Uncertain


@dataclass(frozen=True, slots=True)
class Section:
    """One comparison: its heading, a sentence, the tables behind it, and the same figures as plain data."""

    heading: str
    sentence: str
    tables: tuple[Table, ...]
    data: Mapping[str, Any]


def with_chance(section: Section, chance: Chance | None, uncertain: Uncertain | None) -> Section:
    """Return a section with what the draws say of the same comparison."""
    if chance is None or uncertain is None:
        return section
    said = chance_sentence(chance, section.heading)
    table = decisive_table(chance, section.heading, uncertain)
    return replace(
        section,
        sentence=f"{section.sentence}\n{said}" if section.sentence else said,
        tables=(*section.tables, *([table] if table is not None else [])),
        data={**section.data, "chances": chance_data(chance)},
    )
