"""Search: Optuna proposes levers, the engine evaluates each batch as one block, the journal remembers."""

from sweep.search.checks import Checks
from sweep.search.exact import Found
from sweep.search.samplers import SAMPLERS
from sweep.search.search import SearchResult, search
from sweep.search.spread import Spread
from sweep.search.task import Options

__all__ = ["SAMPLERS", "Checks", "Found", "Options", "SearchResult", "Spread", "search"]
