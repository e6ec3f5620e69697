"""The command line: ``supernode VERB``."""

from sweep.cli.app import main

__all__ = ["main"]
