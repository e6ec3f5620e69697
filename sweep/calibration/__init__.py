"""Fits of the named constants of the model to published measurements."""
