"""Study files: the YAML a user writes, checked against the quantity table and the catalogue."""

from __future__ import annotations

from sweep.study.load import build_study, load_study, open_study
from sweep.study.study import Constant, Equal, Keep, Objective, Study

__all__ = ["Constant", "Equal", "Keep", "Objective", "Study", "build_study", "load_study", "open_study"]
