"""Carbon dioxide of the electricity that a cluster draws. What its making emitted is not counted: no source has it."""

from __future__ import annotations

from models.inputs import Array


def emissions(energy: Array, carbon_intensity: Array) -> Array:
    """Return the emissions of a facility's energy [kg]: energy [J] times the intensity of its grid [kg/J].

    The intensity is the grid's mean over a year; hours and marginal plants are not told apart.
    """
    return energy * carbon_intensity
