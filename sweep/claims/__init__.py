"""The claims of the two articles, recomputed from the catalogue and the model whenever somebody asks.

``configs/claims`` holds the claims with their sources, the formula of each that is a number, the values the formulas
use, and the single designs that the model evaluates for them. Results are nowhere stored.
"""
