"""The sources of the facts that a run used, as a bibliography."""

from __future__ import annotations

from sweep.cite.bibtex import bibtex
from sweep.cite.sources import Citation, Collected, collect, of_run

__all__ = ["Citation", "Collected", "bibtex", "collect", "of_run"]
