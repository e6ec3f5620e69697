"""No module of the search needs, even for its types, one that needs it."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import sweep.search

FOLDER = Path(sweep.search.__file__).parent


def imported(path):
    """Modules of the search that a module imports, anywhere in it."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    found = {node.module.removeprefix("sweep.search.") for node in nodes if node.module.startswith("sweep.search.")}
    return found | {name.name for node in nodes if node.module == "sweep.search" for name in node.names}


def test_imports_have_no_cycle():
    graph = {path.stem: imported(path) for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError with the cycle
    assert order.index("reference") < order.index("batch")
