"""What a user may ask of the accuracy: which splits, grouped by what. Imports nothing, so that ``--help`` is quick."""

from __future__ import annotations

from typing import Final

IN_SAMPLE: Final = "in-sample"
WITHOUT_SOURCE: Final = "left-out-source"
WITHOUT_CHIP: Final = "left-out-chip"

SPLITS: Final = (IN_SAMPLE, WITHOUT_SOURCE, WITHOUT_CHIP)
"""Which runs the constants of a prediction were fitted to: all of them, those of other families, those on other chips.
"""

BY: Final = ("chip", "workload", "precision", "source", "tier", "kind")
"""What predictions are grouped by."""
