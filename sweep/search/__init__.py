"""Search: Optuna proposes levers, the engine evaluates each batch as one block, the journal remembers."""

from sweep.search.checks import Checks
from sweep.search.exact import Found
from sweep.search.samplers import SAMPLERS
from sweep.search.search import Options, SearchResult, search

__all__ = ["SAMPLERS", "Checks", "Found", "Options", "SearchResult", "search"]
