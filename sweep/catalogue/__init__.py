"""The catalogue: chips, systems, fabrics, models, places and prices, every number with its source.

One YAML file is one entry; its folder is its kind and its stem is its name. ``Catalogue.load`` reads the catalogue that
comes with the program and any folders of the user; entries are parsed when they are asked for.
"""

from __future__ import annotations

from sweep.catalogue.catalogue import CALIBRATION, Catalogue
from sweep.catalogue.entry import KINDS, Alternative, Entry, Fact, Resolved

__all__ = ["CALIBRATION", "KINDS", "Alternative", "Catalogue", "Entry", "Fact", "Resolved"]
