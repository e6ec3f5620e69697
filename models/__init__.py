"""A vectorised model of AI clusters: performance, power, reliability, money and export rules."""
