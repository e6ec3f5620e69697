"""Predicted against measured: published runs as cases of the model, their errors, and the report."""
