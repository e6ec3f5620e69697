"""From Python's syntax tree to the nodes of this package, with kinds and dimensions checked on the way.

``ast.parse`` reads the text; nothing is ever compiled or executed. A syntax the table below does not name is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal

from models.quantities import quantities
from sweep.dimensions import PURE, Dimension, dimension_of
from sweep.errors import nearest
from sweep.expressions import nodes
from sweep.expressions.tokens import Constant, ExpressionError
from sweep.units import UnitError, factor, parse_unit

Kind = Literal["number", "bool", "text"]

MAX_DEPTH = 100
MAX_POWER = 64

SIGNS: Mapping[type[ast.AST], str] = MappingProxyType(
    {
        ast.Add: "+",
        ast.Sub: "-",
        ast.Mult: "*",
        ast.Div: "/",
        ast.FloorDiv: "//",
        ast.Mod: "%",
        ast.Lt: "<",
        ast.LtE: "<=",
        ast.Gt: ">",
        ast.GtE: ">=",
        ast.Eq: "==",
        ast.NotEq: "!=",
    }
)
DONE_TO = MappingProxyType({"+": "added", "-": "subtracted", "//": "divided to a whole number", "%": "divided"})
KEEPS_UNIT = frozenset({"abs", "min", "max"})
FUNCTIONS = (*nodes.FOLD, *nodes.UNARY, "where")
REFUSED: Mapping[type[ast.AST], str] = MappingProxyType(
    {
        ast.IfExp: "write where(condition, a, b) instead of 'a if condition else b'",
        ast.List: "a list stands only behind 'in', such as precision in ['bf16', 'fp8']",
        ast.Tuple: "a comma separates only the arguments of a function and the items of a list",
        ast.Is: "write == instead of 'is'",
        ast.IsNot: "write != instead of 'is not'",
        ast.Constant: "True, False and None are no values here; write a condition such as chips > 0",
        ast.Subscript: "brackets [ ] stand only behind 'in'",
    }
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A node with what it is: its kind and, for numbers, its dimension."""

    node: nodes.Node
    kind: Kind
    dimension: Dimension = PURE

    @property
    def zero(self) -> bool:
        """Whether it is the constant 0, which has any dimension."""
        return isinstance(self.node, nodes.Number) and self.node.si == 0.0

    @property
    def unit(self) -> str:
        """Unit to name in messages: the human one of a quantity of the table, else SI."""
        known = quantities().get(self.node.name) if isinstance(self.node, nodes.Name) else None
        return known.unit if known else self.dimension.si_unit

    @property
    def described(self) -> str:
        """What it is, for messages."""
        kinds = {"bool": "true or false", "text": "text"}
        number = f"in {self.unit}" if self.unit else "a pure number"
        return f"{self.node} is {kinds.get(self.kind, number)}"


class Builder:
    """Builds the tree of one expression."""

    def __init__(self, names: Mapping[str, Dimension | None], constants: Mapping[str, Constant]) -> None:
        self.names = names
        self.constants = constants
        self.depth = 0
        self.builders: Mapping[type[ast.AST], Callable[[Any], Typed]] = {
            ast.Name: self._name,
            ast.Constant: self._text,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Compare: self._compare,
            ast.BoolOp: self._logic,
            ast.Call: self._call,
        }

    def build(self, tree: ast.AST) -> Typed:
        """Return the checked node of a syntax tree. Raises ``ExpressionError``."""
        make = self.builders.get(type(tree))
        if make is None:
            raise ExpressionError(_refusal(tree))
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"is more than {MAX_DEPTH} operations deep; split it with derive or metrics")
        typed = make(tree)
        self.depth -= 1
        return typed

    def _name(self, tree: ast.Name) -> Typed:
        constant = self.constants.get(tree.id)
        if constant is not None:
            dimension = dimension_of(constant.unit)
            si = constant.value * factor(constant.unit, dimension.si_unit)
            return Typed(nodes.Number(si, constant.text), "number", dimension)
        if tree.id not in self.names:
            raise ExpressionError(_unknown(tree.id, self.names))
        found = self.names[tree.id]
        if found is None:
            return Typed(nodes.Name(tree.id, is_text=True), "text")
        return Typed(nodes.Name(tree.id), "number", found)

    def _text(self, tree: ast.Constant) -> Typed:
        if not isinstance(tree.value, str):
            raise ExpressionError(_refusal(tree))
        return Typed(nodes.Text(tree.value), "text")

    def _unary(self, tree: ast.UnaryOp) -> Typed:
        operand = self.build(tree.operand)
        if isinstance(tree.op, ast.Not):
            return Typed(nodes.Not(_condition(operand, "not").node), "bool")
        _number(operand)
        if isinstance(tree.op, ast.UAdd):
            return operand
        if isinstance(operand.node, nodes.Number):
            constant = nodes.Number(-operand.node.si, f"-{operand.node.text}")
            return Typed(constant, "number", operand.dimension)
        return Typed(nodes.Negative(operand.node), "number", operand.dimension)

    def _binary(self, tree: ast.BinOp) -> Typed:
        left, right = _number(self.build(tree.left)), _number(self.build(tree.right))
        if isinstance(tree.op, ast.Pow):
            return _power(left, right)
        sign = SIGNS[type(tree.op)]
        node = nodes.Binary(sign, left.node, right.node)
        if sign == "*":
            return Typed(node, "number", left.dimension * right.dimension)
        if sign == "/":
            return Typed(node, "number", left.dimension / right.dimension)
        common = _common(left, right, DONE_TO[sign])
        return Typed(node, "number", PURE if sign == "//" else common)

    def _compare(self, tree: ast.Compare) -> Typed:
        sides = pairwise([tree.left, *tree.comparators])
        found = [self._pair(sign, left, right) for sign, (left, right) in zip(tree.ops, sides, strict=True)]
        return Typed(found[0] if len(found) == 1 else nodes.Both(tuple(found)), "bool")

    def _pair(self, sign: ast.cmpop, left: ast.expr, right: ast.expr) -> nodes.Node:
        if isinstance(sign, ast.In | ast.NotIn):
            member = self._member(self.build(left), right)
            return nodes.Not(member) if isinstance(sign, ast.NotIn) else member
        if type(sign) not in SIGNS:
            raise ExpressionError(_refusal(sign))
        return _comparison(SIGNS[type(sign)], self.build(left), self.build(right))

    def _member(self, operand: Typed, tree: ast.expr) -> nodes.Node:
        if not isinstance(tree, ast.List) or not tree.elts:
            raise ExpressionError("'in' needs a list behind it, such as precision in ['bf16', 'fp8']")
        options = []
        for item in map(self.build, tree.elts):
            _comparison("==", operand, item)
            if not isinstance(item.node, nodes.Number | nodes.Text):
                raise ExpressionError(f"a list holds only numbers and quoted texts, not {item.node}")
            options.append(item.node)
        return nodes.Member(operand.node, tuple(options))

    def _logic(self, tree: ast.BoolOp) -> Typed:
        word = "and" if isinstance(tree.op, ast.And) else "or"
        conditions = tuple(_condition(self.build(part), word).node for part in tree.values)
        return Typed(nodes.Both(conditions) if word == "and" else nodes.Either(conditions), "bool")

    def _call(self, tree: ast.Call) -> Typed:
        name = tree.func.id if isinstance(tree.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise ExpressionError(f"{name or 'this'} is no function{nearest(name, FUNCTIONS, limit=len(FUNCTIONS))}")
        arguments = [self.build(argument) for argument in tree.args]
        wanted = 3 if name == "where" else 1
        if len(arguments) < 2 if name in nodes.FOLD else len(arguments) != wanted:
            expected = "at least 2 values" if name in nodes.FOLD else f"{wanted} value{'s' * (wanted > 1)}"
            raise ExpressionError(f"{name} takes {expected}, not {len(arguments)}")
        return _where(*arguments) if name == "where" else _function(name, [_number(item) for item in arguments])


def _function(name: str, arguments: list[Typed]) -> Typed:
    node = nodes.Call(name, tuple(argument.node for argument in arguments))
    first = arguments[0]
    if name in KEEPS_UNIT:
        for other in arguments[1:]:
            first = Typed(first.node if not first.zero else other.node, "number", _common(first, other, "compared"))
        return Typed(node, "number", first.dimension)
    if name == "sqrt":
        return Typed(node, "number", first.dimension ** Fraction(1, 2))
    if not first.dimension.pure:
        raise ExpressionError(f"{name} needs a pure number, and {first.described}: divide it by 1 {first.unit} first")
    return Typed(node, "number")


def _where(condition: Typed, then: Typed, otherwise: Typed) -> Typed:
    _condition(condition, "where")
    if then.kind != otherwise.kind:
        raise ExpressionError(f"where needs two values of one kind, and {then.described}, {otherwise.described}")
    dimension = _common(then, otherwise, "two values of one quantity") if then.kind == "number" else PURE
    return Typed(nodes.Where(condition.node, then.node, otherwise.node), then.kind, dimension)


def _power(base: Typed, exponent: Typed) -> Typed:
    if not exponent.dimension.pure:
        raise ExpressionError(f"an exponent is a pure number, and {exponent.described}")
    constant = None if next(exponent.node.names(), None) else float(exponent.node.value({}))
    if constant is None:
        if not base.dimension.pure:
            raise ExpressionError(f"{base.described}: its power needs a number behind **, such as {base.node} ** 2")
        return Typed(nodes.Power(base.node, exponent.node), "number")
    if not abs(constant) <= MAX_POWER:
        raise ExpressionError(f"the exponent {exponent.node} is beyond {MAX_POWER}; use exp or log")
    if not base.dimension.pure and constant * 2 != int(constant * 2):
        raise ExpressionError(f"{base.described}: its power needs a whole or half exponent, not {exponent.node}")
    dimension = base.dimension ** Fraction(constant) if not base.dimension.pure else PURE
    whole = int(constant) if constant == int(constant) else None
    return Typed(nodes.Power(base.node, exponent.node, whole), "number", dimension)


def _comparison(sign: str, left: Typed, right: Typed) -> nodes.Node:
    if left.kind != right.kind or left.kind == "bool":
        raise ExpressionError(f"{left.described} and {right.described}: they cannot be compared")
    if left.kind == "number":
        _common(left, right, "compared")
    elif sign not in {"==", "!="}:
        raise ExpressionError(f"{left.described}: compare it with ==, != or in, not with {sign}")
    return nodes.Comparison(sign, left.node, right.node)


def _common(left: Typed, right: Typed, done: str) -> Dimension:
    """Return the dimension two numbers share. Raises ``ExpressionError`` that says what to write."""
    if left.dimension == right.dimension or right.zero:
        return left.dimension
    if left.zero:
        return right.dimension
    for constant, other in ((left, right), (right, left)):
        if isinstance(constant.node, nodes.Number) and not isinstance(other.node, nodes.Number):
            if constant.dimension.pure:
                raise ExpressionError(f"{other.described}: write {constant.node.text} {other.unit}")
            if other.dimension.pure:
                raise ExpressionError(f"{other.described}: write {constant.node.text} without its unit")
    raise ExpressionError(f"{left.described} and {right.described}: they cannot be {done}")


def _number(typed: Typed) -> Typed:
    if typed.kind == "bool":
        raise ExpressionError(f"{typed.node} is true or false, not a number: write where({typed.node}, 1, 0)")
    if typed.kind == "text":
        raise ExpressionError(f"{typed.described}: it can only be compared with ==, != or in")
    return typed


def _condition(typed: Typed, word: str) -> Typed:
    if typed.kind != "bool":
        raise ExpressionError(f"'{word}' needs a condition, and {typed.described}: compare it with something")
    return typed


def _unknown(name: str, names: Iterable[str]) -> str:
    if name in FUNCTIONS:
        return f"{name} is a function: write {name}(...)"
    try:
        parse_unit(name)
    except UnitError:
        return f"{name} is no quantity here{nearest(name, names)}"
    return f"{name} is a unit: write it behind a number, such as 1 {name}"


def _refusal(tree: ast.AST) -> str:
    allowed = "only numbers, quantities, + - * / // % **, comparisons, and, or, not, in and functions are allowed"
    return REFUSED.get(type(tree), allowed)
