"""The syntax tree of expressions and what each node computes. These nodes are all an expression can contain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Values = Mapping[str, Any]

BINARY: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType(
    {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        "/": np.divide,
        "//": np.floor_divide,
        "%": np.remainder,
    }
)
COMPARE: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType(
    {
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "==": np.equal,
        "!=": np.not_equal,
    }
)
UNARY: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "abs": np.abs,
        "sqrt": np.sqrt,
        "log": np.log,
        "exp": np.exp,
        "floor": np.floor,
        "ceil": np.ceil,
        "round": np.rint,
    }
)
FOLD: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType({"min": np.minimum, "max": np.maximum})


class Node(ABC):
    """A part of an expression."""

    @abstractmethod
    def value(self, values: Values) -> Array:
        """Return what the node is worth where the quantities have these SI values."""

    @property
    def parts(self) -> tuple[Node, ...]:
        """Nodes inside this one."""
        return ()

    def names(self) -> Iterator[str]:
        """Yield the quantities used, in the order of the text, with repetitions."""
        for part in self.parts:
            yield from part.names()


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A constant in SI; ``text`` is how it was written."""

    si: float
    text: str

    def value(self, values: Values) -> Array:
        """Return the constant."""
        del values
        return np.float64(self.si)  # type: ignore[return-value]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A text constant."""

    text: str

    def value(self, values: Values) -> Array:
        """Return the constant."""
        del values
        return np.asarray(self.text)

    def __str__(self) -> str:
        return repr(self.text)


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A quantity; ``is_text`` tells how to read it."""

    name: str
    is_text: bool = False

    def value(self, values: Values) -> Array:
        """Return the quantity as text, or as float64 (whole numbers too: exact up to 2**53); NaN or "" if unknown."""
        known = values.get(self.name)
        if self.is_text:
            return np.asarray("" if known is None else known, dtype=np.str_)
        return np.asarray(np.nan if known is None else known, dtype=np.float64)

    def names(self) -> Iterator[str]:
        """Yield the quantity."""
        yield self.name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """Unary minus."""

    operand: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """The operand."""
        return (self.operand,)

    def value(self, values: Values) -> Array:
        """Return the operand with its sign changed."""
        return np.negative(self.operand.value(values))

    def __str__(self) -> str:
        return f"-{_grouped(self.operand)}"


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Sum, difference, product, quotient, floored quotient or remainder."""

    sign: str
    left: Node
    right: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both operands."""
        return (self.left, self.right)

    def value(self, values: Values) -> Array:
        """Return the result by IEEE rules: division by zero gives an infinity or NaN."""
        return BINARY[self.sign](self.left.value(values), self.right.value(values))

    def __str__(self) -> str:
        return f"{_grouped(self.left)} {self.sign} {_grouped(self.right)}"


@dataclass(frozen=True, slots=True)
class Power(Node):
    """A power. ``whole`` is the exponent when it is a constant whole number: products alone, so exact to repeat."""

    base: Node
    exponent: Node
    whole: int | None = None

    @property
    def parts(self) -> tuple[Node, ...]:
        """Base and exponent."""
        return (self.base, self.exponent)

    def value(self, values: Values) -> Array:
        """Return the power; NaN for a negative base with a broken exponent."""
        base = self.base.value(values)
        if self.whole is None:
            return _whole_layout(np.power, base, self.exponent.value(values))
        result = _repeated(base, abs(self.whole))
        return np.divide(1.0, result) if self.whole < 0 else result

    def __str__(self) -> str:
        return f"{_grouped(self.base)} ** {_grouped(self.exponent)}"


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of one number, or the least or largest of several."""

    function: str
    arguments: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The arguments."""
        return self.arguments

    def value(self, values: Values) -> Array:
        """Return the function's value; NaN outside its domain, and for ``min`` and ``max`` of anything unknown."""
        arguments = [argument.value(values) for argument in self.arguments]
        if self.function in FOLD:
            return reduce(FOLD[self.function], arguments)
        return UNARY[self.function](np.ascontiguousarray(arguments[0]).reshape(np.shape(arguments[0])))

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Where(Node):
    """One value where a condition holds, another elsewhere."""

    condition: Node
    then: Node
    otherwise: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Condition and both values."""
        return (self.condition, self.then, self.otherwise)

    def value(self, values: Values) -> Array:
        """Return the chosen values."""
        return np.where(*(part.value(values) for part in self.parts))

    def __str__(self) -> str:
        return f"where({self.condition}, {self.then}, {self.otherwise})"


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """Comparison of two values; any with NaN is false, but for ``!=``."""

    sign: str
    left: Node
    right: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both sides."""
        return (self.left, self.right)

    def value(self, values: Values) -> Array:
        """Return where it holds."""
        return COMPARE[self.sign](self.left.value(values), self.right.value(values))

    def __str__(self) -> str:
        return f"{_grouped(self.left)} {self.sign} {_grouped(self.right)}"


@dataclass(frozen=True, slots=True)
class Member(Node):
    """Whether a value equals one of a list."""

    operand: Node
    options: tuple[Number | Text, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The value."""
        return (self.operand,)

    def value(self, values: Values) -> Array:
        """Return where it does; NaN is in no list."""
        operand = self.operand.value(values)
        return reduce(np.logical_or, [np.equal(operand, option.value(values)) for option in self.options])

    def __str__(self) -> str:
        return f"{_grouped(self.operand)} in [{', '.join(map(str, self.options))}]"


@dataclass(frozen=True, slots=True)
class Both(Node):
    """True where all parts are."""

    conditions: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The conditions."""
        return self.conditions

    def value(self, values: Values) -> Array:
        """Return where all hold."""
        return reduce(np.logical_and, [part.value(values) for part in self.conditions])

    def __str__(self) -> str:
        return " and ".join(map(_grouped, self.conditions))


@dataclass(frozen=True, slots=True)
class Either(Node):
    """True where any part is."""

    conditions: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The conditions."""
        return self.conditions

    def value(self, values: Values) -> Array:
        """Return where any holds."""
        return reduce(np.logical_or, [part.value(values) for part in self.conditions])

    def __str__(self) -> str:
        return " or ".join(map(_grouped, self.conditions))


@dataclass(frozen=True, slots=True)
class Not(Node):
    """True where a condition is not."""

    condition: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """The condition."""
        return (self.condition,)

    def value(self, values: Values) -> Array:
        """Return where it does not hold; with an unknown value inside, that is where it is not known to hold."""
        return np.logical_not(self.condition.value(values))

    def __str__(self) -> str:
        return f"not {_grouped(self.condition)}"


def _grouped(node: Node) -> str:
    atom = isinstance(node, Number | Text | Name | Call | Where)
    return str(node) if atom else f"({node})"


def _repeated(base: Array, times: int) -> Array:
    """Return ``base`` to a whole power by squaring: the same bits on every processor and for any layout."""
    result: Array = np.ones_like(base)
    while times:
        if times & 1:
            result = np.multiply(result, base)
        times >>= 1
        base = np.square(base) if times else base
    return result


def _whole_layout(function: Callable[[Array, Array], Array], *operands: Array) -> Array:
    """Return a function of operands written out in full, so that its bits do not depend on how they broadcast."""
    full = [np.ascontiguousarray(operand) for operand in np.broadcast_arrays(*operands)]
    return function(full[0], full[1]).reshape(np.broadcast_shapes(*(operand.shape for operand in operands)))
