"""Sweeps, searches and reports over the cluster model."""
