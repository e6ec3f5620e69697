"""From the text of an expression to tokens, with numbers and their units joined into one token.

Python's grammar has no place for ``60 MW``, so a number and the unit behind it become a name that no user can write
(it starts with two underscores); the parser reads the name and the table of constants says what it stands for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from keyword import iskeyword
from typing import Literal, cast

from sweep.units import UnitError, parse_unit

MAX_LENGTH = 2_000
MAX_NESTING = 40
MAX_NAME = 80

TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    | (?P<name>[A-Za-z_µμ][A-Za-z0-9_µμ]*)
    | (?P<text>'[^'\\\n]*'|"[^"\\\n]*")
    | (?P<sign>\*\*|//|<=|>=|==|!=|[-+*/%<>()\[\],])
    )""",
    re.VERBOSE | re.ASCII,
)
INSTEAD = {
    "=": "write == to compare",
    "&": "write 'and'",
    "|": "write 'or'",
    "!": "write 'not'",
    "^": "write ** for powers",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "×": "write *",  # noqa: RUF001 (people paste it)
    "÷": "write /",
    "$": "write the unit behind the number, such as 0.4 USD/kWh",
}
OPENING, CLOSING = "([", ")]"


Kind = Literal["number", "name", "text", "sign", "constant"]


class ExpressionError(ValueError):
    """An expression that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of an expression; ``start`` and ``end`` are its place in the text."""

    kind: Kind
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A number as written: ``value`` in ``unit``, which is empty for a pure number."""

    value: float
    unit: str
    text: str


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a text. Raises ``ExpressionError`` for what no expression contains."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH:,} characters; split it with derive or metrics")
    tokens: list[Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = TOKEN.match(text, place)
        if match is None:
            raise ExpressionError(_stray(text[place:].lstrip()))
        kind = match.lastgroup
        assert kind is not None
        tokens.append(Token(cast("Kind", kind), match[kind], *match.span(kind)))
        place = match.end()
    if not tokens:
        raise ExpressionError("is empty; write a condition or a formula, such as chips <= 16384")
    _check_shape(tokens)
    return tokens


def _stray(rest: str) -> str:
    sign = rest[0]
    if sign in "'\"":
        return f"the text that starts with {rest[:20]} has no closing quote (a backslash is not allowed in it)"
    hint = INSTEAD.get(sign)
    return f"{sign!r} is no part of an expression" + (f"; {hint}" if hint else "")


def _check_shape(tokens: list[Token]) -> None:
    open_: list[str] = []
    for token in tokens:
        if token.kind != "sign":
            if token.kind == "name" and token.text.startswith("__"):
                raise ExpressionError(f"{token.text[:MAX_NAME]} is no quantity: none starts with two underscores")
            if len(token.text) > MAX_NAME:
                raise ExpressionError(f"{token.text[:20]}... is {len(token.text)} letters long; no quantity is")
        elif token.text in OPENING:
            open_.append(CLOSING[OPENING.index(token.text)])
            if len(open_) > MAX_NESTING:
                raise ExpressionError(f"has more than {MAX_NESTING} brackets inside each other; split it with derive")
        elif token.text in CLOSING and (not open_ or open_.pop() != token.text):
            raise ExpressionError(f"has a {token.text} without its opening bracket")
    if open_:
        raise ExpressionError(f"misses a closing {open_[-1]}")
    if tokens[-1].kind == "sign" and tokens[-1].text not in CLOSING:
        percent = " (a percentage is written 5 percent)" if tokens[-1].text == "%" else ""
        raise ExpressionError(f"ends with {tokens[-1].text} and nothing behind it{percent}")


def join_units(tokens: list[Token], text: str, names: Container[str]) -> tuple[list[Token], dict[str, Constant]]:
    """Return the tokens with every number, and the unit behind it, replaced by a name; and what the names stand for.

    A unit ends before a word that is one of ``names``: in ``60 MW / chips`` it is ``MW``, in ``0.4 USD/kWh`` all of it.
    """
    joined: list[Token] = []
    constants: dict[str, Constant] = {}
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token.kind == "number":
            end = _unit_end(tokens, place, names)
            unit = text[tokens[place].start : tokens[end - 1].end] if end > place else ""
            unit = f"1{unit}" if unit.startswith("/") else unit
            name = f"__{len(constants)}"
            last = tokens[end - 1].end
            constants[name] = Constant(_value(token.text), _checked(unit, token.text), text[token.start : last])
            token = Token("constant", name, token.start, last)
            place = end
        joined.append(token)
    return joined, constants


def _value(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ExpressionError(f"{text} is larger than any number the model can hold")
    return value


def _checked(unit: str, number: str) -> str:
    try:
        parse_unit(unit)
    except UnitError as error:
        raise ExpressionError(f"{error} (behind {number})") from error
    return unit


def _unit_end(tokens: list[Token], place: int, names: Container[str]) -> int:
    """Return the place behind the unit that begins at ``place``; ``place`` itself when there is none."""
    over = place + 1 if [token.text for token in tokens[place : place + 2]] == ["1", "/"] else place
    if over < len(tokens) and tokens[over].text == "/":
        end = _factor_end(tokens, over + 1, names)
        return _further(tokens, end, names) if end > over + 1 else place
    if place < len(tokens) and tokens[place].kind == "name" and not iskeyword(tokens[place].text):
        return _further(tokens, _powered(tokens, place + 1), names)
    return place


def _further(tokens: list[Token], end: int, names: Container[str]) -> int:
    """Return the place behind all ``* unit`` and ``/ unit`` that follow."""
    while end < len(tokens) and tokens[end].text in {"*", "/"}:
        after = _factor_end(tokens, end + 1, names)
        if after == end + 1:
            break
        end = after
    return end


def _factor_end(tokens: list[Token], place: int, names: Container[str]) -> int:
    """Return the place behind one unit word, with its power, or a bracket of them; ``place`` when there is none."""
    if place >= len(tokens):
        return place
    if tokens[place].text == "(":
        inner = _factor_end(tokens, place + 1, names)
        end = _further(tokens, inner, names)
        closed = inner > place + 1 and end < len(tokens) and tokens[end].text == ")"
        return end + 1 if closed else place
    return _powered(tokens, place + 1) if _is_unit(tokens[place], names) else place


def _powered(tokens: list[Token], place: int) -> int:
    follows = [token.text for token in tokens[place : place + 2]]
    return place + 2 if len(follows) == 2 and follows[0] == "**" and follows[1].isdigit() else place


def _is_unit(token: Token, names: Container[str]) -> bool:
    if token.kind != "name" or token.text in names or iskeyword(token.text):
        return False
    try:
        parse_unit(token.text)
    except UnitError:
        return False
    return True


def unquoted(tokens: list[Token], text: str, texts: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield text quantities that are compared with bare words, and the words: ``("system", "gb200-nvl72")``."""
    for place, token in enumerate(tokens[:-2]):
        follows = [other.text for other in tokens[place + 1 : place + 3]]
        if token.text not in texts or follows[0] not in {"==", "!=", "in"}:
            continue
        at = place + (3 if follows == ["in", "["] else 2)
        if at < len(tokens) and tokens[at].kind in {"name", "number"} and tokens[at].text not in texts:
            end = at
            while end + 1 < len(tokens) and _touches(tokens[end], tokens[end + 1]):
                end += 1
            yield token.text, text[tokens[at].start : tokens[end].end]


def _touches(token: Token, follower: Token) -> bool:
    return follower.start == token.end and follower.text not in {",", ")", "]"}
