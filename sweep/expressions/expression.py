"""Expressions of a study: ``derive``, ``where``, ``require`` and ``metrics``, compiled once and evaluated over arrays.

The language: numbers with or without a unit (``60 MW``, ``0.4 USD/kWh``), quantities by name, quoted text,
``+ - * / // % **``, comparisons and their chains, ``and or not``, ``in [...]``, and the functions ``min max abs sqrt
log exp floor ceil round where``. Dimensions are checked when it is compiled; ``0`` fits any dimension. Names have no
attributes, nothing is called but those functions, and Python never executes any of it.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.dimensions import Dimension, dimension_of, si_factor
from sweep.errors import StudyError
from sweep.expressions.build import Builder, Kind
from sweep.expressions.nodes import Both, Node
from sweep.expressions.tokens import ExpressionError, Token, join_units, tokenize, unquoted

TEXT = "text"
"""Unit that marks a text quantity."""


@dataclass(frozen=True)
class Expression:
    """A checked expression.

    ``kind`` says what it gives: number, bool or text. ``si_unit`` is the unit of a number (empty for a pure one and
    for conditions, ``TEXT`` for text).
    """

    text: str
    node: Node
    kind: Kind
    si_unit: str

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Quantities it needs, each once, in the order of the text."""
        return tuple(dict.fromkeys(self.node.names()))

    @property
    def is_condition(self) -> bool:
        """Whether it is true or false."""
        return self.kind == "bool"

    def evaluate(self, values: Mapping[str, Any]) -> NDArray[Any]:
        """Return its value over SI values that broadcast against each other: float64, bool or str.

        Arithmetic is IEEE's: a division by zero gives an infinity or NaN, a logarithm of a negative number NaN, and no
        warning. A quantity that is absent, None or NaN is unknown; what is computed from it is NaN, and a comparison
        with it is false (true for ``!=``). Whole numbers are exact up to 2**53.
        """
        with np.errstate(all="ignore"):
            return np.asarray(self.node.value(values))

    def conjuncts(self) -> tuple[Expression, ...]:
        """Return the conditions that must all hold: the parts of ``and`` and of chained comparisons."""
        if not isinstance(self.node, Both):
            return (self,)
        return tuple(Expression(str(node), node, "bool", "") for node in _flat(self.node))


def _flat(node: Both) -> Iterator[Node]:
    for part in node.conditions:
        if isinstance(part, Both):
            yield from _flat(part)
        else:
            yield part


def compile_expression(text: str, units: Mapping[str, str | None], where: str = "", path: str = "") -> Expression:
    """Return the checked expression of a text.

    Parameters
    ----------
    text
        The expression, at most 2,000 characters.
    units
        The quantities it may use, with their SI unit; ``TEXT`` or None for text.
    where, path
        File and line, and the place inside the file, for the message.

    Raises ``StudyError`` with one sentence that says what to write.
    """
    try:
        return _compile(text, {name: _dimension(name, unit) for name, unit in units.items()})
    except ExpressionError as error:
        raise StudyError.at(str(error), where, path) from error


def _dimension(name: str, unit: str | None) -> Dimension | None:
    if unit is None or unit == TEXT:
        return None
    if si_factor(unit) != 1.0:
        raise ValueError(f"{name}: expressions compute in SI, and {unit} is not an SI unit")
    return dimension_of(unit)


def _compile(text: str, names: Mapping[str, Dimension | None]) -> Expression:
    tokens = tokenize(text)
    texts = {name for name, dimension in names.items() if dimension is None}
    for name, words in unquoted(tokens, text, texts):
        raise ExpressionError(f"{name} is text and needs quotes to compare with: write {name} == '{words}'")
    joined, constants = join_units(tokens, text, names)
    typed = Builder(names, constants).build(_parse(joined, text))
    unit = {"bool": "", "text": TEXT}.get(typed.kind, typed.dimension.si_unit)
    return Expression(text.strip(), typed.node, typed.kind, unit)


def _parse(tokens: list[Token], text: str) -> ast.expr:
    """Return Python's syntax tree of the tokens, written anew so that nothing else reaches the parser."""
    words = [repr(token.text[1:-1]) if token.kind == "text" else token.text for token in tokens]
    try:
        return ast.parse(" ".join(words), mode="eval").body
    except SyntaxError as error:
        starts = list(accumulate((len(word) + 1 for word in words), initial=0))
        token = tokens[min(bisect_right(starts, (error.offset or 1) - 1), len(tokens)) - 1]
        near = text[token.start : token.end]
        raise ExpressionError(f"cannot be read near {near!r}; an example is chips <= 16384 and wacc < 0.1") from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise ExpressionError("is too deeply nested; split it with derive or metrics") from error
