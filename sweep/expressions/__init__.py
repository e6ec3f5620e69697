"""Safe expressions over quantities, with units."""

from sweep.expressions.expression import TEXT, Expression, compile_expression

__all__ = ["TEXT", "Expression", "compile_expression"]
