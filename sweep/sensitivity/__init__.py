"""Which inputs of a study decide its metrics: Sobol indices, Morris screening, and a tornado around one design."""

from sweep.sensitivity.analysis import Decided, Options, Sensitivity, sensitivity

__all__ = ["Decided", "Options", "Sensitivity", "sensitivity"]
