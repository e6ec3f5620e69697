"""Uncertain inputs: what is drawn for each, the same draws for every design, and the quantiles of the results."""

from sweep.uncertain.inputs import DRAW, Uncertain, UncertainInput

__all__ = ["DRAW", "Uncertain", "UncertainInput"]
