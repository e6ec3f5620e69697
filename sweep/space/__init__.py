"""The design space: axes, blocks, ids, chunks and samples. Nothing here ever lists the designs."""

from sweep.space.axes import Axis, LinearAxis, ListAxis, LogAxis, Value, linear_axis, list_axis, log_axis, zip_axis
from sweep.space.block import Block, arrange
from sweep.space.chunks import ROWS_PER_CHUNK, Chunk, Chunks
from sweep.space.marginals import Choice, Marginal, Range, Triangular
from sweep.space.sampling import Method, SampleAxis, sample_axis
from sweep.space.space import Space

__all__ = [
    "ROWS_PER_CHUNK",
    "Axis",
    "Block",
    "Choice",
    "Chunk",
    "Chunks",
    "LinearAxis",
    "ListAxis",
    "LogAxis",
    "Marginal",
    "Method",
    "Range",
    "SampleAxis",
    "Space",
    "Triangular",
    "Value",
    "arrange",
    "linear_axis",
    "list_axis",
    "log_axis",
    "sample_axis",
    "zip_axis",
]
