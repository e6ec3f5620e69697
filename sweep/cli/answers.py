"""The answer of a run on the screen: the sentences first, then the tables behind each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sweep.cli.output import answer, answer_table

if TYPE_CHECKING:
    from sweep.answer import Answer

WIDTH = 100


def print_answer(said: Answer) -> None:
    """Print what a run says about its study's question."""
    if said.question:
        _paragraph(said.question)
    for section in said.sections:
        answer()
        for line in section.sentence.splitlines():
            _paragraph(line)
    if said.notes:
        answer()
    for note in said.notes:
        _paragraph(note)
    for table in (*(table for section in said.sections for table in section.tables), *said.tables):
        answer()
        answer_table(table)


def _paragraph(text: str) -> None:
    glued = text.replace(" %", "\N{NO-BREAK SPACE}%")  # a number and its percent sign stay on one line
    filled = textwrap.fill(glued, WIDTH, break_long_words=False, break_on_hyphens=False)
    answer(filled.replace("\N{NO-BREAK SPACE}", " "))
