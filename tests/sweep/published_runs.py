"""The published runs as cases, read once for all tests that pick a few of them."""

from functools import cache

from sweep.accuracy.rows import read_cases, training_table
from sweep.catalogue import Catalogue


@cache
def catalogue():
    """Return the catalogue of the program."""
    return Catalogue.load()


@cache
def published():
    """Return every published run that is a case, by its name."""
    return {case.name: case for case in read_cases(training_table(), catalogue())[0]}


def runs(*names):
    """Return published runs by name."""
    return [published()[name] for name in names]
