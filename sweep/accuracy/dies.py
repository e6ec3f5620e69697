"""Chips that are one die with other memory, links or limits: what is known of one is known of the others."""

from __future__ import annotations

from typing import Final

DIES: Final = {
    "a100-sxm-40gb": "A100",
    "a100-sxm-80gb": "A100",
    "h100-sxm": "H100",
    "h200-sxm": "H100",
    "h800-sxm": "H100",
    "h20": "H100",
    "gh200": "H100",
    "b200-sxm": "B200",
    "gb200": "B200",
    "b300-sxm": "B300",
    "gb300": "B300",
    "mi300x": "MI300X",
    "mi325x": "MI300X",
    "ascend-910b": "910B",
    "ascend-910c": "910B",
    "ascend-910c-560t": "910B",
}
"""Die of the chips that share it with another; the 910C is two dies of the 910B."""


def die_of(chip: str) -> str:
    """Return the name of a chip's die; the chip's own where no other has it."""
    return DIES.get(chip, chip)
