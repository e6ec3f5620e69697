"""Pages in docs that the code writes: one is written, or held against what the code says now."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def write_or_check(arguments: Sequence[str], name: str, page: Callable[[], str], module: str) -> int:
    """Write a page into a folder, ``docs`` when none is given; with ``--check`` say whether it is out of date.

    ``module`` writes the page when Python runs it. Returns 1 when the page is out of date or absent, else 0.
    """
    folders = [argument for argument in arguments if argument != "--check"]
    file = Path(folders[0] if folders else "docs") / name
    text = page()
    if "--check" not in arguments:
        file.write_text(text, encoding="utf-8")
    elif not file.is_file() or file.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{file} is out of date; write it anew with: python -m {module}\n")
        return 1
    return 0
