"""The engine: chunks of a study become Parquet parts, in this process or on Ray."""

from sweep.engine.driver import Progress, RunResult, run
from sweep.engine.rows import evaluate_chunk

__all__ = ["Progress", "RunResult", "evaluate_chunk", "run"]
