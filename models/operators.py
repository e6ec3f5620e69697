"""Number formats, and what of attention no kernel table measures."""

from __future__ import annotations

from typing import Final

UNFUSED_BACKWARD: Final = 2.0
"""Backward over forward time of unfused attention: four products instead of two, twice the trips through memory
(Korthikanti et al. 2022 table 4: a layer of 11.9 ms backward, 7.7 ms forward)."""

ELEMENT_BYTES: Final = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}
"""Bytes of one element of the matrix products by number format."""
